"""The screen: the run that is shown, its chart, the status line and the error box, and when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NotebookError
from . import words
from .browser import Answers, Talk, make_chart_state, make_progress, make_view
from .chart import LiveChart
from .failures import failure, let_go
from .inputs import CLOSED, NoArguments
from .jobs import Place
from .kernel import current_host
from .results import Owner, Results
from .takeaway import Pages, table

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from ..training import RateSetter
    from .failures import Failure
    from .inputs import Arguments
    from .jobs import Job
    from .kernel import Run


_MAX_ROWS = 200_000  # of a CSV; some 15 MB in one message


class Screen:
    """Show one run at a time, and keep its words until the next one.

    Args:
        owner: the widget; the traits that only show are set here and nowhere else.
        arguments: what it was made with.

    Attributes:
        chart: the chart.
        results: what was found.
        talk: what is said.
        answers: what is answered.
        failure: the error of the latest run, or None.
        rates: sets the optimizer's rates, in the proportions of the run that is shown; None without an optimizer.
        pages: what is kept of the screen where there is no widget.
    """

    def __init__(self, owner: Owner, arguments: Arguments | NoArguments) -> None:
        self.chart = LiveChart(arguments.sweep, beta=0.9)
        self.results = Results(owner, arguments.horizon)
        self.talk = Talk(self._show_view)
        self.failure: Failure | None = None
        self.rates: RateSetter | None = arguments.rates
        self.answers = Answers(owner, arguments, self.results)
        self.pages = Pages(self)
        self._owner = owner
        self._sends_pictures = not current_host().mounts_chart
        self._run: Run[Job] | None = None  # it may have ended
        self._drawn_sweep = arguments.sweep
        self._is_closed = False
        self._left_out = ""  # of the chart, as it was said last
        self._fault: Exception | None = None  # of the drawing of this run
        self._waiting = ""  # the words of the run in place of an answer
        self._pictured = -1  # how many messages of the chart the latest picture has

    def open(self) -> None:
        """Take the settings over that the widget was made with, and show everything."""
        self.results.read_again()
        self.chart.smooth(self._owner.smoothing)
        self._set_axis()
        self.refresh()

    def show(self, run: Run[Job]) -> int:
        """Show how far a run is, and return the number of messages; called in the thread that trains.

        A fault of the drawing is told at the end: it must not end the test.
        """
        owner, before = self._owner, self.chart.messages
        if self._is_closed:  # in the middle of a long step
            return 0
        with owner.hold_sync():
            if run is not self._run:
                self._begin(run)
            try:
                run.job.draw(self.chart)
            except Exception as error:  # noqa: BLE001  # whatever it is
                self._fault = self._fault or error
            if owner.runner.current is run:
                if run.is_paused and owner.status == "running":
                    self.talk.note_end("info", words.PAUSED)
                owner.status = "paused" if run.is_paused else "running"
            if self._waiting == run.job.waiting:  # only the curve has grown
                self._show_view()
            else:
                self._waiting = run.job.waiting
                self.refresh()
        return self.chart.messages - before + 1

    def end(self, run: Run[Job]) -> None:
        """Hand over the results of a run and show its end; called in the thread that trains."""
        owner, results = self._owner, self.results
        if self._is_closed:
            owner.status = _end_of(run)
            return
        with owner.hold_sync(), owner.holding_errors() as errors:
            try:
                self.show(run)
                results.is_probing = False
                if run.error is None:
                    kind, text = run.job.end(self.chart, results, run.reason, run.seconds)
                    if self._run is run:  # no observer has started the next one
                        self.talk.note_end(kind, text)
                if self._run is run:
                    self._settle(run)
            except Exception as error:  # noqa: BLE001  # a fault of ours must not leave the widget saying that it runs
                run.error = error
            self.results.mirror()
            self._show_end(run, words.FAILED)
            if errors and run.error is None:
                run.error = errors[0]
                self._show_end(run, words.OBSERVER_FAILED)
        self.pages.keep()

    def _settle(self, run: Run[Job]) -> None:
        """Leave the chart as it stays until the next run."""
        gave_nothing, self.results.growing = self.results.growing is not None, None
        if gave_nothing and run.count:
            self.chart.end_early()  # the curve shows where it failed
        else:
            self.chart.show_runs(*self.results.drawn())
        run.job.settle(self.chart, self._owner.evidence)
        if self._fault is not None:
            raise self._fault

    def change(self, name: str, value: Any) -> None:
        """Update all that depends on a changed setting."""
        if name in ("variable", "selected_lr", "rule"):
            self.talk.drop_question()
        if name == "smoothing":
            self.chart.smooth(value)
        elif name in ("loss_scale", "loss_min", "loss_max"):
            self._set_axis()
            before, self._left_out = self._left_out, self.chart.left_out
            if self._left_out:
                self.talk.note_end("warning", self._left_out)
            elif before and self.talk.note["text"] == before:
                self.talk.note_end("info", words.READY)
            self._keep()
        elif self.results.change(name, value):
            self._mark()
            self._keep()
            return
        self.refresh()

    def change_runs(self, change: Callable[[Results], object]) -> None:
        """Change the kept runs, and draw those that are left on the chart."""
        owner, results = self._owner, self.results
        with owner.lock:
            if self._is_closed:
                raise NotebookError(CLOSED)
            before = results.current
            change(results)
            self.chart.show_runs(*results.drawn())
            if owner.runner.current is None:
                self.chart.probe(owner.evidence)
                if before not in (None, results.current):  # the words are on a run that is gone
                    self._run = None
                    self.talk.begin(words.READY)
            self._mark()
            self._keep()

    def zoom(self, window: tuple[float, float, float, float] | None) -> None:
        """Show a part of the chart, or all of it for None.

        Raises:
            ValueError: there is nothing in that part.
        """
        self.chart.zoom(window)
        self.refresh()

    def table(self) -> str:
        """Return the runs that are on the chart as CSV.

        Raises:
            ValueError: it would be too large for a page.
        """
        runs = [(run.name, run.records) for run in self.results.runs.shown]
        rows = sum(len(records) for _, records in runs)
        if rows > _MAX_ROWS:
            raise ValueError(f"{rows:,} rows are too many for this page; records.save('run.csv') writes them")
        return table(runs, self._owner.smoothing)

    def send_pictures(self) -> None:
        """Send pictures of the chart from now on, to a page that cannot show the live one."""
        self._sends_pictures = True
        self.refresh()

    def refresh(self) -> None:
        """Make anew everything that the browser shows beyond the settings."""
        owner = self._owner
        with owner.lock, owner.hold_sync():
            run = owner.runner.current
            if run is None:
                self.chart.cover(owner.sweep)
            self.talk.follow(self.results.selection.text)
            owner.answer = dict(self.answers.make(run, self.rates))
            self._show_view()

    def close(self) -> None:
        """Close the chart, and let go of the model."""
        with self._owner.lock:
            self._is_closed = True
            self.chart.close()
            self.rates = self._run = None
            self.answers = Answers(self._owner, NoArguments(self._owner.records), self.results)

    @property
    def lock(self) -> threading.RLock:
        """Held while the screen is read."""
        return self._owner.lock

    @property
    def is_running(self) -> bool:
        """A run is in progress."""
        return self._owner.runner.current is not None

    @property
    def has_run(self) -> bool:
        """There is something on the chart."""
        return self._run is not None or bool(self.results.runs.entries)

    def summary(self) -> str:
        """Return the widget in one line."""
        return repr(self._owner)

    def code(self) -> str:
        """Return the script for *Copy code*."""
        return self.answers.code(self.rates)

    def _show_view(self) -> None:
        """Show how far the run is, what can be done, what is said and what is drawn."""
        owner, results = self._owner, self.results
        with owner.lock, owner.hold_sync():
            if self._sends_pictures and self._pictured != self.chart.messages:
                self._pictured = self.chart.messages
                owner.picture = self.pages.picture()
            owner.progress = dict(make_progress(self._run, owner.num_steps * owner.repeats))
            owner.chart_state = dict(make_chart_state(self.chart, results, self._drawn_sweep))
            owner.view_state = dict(
                make_view(
                    status=owner.status,
                    run=owner.runner.current,
                    shown_run=self._run,
                    possible=self.answers.possible(),
                    has_curves=bool(results.runs.shown),
                    talk=self.talk,
                    failure=self.failure,
                )
            )

    def _begin(self, run: Run[Job]) -> None:
        self._run, self.failure, self.rates, self._waiting, self._fault = run, None, run.job.rates, "", None
        self.results.is_probing = not run.job.hides_suggestion
        place = Place(run.run_id, self.results.runs.next_color)
        if run.job.hides_suggestion:
            self.results.begin(place, run.job.facts)
        else:
            self.chart.show_runs(*self.results.drawn())  # a curve may stand there whose test has failed
        self._drawn_sweep = self._owner.sweep
        run.job.begin(self.chart, place, self.results.drawn()[1])
        self.talk.begin(words.beginning(run, current_host()))

    def _show_end(self, run: Run[Job], failed: str) -> None:
        if self._run in (run, None):  # None: an observer has removed its records, or closed the widget
            if run.error is not None:
                self.failure = failure(run.error, run.last)
                self.talk.note_end("error", failed)
                if not run.is_blocking:  # nobody can raise it any more, but its frames hold the tensors of its step
                    let_go(run.error)
            self._owner.status = _end_of(run)
        self._mark()

    def _mark(self) -> None:
        """Mark the suggestion and the pick on the chart, and show them in words."""
        run, selection = self._owner.runner.current, self.results.selection
        is_hidden = run is not None and run.job.hides_suggestion
        self.chart.mark(None if is_hidden else selection.suggestion, selection.pick)
        self.refresh()

    def _keep(self) -> None:
        if self._owner.runner.current is None:
            self.pages.keep()

    def _set_axis(self) -> None:
        self.chart.set_axis(self._owner.loss_scale, self._owner.loss_min, self._owner.loss_max)


def _end_of(run: Run[Job]) -> str:
    return "finished" if run.error is None else "failed"
