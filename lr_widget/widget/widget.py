"""``LRFinderWidget``: the only place that knows anywidget.

Python holds the truth. The browser shows the traits and sends small commands; each is checked here before anything
happens. One lock makes sure that the thread that trains and the thread that handles messages never write together.
"""

from __future__ import annotations

import html
import threading
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from ipywidgets import DOMWidget, widget_serialization

from ..engine.probing import DEFAULT_MAX_STEPS, Probing, rate_of
from ..engine.range_test import RangeTest
from ..errors import NotebookError
from ..results.evidence import Evidence
from ..results.records import LRRecords
from . import traits as settings
from . import words
from .browser import commands
from .browser import messages as protocol
from .browser import view_state as view
from .chart.live import Picture
from .jobs import SWEEP, Arguments, split_keywords
from .kernel import variable as notebook
from .kernel.one_writer import OneWriter
from .kernel.runner import Job, Run, Runner
from .kernel.threads import CellsThread
from .selection import Outcome

_STATIC = Path(__file__).parent / "static"
if not (_STATIC / "widget.js").exists():
    raise ImportError("lr_widget's front end is not built; run `make build` in the checkout, or install the wheel")


class LRFinderWidget(OneWriter, settings.Settings, Outcome, anywidget.AnyWidget):  # type: ignore[misc]  # anywidget ships no types
    """A range test as a notebook widget: run it, watch the curve, take the suggested rate.

    Showing the widget runs nothing. A run from the button or :meth:`start` trains in a background thread and leaves
    the kernel free; do not train the same model in another cell meanwhile.

    Args:
        model, optimizer, loss_fn, train_data: As for :func:`lr_widget.range_test`.
        variable: Name of the notebook variable that *Copy to notebook* assigns.
        smoothing: Weight of the past in the running average that is shown, in [0, 1).
        max_probe_steps: What the probes may cost together, in steps; see :func:`lr_widget.probe`.
        **keywords: Those of :func:`lr_widget.range_test`, except ``progress``.

    Attributes:
        start_lr, end_lr: Bounds of the sweep; end_lr is the larger one.
        num_steps: Length of the sweep.
        repeats: Number of sweeps of a run, each from the same state with the data in another order.
        max_probe_steps: What the probes may cost together.
        status: ``"idle"``, ``"running"``, ``"paused"``, ``"finished"`` or ``"failed"``.
        records: The records of the latest run that gave some, or None.
        suggestion: What ``rule`` reads off them, or None before.
        selected_lr: The rate that was picked on the chart or set here, else the suggested one, else None.
        evidence: What the latest probes showed, or None; the rule is then ``"probe"``.
        history: The records of all runs so far, the oldest first.

    Raises:
        TypeError: An unknown keyword, or an argument of a wrong kind.
        ValueError, traitlets.TraitError: A wrong value; the message has the value and the remedy.
    """

    _esm = _STATIC / "widget.js"
    _css = _STATIC / "widget.css"

    status = traitlets.Enum(["idle", "running", "paused", "finished", "failed"], default_value="idle").tag(sync=True)
    figure = traitlets.Instance(DOMWidget).tag(sync=True, **widget_serialization)
    view_state = traitlets.Dict().tag(sync=True)

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
        **keywords: Any,
    ) -> None:
        sweep, fixed = split_keywords(keywords, others=("variable", "smoothing", "max_probe_steps"))
        self._arguments = Arguments((model, optimizer, loss_fn, train_data), fixed)
        self._arguments.range_test(sweep)  # checks everything, changes nothing
        self.lock = threading.RLock()  # of OneWriter, which needs it before any trait is set
        self.runner = Runner(self.lock, self._show_run, self._end_run)
        self._picture = Picture(sweep["start_lr"], sweep["end_lr"], smoothing)
        self._shown_run: Run | None = None
        self._failure: words.Failure | None = None
        self._note: protocol.Note = {"kind": "info", "text": "Ready."}
        self.is_open = False
        self.cells_thread = CellsThread()
        shown = {"variable": variable, "smoothing": smoothing, "max_probe_steps": max_probe_steps}
        super().__init__(figure=self._picture.figure, **shown, **sweep)
        self.is_open = True
        self._refresh()
        self.on_msg(self._on_message)

    # What Python code calls

    def run(self) -> LRRecords:
        """Run the test here and now, with the chart live, and return its records.

        Interrupting the kernel ends the test and keeps the curve so far (``stop_reason`` is then ``"interrupted"``).
        An exception of the model, the loss or the data propagates, after everything was put back.

        Raises:
            RuntimeError: A test is running already.
        """
        test = self._arguments.range_test(self._sweep())
        run = self._run_here(test)
        return (
            self.records if self.records is not None and run.steps else test.records(run.stop_reason or "interrupted")
        )

    def start(self) -> None:
        """Run the test in a background thread; the kernel stays free.

        On Colab, which shows nothing that a thread sends, it blocks as :meth:`run` does.

        Raises:
            RuntimeError: A test is running already.
        """
        self._start(self._arguments.range_test(self._sweep()))

    def probe(self, profile: str = "constant") -> Evidence:
        """Train here and now for a short while at rates around the selected one, and return what that shows.

        The cost is at most ``max_probe_steps``; the outcome becomes the suggestion. See :func:`lr_widget.probe` for
        ``profile`` and what happens; interrupting the kernel keeps the trainings so far.

        Raises:
            NotebookError: There is no rate to probe around yet.
            RuntimeError: A test is running already.
        """
        probing = self._probing(profile)
        self._run_here(probing)
        return probing.evidence()

    def start_probe(self, profile: str = "constant") -> None:
        """Probe as :meth:`probe` does, in the background as :meth:`start` does; :attr:`evidence` has the outcome.

        Raises:
            NotebookError, RuntimeError: As :meth:`probe`.
        """
        with self.lock:  # the rate and the records of one moment
            probing = self._probing(profile)
        self._start(probing)

    def stop(self) -> None:
        """End the test after the step it is in; the curve so far is kept. Without a test, nothing happens."""
        commands.steer(self, "stop")

    def pause(self) -> None:
        """Let the test wait after the step it is in. The model is put back only at the end, not in a pause."""
        commands.steer(self, "pause")

    def resume(self) -> None:
        """Let a paused test go on."""
        commands.steer(self, "resume")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no test is running; False if ``timeout`` seconds were not enough.

        Interrupting the kernel ends the waiting, not the test.
        """
        return self.runner.wait(timeout)

    def copy_to_notebook(self) -> float:
        """Assign the selected rate to the notebook variable named by ``variable``, and return it.

        Raises:
            NotebookError: There is no rate yet, no notebook, or the variable holds something other than a number.
        """
        lr = self._selected("copy")
        notebook.put(self.variable, lr)
        self.say("good", f"The notebook's variable {self.variable} is now {words.rate(lr)}.")
        return lr

    def apply(self) -> float:
        """Give the optimizer's param groups the selected rate, in the proportions of the test, and return it.

        Raises:
            NotebookError: There is no rate yet.
            RuntimeError: A test is running, whose end would put the old rates back.
        """
        with self.lock:
            lr = self._selected("apply")
            if self.runner.current is not None:
                raise RuntimeError("a range test is running and would put the old rates back; stop it first")
            rates = dict.fromkeys(map(words.rate, self._arguments.apply(lr, self.records)))
        self.say("good", f"The optimizer's learning rate is now {', '.join(rates)}.")
        return lr

    def close(self) -> None:
        """Stop a running test, put everything back and remove the widget."""
        if getattr(self, "is_open", False):
            self.is_open = False
            self.runner.shut_down()
            self._picture.close()
        super().close()

    # Who trains

    def _run_here(self, job: Job) -> Run:
        run = self.runner.run(job)
        if run.error is not None:
            raise run.error
        return run

    def _start(self, job: Job) -> None:
        if notebook.current_host() == "colab":
            self.runner.run(job)
            return
        with self.lock:  # the thread cannot show anything before the start is shown
            self._show_run(self.runner.start(job))

    def _probing(self, profile: str) -> Probing:
        records = self.records
        lr = self.selected_lr if self.selected_lr is not None or records is None else rate_of(records)
        if lr is None:
            raise NotebookError("there is no rate to probe around yet; run the test, or pick a rate on the chart")
        sizes = {"probe_steps": self.max_probe_steps // settings.PROBES_IN_FULL, "max_steps": self.max_probe_steps}
        return self._arguments.probing(lr, profile=profile, records=records, **sizes)

    # What the runner calls, in the thread that trains

    def _show_run(self, run: Run) -> None:
        with self.hold_sync():
            if run is not self._shown_run:
                self._begin_showing(run)
            if isinstance(run.job, RangeTest):
                self._picture.grow(run.job.sweeps)
            elif isinstance(run.job, Probing):
                self._picture.probe(run.job.evidence())
            if self.runner.current is run:
                self._show_pause(is_paused=run.is_paused)
            self._refresh()

    def _begin_showing(self, run: Run) -> None:
        self._shown_run, self._failure = run, None
        if isinstance(run.job, RangeTest):
            self.is_picked = False
            self._picture.begin(*run.job.bounds, self.history)
        text = words.beginning(is_blocking=run.is_blocking, host=notebook.current_host())
        self._note = {"kind": "info", "text": text}

    def _show_pause(self, *, is_paused: bool) -> None:
        if is_paused and self.status == "running":
            self._note = {"kind": "info", "text": words.PAUSED}
        self.status = "paused" if is_paused else "running"

    def _end_run(self, run: Run) -> None:
        with self.hold_sync(), self.holding_errors() as errors:
            try:
                self._show_run(run)
                if run.error is None:
                    self._keep(run)
                if isinstance(run.job, Probing) and self.evidence is not None and self._shown_run is run:
                    self._picture.probe(self.evidence)  # earlier dots, where these probes have shown nothing
            except Exception as error:  # a fault of ours must not leave the widget saying that it runs
                run.error = error
            self.select_suggestion()
            self._show_end(run)
            if errors and run.error is None:
                run.error = errors[0]
                self._show_end(run, words.OBSERVER_FAILED)

    def _show_end(self, run: Run, failed: str = words.FAILED) -> None:
        if self._shown_run is run:  # no observer has started the next one
            if run.error is not None:
                self._failure = words.failure(run.error, run.steps[-1] if run.steps else None)
                self._note = {"kind": "error", "text": failed}
            self.status = "finished" if run.error is None else "failed"
        self.show_outcome()

    def _keep(self, run: Run) -> None:
        reason = run.stop_reason or "interrupted"
        if isinstance(run.job, Probing):
            self.keep_evidence(run.job.evidence())
            text = words.end_of_probes(reason, run.job.evidence(), run.seconds)
        else:
            assert isinstance(run.job, RangeTest)
            if run.steps:
                records = run.job.records(reason)
                self._picture.end(records)
                self.keep_records(records)
            last, num_steps = run.steps[-1] if run.steps else None, run.job.num_steps // run.job.repeats
            text = words.ending(reason, last, num_steps, len(run.steps), run.seconds)
        if self._shown_run is run:
            self._note = {"kind": "good", "text": text}

    # What the browser sends

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Check what a browser sets on the traits; what it may not set, or what is wrong, is put right there."""
        for name, value in sync_data.items():
            if name in (*protocol.SETTINGS, "selected_lr"):
                commands.set_from_browser(self, name, value)
        self.send_state([name for name in sync_data if name in self.keys])

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        commands.receive(self, content)

    # Keeping everything in step

    @traitlets.observe("start_lr", "end_lr", "num_steps", "repeats", "max_probe_steps", "variable")
    def _on_setting(self, _: Any) -> None:
        if self.is_open:
            self._refresh()

    @traitlets.observe("smoothing")
    def _on_smoothing(self, _: Any) -> None:
        if self.is_open:
            self._picture.smooth(self.smoothing)

    def show_outcome(self) -> None:
        """Mark the suggestion and the pick on the chart, and show them in words."""
        if self.is_open:
            run = self.runner.current
            suggestion = None if run is not None and isinstance(run.job, RangeTest) else self.suggestion
            self._picture.mark(suggestion, self.selected_lr if self.is_picked else None)
            self._refresh()

    def _selected(self, what: str) -> float:
        if self.selected_lr is None:
            raise NotebookError(f"there is no rate to {what} yet; run the test, or pick a rate on the chart")
        return float(self.selected_lr)

    def _sweep(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SWEEP}

    def say(self, kind: protocol.Kind, text: str) -> None:
        """Show a sentence in the status line."""
        with self.lock:
            self._note = {"kind": kind, "text": text}
            self._refresh()

    def _refresh(self) -> None:
        """Make anew what the browser shows."""
        with self.lock:
            if self.runner.current is None:
                self._picture.cover(self.start_lr, self.end_lr)
            self.view_state = dict(
                view.make(
                    status=self.status,
                    sweep=self._sweep(),
                    run=self.runner.current,
                    shown_run=self._shown_run,
                    suggestion=self.suggestion,
                    suggestions=self.rule_suggestions,
                    selected=self.selected_lr,
                    is_picked=self.is_picked,
                    note=self._note,
                    failure=self._failure,
                    chart_bounds=self._picture.bounds,
                )
            )

    # Where no widget can be shown

    def __repr__(self) -> str:
        if not getattr(self, "is_open", False):
            return "LRFinderWidget(closed)"
        return words.summary(**self._sweep(), status=self.status, lr=self.selected_lr, suggestion=self.suggestion)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle[0]["text/html"] = f"<p>{html.escape(repr(self))}</p>"
        return bundle
