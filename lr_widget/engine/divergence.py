"""The stop rule for an exploding loss: it asks about the curve's own scale, not about its sign or its offset."""

from __future__ import annotations

import math
from collections import deque
from numbers import Real
from statistics import median
from typing import Any, NamedTuple

from ..checks import as_float, shown

DEFAULT_DIVERGE_FACTOR = 4.0

_MIN_STEPS = 10  # before that, a few noisy losses say nothing about the curve's range
_CONFIRMING_STEPS = 3  # a single outlier is not an explosion
_WINDOW_SHARE = 10  # the last num_steps / 10 losses are "now", those before are the curve's history
_OUTLIER_SHARE = 4.0  # times the range without outliers; heavy-tailed noise stays below
_FLOAT32_RESOLUTION = 1e-6
_FLAT_RESOLUTION = 1e-2


class _Extremes(NamedTuple):
    """The lowest loss, the highest, and the highest median of three in a row, up to one step."""

    lowest: float
    highest: float
    highest_median: float


class Divergence:
    """Judge, one loss after another, if the curve has exploded.

    The last n/10 losses are now, those before are history. The curve has diverged when the last three losses all lie
    above the best loss so far by more than `factor` times the range that the history covers. The range holds both
    the fall of the loss and its scatter, so the rule means the same for positive, negative and zero-crossing losses
    and with any constant added. A wild first loss does not stretch it for good: it is at most four times the range up
    to the highest median of three in a row. Where the loss has not fallen, the range may be tiny; 1 % of the best
    loss's size is then the least that counts, and 1e-6 of it, the resolution of float32, where it has.

    Most losses lie in the range that was covered when it was last measured. They are put aside, at the cost of one
    comparison, and counted in when one leaves it. Of those counted in, only the extremes of the last window are kept.

    Args:
        factor: > 0; larger lets the curve climb further. None for never.
        num_steps: length of the sweep.

    Raises:
        ValueError: `factor` is not positive.

    >>> exploded = Divergence(4.0, 100)
    >>> [exploded(loss) for loss in [-3.0 - k / 10 for k in range(40)] + [10.0, 40.0, 160.0]][-3:]
    [False, False, True]
    """

    def __init__(self, factor: float | None, num_steps: int) -> None:
        self._factor = check_diverge_factor(factor)
        self._window = max(_CONFIRMING_STEPS, num_steps // _WINDOW_SHARE)
        self._count = 0
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_CONFIRMING_STEPS)
        self._extremes: deque[_Extremes] = deque(maxlen=self._window + 1)
        self._aside: list[float] = []
        self._best = math.inf
        self._limit = 0.0  # above the best loss; what the curve has covered only grows, so up to here all is well

    def __call__(self, loss: float) -> bool:
        """Take the next loss, a finite one, and return True if the curve has diverged with it."""
        if self._factor is None:
            return False
        self._aside.append(loss)
        if loss - self._best <= self._limit and len(self._aside) < self._window:
            self._best = min(self._best, loss)
            return False
        for earlier in self._aside:
            self._add(earlier)
        self._aside.clear()
        return self._has_diverged(self._factor)

    def _has_diverged(self, factor: float) -> bool:
        self._best = best = self._extremes[-1].lowest
        if self._count < _MIN_STEPS:
            return False
        past = self._extremes[-1 - min(self._window, self._count // 2)]
        settled = past.highest_median - past.lowest
        history = min(past.highest - past.lowest, _OUTLIER_SHARE * settled)
        self._limit = factor * history
        has_fallen = median(self._first) - best > 0.5 * history
        floor = abs(best) * (_FLOAT32_RESOLUTION if has_fallen else _FLAT_RESOLUTION)
        return min(self._last) - best > factor * max(history, floor)

    def _add(self, loss: float) -> None:
        self._count += 1
        self._last.append(loss)
        if len(self._first) < _CONFIRMING_STEPS:
            self._first.append(loss)
        middle = median(self._last)
        if not self._extremes:
            self._extremes.append(_Extremes(loss, loss, middle))
            return
        before = self._extremes[-1]
        # The first two losses alone have no median of three, so the first three losses begin the running maximum.
        has_median = self._count > _CONFIRMING_STEPS
        highest_median = max(middle, before.highest_median) if has_median else middle
        self._extremes.append(_Extremes(min(loss, before.lowest), max(loss, before.highest), highest_median))


def check_diverge_factor(factor: Any) -> float | None:
    """Return the factor as a float, or None for None.

    Raises:
        ValueError: it is not positive and finite.
    """
    is_number: bool = isinstance(factor, Real) and not isinstance(factor, bool)
    if factor is not None and not (is_number and factor > 0 and math.isfinite(as_float(factor))):
        raise ValueError(f"diverge_factor must be a positive number or None for never, got {shown(factor)}; 4 is usual")
    return None if factor is None else float(factor)
