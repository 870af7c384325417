"""The ways on from a test that gave no rate, or a doubtful one: settings to change, and the run to make with them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ...engine import DEFAULTS, planned_rounds
from ...schedule import rate_text
from ...suggest import PROBE, least_steps
from ..words import steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...horizon import Horizon
    from ...results import LRRecords
    from ...suggest import Suggestion

HIGHEST_END, LOWEST_START = 1e6, 1e-12
WIDER, WIDER_LINEAR = 100, 10  # factors
FEW_STEPS, NARROW = 10, 100  # after so many steps, or at a rate so many times the first one, an end is early
LONGER = 3  # factor
FEWEST_STEPS, MOST_STEPS = 100, 1_000_000
REPEATS = 3
LARGER_BUDGET, MOST_PROBE_STEPS = 4, 1_000_000  # a factor, and steps


@dataclass(frozen=True)
class Advice:
    """A way on.

    Attributes:
        label: of its button.
        changes: settings to set first: {name: value}.
        action: "start" for a range test, "probe" for probes, "none" where the change is all.
    """

    label: str
    changes: dict[str, Any] = field(default_factory=dict)
    action: Literal["start", "probe", "none"] = "start"


class Settings(Protocol):
    """The settings of the next run."""

    start_lr: float
    end_lr: float
    num_steps: int
    repeats: int
    max_probe_steps: int
    suggest_from: str

    @property
    def horizon(self) -> Horizon:
        """The training that the rate is for."""


def advice(
    suggestion: Suggestion | None, records: LRRecords | None, settings: Settings, *, can_probe: bool
) -> list[Advice]:
    """Return the ways on, the best one first; none where nothing is missing, or where no setting helps.

    Left out is also a way that the settings go already, as *Run* is the way on then, and one to numbers that make no
    sense any more.

    Args:
        suggestion: the one that is shown, or None.
        records: the range test that is shown, or None.
        settings: those of the next run.
        can_probe: there is a rate that probes can start from.
    """
    if suggestion is None:
        return []
    if suggestion.rule == PROBE:
        return _longer_probes(settings) if "max_steps" in suggestion.remedies else []
    if records is None or not len(records) or not math.isfinite(records.loss[0]):
        return []  # the first loss is that of the model as it is, whatever the rate
    ways = [_way(remedy, records, settings) for remedy in _remedies(suggestion, records)]
    if suggestion.lr is None and settings.suggest_from == "val_loss":
        ways.append(Advice("Read the training loss", {"suggest_from": "loss"}, "none"))
    if suggestion.lr is None and can_probe and _probes_suffice(settings.max_probe_steps, settings.horizon):
        ways.append(Advice("Probe instead", action="probe"))
    return [way for way in ways if way is not None]


def _remedies(suggestion: Suggestion, records: LRRecords) -> tuple[str, ...]:
    """Return the remedies that help against the end that the test has had; "whole" for a test that was cut short."""
    remedies, is_linear = suggestion.remedies, records.schedule == "linear"
    is_low = _end(records) < DEFAULTS["end_lr"] and not is_linear
    if records.stop_reason == "exhausted":
        return ()  # another run would have no data
    if records.stop_reason in ("stopped", "interrupted") and (suggestion.lr is None or "end_lr" in remedies):
        return ("whole",)
    if suggestion.lr is None and np.ptp(records.loss[np.isfinite(records.loss)]) == 0:
        return ("end_lr",) if is_low else ()
    if records.stop_reason != "completed":  # the loss exploded or was not finite, and the sweep got to no end
        is_early = is_linear or records.lr[-1] < NARROW * _start(records)
        if len(records) <= FEW_STEPS and suggestion.lr is None and is_early:
            return ("start_lr",)
        remedies = tuple(remedy for remedy in remedies if remedy != "end_lr")
    return tuple(sorted(remedies, key=lambda remedy: is_low and remedy != "end_lr"))


def _way(remedy: str, records: LRRecords, settings: Settings) -> Advice | None:
    """Return the advice for a remedy, or None."""
    if remedy == "whole":
        return Advice("Run again to the end")
    if remedy == "repeats":
        is_more = settings.repeats < REPEATS and len(records.repeats) < REPEATS
        return Advice(f"Use {REPEATS} repeats and run", {"repeats": REPEATS}) if is_more else None
    if remedy == "num_steps":
        num_steps = _enough_steps(records, settings.horizon)
        is_more = settings.num_steps < num_steps <= MOST_STEPS
        return Advice(f"Use {steps(num_steps)} and run", {"num_steps": num_steps}) if is_more else None
    return _lower(records, settings) if remedy == "start_lr" else _higher(records, settings)


def _higher(records: LRRecords, settings: Settings) -> Advice | None:
    """Extend the end to a power of ten; that of an exponential sweep to the usual one at least."""
    if records.schedule == "linear":
        end = _decade(_end(records) * WIDER_LINEAR, math.ceil)
    else:
        end = max(_decade(_end(records) * WIDER, math.ceil), DEFAULTS["end_lr"])
    if not settings.end_lr < end <= HIGHEST_END:
        return None
    return Advice(f"Extend end to {rate_text(end)} and run", {"end_lr": end})


def _lower(records: LRRecords, settings: Settings) -> Advice | None:
    """Extend the start to a power of ten, of the usual start at most; in a linear sweep, lower the end instead."""
    if records.schedule == "linear":
        end = _decade(_end(records) / WIDER_LINEAR, math.floor)
        is_lower = settings.start_lr < end < settings.end_lr
        return Advice(f"Lower end to {rate_text(end)} and run", {"end_lr": end}) if is_lower else None
    start = min(_decade(_start(records) / WIDER, math.floor), DEFAULTS["start_lr"])
    if not LOWEST_START <= start < settings.start_lr:
        return None
    return Advice(f"Extend start to {rate_text(start)} and run", {"start_lr": start})


def _enough_steps(records: LRRecords, horizon: Horizon) -> int:
    """Return the steps that show more, and that suffice for the training that the rate is for."""
    num_steps = max(records.num_steps or 0, len(records))
    least = 0 if horizon.steps is None else least_steps(horizon.steps)
    return least if num_steps < least else max(LONGER * num_steps, FEWEST_STEPS)


def _longer_probes(settings: Settings) -> list[Advice]:
    """Raise the budget of the probes until they suffice for the training that the rate is for."""
    budget = LARGER_BUDGET * settings.max_probe_steps
    while budget <= MOST_PROBE_STEPS and not _probes_suffice(budget, settings.horizon):
        budget *= LARGER_BUDGET
    if budget > MOST_PROBE_STEPS:
        return []
    return [Advice(f"Probe with {steps(budget)}", {"max_probe_steps": budget}, "probe")]


def _probes_suffice(max_steps: int, horizon: Horizon) -> bool:
    """Tell if the longest probes are long enough for the training that the rate is for."""
    longest = planned_rounds(max_steps, None, horizon)[-1].num_steps
    return horizon.steps is None or longest >= least_steps(horizon.steps)


def _start(records: LRRecords) -> float:
    return float(records.lr[0]) if records.start_lr is None else records.start_lr


def _end(records: LRRecords) -> float:
    return float(records.lr[-1]) if records.end_lr is None else records.end_lr


def _decade(lr: float, rounding: Callable[[float], int]) -> float:
    """Return the power of ten beside a rate."""
    return float(f"1e{rounding(math.log10(lr))}")
