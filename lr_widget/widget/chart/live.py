"""The chart while a run grows: its curve and sweeps, the other runs, suggestion, pick and probes, axes and zoom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...results import second_half
from . import look, wording
from .figure import Chart
from .picture import picture
from .points import NOTHING, Columns, DrawnRun, Growing, Probe, Run, band, loss_limits, settled
from .scene import Scene, chosen, clipped, inside, loss_axis, marker, on_scale, rate_axis, records_bounds, sweep_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...results import Evidence, LRRecords, StepRecord
    from ...schedule import Sweep
    from ...suggest import Suggestion
    from .look import LegendEntry, Marks
    from .points import Span
    from .scene import Axis, Window


class LiveChart:
    """Keep the chart in step with a run while it grows, and with the settings between two runs.

    Args:
        sweep: its bounds and its schedule are those of the x axis at first.
        beta: weight of the past in the smoothed curves, in [0, 1).

    Attributes:
        figure: the figure for the browser.
    """

    def __init__(self, sweep: Sweep, beta: float) -> None:
        self._chart = Chart()
        self._beta = beta
        self._covered = sweep_bounds(sweep)  # by the sweep that is set
        self._is_linear = sweep.schedule == "linear"
        self._drawn: dict[int, Span] = {}  # bounds of the runs
        self._growing: list[Growing] = []
        self._current: Run | None = None
        self._earlier: list[Run] = []
        self._repeats: list[Run] = []
        self._probes: list[Probe] = []
        self._probe_steps = 0
        self._marks: tuple[Suggestion | None, float | None] = (None, None)
        self._loss_axis: tuple[str, float | None, float | None] = ("linear", None, None)
        self._window: Window | None = None
        self._settled: tuple[bool, Span] | None = None
        self.figure = self._chart.figure
        self._draw()

    @property
    def is_zoomed(self) -> bool:
        """True where a window is shown."""
        return self._window is not None

    @property
    def messages(self) -> int:
        """The number of messages to the browser so far."""
        return self._chart.messages.count

    def begin(self, run_id: int, sweep: Sweep, color: int, earlier: Sequence[DrawnRun]) -> None:
        """Start a new curve over earlier ones, all of it within the axes."""
        self._current = Run(run_id, color, Columns(NOTHING, NOTHING), self._beta)
        self._growing, self._repeats, self._probes = [], [], []
        self._marks, self._window, self._settled = (None, None), None, None
        self._covered, self._is_linear = sweep_bounds(sweep), sweep.schedule == "linear"
        self._drawn = {run_id: self._covered}
        self._take_earlier(earlier)
        self._draw()

    def grow(self, sweeps: Sequence[Sequence[StepRecord]]) -> None:
        """Draw the sweeps of a range test so far: the last one as a curve, those before it as a band."""
        run = self._current
        if run is None or not sweeps:
            return
        for place in range(max(len(self._growing) - 1, 0), len(sweeps)):
            if place == len(self._growing):
                self._growing.append(Growing())
            columns = self._growing[place].take(sweeps[place])
            self._repeats[place:] = [Run(run.run_id, run.color, columns, self._beta)]
        self._current = self._repeats.pop()
        self._draw()

    def end(self, records: LRRecords) -> None:
        """Draw the records of the test: of several sweeps, their mean as the curve."""
        if self._current is not None:
            self._take_current(self._current.run_id, records, self._current.color)
            self._draw()

    def end_early(self) -> None:
        """Leave a curve as far as it came, of a test that gives no records."""
        if self._current is not None:
            self._current.stop_reason = "interrupted"

    def show_runs(self, current: DrawnRun | None, earlier: Sequence[DrawnRun]) -> None:
        """Draw these runs: one with everything that is known of it, the others thin, the latest eight in all.

        A curve that grows has no records yet; it stays where `current` is None.
        """
        if current is not None:
            self._drawn = {}
            self._take_current(current.run_id, current.records, current.color)
        elif self._is_growing and self._current is not None:
            self._drawn = {self._current.run_id: self._drawn[self._current.run_id]}
        else:
            self._drawn, self._current, self._repeats = {}, None, []
        self._take_earlier(earlier)
        self._draw()

    def probe(self, evidence: Evidence | None) -> None:
        """Draw each probe at its end, or where it stopped; None for no probes."""
        if evidence is None:
            if self._probes:
                self._probes = []
                self._draw()
            return
        compared = {id(run) for run in evidence.compared}
        self._probe_steps = next((run.num_steps or evidence.probe_steps for run in evidence.compared), 0)
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
        for run in self._runs:
            run.smooth(beta)
        self._draw()

    def cover(self, sweep: Sweep) -> None:
        """Let the x axis show the sweep that is set as well as those that are drawn."""
        covered = sweep_bounds(sweep)
        is_linear = sweep.schedule == "linear" if self._current is None else self._is_linear
        if (covered, is_linear) != (self._covered, self._is_linear):
            self._covered, self._is_linear = covered, is_linear
            self._draw()

    def mark(self, suggestion: Suggestion | None, pick: float | None) -> None:
        """Mark a suggestion and the user's pick, each if there is one."""
        if (suggestion, pick) != self._marks:
            self._marks = (suggestion, pick)
            self._draw()

    def set_axis(self, scale: str, low: float | None, high: float | None) -> None:
        """Set the kind of the loss axis, "linear" or "log", and its limits; None for automatic ones.

        A logarithmic axis takes positive losses only: without any it stays linear, and a limit that is not positive is
        automatic there.
        """
        if (low, high) != self._loss_axis[1:]:
            self._window = None  # which has limits of its own
        self._loss_axis, self._settled = (scale, low, high), None
        self._draw()

    @property
    def left_out(self) -> str:
        """The losses that a logarithmic axis cannot show, as a sentence; empty for none."""
        losses = [run.columns.raw for run in self._runs]
        if self._loss_axis[0] != "log" or not any((each <= 0).any() for each in losses):
            return ""
        if self._scene.y is None or not self._scene.y.is_log:
            return "No loss is positive, so the loss axis stays linear."
        return "Losses of 0 and below have no place on a logarithmic axis and are not drawn."

    def zoom(self, window: Window | None) -> None:
        """Show only the rates and losses within a window, or all of them for None.

        Raises:
            ValueError: the window is empty or not finite, or it misses the chart.
        """
        self._window = None if window is None else inside(window, self._rate_axis(None), self._whole_loss_axis())
        self._draw()

    def marks_of(self, run_id: int) -> Marks | None:
        """Return the places of a run's curves in the figure's list of marks, or None where it is not drawn."""
        return self._chart.marks_of(run_id)

    def legend(self) -> list[LegendEntry]:
        """Name each kind of mark that is on the chart."""
        return wording.legend(self._scene)

    def text(self) -> str:
        """Describe the chart in a few sentences."""
        return wording.text(self._scene, self._current)

    def picture(self, names: Mapping[int, str] | None = None) -> str:
        """Return the chart as an SVG document; `names` are those of the runs, by their numbers."""
        return picture(self._scene, names or {})

    def close(self) -> None:
        """Close the chart's widgets."""
        self._chart.close()

    @property
    def _is_growing(self) -> bool:
        return self._current is not None and not self._current.stop_reason

    @property
    def _runs(self) -> list[Run]:
        return [*self._earlier, *self._repeats, *([] if self._current is None else [self._current])]

    def _take_current(self, run_id: int, records: LRRecords, color: int) -> None:
        sweeps = [DrawnRun(run_id, each, color) for each in (records, *records.repeats)]
        self._current, *self._repeats = (Run.of(sweep, self._beta) for sweep in sweeps)
        self._settled = None
        self._is_linear = records.schedule == "linear"
        self._note_bounds(run_id, records)

    def _take_earlier(self, earlier: Sequence[DrawnRun]) -> None:
        most = look.MAX_RUNS - (self._current is not None)
        known = {(run.run_id, run.color): run for run in self._earlier}
        self._earlier = []
        for drawn in earlier[-most:]:
            run = known.get((drawn.run_id, drawn.color))
            self._earlier.append(Run.of(drawn, self._beta) if run is None else run)
            self._note_bounds(drawn.run_id, drawn.records)

    def _note_bounds(self, run_id: int, records: LRRecords) -> None:
        bounds = records_bounds(records)
        if bounds is not None:
            self._drawn[run_id] = bounds

    def _rate_axis(self, window: Window | None) -> Axis:
        if window is not None:
            return rate_axis(*window[:2], is_log=not self._is_linear)
        lows, highs = zip(self._covered, *self._drawn.values(), strict=True)
        return rate_axis(min(lows), max(highs), is_log=not self._is_linear)

    def _whole_loss_axis(self) -> Axis | None:
        """Return the loss axis without a zoom, or None without any loss."""
        scale, low, high = self._loss_axis
        probes = self._probes_on(self._rate_axis(None))
        is_log = scale == "log"
        limits = loss_limits(self._runs, probes, is_log=is_log)
        if limits is None and is_log:
            is_log = False
            limits = loss_limits(self._runs, probes)
        if limits is None:
            return None
        if self._is_growing:
            shown = self._settled[1] if self._settled is not None and self._settled[0] == is_log else None
            limits = settled(shown, limits, is_log=is_log)
            self._settled = (is_log, limits)
        return loss_axis(*chosen(limits, low, high, is_log=is_log), is_log=is_log)

    def _probes_on(self, axis: Axis) -> list[Probe]:
        return [probe for probe in self._probes if axis.low <= probe.lr <= axis.high]

    def _draw(self) -> None:
        y = self._whole_loss_axis()
        if y is not None and self._window is not None:
            losses = on_scale(self._window[2:], y)  # the scale may be another one since
            if losses is None:
                self._window = None
            else:
                y = loss_axis(*losses, is_log=y.is_log)
        x = self._rate_axis(self._window)
        window = None if self._window is None else self._window[:2]
        is_log = y is not None and y.is_log
        current, (suggestion, pick) = self._current, self._marks
        start = None if current is None else current.unstable_from
        self._scene = Scene(
            x,
            y,
            current=None if current is None else current.line(window, is_log=is_log),
            earlier=tuple(run.line(window, is_log=is_log) for run in self._earlier),
            validation=(NOTHING, NOTHING) if current is None else current.validation(window, is_log=is_log),
            band=band(self._repeats, window, is_log=is_log),
            num_sweeps=len(self._repeats),
            probes=tuple(self._probes_on(x)),
            probe_steps=self._probe_steps,
            unstable=clipped(x, start, math.inf),
            good=None if suggestion is None or suggestion.lr is None else clipped(x, suggestion.low, suggestion.high),
            suggestion=None if suggestion is None else marker(x, "suggested", suggestion.lr, 2),
            pick=marker(x, "your pick", pick, 6),
        )
        self._chart.show(self._scene)
