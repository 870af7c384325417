"""The screen: the run that is shown, its chart, the status line and the error box, and when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..results import write_whole
from . import words
from .browser import make_view
from .chart import MARGIN_PX, LiveChart
from .export import page, part
from .kernel import Outputs, current_host
from .selection import Selection

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ..horizon import Horizon
    from ..results import Evidence, LRRecords
    from ..schedule import Sweep
    from ..suggest import Suggestion
    from ..training import RateSetter
    from .browser import Kind, Note
    from .jobs import Job
    from .kernel import Run, Runner

_MAX_HISTORY = 20


class Owner(Protocol):
    """The part of the widget that its screen reads and writes."""

    lock: threading.RLock
    runner: Runner[Job]
    sweep: Sweep
    repeats: int
    rule: str
    horizon: Horizon
    selected_lr: float | None
    suggestion: Suggestion | None
    records: LRRecords | None
    evidence: Evidence | None
    history: Sequence[LRRecords]
    status: str
    view_state: dict[str, Any]
    picture: str

    def code(self, lr: float) -> str:
        """Return the script for *Copy code*."""

    def plan(self, lr: float | None) -> str:
        """Announce probes from a rate, in words."""

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Tell observers of changed traits when the block ends, and all of them the new values."""

    def hold_sync(self) -> AbstractContextManager[None]:
        """Hold the messages to the browser back until the block ends."""

    def holding_errors(self) -> AbstractContextManager[list[Exception]]:
        """Collect the errors of the user's observers until the block ends."""


