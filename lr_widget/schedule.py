"""Schedules, pure functions from a step to its learning rate, and the sweep of a range test as one value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context
from typing import Any

from .checks import check_count, check_rate

Schedule = Callable[[int], float]  # step 1 … num_steps → learning rate

MIN_STEPS = 2


def exponential(start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule that multiplies the rate by the same factor at every step.

    `lr(k) = start_lr * (end_lr / start_lr) ** (k / num_steps)` for the steps k = 1 … `num_steps`.

    Args:
        start_lr: rate before the first step, > 0; the first step already runs one factor above it.
        end_lr: rate of the last step, met exactly; > `start_lr`.
        num_steps: length of the sweep in optimizer steps, at least 2.

    Raises:
        TypeError: a rate is no real number, or the length is not of an integer type.
        ValueError: a rate is not positive and finite, the bounds are not increasing, or there are too few steps.

    >>> schedule = exponential(1e-6, 1.0, 100)
    >>> [f"{schedule(k):.3e}" for k in (1, 2, 3, 100)]
    ['1.148e-06', '1.318e-06', '1.514e-06', '1.000e+00']
    """
    (start_lr, end_lr), num_steps = check_bounds(start_lr, end_lr), check_num_steps(num_steps)

    def lr(step: int) -> float:
        if step == num_steps:
            return end_lr  # rounding must not leave the last step beside the bound
        return float(start_lr * (end_lr / start_lr) ** (step / num_steps))

    return lr


