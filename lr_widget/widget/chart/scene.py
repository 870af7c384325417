"""Everything that is on the chart, as plain values: the live chart and the picture of it draw the same scene."""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...results import HUGE
from ...schedule import rate_text
from . import look
from .points import NOTHING
from .ticks import loss_ticks, rate_ticks

if TYPE_CHECKING:
    from ...results import LRRecords
    from ...schedule import Sweep
    from .points import Array, Line, Probe, Span
    from .ticks import Ticks

Window = tuple[float, float, float, float]  # rates and losses, the lower one first

_NARROWEST = 1.000001  # ratio of the rates at both ends
_FLATTEST = 1e-11  # height of the loss axis, as a share of the losses
_LEAST_ZOOM = 1e-6  # of the axis
_SAMPLE = 200  # steps of a schedule of the user's own


class Axis(NamedTuple):
    """An axis: the values at both ends, its kind, its ticks and its name."""

    low: float
    high: float
    is_log: bool
    ticks: Ticks
    label: str

    def share(self, value: float) -> float:
        """Return the place of a value: 0 at the low end, 1 at the high one."""
        if self.is_log:
            low, high, value = math.log(self.low), math.log(self.high), math.log(value)
        else:
            low, high = self.low, self.high
        return (value - low) / (high - low)


class Marker(NamedTuple):
    """A rate with a label: a line there, or an arrow at the edge if it lies beyond.

    Attributes:
        x: the place of the line, or the edge.
        rate: the rate in words.
        text: the label.
        is_inside: it has a line.
        is_left: its label stands to the left of `x`.
    """

    x: float
    rate: str
    text: str
    is_inside: bool
    is_left: bool


class Scene(NamedTuple):
    """Everything that is drawn; `y` is None without any loss."""

    x: Axis
    y: Axis | None
    current: Line | None = None
    earlier: tuple[Line, ...] = ()
    validation: tuple[Array, Array] = (NOTHING, NOTHING)
    band: tuple[Array, Array] = (NOTHING, np.empty((2, 0)))
    num_sweeps: int = 1
    probes: tuple[Probe, ...] = ()
    probe_steps: int = 0
    unstable: Span | None = None
    good: Span | None = None
    suggestion: Marker | None = None
    pick: Marker | None = None

    @property
    def losses(self) -> Span:
        """The ends of the loss axis."""
        return (0.0, 1.0) if self.y is None else (self.y.low, self.y.high)


@lru_cache(maxsize=16)
def rate_axis(low: float, high: float, *, is_log: bool) -> Axis:
    """Return the axis between two positive rates."""
    if high < low * _NARROWEST:
        low, high = low / _NARROWEST, min(high * _NARROWEST, sys.float_info.max)
    return Axis(low, high, is_log, rate_ticks(low, high, is_log=is_log), "learning rate")


@lru_cache(maxsize=16)
def loss_axis(low: float, high: float, *, is_log: bool) -> Axis:
    """Return the axis between two losses, with the offset of its ticks in its name."""
    low, high = (min(max(end, -HUGE), HUGE) for end in (low, high))
    high = max(high, low + max(_FLATTEST * abs(low), 1 / HUGE))
    ticks = loss_ticks(low, high, is_log=is_log)
    sign, offset = ("+", ticks.offset[1:]) if ticks.offset.startswith("-") else ("-", ticks.offset)
    return Axis(low, high, is_log, ticks, f"loss {sign} {offset}" if offset else "loss")


def marker(axis: Axis, what: str, lr: float | None, digits: int) -> Marker | None:
    """Return the marker of a rate, within the axis or beyond it; None for no rate."""
    if lr is None:
        return None
    rate = rate_text(lr, digits)
    text = f"{what} {rate}"
    if lr < axis.low:
        return Marker(axis.low, rate, f"← {text}", is_inside=False, is_left=False)
    if lr > axis.high:
        return Marker(axis.high, rate, f"{text} →", is_inside=False, is_left=True)
    return Marker(lr, rate, text, is_inside=True, is_left=axis.share(lr) > look.LABEL_ROOM)


def clipped(axis: Axis, low: float | None, high: float | None) -> Span | None:
    """Return the part of a range of rates that is on the axis, or None where nothing of it is."""
    if low is None or high is None or high < axis.low or low > axis.high:
        return None
    return max(low, axis.low), min(high, axis.high)


def sweep_bounds(sweep: Sweep) -> Span:
    """Return the lowest and the highest rate of a sweep; of a schedule of the user's own, by some of its steps."""
    if not callable(sweep.schedule):
        return sweep.start_lr, sweep.end_lr
    steps = np.unique(np.linspace(1, sweep.num_steps, min(_SAMPLE, sweep.num_steps)).astype(int))
    rates = [sweep.lr(int(step)) for step in steps]
    return min(rates), max(rates)


def records_bounds(records: LRRecords) -> Span | None:
    """Return the lowest and the highest rate of a sweep that was asked for, or of the steps on record."""
    if records.start_lr is not None and records.end_lr is not None:
        return records.start_lr, records.end_lr
    return (float(records.lr.min()), float(records.lr.max())) if len(records) else None


def chosen(limits: Span, low: float | None, high: float | None, *, is_log: bool) -> Span:
    """Return the limits with those of the user in their place; an automatic one gives way to a user's beyond it."""
    low, high = (None if value is None or (is_log and value <= 0) else value for value in (low, high))
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
        return (low, high) if low < high else limits
    bottom, top = limits[0] if low is None else low, limits[1] if high is None else high
    if bottom < top:
        return bottom, top
    if is_log:
        return (bottom, 10 * bottom) if low is not None else (top / 10, top)
    height = limits[1] - limits[0]
    return (bottom, bottom + height) if low is not None else (top - height, top)


def on_scale(losses: Span, y: Axis) -> Span | None:
    """Return the part of a window's losses that the kind of an axis can show, or None for nothing."""
    low, high = losses
    if not y.is_log:
        return losses
    return None if high <= 0 else (max(low, min(y.low, high / 10)), high)


def inside(window: Window, x: Axis, y: Axis | None) -> Window:
    """Return a window to zoom into, without its parts beyond the rates of the chart.

    Raises:
        ValueError: it is empty or not finite, or it misses the chart.
    """
    if not all(map(math.isfinite, window)):
        raise ValueError(f"a zoom window must have finite ends, got {window}; drag over a part of the chart")
    low, high, loss_low, loss_high = window
    if y is None or low > x.high or high < x.low or loss_low > y.high or loss_high < y.low:
        raise ValueError(f"a zoom window must lie on the chart, got {window}; drag over a part of it")
    low, high = max(low, x.low), min(high, x.high)
    loss_low, loss_high = on_scale((loss_low, loss_high), y) or (loss_low, loss_high)
    is_wide = [
        a < b and axis.share(b) - axis.share(a) >= _LEAST_ZOOM
        for axis, a, b in ((x, low, high), (y, loss_low, loss_high))
    ]
    if not all(is_wide):
        raise ValueError(f"a zoom window must not be empty, got {window}; drag over a wider part of the chart")
    return low, high, loss_low, loss_high
