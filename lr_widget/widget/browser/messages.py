"""What goes between Python and the browser besides the traits; ``js/src/protocol.ts`` is its mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, get_args

from ..words import Failure

CommandName = Literal["start", "stop", "pause", "resume", "set", "pick", "choose", "probe", "copy", "apply"]
_NAMES: tuple[str, ...] = get_args(CommandName)
SETTINGS = ("start_lr", "end_lr", "num_steps", "repeats", "max_probe_steps", "smoothing", "variable")


@dataclass(frozen=True)
class Command:
    """A click or an entry; ``run_id`` is the run that the browser showed then."""

    command: CommandName
    run_id: int | None
    name: str
    value: object

    @property
    def touches_model(self) -> bool:
        """Whether it must not be carried out while a cell may be training the same model."""
        return self.command in ("start", "probe", "apply")

    @property
    def steers(self) -> bool:
        """Whether it is for the run in progress."""
        return self.command in ("stop", "pause", "resume")


def parse(content: Any) -> Command:
    """Check a message from the browser.

    Raises:
        ValueError: It is not a command of this protocol.
    """
    if not isinstance(content, dict) or content.get("command") not in _NAMES:
        raise ValueError("a message that this widget does not know was ignored")
    name = content.get("name", "")
    if not isinstance(name, str) or (content["command"] == "set" and name not in SETTINGS):
        raise ValueError(f"{name!r} is no setting of this widget; the message was ignored")
    return Command(content["command"], _whole(content, "run_id"), name, content.get("value"))


def _whole(content: dict[str, Any], key: str) -> int | None:
    value = content.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


Kind = Literal["info", "good", "warning", "error"]


class Note(TypedDict):
    """The status line."""

    kind: Kind
    text: str


class Progress(TypedDict):
    """How far the run is."""

    step: int
    total: int
    text: str


class Rule(TypedDict):
    """A suggestion rule as a button."""

    name: str
    lr: str
    reason: str


class Suggested(TypedDict):
    """The suggestion in words; ``lr`` is empty where there is none."""

    lr: str
    range: str
    reason: str


class View(TypedDict):
    """Everything that the browser shows beyond the settings; made in Python as a whole, shown as it is."""

    run_id: int
    is_blocking: bool
    host: str
    can: list[str]
    note: Note
    progress: Progress
    suggestion: Suggested
    rules: list[Rule]
    selected: str
    is_picked: bool
    failure: Failure | None
    code: str
    bounds: list[float]
    margins: dict[str, int]