def linear(start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule that adds the same amount to the rate at every step.

    `lr(k) = start_lr + (end_lr - start_lr) * k / num_steps` for the steps k = 1 … `num_steps`. Arguments and
    errors are those of `exponential`.

    >>> schedule = linear(0.1, 0.5, 4)
    >>> [round(schedule(k), 3) for k in (1, 2, 3, 4)]
    [0.2, 0.3, 0.4, 0.5]
    """
    (start_lr, end_lr), num_steps = check_bounds(start_lr, end_lr), check_num_steps(num_steps)

    def lr(step: int) -> float:
        if step == num_steps:
            return end_lr
        return float(start_lr + (end_lr - start_lr) * step / num_steps)

    return lr


def one_cycle(max_lr: float, num_steps: int) -> Schedule:
    """Return the 1cycle schedule of a short training: up to `max_lr` and down again to almost nothing.

    Smith and Topin (arXiv 1708.07120) with the numbers of `torch.optim.lr_scheduler.OneCycleLR`: a cosine from
    `max_lr / 25` up over the first 30 % of the steps k = 1 … `num_steps`, a cosine down to `max_lr / 250000` over
    the rest.

    Raises:
        ValueError, TypeError: the rate is not positive and finite, or there are too few steps.

    >>> schedule = one_cycle(1.0, 10)
    >>> [round(schedule(k), 4) for k in (1, 2, 3, 6, 10)]
    [0.04, 0.52, 1.0, 0.6113, 0.0]
    """
    max_lr, num_steps = check_rate("max_lr", max_lr), check_num_steps(num_steps)
    peak = max(0.3 * num_steps - 1, 0.5)  # counted from 0, as torch does; a very short training still goes up

    def lr(step: int) -> float:
        done = step - 1
        if done <= peak:
            return _cosine(max_lr / 25, max_lr, done / peak)
        return _cosine(max_lr, max_lr / 250_000, (done - peak) / (num_steps - 1 - peak))

    return lr


def constant(lr: float) -> Schedule:
    """Return the schedule that stays at one rate.

    Raises:
        ValueError, TypeError: the rate is not positive and finite.
    """
    rate = check_rate("lr", lr)
    return lambda step: rate


def cosine_decay(max_lr: float, num_steps: int) -> Schedule:
    """Return the schedule of a training that falls from `max_lr` along half a cosine.

    `lr(k) = max_lr * (1 + cos(pi * (k - 1) / num_steps)) / 2` for the steps k = 1 … `num_steps`, as in
    `torch.optim.lr_scheduler.CosineAnnealingLR` with `T_max=num_steps` and "cosine" of Transformers: the rate would be
    0 in the step after the last one.

    Raises:
        ValueError, TypeError: the rate is not positive and finite, or there is no step.

    >>> schedule = cosine_decay(1.0, 4)
    >>> [round(schedule(k), 4) for k in (1, 2, 3, 4)]
    [1.0, 0.8536, 0.5, 0.1464]
    """
    max_lr, num_steps = check_rate("max_lr", max_lr), check_count("num_steps", num_steps, usual=100)
    return lambda step: _cosine(max_lr, 0.0, (step - 1) / num_steps)


def linear_decay(max_lr: float, num_steps: int) -> Schedule:
    """Return the schedule of a training that falls from `max_lr` in a straight line.

    `lr(k) = max_lr * (1 - (k - 1) / num_steps)` for the steps k = 1 … `num_steps`, as in
    `torch.optim.lr_scheduler.PolynomialLR` with `total_iters=num_steps` and "linear" of Transformers. Errors are those
    of `cosine_decay`.

    >>> schedule = linear_decay(1.0, 4)
    >>> [schedule(k) for k in (1, 2, 3, 4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    max_lr, num_steps = check_rate("max_lr", max_lr), check_count("num_steps", num_steps, usual=100)
    return lambda step: max_lr * (1 - (step - 1) / num_steps)


def warmed_up(rest: Schedule, max_lr: float, warmup_steps: int) -> Schedule:
    """Return a schedule with a warm-up in front: a straight line from 0 to `max_lr`.

    `lr(k) = max_lr * k / warmup_steps` for the steps k = 1 … `warmup_steps`, then `rest` from its first step on. The
    warm-ups of Transformers begin one step earlier, with a step at the rate 0, which trains nothing.

    >>> schedule = warmed_up(linear_decay(1.0, 4), 1.0, 2)
    >>> [schedule(k) for k in (1, 2, 3, 4, 5, 6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    return lambda step: max_lr * step / warmup_steps if step <= warmup_steps else rest(step - warmup_steps)


def make_schedule(kind: str | Schedule, start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule called `"exponential"` or `"linear"`, see these functions, or the function given.

    Raises:
        ValueError, TypeError: the name is neither, the bounds are wrong, or the function gives a wrong rate.
    """
    if kind == "exponential":
        return exponential(start_lr, end_lr, num_steps)
    if kind == "linear":
        return linear(start_lr, end_lr, num_steps)
    if not callable(kind):
        raise ValueError(
            f'schedule must be "exponential", "linear" or a function of the step, got {kind!r}; '
            "it is that of the test, and train_schedule is that of the training"
        )
    rates = kind

    def lr(step: int) -> float:
        return check_rate(f"the schedule's rate for step {step}", rates(step))

    for step in range(1, check_num_steps(num_steps) + 1):
        lr(step)
    return lr


@dataclass(frozen=True)
class Sweep:
    """Bounds, length and schedule of a range test, checked.

    Args:
        start_lr: rate before the first step, > 0.
        end_lr: rate of the last step, > `start_lr`.
        num_steps: length in optimizer steps, at least 2.
        schedule: "exponential", "linear", or a function of the step 1 … `num_steps` that gives its rate; with a
            function, the bounds do not count.

    Raises:
        ValueError, TypeError: the bounds, the length or the schedule are wrong; the message has value and remedy.

    >>> Sweep(1e-3, 0.1, 4).lr(2)
    0.01
    """

    start_lr: float
    end_lr: float
    num_steps: int
    schedule: str | Schedule = "exponential"
    lr: Schedule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lr = make_schedule(self.schedule, self.start_lr, self.end_lr, self.num_steps)
        object.__setattr__(self, "lr", lr)
        object.__setattr__(self, "num_steps", int(self.num_steps))
        if not callable(self.schedule):  # NumPy's numbers become Python's, as JSON wants them
            object.__setattr__(self, "start_lr", float(self.start_lr))
            object.__setattr__(self, "end_lr", float(self.end_lr))

    def as_recorded(self) -> dict[str, Any]:
        """Return the sweep as the fields of `LRRecords`: a function is "custom" and has no bounds."""
        if callable(self.schedule):
            return {"start_lr": None, "end_lr": None, "num_steps": self.num_steps, "schedule": "custom"}
        return {name: getattr(self, name) for name in ("start_lr", "end_lr", "num_steps", "schedule")}


def rate_text(lr: float, digits: int = 2) -> str:
    """Write a learning rate as it is written everywhere: in words, on the chart, in code.

    Plain from 0.01 to below 10,000, else with an exponent, never with a needless zero. `rateText` in `js/src/rates.ts`
    is its twin; both round a tie up.

    Args:
        lr: the rate.
        digits: significant digits at most: 2 for a suggestion, 6 for a rate that somebody has chosen.

    >>> [rate_text(lr) for lr in (1e-7, 0.00316, 0.00999, 0.316, 10.0, 9996)]
    ['1e-7', '3.2e-3', '0.01', '0.32', '10', '1e4']
    >>> rate_text(0.0123456, digits=6)
    '0.0123456'
    """
    context = Context(prec=digits, rounding=ROUND_HALF_UP)
    rounded = context.create_decimal(float(lr)).normalize(context)
    return f"{rounded:f}" if -2 <= rounded.adjusted() <= 3 else f"{rounded:e}".replace("+", "")


def check_bounds(start_lr: Any, end_lr: Any) -> tuple[float, float]:
    """Return the bounds of a sweep as floats.

    Raises:
        TypeError: one is no real number.
        ValueError: one is not positive and finite, or they are not increasing.
    """
    start_lr, end_lr = check_rate("start_lr", start_lr), check_rate("end_lr", end_lr)
    if start_lr >= end_lr:
        raise ValueError(
            f"start_lr must be below end_lr, got {rate_text(start_lr, 6)} and {rate_text(end_lr, 6)}; "
            "lower start_lr or raise end_lr"
        )
    return start_lr, end_lr


def check_num_steps(num_steps: Any) -> int:
    """Return the length of a sweep as an int.

    Raises:
        TypeError: it is not of an integer type.
        ValueError: it is below 2.
    """
    return check_count("num_steps", num_steps, MIN_STEPS, usual=100)


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))