class Screen:
    """Show one run at a time, keep its results, and keep its words until the next one.

    Args:
        owner: the widget; its result traits, `status` and `view_state` are set here and nowhere else.
        sweep: its bounds are those of the x axis at first.
        horizon: the training that the rate is for.
        smoothing: weight of the past in the smoothed curves, in [0, 1).
        rates: sets the optimizer's rates, in the proportions before the first run.

    Attributes:
        chart: the chart.
        selection: the suggestions, the rule and the pick; the traits that show it are set here only.
        rates: sets the optimizer's rates, in the proportions of the run that is shown.
        outputs: the cells' outputs that show the widget.
    """

    def __init__(self, owner: Owner, sweep: Sweep, horizon: Horizon, smoothing: float, rates: RateSetter) -> None:
        self.chart = LiveChart(sweep, smoothing)
        self.selection = Selection(horizon=horizon)
        self.rates = rates
        self.outputs = Outputs()
        self._part = f"lrw-picture-{self.chart.figure.model_id}"  # a closed figure has no id any more
        self._sends_pictures = not current_host().mounts_chart
        self._owner = owner
        self._is_mirroring = False
        self._run: Run[Job] | None = None  # it may have ended
        self._note: Note = {"kind": "info", "text": words.READY}
        self._failure: words.Failure | None = None

    def show(self, run: Run[Job]) -> None:
        """Show how far a run is; called in the thread that trains."""
        owner = self._owner
        with owner.hold_sync():
            if run is not self._run:
                self._begin(run)
            run.job.draw(self.chart)
            if owner.runner.current is run:
                if run.is_paused and owner.status == "running":
                    self._note = {"kind": "info", "text": words.PAUSED}
                owner.status = "paused" if run.is_paused else "running"
            self.refresh()

    def end(self, run: Run[Job]) -> None:
        """Hand over the results of a run and show its end; called in the thread that trains."""
        owner = self._owner
        with owner.hold_sync(), owner.holding_errors() as errors:
            try:
                self.show(run)
                if run.error is None:
                    text = run.job.end(self.chart, self, run.reason, run.seconds)
                    if self._run is run:  # no observer has started the next one
                        self._note = {"kind": "good", "text": text}
                if self._run is run:
                    run.job.settle(self.chart, owner.evidence)
            except Exception as error:  # noqa: BLE001  # a fault of ours must not leave the widget saying that it runs
                run.error = error
            self._mirror()
            self._show_end(run, words.FAILED)
            if errors and run.error is None:
                run.error = errors[0]
                self._show_end(run, words.OBSERVER_FAILED)
        self.keep()

    def keep(self) -> None:
        """Let the notebook keep the result as it is now."""
        with self._owner.lock:
            self.outputs.update(self.stored())

    def keep_records(self, records: LRRecords) -> None:
        """Keep the records of a range test and the suggestion of every rule for them."""
        owner = self._owner
        self.selection.take_records(records)
        owner.evidence = None
        owner.history = (*owner.history, records)[-_MAX_HISTORY:]
        owner.records = records  # whose observers may probe at once
        self._mirror()

    def keep_evidence(self, evidence: Evidence) -> None:
        """Keep the evidence of probes and choose their suggestion; probes without any end change nothing."""
        if self.selection.take_evidence(evidence):
            self._owner.evidence = evidence
            self._mirror()

    def say(self, kind: Kind, text: str) -> None:
        """Show a sentence in the status line."""
        with self._owner.lock:
            self._note = {"kind": kind, "text": text}
            self.refresh()

    def change(self, name: str, value: Any) -> None:
        """Update the parts of the view that depend on a changed setting."""
        selection = self.selection
        if name == "smoothing":
            self.chart.smooth(value)
            self.refresh()  # of the picture, where one is sent
        elif name == "variable":
            self._owner.view_state = {**self._owner.view_state, "code": self._code()}
        elif name == "rule" and not (self._is_mirroring and value == selection.rule):
            selection.rule = value
            self._choose()
        elif name == "selected_lr" and not (self._is_mirroring and value == selection.lr):
            selection.pick = value
            self._choose()
        elif name in ("train_steps", "train_schedule"):
            selection.aim(self._owner.horizon, self._owner.records, self._owner.evidence)
            self._choose()
        elif name in ("start_lr", "end_lr", "num_steps", "repeats", "max_probe_steps"):
            self.refresh()

    def refresh(self) -> None:
        """Make anew everything that the browser shows beyond the settings."""
        owner = self._owner
        with owner.lock:
            sweep, run = owner.sweep, owner.runner.current
            if run is None:
                self.chart.cover(sweep.start_lr, sweep.end_lr)
            if self._sends_pictures:
                owner.picture = self.chart.picture()
            owner.view_state = dict(
                make_view(
                    status=owner.status,
                    sweep=sweep,
                    repeats=owner.repeats,
                    plan=owner.plan(self.selection.to_probe),
                    run=run,
                    shown_run=self._run,
                    selection=self.selection,
                    note=self._note,
                    failure=self._failure,
                    code=self._code(),
                    bounds=self.chart.bounds,
                    margins=MARGIN_PX,
                )
            )

    def stored(self) -> dict[str, str]:
        """Return the result as a notebook keeps it, by MIME type."""
        picture = None if self._run is None else self.chart.picture()
        html = part(self._result(), picture, self._part)
        return {"text/plain": repr(self._owner), "text/html": html}

    def display(self, model_id: str | None) -> None:
        """Show the widget in the cell that is running; only its result for None, if it is closed."""
        with self._owner.lock:
            self.outputs.show(model_id, self.stored())

    def write_page(self, path: Path) -> None:
        """Write the result as a page of its own."""
        with self._owner.lock:
            text = page(self._result(), self.chart.picture(), self.selection.suggestions, self._code())
        write_whole(path, text.encode("utf-8", "backslashreplace"))  # a file name in an error may be no UTF-8

    def send_pictures(self) -> None:
        """Send pictures of the chart from now on, to a page that cannot show the live one."""
        self._sends_pictures = True
        self.refresh()

    def _result(self) -> str:
        selection, is_running = self.selection, self._owner.runner.current is not None
        found = (selection.pick, selection.suggestion, selection.reason)
        return words.result(*found, self._failure, is_running=is_running)

    def _choose(self) -> None:
        self._mirror()
        self._mark()
        if self._owner.runner.current is None:
            self.keep()

    def _mirror(self) -> None:
        """Set the traits that show the selection, all of them before an observer hears of one."""
        was_mirroring, self._is_mirroring = self._is_mirroring, True
        try:
            with self._owner.hold_trait_notifications():
                self._owner.rule = self.selection.rule
                self._owner.suggestion = self.selection.suggestion
                self._owner.selected_lr = self.selection.lr
        finally:
            self._is_mirroring = was_mirroring

    def _mark(self) -> None:
        """Mark the suggestion and the pick on the chart, and show them in words."""
        run = self._owner.runner.current
        is_hidden = run is not None and run.job.hides_suggestion
        self.chart.mark(None if is_hidden else self.selection.suggestion, self.selection.pick)
        self.refresh()

    def _code(self) -> str:
        text = self.selection.text
        return self._owner.code(float(text)) if text else ""

    def _begin(self, run: Run[Job]) -> None:
        self._run, self._failure, self.rates = run, None, run.job.rates
        if run.job.hides_suggestion:
            self.selection.begin()
            self._mirror()
        run.job.begin(self.chart, self._owner.history)
        self._note = {"kind": "info", "text": words.beginning(run, current_host())}

    def _show_end(self, run: Run[Job], failed: str) -> None:
        if self._run is run:
            if run.error is not None:
                self._failure = words.failure(run.error, run.last)
                self._note = {"kind": "error", "text": failed}
            self._owner.status = "finished" if run.error is None else "failed"
        self._mark()
