"""Answer the browser's commands and carry them out; a wrong one is ignored with a message."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import traitlets

from ...checks import type_name
from ...errors import LRWidgetError, OverwriteError
from .. import words
from ..failures import outside_text, sentence
from ..kernel import current_host
from . import messages

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..kernel import CellsThread
    from ..results import Results
    from .answer import Answers
    from .talk import Talk

_MAX_SERIAL = 80  # characters
_MAX_ERROR = 500  # characters of an error in the status line
_WRONG = (ValueError, TypeError, RuntimeError, LRWidgetError, traitlets.TraitError)


class Screen(Protocol):
    """The part of the screen that commands act on."""

    talk: Talk
    answers: Answers

    def change_runs(self, change: Callable[[Results], object]) -> None:
        """Change the kept runs."""

    def zoom(self, window: tuple[float, float, float, float] | None) -> None:
        """Show a part of the chart, or all of it for None."""

    def table(self) -> str:
        """Return the runs that are on the chart as CSV."""

    def send_pictures(self) -> None:
        """Send pictures of the chart from now on."""


class Target(Protocol):
    """The part of the widget that commands act on."""

    lock: threading.RLock
    cells_thread: CellsThread
    is_open: bool
    variable: str

    @property
    def screen(self) -> Screen:
        """The screen."""

    def start(self) -> None:
        """Run the test."""

    def start_probe(self) -> None:
        """Probe around the selected rate."""

    def steer(self, action: str, run_id: int | None) -> None:
        """Stop, pause or resume the run with this id."""

    def copy_to_notebook(self, *, overwrite: bool = False) -> float:
        """Assign the selected rate to the notebook's variable."""

    def apply(self) -> float:
        """Give the selected rate to the optimizer."""

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Tell observers of changed traits when the block ends."""

    def send(self, content: Any) -> None:
        """Send a message to the browser."""

    def send_state(self, key: Any = None) -> None:
        """Send traits to the browser."""


def receive(target: Target, content: Any) -> None:
    """Answer a message from the browser and carry it out."""
    try:
        command = messages.parse(content)
    except ValueError as error:
        target.screen.talk.say("warning", sentence(str(error)))
        _answer(target, content)
        return

    def obey() -> None:
        if target.is_open:  # it may have been closed while this waited
            if command.is_quick:
                _obey(target, command)
            _answer(target, content)  # first: a run may block all messages until its end
            if not command.is_quick:
                _obey(target, command)

    # Commands to the model wait for the end of the cell, and later ones wait behind them.
    if command.touches_model or (target.cells_thread.has_waiting and not command.steers):
        target.cells_thread.call(obey)
    else:
        obey()


def _answer(target: Target, content: Any) -> None:
    serial = content.get("serial") if isinstance(content, dict) else None
    if isinstance(serial, str) and len(serial) <= _MAX_SERIAL and serial.isascii():
        target.send({"done": serial})


def _obey(target: Target, command: messages.Command) -> None:
    # Hold the lock so that the note describes this command. Where a test blocks the only thread, no lock is needed.
    with target.lock if current_host().shows_threads else nullcontext():
        try:
            _carry_out(target, command)
        except _WRONG as error:
            target.screen.talk.say("warning", sentence(str(error)))


def _carry_out(target: Target, command: messages.Command) -> None:
    screen = target.screen
    if command.steers:
        target.steer(command.command, command.run_id)
    elif command.command == "set":
        _set(target, command.name, command.value)
    elif command.run_id is not None and command.command in messages.OF_A_RUN:
        _change_run(screen, command.command, command.run_id, command.value)
    else:
        deeds: dict[str, Callable[[], object]] = {
            "start": target.start,
            "probe": target.start_probe,
            "follow": lambda: _follow(target, command.value),
            "copy": lambda: _copy(target),
            "confirm": lambda: screen.talk.take_question() and target.copy_to_notebook(overwrite=True),
            "dismiss": lambda: _dismiss(target),
            "apply": lambda: _apply(target),
            "zoom": lambda: screen.zoom(messages.read_window(command.value)),
            "csv": lambda: target.send({"csv": screen.table()}),
            "draw": screen.send_pictures,
        }
        deeds[command.command]()


def _change_run(screen: Screen, deed: str, run_id: int, value: Any) -> None:
    changes: dict[str, Callable[[Results], object]] = {
        "rename": lambda results: results.runs.rename(run_id, value),
        "hide": lambda results: results.runs.hide(run_id),
        "show": lambda results: results.runs.hide(run_id, is_hidden=False),
        "remove": lambda results: results.remove(run_id),
    }
    screen.change_runs(changes[deed])


def _copy(target: Target) -> None:
    """Copy, or ask first where a number would be overwritten that no widget put there."""
    try:
        target.copy_to_notebook()
    except OverwriteError as error:
        target.screen.talk.ask(words.may_overwrite(error.name, error.held), words.OVERWRITE)


def _apply(target: Target) -> None:
    """Apply, or tell the error, which may come from code of the user's, such as `configure_optimizers`."""
    try:
        target.apply()
    except Exception as error:  # noqa: BLE001  # it can be any
        kind = "" if isinstance(error, _WRONG) else f"{type_name(error)}: "
        target.screen.talk.say("warning", sentence(kind + outside_text(error, _MAX_ERROR)))


def _dismiss(target: Target) -> None:
    if target.screen.talk.take_question():
        target.screen.talk.say("info", words.not_overwritten(target.variable))


def _follow(target: Target, label: object) -> None:
    """Take an advice: change settings, then run or probe."""
    advice = target.screen.answers.find_advice(label)
    with target.hold_trait_notifications():
        for name, value in advice.changes.items():
            setattr(target, name, value)
    if advice.action != "none":
        (target.start_probe if advice.action == "probe" else target.start)()


def _set(target: Target, name: str, value: object) -> None:
    """Set a trait; a wrong value is ignored, and the browser shows the right one again."""
    talk = target.screen.talk
    try:
        setattr(target, name, messages.read_value(name, value))
    except (ValueError, traitlets.TraitError) as error:
        kept = getattr(target, name)
        stays = "" if kept is None else f" It stays {words.plain(kept)}."
        talk.refuse(name, sentence(messages.in_labels(str(error))) + stays)
        target.send_state(name)
    else:
        talk.accept()
