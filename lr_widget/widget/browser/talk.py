"""The words of the widget to the person: the status line, a refused entry, and a question that waits for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import words
from ..failures import outside_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .messages import Kind, Note, Question

_MAX_NOTE = 600  # characters: an error may repeat a text of megabytes that a page has sent


class Talk:
    """Keep the last sentence until there is another one to say.

    Args:
        show: called after every change.
    """

    def __init__(self, show: Callable[[], None]) -> None:
        self._show = show
        self._note: Note = {"kind": "info", "text": words.READY}
        self._refusal: tuple[str, Note] | None = None
        self._question: Question | None = None
        # The rate that the note is on, and the note once another one is selected.
        self._told: tuple[float, str] | None = None

    @property
    def note(self) -> Note:
        """The status line: a refusal stands before anything that was said earlier."""
        return self._note if self._refusal is None else self._refusal[1]

    @property
    def refused(self) -> str:
        """The setting whose last entry was wrong, or an empty text."""
        return "" if self._refusal is None else self._refusal[0]

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer."""
        return self._question

    def begin(self, text: str) -> None:
        """Say something else from now on; nothing of before stands any more, and the caller shows it."""
        self.note_end("info", text)
        self._question = None

    def note_end(self, kind: Kind, text: str) -> None:
        """Say how something ended; the caller shows it."""
        self._note, self._refusal, self._told = {"kind": kind, "text": outside_text(text, _MAX_NOTE)}, None, None

    def say(self, kind: Kind, text: str) -> None:
        """Show a sentence in the status line."""
        self.note_end(kind, text)
        self._show()

    def tell(self, lr: float, text: str, later: str = words.READY) -> None:
        """Show a sentence on the selected rate; once another one is selected, `later` takes its place."""
        self.say("good", text)
        self._told = lr, later

    def follow(self, selected: str) -> None:
        """Take the selected rate as it is shown, empty without one; the caller shows what changes."""
        if self._told is not None and (not selected or float(selected) != self._told[0]):
            self._note, self._told = {"kind": "info", "text": self._told[1]}, None

    def refuse(self, name: str, text: str) -> None:
        """Say that a setting was refused, until an entry is right or there is something else to say."""
        self._refusal = (name, {"kind": "warning", "text": outside_text(text, _MAX_NOTE)})
        self._show()

    def accept(self) -> None:
        """Take back the word that a setting was refused, as an entry was right since."""
        if self._refusal is not None:
            self._refusal = None
            self._show()

    def ask(self, text: str, yes: str) -> None:
        """Ask before something is done; `yes` is the label of the button that does it."""
        self._question = {"text": text, "yes": yes}
        self._show()

    def take_question(self) -> bool:
        """Take the question back; False if there is none, as it was answered already."""
        had, self._question = self._question is not None, None
        self._show()
        return had

    def drop_question(self) -> None:
        """Take a question back that nothing stands behind any more; the caller shows it."""
        self._question = None
