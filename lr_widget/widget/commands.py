"""Carries out what the browser asks for, and says so where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..errors import LRWidgetError
from . import protocol, settings, words

if TYPE_CHECKING:
    from .widget import LRFinderWidget

_WRONG = (ValueError, TypeError, RuntimeError, LRWidgetError, traitlets.TraitError)
_DOING = {
    "stop": "Stopping after this step.",
    "pause": "Pausing after this step.",
    "resume": "Running again.",
}


def receive(widget: LRFinderWidget, content: Any) -> None:
    """Carry out a message from the browser, between two cells where it concerns the model, and answer it."""

    def answer() -> None:
        try:
            obey(widget, content)
        finally:
            if isinstance(content, dict):
                widget.send({"done": content.get("serial")})

    if protocol.touches_model(content):
        widget.cells_thread.call(answer)
    else:
        answer()


def obey(widget: LRFinderWidget, content: Any) -> None:
    """Carry out a message from the browser; a wrong one is ignored with a message in the widget."""
    with widget.lock:  # no other thread changes anything between the deed and what is said of it
        try:
            _carry_out(widget, protocol.parse(content))
        except _WRONG as error:
            widget.say("warning", words.sentence(str(error)))


def _carry_out(widget: LRFinderWidget, command: protocol.Command) -> None:
    if command.command == "set":
        set_from_browser(widget, command.name, command.value)
    elif command.command in ("stop", "pause", "resume"):
        steer(widget, command.command, command.run_id)
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
