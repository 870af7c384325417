"""Answer the browser's commands and carry them out; a wrong one is ignored with a message."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import traitlets

from ...errors import LRWidgetError
from .. import words
from ..kernel import current_host
from . import messages

if TYPE_CHECKING:
    import threading

    from ..kernel import CellsThread

_WRONG = (ValueError, TypeError, RuntimeError, LRWidgetError, traitlets.TraitError)


class Target(Protocol):
    """The part of the widget that commands act on."""

    lock: threading.RLock
    cells_thread: CellsThread
    is_open: bool

    def start(self) -> None:
        """Run the test."""

    def start_probe(self) -> None:
        """Probe around the selected rate."""

    def steer(self, action: str, run_id: int | None) -> None:
        """Stop, pause or resume the run with this id."""

    def copy_to_notebook(self) -> float:
        """Assign the selected rate to the notebook's variable."""

    def apply(self) -> float:
        """Give the selected rate to the optimizer."""

    def draw(self) -> None:
        """Send pictures of the chart from now on."""

    def say(self, kind: messages.Kind, text: str) -> None:
        """Show a sentence in the status line."""

    def send(self, content: Any) -> None:
        """Send a message to the browser."""

    def send_state(self, key: Any = None) -> None:
        """Send traits to the browser."""


def receive(target: Target, content: Any) -> None:
    """Answer a message from the browser and carry it out."""
    try:
        command = messages.parse(content)
    except ValueError as error:
        target.say("warning", words.sentence(str(error)))
        _answer(target, content)
        return

    def obey() -> None:
        if target.is_open:  # it may have been closed while this waited
            _answer(target, content)  # first: a run may block all messages until its end
            _obey(target, command)

    # Commands to the model wait for the end of the cell, and later ones wait behind them.
    if command.touches_model or (target.cells_thread.has_waiting and not command.steers):
        target.cells_thread.call(obey)
    else:
        obey()


def _answer(target: Target, content: Any) -> None:
    if isinstance(content, dict) and "serial" in content:
        target.send({"done": content["serial"]})


def _obey(target: Target, command: messages.Command) -> None:
    # Hold the lock so that the note describes this command. Where a test blocks the only thread, no lock is needed.
    with target.lock if current_host().shows_threads else nullcontext():
        try:
            _carry_out(target, command)
        except _WRONG as error:
            target.say("warning", words.sentence(str(error)))


def _carry_out(target: Target, command: messages.Command) -> None:
    if command.steers:
        target.steer(command.command, command.run_id)
    elif command.command == "set":
        _set(target, command.name, command.value)
    elif command.command == "start":
        target.start()
    elif command.command == "probe":
        target.start_probe()
    elif command.command == "copy":
        target.copy_to_notebook()
    elif command.command == "draw":
        target.draw()
    else:
        target.apply()


def _set(target: Target, name: str, value: object) -> None:
    """Set a trait; a wrong value is ignored, and the browser shows the right one again."""
    try:
        setattr(target, name, messages.read_value(name, value))
    except (ValueError, traitlets.TraitError) as error:
        kept = getattr(target, name)
        stays = "" if kept is None else f" It stays {words.plain(kept)}."
        target.say("warning", words.sentence(str(error)) + stays)
        target.send_state(name)
