"""The package's own exceptions; wrong arguments raise plain `ValueError` and `TypeError`.

LRWidgetError
├── NoSuggestionError   a rate was asked of a suggestion that has none (also a ValueError)
├── RestoreError        something could not be put back after a test; the rest was (also a RuntimeError)
└── NotebookError       a value could not be put into the notebook (name taken, no notebook; also a ValueError)
    └── OverwriteError  the name holds a number of the user's own; only asked for by name is it overwritten
"""

from __future__ import annotations

from contextlib import suppress


class LRWidgetError(Exception):
    """Base of every exception that this package defines."""


class NoSuggestionError(LRWidgetError, ValueError):
    """The curve gave no rate; the message is the suggestion's reason."""


class RestoreError(LRWidgetError, RuntimeError):
    """After a range test, something could not be put back; the message names it. Everything else was restored."""


class NotebookError(LRWidgetError, ValueError):
    """A value could not be put into the notebook's namespace; the message has the reason and the remedy."""


class OverwriteError(NotebookError):
    """A variable of the notebook holds a number that is not from here, and nobody has said that it may be overwritten.

    Args:
        name: of the variable.
        held: its value, in words.
    """

    def __init__(self, name: str, held: str) -> None:
        super().__init__(
            f"{name} is {held} and was not written by this widget, so it was kept; type another name for the variable, "
            "or pass overwrite=True"
        )
        self.name, self.held = name, held

    def __reduce__(self) -> tuple[type[OverwriteError], tuple[str, str]]:
        """Pickle the arguments; an exception would give its message to `__init__`."""
        return type(self), (self.name, self.held)


def add_note(error: BaseException, note: str) -> None:
    """Add a note to the exception, unless its notes are no list; tracebacks show it below the message."""
    with suppress(TypeError, AttributeError):  # no more, as a signal handler may raise anything at any line
        if hasattr(error, "add_note"):
            error.add_note(note)
        else:  # Python 3.10: the attribute that 3.11's add_note writes
            error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
