"""The chart while a run grows: the current curve, its repeats, earlier runs, suggestion, pick and probes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...results import second_half
from ...smoothing import ema
from .figure import Chart
from .look import MAX_EARLIER_RUNS
from .picture import Scene, picture
from .points import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...results import Evidence, LRRecords, StepRecord
    from ...schedule import Sweep
    from ...suggest import Suggestion
    from .points import Array, Curve


class LiveChart:
    """Keep the chart in step with a run while it grows, and with the settings between two runs.

    Args:
        sweep: its bounds are those of the x axis at first.
        beta: weight of the past in the smoothed curves, in [0, 1).
    """

    def __init__(self, sweep: Sweep, beta: float) -> None:
        self._chart = Chart(sweep.start_lr, sweep.end_lr)
        self._beta = beta
        self._drawn_sweep: Sweep | None = None
        self._current = self._curve(np.array([]), np.array([]))
        self._repeats: list[Curve] = []
        self._earlier: list[Curve] = []
        self._probes: list[Probe] = []
        self._marks: tuple[Suggestion | None, float | None] = (None, None)
        self.figure = self._chart.figure

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest rate on the x axis."""
        return self._chart.bounds

    def begin(self, sweep: Sweep, earlier: Sequence[LRRecords]) -> None:
        """Start a new curve over the latest of the earlier ones."""
        self._current, self._repeats, self._probes = self._curve(np.array([]), np.array([])), [], []
        self._drawn_sweep = sweep
        self._chart.show_bounds(sweep.start_lr, sweep.end_lr)
        self._earlier = [self._curve(records.lr, records.loss) for records in earlier[-MAX_EARLIER_RUNS:]]
        self._chart.show_earlier(self._earlier)
        self.mark(None, None)
        self._draw()

    def grow(self, sweeps: Sequence[Sequence[StepRecord]]) -> None:
        """Draw the sweeps of a range test so far: the last one as a curve, those before it as a band."""
        self._repeats += [self._curve(*_columns(steps)) for steps in sweeps[len(self._repeats) : -1]]
        if sweeps:
            self._current = self._curve(*_columns(sweeps[-1]))
        self._draw()

    def end(self, records: LRRecords) -> None:
        """Draw the records of the test: of several sweeps, their mean as the curve."""
        self._current = self._curve(records.lr, records.loss)
        self._repeats = [self._curve(repeat.lr, repeat.loss) for repeat in records.repeats]
        self._draw()

    def probe(self, evidence: Evidence) -> None:
        """Draw each probe at its end, or where it stopped."""
        compared = {id(run) for run in evidence.compared}
        self._probes = [
            Probe(run.lr, run.end_loss, is_complete=True, is_compared=id(run) in compared)
            if math.isfinite(run.end_loss)
            else Probe(run.lr, float(second_half(run.loss).mean()), is_complete=False)
            for run in evidence.runs
            if np.isfinite(run.loss).all()
        ]
        self._draw()

    def smooth(self, beta: float) -> None:
        """Draw all runs with another smoothing."""
        self._beta = beta
        self._current = self._curve(*self._current[:2])
        self._earlier = [self._curve(lrs, raw) for lrs, raw, _ in self._earlier]
        self._repeats = [self._curve(lrs, raw) for lrs, raw, _ in self._repeats]
        self._chart.show_earlier(self._earlier)
        self._draw()

    def cover(self, low: float, high: float) -> None:
        """Let the x axis show the bounds that are set as well as the sweep that is drawn."""
        if self._drawn_sweep is not None:
            low, high = min(low, self._drawn_sweep.start_lr), max(high, self._drawn_sweep.end_lr)
        if (low, high) != self.bounds:
            self._chart.show_bounds(low, high)

    def mark(self, suggestion: Suggestion | None, pick: float | None) -> None:
        """Mark a suggestion and the user's pick, each if there is one."""
        self._marks = (suggestion, pick)
        if suggestion is None:
            self._chart.show_suggestion(None)
        else:
            self._chart.show_suggestion(suggestion.lr, suggestion.low, suggestion.high)
        self._chart.show_pick(pick)

    def picture(self) -> str:
        """Return the chart as an SVG document."""
        scene = Scene(self.bounds, self._current, self._earlier, self._repeats, self._probes, *self._marks)
        return picture(scene)

    def close(self) -> None:
        """Close the chart's widgets."""
        self._chart.close()

    def _draw(self) -> None:
        self._chart.show_repeats(self._repeats)
        self._chart.show_current(*self._current, (*self._earlier, *self._repeats), self._probes)

    def _curve(self, lrs: Array, raw: Array) -> Curve:
        return lrs, raw, ema(raw, self._beta)


def _columns(steps: Sequence[StepRecord]) -> tuple[Array, Array]:
    return np.array([step.lr for step in steps]), np.array([step.loss for step in steps])
