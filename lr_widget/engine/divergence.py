"""When has the loss exploded? A rule that asks about the curve's own scale, not about its sign or its offset."""

from __future__ import annotations

import math
from numbers import Real
from statistics import median

DEFAULT_DIVERGE_FACTOR = 4.0

_MIN_STEPS = 10  # before that, a few noisy losses say nothing about the curve's range
_CONFIRMING_STEPS = 3  # a single outlier is not an explosion
_WINDOW_SHARE = 10  # the last num_steps / 10 losses are "now", what came before is the curve's history
_OUTLIER_SHARE = 4.0  # times what the curve covers without its outliers; heavy-tailed noise stays below
_FLOAT32_RESOLUTION = 1e-6
_FLAT_RESOLUTION = 1e-2


class Divergence:
    """Tells, one loss after another, whether the curve has exploded.

    The last n/10 losses are now, those before are history. The curve has diverged when the last three losses all lie
    above the best loss so far by more than ``factor`` times the range that the history covers. The range holds both
    what the loss has fallen and how much it scatters, so the rule means the same for positive, negative and
    zero-crossing losses and with any constant added. A wild first loss does not stretch it for good: it is at most four
    times the range up to the highest median of three in a row. Where the loss has not fallen, the range may be tiny;
    1 % of the best loss's size is then the least that counts, and 1e-6 of it, the resolution of float32, where it has.

    Args:
        factor: > 0; larger lets the curve climb further. None for never.
        num_steps: length of the sweep.

    Raises:
        ValueError: ``factor`` is not positive.

    >>> exploded = Divergence(4.0, 100)
    >>> [exploded(loss) for loss in [-3.0 - k / 10 for k in range(40)] + [10.0, 40.0, 160.0]][-3:]
    [False, False, True]
    """

    def __init__(self, factor: float | None, num_steps: int) -> None:
        if factor is not None and not (_is_number(factor) and factor > 0 and math.isfinite(factor)):
            raise ValueError(f"diverge_factor must be a positive number or None for never, got {factor!r}; 4 is usual")
        self._factor = factor
        self._window = max(_CONFIRMING_STEPS, num_steps // _WINDOW_SHARE)
        self._losses: list[float] = []
        self._lowest: list[float] = []  # running, so that a step costs the same however long the sweep
        self._highest: list[float] = []
        self._highest_middle: list[float] = []

    def __call__(self, loss: float) -> bool:
        """Take the next loss, which must be finite, and say whether the curve has diverged with it."""
        self._losses.append(loss)
        self._lowest.append(min(loss, self._lowest[-1]) if self._lowest else loss)
        self._highest.append(max(loss, self._highest[-1]) if self._highest else loss)
        middle = median(self._losses[-_CONFIRMING_STEPS:])
        has_middle = len(self._losses) > _CONFIRMING_STEPS  # the first two losses alone have none
        self._highest_middle.append(max(middle, self._highest_middle[-1]) if has_middle else middle)
        count = len(self._losses)
        if self._factor is None or count < _MIN_STEPS:
            return False
        now = min(self._losses[-_CONFIRMING_STEPS:])
        best = self._lowest[-1]
        end = count - min(self._window, count // 2) - 1
        settled = self._highest_middle[end] - self._lowest[end]
        history = min(self._highest[end] - self._lowest[end], _OUTLIER_SHARE * settled)
        has_fallen = median(self._losses[:_CONFIRMING_STEPS]) - best > 0.5 * history
        floor = abs(best) * (_FLOAT32_RESOLUTION if has_fallen else _FLAT_RESOLUTION)
        return now - best > self._factor * max(history, floor)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
