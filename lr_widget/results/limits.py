"""The part of a curve that can be seen: limits of the loss axis and points, one rule for the picture and the widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..smoothing import Floats

TAIL_ROOM = 0.6  # of an upturn stays visible, as a share of the height of the part that matters
MARGIN = 0.06  # at the bottom and at the top, as a share of the height of the axis


def y_limits(raw: Floats, smoothed: Floats) -> tuple[float, float] | None:
    """Return limits of the loss axis that show the fall of a curve, however far its tail explodes.

    They go from the lowest loss up to the highest one before the minimum of the smoothed curve, with room for the
    beginning of the upturn; the rest of an exploding tail leaves the picture at its top.

    Args:
        raw: raw losses, one a step, of any sign and scale.
        smoothed: the smoothed losses of the same steps; a step counts where both of its losses are finite.

    Returns:
        The lower and the higher limit, or None where no step counts.

    >>> losses = np.array([3.0, 2.0, 1.0, 1000.0])
    >>> low, high = y_limits(losses, losses)
    >>> round(low, 3), round(high, 3)
    (0.808, 4.392)
    """
    finite = np.isfinite(raw) & np.isfinite(smoothed)
    raw, smoothed = raw[finite], smoothed[finite]
    if raw.size == 0:
        return None
    low = float(min(raw.min(), smoothed.min()))
    top = float(raw[: int(np.argmin(smoothed)) + 1].max())
    # A curve that rises from its start has nothing before its minimum: show its lower half.
    top = max(top, float(np.median(raw)))
    highest = float(raw.max())
    height = top - low
    if height <= 0.0:
        height = highest - low
    high = min(highest, top + TAIL_ROOM * height)
    pad = MARGIN * (high - low) or MARGIN * abs(high) or 1.0
    # Losses that are never negative should not look as if they could be; yet zero stands clear of the x axis.
    return (max(-0.5 * pad, low - pad) if low >= 0.0 else low - pad), high + pad


def thin(x: Floats, y: Floats, max_points: int) -> tuple[Floats, Floats]:
    """Leave out points that could not be seen: of each of many equal slices keep the lowest and the highest.

    The first and the last point and every extremum of the whole stay. Points whose loss is not finite are left out: a
    chart has no place for them, and an infinity would take the ticks off its axis.
    """
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if y.size <= max_points:
        return x, y
    slices = np.array_split(np.arange(y.size), max(1, (max_points - 2) // 2))
    extremes = [indices[pick(y[indices])] for indices in slices for pick in (np.argmin, np.argmax)]
    kept = np.unique([0, *extremes, y.size - 1])
    return x[kept], y[kept]
