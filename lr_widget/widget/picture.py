"""What the chart shows of the runs: the current curve, those before it, the suggestion and the pick."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import LRRecords
from ..suggest import Suggestion
from .chart import MAX_EARLIER_RUNS, Chart
from .curves import Array, GrowingCurve
from .runner import Run


class Picture:
    """Keeps the chart in step with a run while it grows, and with the settings between two runs."""

    def __init__(self, low: float, high: float, beta: float) -> None:
        self._chart = Chart(low, high)
        self._beta = beta
        self._curve = GrowingCurve(beta)
        self._bounds: tuple[float, float] | None = None
        self._earlier_records: tuple[LRRecords, ...] = ()
        self._earlier: list[tuple[Array, Array, Array]] = []
        self.figure = self._chart.figure

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest rate on the x axis."""
        return self._chart.bounds

    def begin(self, run: Run, earlier: Sequence[LRRecords]) -> None:
        """Make place for a new run over the latest of the earlier ones."""
        self._curve = GrowingCurve(self._beta)
        self._bounds = (run.bounds["start_lr"], run.bounds["end_lr"])
        self._chart.show_bounds(*self._bounds)
        self._earlier_records = tuple(earlier)[-MAX_EARLIER_RUNS:]
        self._smooth_earlier()
        self._chart.show_earlier(self._earlier)
        self.mark(None, None)

    def update(self, run: Run) -> None:
        """Draw what the run gave so far."""
        for step in run.steps[len(self._curve) :]:
            self._curve.add(step.lr, step.loss)
        self._chart.show_current(*self._curve.arrays(), self._earlier)

    def smooth(self, beta: float) -> None:
        """Draw all runs with another smoothing."""
        self._beta = beta
        self._curve.smooth(beta)
        self._smooth_earlier()
        self._chart.show_earlier(self._earlier)
        self._chart.show_current(*self._curve.arrays(), self._earlier)

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

    def _smooth_earlier(self) -> None:
        self._earlier = [(r.lr, r.loss, r.smoothed_loss(self._beta)) for r in self._earlier_records]
