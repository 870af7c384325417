"""What of a curve is drawn: which points, which part of the y axis, which ticks. NumPy only, no widget."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_POINTS = 600
"""No curve sends more points than this to the browser; more than a chart has pixels would show nothing new."""

_TAIL_ROOM = 0.6
"""How much of an upturn stays visible, as a share of the height of the part that matters."""
_MARGIN = 0.06


class GrowingCurve:
    """Raw losses and their running average, one point at a time.

    The average is the bias-corrected exponential one of :func:`lr_widget.smoothing.ema`, kept up step by step, because
    deriving it anew for every picture of a long run would cost more than the training.
    """

    def __init__(self, beta: float) -> None:
        self._lrs: list[float] = []
        self._losses: list[float] = []
        self._start_smoothing(beta)

    def _start_smoothing(self, beta: float) -> None:
        self._beta = beta
        self._smoothed: list[float] = []
        self._average = 0.0
        self._weight = 0.0

    def __len__(self) -> int:
        return len(self._losses)

    def add(self, lr: float, loss: float) -> None:
        """Append a point; a loss that is not finite becomes a gap that ends the smoothed curve."""
        self._lrs.append(lr)
        self._losses.append(loss)
        self._add_smoothed(loss)

    def _add_smoothed(self, loss: float) -> None:
        self._average = self._beta * self._average + (1.0 - self._beta) * loss
        self._weight = self._beta * self._weight + (1.0 - self._beta)
        self._smoothed.append(self._average / self._weight)

    def smooth(self, beta: float) -> None:
        """Derive the average anew with another beta in [0, 1)."""
        self._start_smoothing(beta)
        for loss in self._losses:
            self._add_smoothed(loss)

    def arrays(self) -> tuple[Array, Array, Array]:
        """The rates, the raw losses and the smoothed losses so far."""
        return np.array(self._lrs), np.array(self._losses), np.array(self._smoothed)


def band(curves: Sequence[tuple[Array, Array]], max_points: int = MAX_POINTS) -> tuple[Array, Array]:
    """Return rates of shape (n,) and the lowest and the highest loss at each, of shape (2, n).

    As far as all of the curves (rates, losses) go and are finite; empty for fewer than two.
    """
    if len(curves) < 2:
        return np.array([]), np.empty((2, 0))
    size = min(len(lrs) for lrs, _ in curves)
    losses = np.array([loss[:size] for _, loss in curves])
    finite = np.isfinite(losses).all(axis=0)
    x, losses = curves[0][0][:size][finite], losses[:, finite]
    kept = np.unique(np.linspace(0, len(x) - 1, max_points).astype(int)) if len(x) > max_points else slice(None)
    return x[kept], np.array([losses.min(axis=0)[kept], losses.max(axis=0)[kept]])


def thin(x: Array, y: Array, max_points: int = MAX_POINTS) -> tuple[Array, Array]:
    """Leave out points that could not be seen: of each of many equal slices keep the lowest and the highest.

    The first and the last point and every extremum of the whole stay. Points whose loss is not finite are left out: the
    chart has no place for them, and an infinity would take the ticks off its axis.
    """
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(y) <= max_points:
        return x, y
    slices = np.array_split(np.arange(len(y)), max(1, (max_points - 2) // 2))
    kept = {0, len(y) - 1}
    for indices in slices:
        kept.add(int(indices[np.argmin(y[indices])]))
        kept.add(int(indices[np.argmax(y[indices])]))
    order = np.array(sorted(kept))
    return x[order], y[order]


def y_limits(raw: Array, smoothed: Array) -> tuple[float, float] | None:
    """The part of the y axis that matters, or None without a finite loss.

    From the lowest loss up to the highest one before the (smoothed) minimum, with room for the beginning of the
    upturn: an exploding tail leaves the picture at its top and does not flatten the rest.
    """
    finite = np.isfinite(raw) & np.isfinite(smoothed)
    raw, smoothed = raw[finite], smoothed[finite]
    if len(raw) == 0:
        return None
    low = float(min(raw.min(), smoothed.min()))
    top = float(raw[: int(np.argmin(smoothed)) + 1].max())
    # A curve that rises from its start has nothing before its minimum: show its lower half.
    top = max(top, float(np.median(raw)))
    highest = float(raw.max())
    height = top - low
    if height <= 0.0:
        height = highest - low
    high = min(highest, top + _TAIL_ROOM * height)
    pad = _MARGIN * (high - low) or _MARGIN * abs(high) or 1.0
    # Losses that are never negative should not look as if they could be; yet zero stands clear of the x axis.
    return (max(-0.5 * pad, low - pad) if low >= 0.0 else low - pad), high + pad


def loss_ticks(low: float, high: float, max_ticks: int = 6) -> Array:
    """Tick losses between two bounds, at most so many, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / max_ticks
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.array([float(f"{k * step:.12g}") for k in range(first, last + 1)])


def lr_ticks(low: float, high: float, max_ticks: int = 10) -> Array:
    """Tick rates between two positive bounds: decades, fewer of them in a wide range, 1-2-5 in a narrow one."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    stride = math.ceil((last - first + 1) / max_ticks)
    mantissas = (1.0,) if last - first > 2 else (1.0, 2.0, 5.0)
    ticks = [float(f"{m:g}e{e}") for e in range(first, last + 1, stride) for m in mantissas]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return np.array(inside or [low, high])
