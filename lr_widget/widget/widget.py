"""`LRFinderWidget`: traits, public methods and wiring; the only place that knows anywidget.

Python holds the truth. The browser shows the traits and sends small commands; each is checked before anything happens.
One lock makes sure that the thread that trains and the thread that handles messages never write together.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from ipywidgets import DOMWidget, widget_serialization

from ..engine import DEFAULT_MAX_STEPS
from ..results import Evidence, LRRecords
from ..schedule import Sweep
from ..suggest import Suggestion
from . import words
from .browser import SETTINGS, receive
from .choice import PROBE_RULE
from .comparing import Comparing
from .inputs import CLOSED, Arguments, NoArguments, Trainers
from .kernel import CellsThread, Inbox, OneWriter, Runner, current_host, put, show_in_cell
from .screen import Screen
from .traits import Settings, Shown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .inputs import WidgetKeywords
    from .jobs import Job, ProbeJob, RangeTestJob

_STATIC = Path(__file__).parent / "static"
if not (_STATIC / "widget.js").exists():
    raise ImportError("lr_widget's front end is not built; run `make build` in the checkout, or install the wheel")


class LRFinderWidget(Comparing, Trainers, Settings, Shown, OneWriter, anywidget.AnyWidget):  # type: ignore[misc]  # anywidget ships no types
    """A range test as a notebook widget: run it, watch the curve, take the suggested rate.

    Showing the widget runs nothing. A run from the button or `start` trains in a background thread and leaves the
    kernel free; do not train the same model in another cell meanwhile. `from_lightning`, `from_transformers` and the
    like open the widget on a framework's training, `from_records` on records.

    Args:
        model, optimizer, loss_fn, train_data: as for `lr_widget.range_test`.
        variable: name of the notebook variable that *Copy to notebook* assigns.
        smoothing: weight of the past in the running average that is shown, in [0, 1).
        max_probe_steps: what the probes may cost together, in steps; see `lr_widget.probe`.
        loss_scale: "linear" or "log", of the loss axis.
        loss_min, loss_max: limits of the loss axis; None for those that suit the curves.
        suggest_from: "loss", or "val_loss" for a suggestion off the validation losses.
        **keywords: those of `lr_widget.range_test`, except `progress` and `groups`.

    Attributes:
        start_lr, end_lr: bounds of the sweep; end_lr is the larger one.
        num_steps: length of the sweep.
        repeats: number of sweeps of a run, each from the same state with the data in another order.
        max_probe_steps: what the probes may cost together.
        train_steps, train_schedule: the training that the rate is for; a change reads the records again.
        loss_scale, loss_min, loss_max: the loss axis.
        suggest_from: the losses that the rules read.
        status: "idle", "running", "paused", "finished" or "failed".
        records: the records of the latest run that gave some, or None.
        suggestion: what `rule` reads off them for that training, or None before.
        selected_lr: the rate that was picked on the chart or set here, else the suggested one, else None.
        evidence: what the latest probes showed, or None; the rule is then "probe".
        history: the records of the runs that are kept, at most 20, the oldest first.

    Raises:
        TypeError: an unknown keyword, or an argument of a wrong kind.
        ValueError, traitlets.TraitError: a wrong value; the message has the value and the remedy.
    """

    # As text: of a path, anywidget would hold every instance for good.
    _esm = (_STATIC / "widget.js").read_text(encoding="utf-8")
    _css = (_STATIC / "widget.css").read_text(encoding="utf-8")

    # Results.
    records = traitlets.Instance(LRRecords, allow_none=True)
    evidence = traitlets.Instance(Evidence, allow_none=True)
    suggestion = traitlets.Instance(Suggestion, allow_none=True)
    history = traitlets.Tuple()

    figure = traitlets.Instance(DOMWidget).tag(sync=True, **widget_serialization)

    is_open = False  # from the end of `__init__` until `close`

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Any,
        train_data: Any,
        variable: str = "lr",
        *,
        smoothing: float = 0.9,
        max_probe_steps: int = DEFAULT_MAX_STEPS,
        loss_scale: str = "linear",
        loss_min: float | None = None,
        loss_max: float | None = None,
        suggest_from: str = "loss",
        **keywords: Unpack[WidgetKeywords],
    ) -> None:
        arguments = Arguments((model, optimizer, loss_fn, train_data), dict(keywords), suggest_from)
        axis = {"loss_scale": loss_scale, "loss_min": loss_min, "loss_max": loss_max}
        shown = {"variable": variable, "smoothing": smoothing, "max_probe_steps": max_probe_steps, **axis}
        self.open_on(arguments, suggest_from=suggest_from, **shown)

    def open_on(self, arguments: Arguments | NoArguments, **settings: Any) -> None:
        """Make the widget on checked arguments; part of `__init__`."""
        self._arguments = arguments
        self.lock = threading.RLock()  # of OneWriter, which needs it before any trait is set
        self.cells_thread = CellsThread()
        self.sweep = arguments.sweep
        self.screen = Screen(self, arguments)
        self.runner: Runner[Job] = Runner(self.lock, self.screen.show, self.screen.end, Inbox(self))
        try:
            super().__init__(figure=self.screen.chart.figure, **{**arguments.traits(), **settings})
        except BaseException:  # a setting is wrong
            self.screen.chart.close()
            raise
        self.is_open = True
        self.screen.open()
        self.on_msg(lambda _, content, __: receive(self, content))

    def run(self) -> LRRecords:
        """Run the test here and now, with the chart live, and return its records.

        Interrupting the kernel ends the test and keeps the curve so far (`stop_reason` is then "interrupted"). An
        exception of the model, the loss or the data propagates, after everything was put back.

        Raises:
            RuntimeError: a test is running already.
        """
        job = self._range_test()
        run = self.runner.run(job)
        run.raise_error()
        return self.records if self.records is not None and run.count else job.test.records(run.reason)

    def start(self) -> None:
        """Run the test in a background thread; the kernel stays free.

        On Colab, which shows nothing that a thread sends, it blocks as `run` does.

        Raises:
            RuntimeError: a test is running already.
        """
        self._start(self._range_test())

    def probe(self) -> Evidence:
        """Train here and now for a short while at rates around the selected one, and return the evidence.

        The cost is at most `max_probe_steps`; the outcome becomes the suggestion. See `lr_widget.probe` for what
        happens; interrupting the kernel keeps the trainings so far.

        Raises:
            NotebookError: there is no rate to probe around yet.
            RuntimeError: a test is running already.
        """
        job = self._probes()
        self.runner.run(job).raise_error()
        return job.probing.evidence()

    def start_probe(self) -> None:
        """Probe as `probe` does, in the background as `start` does; `evidence` has the outcome.

        Raises:
            NotebookError, RuntimeError: as `probe`.
        """
        with self.lock:  # read rate and records together, before a run can replace them
            job = self._probes()
        self._start(job)

    def stop(self) -> None:
        """End the test after the step it is in; the curve so far is kept. Without a test, nothing happens."""
        self.steer("stop")

    def pause(self) -> None:
        """Let the test wait after the step it is in. The model is put back only at the end, not in a pause."""
        self.steer("pause")

    def resume(self) -> None:
        """Let a paused test go on."""
        self.steer("resume")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no test is running; False after `timeout` seconds. An interrupt ends only the waiting."""
        has_ended = self.runner.wait(timeout)
        if has_ended:
            self.screen.pages.keep()  # tools that execute notebooks may miss what the run's own thread told an output
        return has_ended

    def copy_to_notebook(self, *, overwrite: bool = False) -> float:
        """Assign the selected rate, as it is shown, to the notebook variable named by `variable`, and return it.

        Args:
            overwrite: also overwrite a number that was not put there by a widget.

        Raises:
            NotebookError: there is no rate yet, no notebook, or the variable holds something other than a number, or a
                number that was not put there by a widget.
        """
        with self.lock:
            lr = self.screen.results.selection.need_as_shown("copy")
        put(self.variable, lr, overwrite=overwrite)
        self.screen.talk.drop_question()
        self.screen.talk.tell(lr, words.copied(self.variable, lr), words.copied(self.variable, lr, "still"))
        return lr

    def apply(self) -> float:
        """Give the optimizer's param groups the selected rate as it is shown, in the test's proportions; return it.

        A widget on a framework's training puts it where the framework keeps its rate, such as `args.learning_rate`.

        Raises:
            NotebookError: there is no rate yet, or no optimizer.
            RuntimeError: a test is running, whose end would put the old rates back.
            ValueError: the framework has no place for a rate.
        """
        with self.lock:
            lr = self.screen.results.selection.need_as_shown("apply")
            if self.runner.current is not None:
                raise RuntimeError("a range test is running and would put the old rates back; stop it first")
            said = self._arguments.apply(lr, self.screen.rates)
        self.screen.talk.tell(lr, said)
        return lr

    def close(self) -> None:
        """Stop a running test, put everything back, remove the widget and let go of the model."""
        if self.is_open:
            self.is_open = False
            self.runner.shut_down()
            self.screen.close()
            self._arguments = NoArguments(self.records, CLOSED)
            self.layout.close()
        super().close()
        # ipywidgets 7 sets it to None, and IPython would show an error in place of the result.
        self.__dict__.pop("_ipython_display_", None)

    def to_html(self, path: str | Path) -> None:
        """Write the result as one HTML file that works offline: the chart as a picture, every rule's rate, the code."""
        self.screen.pages.write(Path(path))

    def steer(self, action: str, run_id: int | None = None) -> None:
        """Stop, pause or resume the run with this id, or the one in progress; one that has ended stays as it is."""
        with self.lock:
            if getattr(self.runner, action)(run_id):
                if action == "resume":
                    self.status = "running"  # a pause that follows at once is then a new one
                self.screen.talk.say("info", words.STEERING[action])

    def _range_test(self) -> RangeTestJob:
        return self._arguments.range_test(self.sweep, self.repeats, self.horizon)

    def _probes(self) -> ProbeJob:
        lr = self.screen.results.selection.need_to_probe()
        return self._arguments.probes(lr, self.max_probe_steps, self.records, self.horizon)

    def _start(self, job: Job) -> None:
        if not current_host().shows_threads:
            self.runner.run(job)
            return
        with self.lock:  # the thread cannot show anything before the start is shown
            self.screen.show(self.runner.start(job))

    @traitlets.validate("rule")
    def _check_rule(self, proposal: Any) -> str:
        if proposal["value"] == PROBE_RULE and PROBE_RULE not in self.screen.results.selection.suggestions:
            raise traitlets.TraitError("rule cannot be 'probe' before there were probes; call probe() first")
        return str(proposal["value"])

    @traitlets.observe(*SETTINGS)
    def _on_change(self, change: Any) -> None:
        if self.is_open:
            if change["name"] in ("start_lr", "end_lr", "num_steps"):  # valid together, now that observers are told
                self.sweep = Sweep(self.start_lr, self.end_lr, self.num_steps, self.sweep.schedule)
            self.screen.change(change["name"], getattr(self, change["name"]))  # an observer may have set another since

    def set_state(self, sync_data: Any) -> None:
        """Treat traits set by a browser as `set` commands, so that both are checked alike."""
        if not isinstance(sync_data, dict):
            return
        for name, value in sync_data.items():
            if name in SETTINGS:
                receive(self, {"command": "set", "name": name, "value": value})
        self.send_state([name for name in sync_data if name in self.keys])

    def __repr__(self) -> str:
        if not self.is_open:
            return "LRFinderWidget(closed)"
        return words.summary(self.sweep, self.repeats, self.status, self.selected_lr, self.suggestion)

    def _ipython_display_(self) -> None:
        self.screen.pages.display(self.model_id if self.is_open else None)
        if self.is_open:
            show_in_cell(self)
