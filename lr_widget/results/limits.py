"""The part of a curve that can be seen: limits of the loss axis and points, one rule for the picture and the widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..smoothing import Floats

TAIL_ROOM = 0.6  # of an upturn stays visible, as a share of the height of the part that matters
MARGIN = 0.06  # at the bottom and at the top, as a share of the height of the axis
HUGE = 1e300  # no axis reaches further, so that the difference of two losses on it is finite
_SINGLE, _DOUBLE = 2.0**-21, 1e-12  # differences that rounding alone makes, as a share of the losses


def y_limits(raw: Floats, smoothed: Floats, *, is_log: bool = False) -> tuple[float, float] | None:
    """Return limits of the loss axis that show the fall of a curve, however far its tail explodes.

    They go from the lowest loss up to the highest one before the minimum of the smoothed curve, with room for the
    beginning of the upturn; the rest of an exploding tail leaves the picture at its top. Losses that differ by rounding
    alone are a flat line in the middle.

    Args:
        raw: raw losses, one a step, of any sign and scale.
        smoothed: the smoothed losses of the same steps; a step counts where both of its losses are finite.
        is_log: the axis is logarithmic: only positive losses count, and the heights are those on the axis.

    Returns:
        The lower and the higher limit, or None where no step counts.

    >>> losses = np.array([3.0, 2.0, 1.0, 1000.0])
    >>> low, high = y_limits(losses, losses)
    >>> round(low, 3), round(high, 3)
    (0.808, 4.392)
    """
    counted = (np.abs(raw) <= HUGE) & (np.abs(smoothed) <= HUGE)
    if is_log:
        counted &= (raw >= 1 / HUGE) & (smoothed >= 1 / HUGE)
    raw, smoothed = raw[counted], smoothed[counted]
    if raw.size == 0:
        return None
    if is_flat(raw):
        level = float(raw.min() + raw.max()) / 2
        pad = MARGIN * abs(level) or 1.0
        return level - pad, level + pad
    if not is_log:
        return _enclose(raw, smoothed, _rounding(raw))
    low, high = _enclose(np.log10(raw), np.log10(smoothed), None)
    return float(10**low), float(10**high)


def joined_limits(curves: Iterable[tuple[Floats, Floats]], *, is_log: bool = False) -> tuple[float, float] | None:
    """Return limits that suit several curves (raw, smoothed), or None without any loss."""
    known = [limits for raw, smoothed in curves if (limits := y_limits(raw, smoothed, is_log=is_log)) is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def is_flat(losses: Floats) -> bool:
    """Tell if finite losses, at least one, differ by no more than rounding makes.

    Losses that all are float32 numbers were calculated as such, with four units in their last place as rounding.

    >>> is_flat(np.array([2.3025848865509033, 2.3025851249694824])), is_flat(np.array([123456.001, 123456.009]))
    (True, False)
    """
    return bool(losses.max() - losses.min() <= _rounding(losses) * np.abs(losses).max())


def thin(x: Floats, y: Floats, max_points: int) -> tuple[Floats, Floats]:
    """Leave out points that could not be seen: of each of many equal slices keep the lowest and the highest.

    The first and the last point and every extremum of the whole stay. Points whose loss is not finite are left out: a
    chart has no place for them, and an infinity would take the ticks off its axis.
    """
    kept = seen(y, max_points)
    return x[kept], y[kept]


def seen(y: Floats, max_points: int) -> npt.NDArray[np.intp]:
    """Return the places of the points that `thin` keeps, in ascending order."""
    finite = np.flatnonzero(np.isfinite(y))
    if finite.size <= max_points:
        return finite
    values = y[finite]
    slices = np.array_split(np.arange(values.size), max(1, (max_points - 2) // 2))
    extremes = [indices[pick(values[indices])] for indices in slices for pick in (np.argmin, np.argmax)]
    kept: npt.NDArray[np.intp] = finite[np.unique([0, *extremes, values.size - 1])]
    return kept


def _enclose(raw: Floats, smoothed: Floats, rounding: float | None) -> tuple[float, float]:
    """Return the limits; `rounding` is that of the losses, as a share of them, or None for logarithms of losses."""
    low = float(min(raw.min(), smoothed.min()))
    top = float(raw[: int(np.argmin(smoothed)) + 1].max())
    # A curve that rises from its start has nothing before its minimum: show its lower half.
    top = max(top, float(np.median(raw)))
    highest = float(raw.max())
    height = top - low
    if height <= (_SINGLE if rounding is None else rounding * max(abs(low), abs(top))):  # flat until it explodes
        height = highest - low
    high = min(highest, top + TAIL_ROOM * height)
    pad = MARGIN * (high - low)
    # Losses that are never negative should not look as if they could be; yet zero stands clear of the x axis.
    is_positive = rounding is not None and low >= 0
    return (max(-0.5 * pad, low - pad) if is_positive else low - pad), high + pad


def _rounding(losses: Floats) -> float:
    """Return the largest difference that rounding alone makes, as a share of the losses."""
    with np.errstate(over="ignore"):
        is_single = bool((losses.astype(np.float32) == losses).all())
    return _SINGLE if is_single else _DOUBLE
