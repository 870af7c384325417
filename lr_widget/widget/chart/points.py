"""Runs as they are drawn: their points, the band between sweeps, limits, and where they become unstable. No widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ...results import is_flat, joined_limits, seen, y_limits
from ...smoothing import ema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...results import LRRecords, StepRecord

Array = npt.NDArray[np.float64]
Span = tuple[float, float]

MAX_POINTS = 280  # of a curve in the browser, in less than 5 kB; more would hardly be seen
MAX_BAND_POINTS = 180  # of three columns
_PROBE_ROOM = 0.04  # below the lowest probe, whose dot has a size, as a share of the height above it
_GROWING_ROOM = 0.15  # of the height: the limits of a growing curve give way with room to spare
_MAX_SLACK = 2.0  # times the height that is needed; from there on the limits close in again
_EXPLODED = 3.0  # heights of the fall above the level before it
_LEAST_SHARE = 0.01  # of the loss: a smaller rise is no explosion
_CONFIRMING_STEPS = 3
_LEVEL_SHARE, _LEVEL_STEPS = 10, 10  # the level is that of a tenth of the losses and of ten at least


class DrawnRun(NamedTuple):
    """A kept run that is to be drawn.

    Attributes:
        run_id: its number.
        records: of its range test.
        color: place in `look.PALETTE`.
    """

    run_id: int
    records: LRRecords
    color: int


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


class Columns(NamedTuple):
    """The columns of a sweep: rates, raw losses, and validation losses, NaN where there is none."""

    lrs: Array
    raw: Array
    validation: Array | None = None


class Line(NamedTuple):
    """The points of a run that can be seen; NaN leaves a gap. Raw and smoothed losses have the same rates."""

    run_id: int
    color: int
    x: Array
    raw: Array
    smoothed: Array


NOTHING: Array = np.array([])


class Run:
    """A run on the chart, with everything that is read off its losses kept until the smoothing changes.

    Attributes:
        smoothed: the smoothed losses.
        unstable_from: the first rate after which the loss stayed above its level before its minimum; None while the run
            grows, where it ended without an explosion, and where the rates do not increase.

    Args:
        run_id: its number.
        color: place in `look.PALETTE`.
        columns: its steps.
        beta: weight of the past in the smoothed curve, in [0, 1).
        stop_reason: of its records, or an empty text while it grows.
    """

    def __init__(self, run_id: int, color: int, columns: Columns, beta: float, stop_reason: str = "") -> None:
        self.run_id, self.color, self.columns, self.stop_reason = run_id, color, columns, stop_reason
        self.smooth(beta)

    @classmethod
    def of(cls, drawn: DrawnRun, beta: float) -> Run:
        """Return a kept run."""
        records = drawn.records
        columns = Columns(records.lr, records.loss, records.val_loss)
        return cls(drawn.run_id, drawn.color, columns, beta, records.stop_reason)

    def smooth(self, beta: float) -> None:
        """Smooth the losses anew."""
        self.smoothed = ema(self.columns.raw, beta)
        self.unstable_from = self._first_unstable()
        self._lines: dict[tuple[Span | None, bool], Line] = {}
        self._limits: dict[bool, Span | None] = {}

    def limits(self, *, is_log: bool) -> Span | None:
        """Return limits of the loss axis that suit the training and the validation losses."""
        if is_log not in self._limits:
            validation = self.columns.validation
            pairs = [(self.columns.raw, self.smoothed)] + ([] if validation is None else [(validation, validation)])
            self._limits[is_log] = joined_limits(pairs, is_log=is_log)
        return self._limits[is_log]

    def line(self, window: Span | None, *, is_log: bool) -> Line:
        """Return the points of the curve, those between two rates only and their neighbours, if a window is given."""
        if (window, is_log) not in self._lines:
            lrs, raw, _ = self.columns
            kept = _seen_within(lrs, raw, window, MAX_POINTS)
            if is_log:  # bqplot would write an error to the console for a line that ends in a gap
                kept = kept[: np.flatnonzero(np.append(True, (raw[kept] > 0) | (self.smoothed[kept] > 0)))[-1]]
            losses = (_drawable(values[kept], is_log=is_log) for values in (raw, self.smoothed))
            self._lines = {(window, is_log): Line(self.run_id, self.color, lrs[kept], *losses)}
        return self._lines[window, is_log]

    def validation(self, window: Span | None, *, is_log: bool) -> tuple[Array, Array]:
        """Return rates and validation losses where they were evaluated."""
        lrs, _, losses = self.columns
        if losses is None:
            return NOTHING, NOTHING
        known = np.isfinite(losses)
        lrs, losses = lrs[known], losses[known]
        kept = _seen_within(lrs, losses, window, MAX_POINTS)
        return lrs[kept], _drawable(losses[kept], is_log=is_log)

    def _first_unstable(self) -> float | None:
        lrs, raw, _ = self.columns
        counted = np.isfinite(raw) & np.isfinite(self.smoothed)
        if not self.stop_reason or len(lrs) < 2 or not counted.any() or (np.diff(lrs) <= 0).any():
            return None
        finite, smoothed = raw[counted], self.smoothed[counted]
        ended_there = self.stop_reason in ("diverged", "non_finite")
        num_before = int(smoothed.argmin()) + 1
        if not ended_there:  # a first loss that is low by chance would be the minimum, and all of the level before it
            num_before = max(num_before, len(finite) // _LEVEL_SHARE, min(len(finite) // 2, _LEVEL_STEPS))
        level = float(finite[:num_before].max())
        height = max(_EXPLODED * (level - float(finite.min())), _LEAST_SHARE * abs(level))
        has_exploded = bool((finite[-_CONFIRMING_STEPS:] > level + height).all())
        if not ended_there and not has_exploded:
            return None
        last_calm = int(np.flatnonzero(raw <= level)[-1])
        return float(lrs[min(last_calm + 1, len(lrs) - 1)])


class Growing:
    """The columns of a sweep that grows; each step is read once."""

    def __init__(self) -> None:
        self._size = 0
        self._table = np.empty((3, 256))

    def take(self, steps: Sequence[StepRecord]) -> Columns:
        """Read the steps that are new, and return the columns of all."""
        new = steps[self._size :]
        size = self._size + len(new)
        if size > self._table.shape[1]:
            self._table = np.concatenate([self._table[:, : self._size], np.empty((3, size))], axis=1)
        validation = [np.nan if step.val_loss is None else step.val_loss for step in new]
        self._table[:, self._size : size] = [step.lr for step in new], [step.loss for step in new], validation
        self._size = size
        lrs, raw, validation_losses = self._table[:, :size].copy()
        return Columns(lrs, raw, None if np.isnan(validation_losses).all() else validation_losses)


def band(runs: Sequence[Run], window: Span | None = None, *, is_log: bool = False) -> tuple[Array, Array]:
    """Return rates of shape (n,) and the lowest and the highest smoothed loss at each, of shape (2, n).

    As far as all of the sweeps go and are finite; empty for fewer than two.
    """
    if len(runs) < 2:
        return NOTHING, np.empty((2, 0))
    size = min(len(run.smoothed) for run in runs)
    losses = np.array([run.smoothed[:size] for run in runs])
    finite = np.isfinite(losses).all(axis=0)
    x, low, high = runs[0].columns.lrs[:size][finite], losses[:, finite].min(axis=0), losses[:, finite].max(axis=0)
    if is_log:
        x, low, high = (column[high > 0] for column in (x, np.maximum(low, np.finfo(float).tiny), high))
    kept = np.arange(len(x)) if window is None else np.flatnonzero(_within(x, window))
    if len(kept) > MAX_BAND_POINTS:
        kept = kept[np.linspace(0, len(kept) - 1, MAX_BAND_POINTS).astype(int)]
    return x[kept], np.array([low[kept], high[kept]])


def loss_limits(runs: Sequence[Run], probes: Sequence[Probe], *, is_log: bool = False) -> Span | None:
    """Return limits of the loss axis for runs and probes together, or None without any loss that it can show."""
    ends = [probe.loss for probe in probes if probe.is_complete and (probe.loss > 0 or not is_log)]
    known = [limits for run in runs if (limits := run.limits(is_log=is_log)) is not None]
    if not known and probes:
        # Probes around a pick, without a test, have the chart to themselves. From the highest to the lowest they
        # make a falling curve, all of which matters; those that exploded do not, unless there are no others.
        losses = np.sort(np.array(ends or [probe.loss for probe in probes]))[::-1]
        known = [limits] if (limits := y_limits(losses, losses, is_log=is_log)) is not None else []
    if not known:
        return None
    to, back = _units(is_log=is_log)
    bottom, top = to(min(low for low, _ in known)), to(max(high for _, high in known))
    return back(min([bottom, *(to(end) - _PROBE_ROOM * (top - to(end)) for end in ends)])), back(top)


def settled(shown: Span | None, needed: Span, *, is_log: bool = False) -> Span:
    """Return the limits that are shown as long as they suit a growing curve, else new ones with room to spare."""
    if shown is None:
        return needed
    to, back = _units(is_log=is_log)
    (old_low, old_high), (low, high) = map(to, shown), map(to, needed)
    height = high - low
    if old_low <= low and high <= old_high and old_high - old_low <= _MAX_SLACK * height:
        return shown
    room = _GROWING_ROOM * height
    if old_low > low:
        is_at_foot = not is_log and low >= -room  # an axis of positive losses keeps its foot at zero
        old_low = max(low - room, min(low, 0.0)) if is_at_foot else low - room
    if old_high < high:
        old_high = high + room
    is_empty = old_high - old_low > _MAX_SLACK * height
    return needed if is_empty else (back(old_low), back(old_high))


def flat(run: Run) -> bool:
    """Tell if the finite losses of a run, at least one, differ by rounding only."""
    raw = run.columns.raw
    return is_flat(raw[np.isfinite(raw)])


def _units(*, is_log: bool) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Return the functions from a loss to its height on the axis and back."""
    return (lambda loss: float(np.log10(loss)), lambda y: float(10**y)) if is_log else (float, float)


def _seen_within(x: Array, y: Array, window: Span | None, max_points: int) -> npt.NDArray[np.intp]:
    if window is None or len(x) <= max_points:  # the browser cuts them off itself
        return seen(y, max_points)
    within = np.flatnonzero(_within(x, window))
    return within[seen(y[within], max_points)]


def _within(x: Array, window: Span) -> npt.NDArray[np.bool_]:
    """Mark the places within a window and their neighbours, so that lines go on to its edge."""
    inside: npt.NDArray[np.bool_] = (window[0] <= x) & (x <= window[1])
    wider: npt.NDArray[np.bool_] = inside.copy()
    wider[1:] |= inside[:-1]
    wider[:-1] |= inside[1:]
    # A window between two steps has the line between them alone.
    crossing = np.flatnonzero((x[:-1] < window[0]) & (x[1:] > window[1]))
    wider[crossing] = wider[crossing + 1] = True
    return wider


def _drawable(losses: Array, *, is_log: bool) -> Array:
    """Leave a gap where a logarithmic axis has no place for a loss."""
    return np.where(losses > 0, losses, np.nan) if is_log else losses
