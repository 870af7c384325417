"""The messages between Python and the browser, besides the traits; `js/src/protocol.ts` is its mirror."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from ...checks import check_number, shown
from ..traits import Settings

if TYPE_CHECKING:
    from ..chart import LegendEntry, Margins, Marks
    from ..failures import Failure

CommandName = Literal[
    "start",
    "stop",
    "pause",
    "resume",
    "set",
    "probe",
    "copy",
    "apply",
    "draw",
    "confirm",
    "dismiss",
    "follow",
    "zoom",
    "csv",
    "rename",
    "hide",
    "show",
    "remove",
]
Possible = Literal[
    "start",
    "stop",
    "pause",
    "resume",
    "set",
    "probe",
    "copy",
    "apply",
    "code",
    "pick",
    "clear",
    "zoom",
    "csv",
]
Kind = Literal["info", "good", "warning", "error"]

COMMANDS: tuple[str, ...] = get_args(CommandName)
OF_A_RUN = ("rename", "hide", "show", "remove")
SETTINGS = tuple(Settings.class_own_traits())  # the traits that a browser may set

# How a number is typed, for the message about a text that is none.
_EXAMPLES = {"num_steps": "100", "repeats": "1", "max_probe_steps": "300", "train_steps": "5,000", "smoothing": "0.9"}
_EXAMPLES |= {"loss_min": "0", "loss_max": "5"}
_COUNTS = ("num_steps", "repeats", "max_probe_steps", "train_steps")
_TEXTS = ("variable", "rule", "train_schedule", "loss_scale", "suggest_from")
_MAY_BE_EMPTY = ("selected_lr", "train_steps", "loss_min", "loss_max")
_LABELS = {"start_lr": '"start"', "end_lr": '"end"', "num_steps": '"steps"', "repeats": '"repeats"'}
_LABELS |= {"loss_min": '"from"', "loss_max": '"to"', "train_steps": '"your training"', "selected_lr": '"your pick"'}
_LABELS |= {"max_probe_steps": "the steps of the probes"}
_NAMES = re.compile(rf"\b({'|'.join(_LABELS)})\b")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.'\u2019_\s])\d{3}(\1\d{3})*")


@dataclass(frozen=True)
class Command:
    """A click or an entry.

    Attributes:
        command: the button, or "set" for an entry.
        run_id: the run that the browser showed at that moment, or the kept one that is meant, or None.
        name: of the setting, for "set".
        value: of the setting; the window, the label or the name that the command needs.
    """

    command: CommandName
    run_id: int | None = None
    name: str = ""
    value: object = None

    @property
    def touches_model(self) -> bool:
        """True for commands that must wait while a cell may be training the same model."""
        return self.command in ("start", "probe", "apply", "follow")

    @property
    def is_quick(self) -> bool:
        """True for entries, whose answer tells the browser that the field has its value."""
        return self.command in ("set", "rename")

    @property
    def steers(self) -> bool:
        """True for commands to the run in progress."""
        return self.command in ("stop", "pause", "resume")


def parse(content: Any) -> Command:
    """Check a message from the browser.

    Raises:
        ValueError: it is no command of this protocol.
    """
    if not isinstance(content, dict) or content.get("command") not in COMMANDS:
        raise ValueError("a message that this widget does not know was ignored")
    name = content.get("name", "")
    if not isinstance(name, str) or (content["command"] == "set" and name not in SETTINGS):
        raise ValueError(f"{shown(name)} is no setting of this widget; the message was ignored")
    run_id = content.get("run_id")
    is_id = isinstance(run_id, int) and not isinstance(run_id, bool)
    if content["command"] in OF_A_RUN and not is_id:
        raise ValueError("a message that names no run was ignored")
    return Command(content["command"], run_id if is_id else None, name, content.get("value"))


def read_value(name: str, value: object) -> object:
    """Parse a typed text as the setting's number; an empty text for the pick or the length of a training means none.

    A count may have its thousands apart, as in 5,000 and 5.000; in any other number, comma and point are the same.

    Raises:
        ValueError: the text is no number, or no whole one where the setting is a count.
    """
    if isinstance(value, str):
        text = value.strip()
        if name in _TEXTS:
            return text
        if name in _MAY_BE_EMPTY and not text:
            return None
        is_count = name in _COUNTS
        if is_count and (groups := _THOUSANDS.fullmatch(text)):
            text = text.replace(groups[1], "")
        try:
            number = math.nan if "_" in text else float(text if is_count else text.replace(",", "."))
        except ValueError:
            number = math.nan
        if math.isnan(number) or (is_count and not number.is_integer()):
            kind, example = "a whole number" if is_count else "a number", _EXAMPLES.get(name, "3e-4")
            raise ValueError(f"{name} must be {kind}, got {shown(value)}; type one like {example}")
        value = number
    # JSON and typed text do not tell 100 from 100.0.
    return int(value) if name in _COUNTS and isinstance(value, float) and value.is_integer() else value


def in_labels(text: str) -> str:
    """Return an error message with the labels of the settings in place of their names.

    >>> in_labels("start_lr must be below end_lr, got 10 and 10; swap them")
    '"start" must be below "end", got 10 and 10; swap them'
    """
    return _NAMES.sub(lambda found: _LABELS[found[0]], text)


def read_window(value: object) -> tuple[float, float, float, float] | None:
    """Return a part of the chart: the lowest and the highest rate, the lowest and the highest loss; None for all of it.

    Raises:
        ValueError: these are not four finite numbers.
    """
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        raise ValueError(f"a part of the chart has four limits, got {shown(value)}; the message was ignored")
    low_lr, high_lr, low_loss, high_loss = (check_number("a limit of the chart", each) for each in value)
    return low_lr, high_lr, low_loss, high_loss


class Note(TypedDict):
    """The status line."""

    kind: Kind
    text: str


class Question(TypedDict):
    """A question before something is done, and the label of the button that does it."""

    text: str
    yes: str


class Progress(TypedDict):
    """The progress bar and the line above it: all that changes with every step."""

    step: int
    total: int
    text: str


class Rule(TypedDict):
    """A suggestion rule with its rate and its reason."""

    name: str
    lr: str
    reason: str


class View(TypedDict):
    """The commands that make sense now, and the words to the person; shown as made here, like all below."""

    run_id: int
    is_blocking: bool
    deaf: str
    can: list[Possible]
    note: Note
    refused: str
    question: Question | None
    failure: Failure | None


class Answer(TypedDict):
    """The suggested rate, and the ways on; `lr` is empty where there is none."""

    lr: str
    range: str
    confidence: str
    purpose: str
    reason: str
    is_missing: bool
    advice: list[str]
    plan: str
    rules: list[Rule]
    selected: str
    is_picked: bool
    receiver: str
    code: str


class SweepOf(TypedDict):
    """The sweep of a run; with it, a rate tells its step."""

    start_lr: float
    end_lr: float
    num_steps: int
    schedule: str


class ShownRun(TypedDict):
    """A kept run: `lr` is its rate by the rule "auto", in words; `marks` is None where it is not drawn."""

    run_id: int
    name: str
    color: int
    lr: str
    is_hidden: bool
    is_current: bool
    is_growing: bool
    num_points: int
    marks: Marks | None
    sweep: SweepOf | None


class ChartState(TypedDict):
    """The chart, besides bqplot's own state."""

    margins: Margins
    is_zoomed: bool
    has_validation: bool
    legend: list[LegendEntry]
    runs: list[ShownRun]
    text: str
