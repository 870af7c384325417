"""The points, limits and ticks that curves and probes are drawn with. NumPy only, no widget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ...results import y_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]
Curve = tuple[Array, Array, Array]  # rates, raw losses, smoothed losses

MAX_POINTS = 600  # of a curve in the browser; more than a chart has pixels would show nothing new
_PROBE_ROOM = 0.04  # below the lowest probe, whose dot has a size, as a share of the height above it


class Probe(NamedTuple):
    """A dot for a short training: its rate, and its loss at the end or where it stopped.

    Attributes:
        is_complete: it got to its end.
        is_compared: it is of the length whose trainings give the suggestion.
    """

    lr: float
    loss: float
    is_complete: bool
    is_compared: bool = True


def loss_limits(curves: Sequence[tuple[Array, Array]], probes: Sequence[Probe]) -> tuple[float, float] | None:
    """Return limits of the loss axis for curves (raw, smoothed) and probes together, or None without any loss."""
    ends = [probe.loss for probe in probes if probe.is_complete]
    known = [limit for curve in curves if (limit := y_limits(*curve)) is not None]
    if not known and probes:
        # Probes around a pick, without a test, have the chart to themselves. From the highest to the lowest they
        # make a falling curve, all of which matters; those that exploded do not, unless there are no others.
        losses = np.sort(np.array(ends or [probe.loss for probe in probes]))[::-1]
        known = [limits] if (limits := y_limits(losses, losses)) is not None else []
    if not known:
        return None
    bottom, top = min(low for low, _ in known), max(high for _, high in known)
    return min([bottom, *(end - _PROBE_ROOM * (top - end) for end in ends)]), top


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


def loss_ticks(low: float, high: float, max_ticks: int = 6) -> Array:
    """Return at most `max_ticks` losses between two bounds, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / max_ticks
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.array([float(f"{k * step:.12g}") for k in range(first, last + 1)])


def lr_ticks(low: float, high: float, max_ticks: int = 10) -> Array:
    """Return rates between two positive bounds: decades, fewer of them in a wide range, 1-2-5 in a narrow one."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    stride = math.ceil((last - first + 1) / max_ticks)
    mantissas = (1.0,) if last - first > 2 else (1.0, 2.0, 5.0)
    ticks = [float(f"{m:g}e{e}") for e in range(first, last + 1, stride) for m in mantissas]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return np.array(inside or [low, high])
