"""Schedules of a range test: pure functions from a step to its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

ScheduleName = Literal["exponential", "linear"]
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
    check_bounds(start_lr, end_lr, num_steps)

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
    check_bounds(start_lr, end_lr, num_steps)

    def lr(step: int) -> float:
        if step == num_steps:
            return end_lr
        return float(start_lr + (end_lr - start_lr) * step / num_steps)

    return lr


def make_schedule(name: str, start_lr: float, end_lr: float, num_steps: int) -> Schedule:
    """Return the schedule called ``name``, ``"exponential"`` or ``"linear"``; see these functions.

    Raises:
        ValueError: the name is neither, or the bounds are wrong.
    """
    if name == "exponential":
        return exponential(start_lr, end_lr, num_steps)
    if name == "linear":
        return linear(start_lr, end_lr, num_steps)
    raise ValueError(f'schedule must be "exponential" or "linear", got {name!r}')


def check_bounds(start_lr: float, end_lr: float, num_steps: int) -> None:
    """Raise `ValueError` or `TypeError` with value and remedy where these make no sweep."""
    for name, value in (("start_lr", start_lr), ("end_lr", end_lr)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive, finite learning rate, got {value!r}; try 1e-7 … 10")
    if start_lr >= end_lr:
        raise ValueError(f"start_lr must be below end_lr, got {start_lr!r} and {end_lr!r}; swap or widen them")
    if isinstance(num_steps, bool) or not isinstance(num_steps, int):
        raise TypeError(f"num_steps must be an integer, got {num_steps!r} of type {type(num_steps).__name__}")
    if num_steps < MIN_STEPS:
        raise ValueError(f"num_steps must be at least {MIN_STEPS}, got {num_steps!r}; 100 is a good start")
