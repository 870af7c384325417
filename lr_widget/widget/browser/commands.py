"""Carries out what the browser asks for, and says so where it cannot."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import LRWidgetError
from .. import traits as settings
from .. import words
from ..kernel import variable as notebook
from . import messages as protocol

if TYPE_CHECKING:
    from ..widget import LRFinderWidget

_WRONG = (ValueError, TypeError, RuntimeError, LRWidgetError, traitlets.TraitError)
_DOING = {
    "stop": "Stopping after this step.",
    "pause": "Pausing after this step.",
    "resume": "Running again.",
}


def receive(widget: LRFinderWidget, content: Any) -> None:
    """Carry out a message from the browser and answer it; a wrong one is ignored with a message in the widget."""
    try:
        command = protocol.parse(content)
    except ValueError as error:
        widget.say("warning", words.sentence(str(error)))
        _answer(widget, content)
        return

    def obey() -> None:
        if widget.is_open:  # it may have been closed while this waited
            try:
                _obey(widget, command)
            finally:
                _answer(widget, content)

    # What concerns the model waits for the end of the cell, and what comes later waits behind it.
    if command.touches_model or (widget.cells_thread.has_waiting and not command.steers):
        widget.cells_thread.call(obey)
    else:
        obey()


def _answer(widget: LRFinderWidget, content: Any) -> None:
    if isinstance(content, dict):
        widget.send({"done": content.get("serial")})


def _obey(widget: LRFinderWidget, command: protocol.Command) -> None:
    # No other thread changes anything between the deed and what is said of it. On Colab a test blocks the only thread.
    with nullcontext() if notebook.current_host() == "colab" else widget.lock:
        try:
            _carry_out(widget, command)
        except _WRONG as error:
            widget.say("warning", words.sentence(str(error)))


def _carry_out(widget: LRFinderWidget, command: protocol.Command) -> None:
    if command.steers:
        steer(widget, command.command, command.run_id)
    elif command.command == "set":
        set_from_browser(widget, command.name, command.value)
    elif command.command == "choose":
        widget.set_trait("rule", command.value)  # which checks it
    elif command.command == "pick":
        set_from_browser(widget, "selected_lr", command.value)
    elif command.command == "start":
        widget.start()
    elif command.command == "probe":
        widget.start_probe()
    elif command.command == "copy":
        widget.copy_to_notebook()
    else:
        widget.apply()


def set_from_browser(widget: LRFinderWidget, name: str, value: object) -> None:
    """Set a trait to what was typed or dragged; a wrong value is ignored, and the browser shows the right one again."""
    try:
        setattr(widget, name, settings.from_browser(name, value))
    except (ValueError, traitlets.TraitError) as error:
        kept = getattr(widget, name)
        stays = "" if kept is None else f" It stays {words.plain(kept)}."
        widget.say("warning", words.sentence(str(error)) + stays)
        widget.send_state(name)


def steer(widget: LRFinderWidget, action: str, run_id: int | None = None) -> None:
    """Stop, pause or resume the run; one that is over already stays as it is."""
    with widget.lock:
        if getattr(widget.runner, action)(run_id):
            if action == "resume":
                widget.status = "running"  # a pause that follows at once is then a new one
            widget.say("info", _DOING[action])
