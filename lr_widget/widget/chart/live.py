"""What the chart shows of the runs: the current curve, its repeats, those before it, suggestion, pick and probes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...results.evidence import Evidence
from ...results.probe_run import second_half
from ...results.records import LRRecords, StepRecord
from ...smoothing import ema
from ...suggest.rules import Suggestion
from .figure import MAX_EARLIER_RUNS, Chart, Curve, Probe
from .points import GrowingCurve


class Picture:
    """Keeps the chart in step with a run while it grows, and with the settings between two runs."""

    def __init__(self, low: float, high: float, beta: float) -> None:
        self._chart = Chart(low, high)
        self._beta = beta
        self._curve = GrowingCurve(beta)
        self._repeats: list[Curve] = []
        self._bounds: tuple[float, float] | None = None
        self._earlier: list[Curve] = []
        self._probes: list[Probe] = []
        self.figure = self._chart.figure

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest rate on the x axis."""
        return self._chart.bounds

    def begin(self, low: float, high: float, earlier: Sequence[LRRecords]) -> None:
        """Make place for a new test over the latest of the earlier ones."""
        self._curve, self._repeats, self._probes = GrowingCurve(self._beta), [], []
        self._bounds = (low, high)
        self._chart.show_bounds(low, high)
        self._earlier = [self._curve_of(records) for records in earlier[-MAX_EARLIER_RUNS:]]
        self._chart.show_earlier(self._earlier)
        self.mark(None, None)
        self._draw()

    def grow(self, sweeps: Sequence[Sequence[StepRecord]]) -> None:
        """Draw what the sweeps of the test gave so far: the last one as a curve, those before it as a band."""
        for index, steps in enumerate(sweeps[len(self._repeats) :], start=len(self._repeats)):
            for step in steps[len(self._curve) :]:
                self._curve.add(step.lr, step.loss)
            if index < len(sweeps) - 1:
                self._repeats.append(self._curve.arrays())
                self._curve = GrowingCurve(self._beta)
        self._draw()

    def end(self, records: LRRecords) -> None:
        """Draw the records of the test: of several sweeps, their mean as the curve."""
        if records.repeats:
            self._curve = GrowingCurve(self._beta)
            for lr, loss in zip(records.lr.tolist(), records.loss.tolist(), strict=True):
                self._curve.add(lr, loss)
            self._repeats = [self._curve_of(repeat) for repeat in records.repeats]
            self._draw()

    def probe(self, evidence: Evidence) -> None:
        """Draw where the probes have come to."""
        ended = [(run, math.isfinite(run.end_loss)) for run in evidence.runs if np.isfinite(run.loss).all()]
        self._probes = [
            Probe(run.lr, run.end_loss if has_end else float(second_half(run.loss).mean()), has_end)
            for run, has_end in ended
        ]
        self._draw()

    def smooth(self, beta: float) -> None:
        """Draw all runs with another smoothing."""
        self._beta = beta
        self._curve.smooth(beta)
        self._earlier = [(lrs, raw, ema(raw, beta)) for lrs, raw, _ in self._earlier]
        self._repeats = [(lrs, raw, ema(raw, beta)) for lrs, raw, _ in self._repeats]
        self._chart.show_earlier(self._earlier)
        self._draw()

    def cover(self, low: float, high: float) -> None:
        """Let the x axis show the sweep that is set as well as the one that is drawn."""
        if self._bounds is not None:
            low, high = min(low, self._bounds[0]), max(high, self._bounds[1])
        if (low, high) != self.bounds:
            self._chart.show_bounds(low, high)

    def mark(self, suggestion: Suggestion | None, pick: float | None) -> None:
        """Mark a suggestion and the user's pick, each if there is one."""
        if suggestion is None:
            self._chart.show_suggestion(None)
        else:
            self._chart.show_suggestion(suggestion.lr, suggestion.low, suggestion.high)
        self._chart.show_pick(pick)

    def close(self) -> None:
        """Close the chart's widgets."""
        self._chart.close()

    def _draw(self) -> None:
        self._chart.show_repeats(self._repeats)
        self._chart.show_current(*self._curve.arrays(), (*self._earlier, *self._repeats), self._probes)

    def _curve_of(self, records: LRRecords) -> Curve:
        return records.lr, records.loss, records.smoothed_loss(self._beta)
