"""Schedules of a range test: pure functions from a step to its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

Schedule = Callable[[int], float]

MIN_STEPS = 2


def exponential(start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule that multiplies the rate by the same factor at every step.

    ``lr(k) = start_lr * (end_lr / start_lr) ** (k / num_steps)`` for the steps k = 1 … ``num_steps``.

    Args:
        start_lr: rate before the first step, > 0; the first step already runs one factor above it.
        end_lr: rate of the last step, met exactly; > ``start_lr``.
        num_steps: length of the sweep in optimizer steps, at least 2.

    Raises:
        ValueError: a rate is not positive and finite, the bounds are not increasing, or there are too few steps.

    >>> schedule = exponential(1e-6, 1.0, 100)
    >>> [f"{schedule(k):.3e}" for k in (1, 2, 3, 100)]
    ['1.148e-06', '1.318e-06', '1.514e-06', '1.000e+00']
    """
    start_lr, end_lr, num_steps = check_bounds(start_lr, end_lr, num_steps)

    def lr(step: int) -> float:
        if step == num_steps:
            return end_lr  # rounding must not leave the last step beside the bound
        return float(start_lr * (end_lr / start_lr) ** (step / num_steps))

    return lr


def linear(start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule that adds the same amount to the rate at every step.

    ``lr(k) = start_lr + (end_lr - start_lr) * k / num_steps`` for the steps k = 1 … ``num_steps``. Arguments and
    errors are those of `exponential`.

    >>> schedule = linear(0.1, 0.5, 4)
    >>> [round(schedule(k), 3) for k in (1, 2, 3, 4)]
    [0.2, 0.3, 0.4, 0.5]
    """
    start_lr, end_lr, num_steps = check_bounds(start_lr, end_lr, num_steps)

    def lr(step: int) -> float:
        if step == num_steps:
            return end_lr
        return float(start_lr + (end_lr - start_lr) * step / num_steps)

    return lr


def one_cycle(max_lr: float, num_steps: int) -> Schedule:
    """Return the 1cycle schedule of a short training: up to ``max_lr`` and down again to almost nothing.

    Smith and Topin (arXiv 1708.07120) with the numbers of ``torch.optim.lr_scheduler.OneCycleLR``: a cosine from
    ``max_lr / 25`` up over the first 30 % of the steps k = 1 … ``num_steps``, a cosine down to ``max_lr / 250000`` over
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


def make_schedule(kind: str | Schedule, start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule called ``"exponential"`` or ``"linear"``, see these functions, or the function given.

    Raises:
        ValueError, TypeError: the name is neither, the bounds are wrong, or the function gives a wrong rate.
    """
    if kind == "exponential":
        return exponential(start_lr, end_lr, num_steps)
    if kind == "linear":
        return linear(start_lr, end_lr, num_steps)
    if not callable(kind):
        raise ValueError(f'schedule must be "exponential", "linear" or a function of the step, got {kind!r}')
    rates = kind

    def lr(step: int) -> float:
        return check_rate(f"the schedule's rate for step {step}", rates(step))

    for step in range(1, check_num_steps(num_steps) + 1):
        lr(step)
    return lr


def check_bounds(start_lr: Any, end_lr: Any, num_steps: Any) -> tuple[float, float, int]:
    """Return these as Python's numbers, or raise `ValueError` or `TypeError` where they make no sweep."""
    start_lr, end_lr = check_rate("start_lr", start_lr), check_rate("end_lr", end_lr)
    if start_lr >= end_lr:
        raise ValueError(f"start_lr must be below end_lr, got {start_lr!r} and {end_lr!r}; swap or widen them")
    return start_lr, end_lr, check_num_steps(num_steps)


def check_rate(name: str, value: Any) -> float:
    """Return the rate as a float, or raise `ValueError` or `TypeError` where this is no learning rate."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    rate = float(value)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name} must be a positive, finite learning rate, got {value!r}; try 1e-7 … 10")
    return rate


def check_num_steps(num_steps: Any, name: str = "num_steps", least: int = MIN_STEPS) -> int:
    """Return the length of a sweep as an int, or raise `ValueError` or `TypeError` where this is none."""
    if isinstance(num_steps, bool) or not isinstance(num_steps, Integral):
        raise TypeError(f"{name} must be an integer, got {num_steps!r} of type {type(num_steps).__name__}")
    if num_steps < least:
        raise ValueError(f"{name} must be at least {least}, got {num_steps!r}; 100 is a good start")
    return int(num_steps)


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))
