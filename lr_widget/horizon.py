"""The training that a learning rate is for: its length and its schedule, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .checks import check_count, describe, shown
from .schedule import check_num_steps, constant, cosine_decay, linear_decay, one_cycle, warmed_up

if TYPE_CHECKING:
    from .schedule import Schedule

WARMUP_SHARE = 0.1

# Their words, as "a training of 5,000 steps …".
_WORDS = {
    "constant": "at a constant rate",
    "one_cycle": "in one cycle",
    "cosine": "with a cosine schedule",
    "linear": "with a linear schedule",
    "constant_with_warmup": "at a constant rate after a warm-up",
    "cosine_with_warmup": "with a cosine schedule after a warm-up",
    "linear_with_warmup": "with a linear schedule after a warm-up",
}
TRAIN_SCHEDULES = tuple(_WORDS)
_WARMUP = "_with_warmup"


@dataclass(frozen=True)
class Horizon:
    """The training that a rate is for: its length in optimizer steps and its schedule.

    Args:
        steps: its length, at least 1; None where it was not said.
        schedule: one of `TRAIN_SCHEDULES`, with the rate as its top: "one_cycle" is `lr_widget.schedule.one_cycle`,
            "cosine" and "linear" fall to 0, and a warm-up takes the first tenth of the steps.

    Raises:
        TypeError: the length is not of an integer type, or the schedule is no text.
        ValueError: the length is below 1, or there is no such schedule.

    >>> Horizon(5000, "cosine").words
    'a training of 5,000 steps with a cosine schedule'
    """

    steps: int | None = None
    schedule: str = "constant"

    def __post_init__(self) -> None:
        if self.steps is not None:
            object.__setattr__(self, "steps", check_count("train_steps", self.steps, usual=1000))
        object.__setattr__(self, "schedule", _checked_schedule(self.schedule))

    @property
    def is_decaying(self) -> bool:
        """True where the rate has fallen to almost nothing at the end."""
        return not self.schedule.startswith("constant")

    @property
    def manner(self) -> str:
        """The schedule in words, as they stand behind a training."""
        return _WORDS[self.schedule]

    @property
    def words(self) -> str:
        """The training in words, as they stand in a sentence."""
        if self.steps is None:
            return f"a training {self.manner}"
        return f"a training of {self.steps:,} step{'s' * (self.steps != 1)} {self.manner}"

    def as_recorded(self) -> dict[str, Any]:
        """Return the training as fields of `LRRecords`; keywords of a range test have the same names."""
        return {"train_steps": self.steps, "train_schedule": self.schedule}

    def over(self, lr: float, num_steps: int) -> Schedule:
        """Return the schedule, scaled to a training of another length.

        Args:
            lr: its top.
            num_steps: length of that training in optimizer steps, at least 2.

        Raises:
            ValueError, TypeError: the rate is not positive and finite, or there are too few steps.

        >>> schedule = Horizon(5000, "linear_with_warmup").over(1.0, 20)
        >>> [round(schedule(k), 3) for k in (1, 2, 3, 4, 20)]
        [0.5, 1.0, 1.0, 0.944, 0.056]
        """
        num_steps = check_num_steps(num_steps)
        if self.schedule == "one_cycle":
            return one_cycle(lr, num_steps)
        warmup_steps = math.ceil(WARMUP_SHARE * num_steps) if self.schedule.endswith(_WARMUP) else 0
        rest = _after_warmup(self.schedule.removesuffix(_WARMUP), lr, num_steps - warmup_steps)
        return warmed_up(rest, lr, warmup_steps) if warmup_steps else rest


def _after_warmup(kind: str, lr: float, num_steps: int) -> Schedule:
    if kind == "constant":
        return constant(lr)
    return cosine_decay(lr, num_steps) if kind == "cosine" else linear_decay(lr, num_steps)


def _checked_schedule(schedule: object) -> str:
    names = ", ".join(f'"{name}"' for name in TRAIN_SCHEDULES)
    rule = f"train_schedule must be one of {names}"
    if not isinstance(schedule, str):
        raise TypeError(f"{rule}, got {describe(schedule)}; give its name")
    if schedule not in TRAIN_SCHEDULES:
        raise ValueError(f"{rule}, got {shown(schedule)}; give the one that is most like yours")
    return TRAIN_SCHEDULES[TRAIN_SCHEDULES.index(schedule)]  # a member of an enum that is a text becomes plain
