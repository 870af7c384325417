"""The screen shows one run at a time, keeps its results, and tells the end or the error."""

from __future__ import annotations

import gc
import json
import math
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lr_widget import LRFinderWidget, LRRecords, StepRecord
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep, rate_text
from lr_widget.widget.kernel import Run
from lr_widget.widget.screen import Screen

from .helpers import A_WHILE, Make, Training, click, join_runs, let_steps, note, wait_until
from .marks import smoothed_curve, vertical_lines


class Job:
    """A job of no step that writes down how it is shown."""

    waiting = "Wait."
    hides_suggestion = True
    facts: Mapping[str, str] = {}
    num_steps = 3
    rates = SimpleNamespace(shares=(1.0,))

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.error = error

    def steps(self) -> Iterator[StepRecord]:
        return iter(())

    def total(self, done: int, stop_reason: str | None) -> int:
        return self.num_steps

    def place(self, done: int, last: StepRecord | None) -> str:
        return f"step {done}"

    def begin(self, chart: Any, place: Any, earlier: Any) -> None:
        self.calls.append(f"begin {place.run_id} in colour {place.color} over {len(earlier)}")

    def draw(self, chart: Any) -> None:
        self.calls.append("draw")

    def end(self, chart: Any, outcome: Any, reason: str, seconds: float) -> tuple[str, str]:
        self.calls.append(f"end {reason}")
        if self.error is not None:
            raise self.error
        return "good", "All done."

    def settle(self, chart: Any, evidence: Any) -> None:
        self.calls.append("settle")


class GivenArguments:
    """The arguments of a widget with a model, whose script is one line."""

    can_run = True
    receiver = "optimizer"
    sweep = Sweep(1e-7, 10.0, 100)
    horizon = Horizon()
    rates = SimpleNamespace(shares=(1.0, 0.1))

    def script(self, choice: Any, *, variable: str, shares: Any, **_: Any) -> str:
        return f"{variable} = {choice.lr} in shares of {shares}"


@contextmanager
def no_errors() -> Iterator[list[Exception]]:
    """No observer fails."""
    yield []


@pytest.fixture
def owner() -> SimpleNamespace:
    """The part of a widget that its screen reads and writes."""
    return SimpleNamespace(
        lock=threading.RLock(),
        runner=SimpleNamespace(current=None),
        sweep=Sweep(1e-7, 10.0, 100),
        start_lr=1e-7,
        end_lr=10.0,
        num_steps=100,
        repeats=1,
        max_probe_steps=300,
        smoothing=0.5,
        loss_scale="linear",
        loss_min=None,
        loss_max=None,
        suggest_from="loss",
        variable="lr",
        rule="auto",
        status="idle",
        history=(),
        selected_lr=None,
        suggestion=None,
        records=None,
        evidence=None,
        horizon=Horizon(),
        progress={},
        view_state={},
        answer={},
        chart_state={},
        picture="",
        hold_sync=nullcontext,
        hold_trait_notifications=nullcontext,
        holding_errors=no_errors,
    )


@pytest.fixture
def screen(owner: SimpleNamespace) -> Iterator[Screen]:
    """An open screen on that owner."""
    screen = Screen(owner, GivenArguments())  # type: ignore[arg-type]
    screen.open()
    yield screen
    screen.chart.close()


def test_the_end_is_shown_after_the_restore(make_widget: Make, training: Training) -> None:
    """A program that sees "finished" may train at once."""
    before = training.state()
    widget = make_widget(num_steps=20)
    seen = []
    widget.observe(lambda change: seen.append((change["new"], training.state() == before)), "status")
    widget.run()
    assert seen[0][0] == "running"
    assert seen[-1] == ("finished", True)


def test_an_exception_of_the_users_code(make_widget: Make, training: Training) -> None:
    """run() raises it unchanged; the button shows it; either way the state is restored and Run works again."""
    error = RuntimeError("my own")

    def fail(call: int) -> None:
        if call == 7:
            raise error

    training.at_step = fail
    before = training.state()
    widget = make_widget(num_steps=20)
    with pytest.raises(RuntimeError, match="my own") as raised:
        widget.run()
    assert raised.value is error
    assert widget.status == "failed"
    failure = widget.view_state["failure"]
    assert failure["title"] == "RuntimeError: my own"
    assert "step 7 of 20" in failure["where"].lower()
    assert "in fail" in failure["traceback"]
    assert training.state() == before
    assert widget.records is None

    training.at_step = lambda call: None
    click(widget, "start")
    assert widget.wait(20)
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)


def test_a_wrong_batch_is_an_error_in_the_widget(make_widget: Make, training: Training) -> None:
    """The engine's own sentence is shown."""
    training.data = torch.utils.data.TensorDataset(training.data[0])  # type: ignore[assignment]
    widget = make_widget()
    click(widget, "start")
    assert widget.wait(20)
    assert widget.status == "failed"
    assert "must be a pair (inputs, targets)" in widget.view_state["failure"]["title"]


class Speechless(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (Speechless(), "Speechless: a Speechless that cannot be written as text"),
        (RuntimeError("no \udc80 such \ud800 file"), "RuntimeError: no � such � file"),
        (RuntimeError("\x00\x1b[31mred\x1b[0m\u202e"), "RuntimeError: �red�"),
        (RuntimeError("x" * 10**6), f"RuntimeError: {'x' * 20}"),
        (RuntimeError("line\n" * 10**5), "RuntimeError: line\nline\n"),
        (type("N" * 10**5, (Exception,), {})("y"), "N" * 60 + ": y"),
    ],
    ids=["speechless", "surrogates", "controls", "a megabyte", "many lines", "a long name"],
)
def test_whatever_an_exception_says_the_run_has_failed(
    make_widget: Make, training: Training, messages: list[dict[str, Any]], error: Exception, title: str
) -> None:
    """The words are there, every message is bounded and can be encoded, and the next run is a good one."""
    before = training.state()

    def fail(call: int) -> None:
        if call == 3:
            raise error

    training.at_step = fail
    widget = make_widget(num_steps=20)
    messages.clear()
    click(widget, "start")
    assert widget.wait(20)
    assert (widget.status, widget.view_state["note"]) == (
        "failed",
        {"kind": "error", "text": "The test failed; see the message above."},
    )
    failure = widget.view_state["failure"]
    assert failure["title"].startswith(title)
    assert len(failure["title"]) < 600
    assert "step 3 of 20" in failure["where"].lower()
    assert len(failure["traceback"]) <= 20_000
    widget.smoothing = 0.5
    sent = [json.dumps(message, ensure_ascii=False, default=bytes.hex).encode() for message in messages]
    assert max(map(len, sent)) < 60_000
    assert training.state() == before
    click(widget, "start")
    assert widget.wait(20)
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)


@pytest.mark.parametrize(("num_steps", "step_seconds"), [(100, 0.05), (100_000, 1e-3)])
def test_few_and_small_messages_go_out_while_a_curve_grows(
    make_widget: Make,
    messages: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    num_steps: int,
    step_seconds: float,
) -> None:
    """At most fifteen a second, each below 5 kB, whatever the length; the runner is told of all that were sent."""
    widget = make_widget(num_steps=num_steps)
    job = widget._range_test()
    rates = [job.test.plan.sweep.lr(step) for step in range(1, num_steps + 1)]
    seconds = [0.0]

    def steps() -> Iterator[StepRecord]:
        job.test.sweeps.append([])
        for step, lr in enumerate(rates, start=1):
            record = StepRecord(step, lr, 2 + 0.1 * math.sin(step) + (step / num_steps) ** 9, (lr,))
            job.test.sweeps[-1].append(record)
            seconds[0] += step_seconds  # on the runner's clock, which stands still meanwhile
            yield record
        return "completed"

    shows: list[tuple[int, list[dict[str, Any]]]] = []
    show = widget.runner._show

    def counted(run: Run[Any]) -> int:
        before = len(messages)
        claimed = show(run)
        shows.append((claimed, messages[before:]))
        return claimed

    monkeypatch.setattr("lr_widget.widget.kernel.runner.clock", lambda: seconds[0])
    monkeypatch.setattr(job.test, "steps", steps)
    widget.runner._show = counted
    widget.runner.run(job)
    assert widget.records.num_steps == num_steps
    while_growing = shows[2:]  # after those of the start and of the first step, which come at once
    sent = [message for _, some in while_growing for message in some]
    assert len(while_growing) > 5
    assert all(claimed >= len(some) for claimed, some in shows)
    assert len(sent) <= 15 * seconds[0]
    assert max(message["size"] for message in sent) < 5000


def test_another_variable_changes_only_the_script(make_widget: Make) -> None:
    """Nothing else on the screen depends on the name."""
    widget = make_widget()
    click(widget, "set", name="selected_lr", value="1e-3")
    parts = ("answer", "view_state", "progress", "chart_state")
    before = [dict(getattr(widget, part)) for part in parts]
    widget.variable = "rate"
    assert "\nrate = 1e-3  # picked\n" in widget.answer["code"]
    before[0]["code"] = widget.answer["code"]
    assert [dict(getattr(widget, part)) for part in parts] == before


@pytest.mark.parametrize("trait", ["records", "suggestion", "selected_lr", "status", "view_state", "answer", "history"])
def test_an_observer_that_fails_at_the_end(make_widget: Make, training: Training, trait: str) -> None:
    """The outcome is kept and shown, the error too, and the widget can be used as before."""
    before = training.state()
    widget = make_widget(num_steps=20)
    error = ZeroDivisionError("the observer's own")

    def fail(_: Any) -> None:
        if widget.runner.current is None:
            raise error

    widget.observe(fail, trait)
    with pytest.raises(ZeroDivisionError, match="the observer's own"):
        widget.run()
    assert (widget.status, note(widget)) == (
        "failed",
        "Done and kept, but code that observes the widget failed; see the message above.",
    )
    assert widget.view_state["failure"]["title"] == "ZeroDivisionError: the observer's own"
    assert widget.answer["lr"] == rate_text(widget.records.suggest().lr)
    assert training.state() == before
    widget.unobserve(fail, trait)
    widget.selected_lr = 2e-3
    assert widget.screen.results.selection.pick is not None
    widget.start()
    assert widget.wait(20)
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)


def test_an_observer_of_the_records_may_probe(make_widget: Make) -> None:
    """The probes' outcome is what is shown in the end."""
    widget = make_widget(num_steps=30, max_probe_steps=40)
    widget.observe(lambda change: widget.probe(), "records")
    widget.run()
    assert (widget.rule, widget.status) == ("probe", "finished")
    assert note(widget).startswith("Probed")
    assert widget.suggestion == widget.evidence.suggestion


def test_an_observer_of_the_records_may_start_probes(make_widget: Make, training: Training) -> None:
    """They are shown as running, whatever the test before says at its end."""
    widget = make_widget(num_steps=30, max_probe_steps=40)

    def probe(_: Any) -> None:
        training.may_step = threading.Semaphore(0)
        widget.start_probe()

    widget.observe(probe, "records")
    widget.start()
    wait_until(lambda: training.may_step is not None)
    time.sleep(A_WHILE)
    assert (widget.status, note(widget)[:8]) == ("running", "Running.")
    let_steps(training, 100)
    assert widget.wait(20)
    assert note(widget).startswith("Probed")


def test_an_observer_of_the_records_may_start_the_next_test(make_widget: Make) -> None:
    """Its curve is the one that is drawn, from its first step on."""
    widget = make_widget(num_steps=20, repeats=2)

    def start_once(_: Any) -> None:
        widget.unobserve(start_once, "records")
        widget.repeats, widget.num_steps = 1, 30
        widget.start()

    widget.observe(start_once, "records")
    widget.run()
    assert widget.wait(20)
    steps = len(widget.records)
    assert steps > 20
    smoothed = next(mark for mark in widget.figure.marks if getattr(mark, "stroke_width", 0) == 2.6)
    assert smoothed.x.tolist() == widget.records.lr.tolist()


def test_an_observer_that_fails_at_a_choice_does_no_lasting_harm(make_widget: Make) -> None:
    """The error is the caller's; the next pick is a pick."""
    widget = make_widget(num_steps=60)
    widget.run()

    def fail(_: Any) -> None:
        raise ZeroDivisionError("the observer's own")

    widget.observe(fail, "selected_lr")
    with pytest.raises(ZeroDivisionError, match="the observer's own"):
        widget.rule = "steepest"
    widget.unobserve(fail, "selected_lr")
    widget.selected_lr = 2e-3
    assert widget.screen.results.selection.pick is not None


def test_no_suggestion_is_marked_on_a_growing_curve(make_widget: Make, training: Training) -> None:
    """Another rule for the test before is no statement on this one."""
    widget = make_widget(num_steps=30)
    widget.run()

    def vertical_lines() -> int:
        return sum(mark.x.size == 2 and mark.x[0] == mark.x[1] for mark in widget.figure.marks if hasattr(mark, "x"))

    assert vertical_lines() == 1
    calls, training.may_step = training.calls, threading.Semaphore(2)
    widget.start()
    wait_until(lambda: training.calls == calls + 3)
    widget.rule = "steepest"
    assert vertical_lines() == 0


def test_a_run_is_shown_from_its_beginning_to_its_end(screen: Screen, owner: SimpleNamespace) -> None:
    """The job prepares the chart once, draws each time, and has the last word."""
    run = owner.runner.current = Run(1, Job(), is_blocking=False)
    screen.show(run)
    assert owner.status == "running"
    assert owner.view_state["note"]["text"].startswith("Running.")
    run.may_go_on.clear()
    screen.show(run)
    assert owner.status == "paused"
    assert owner.view_state["note"]["text"].startswith("Paused.")
    run.may_go_on.set()
    owner.runner.current, run.stop_reason = None, "completed"
    screen.end(run)
    assert run.job.calls == ["begin 1 in colour 0 over 0", "draw", "draw", "draw", "end completed", "settle"]
    assert (owner.status, owner.view_state["note"]) == ("finished", {"kind": "good", "text": "All done."})


def test_a_run_that_failed_has_no_result_and_shows_its_error(screen: Screen, owner: SimpleNamespace) -> None:
    """The job leaves the chart in order, and the next run takes the error away."""
    run = Run(1, Job(), is_blocking=False)
    run.error = ZeroDivisionError("my own")
    screen.end(run)
    assert run.job.calls == ["begin 1 in colour 0 over 0", "draw", "settle"]
    assert (owner.status, owner.view_state["failure"]["title"]) == ("failed", "ZeroDivisionError: my own")
    assert owner.view_state["note"] == {"kind": "error", "text": "The test failed; see the message above."}
    screen.show(Run(2, Job(), is_blocking=False))
    assert owner.view_state["failure"] is None


def test_a_fault_at_the_end_does_not_leave_the_widget_running(screen: Screen, owner: SimpleNamespace) -> None:
    """It becomes the error of the run."""
    fault = KeyError("a fault of ours")
    run = owner.runner.current = Run(1, Job(fault), is_blocking=False)
    screen.show(run)
    owner.runner.current, run.stop_reason = None, "completed"
    screen.end(run)
    assert run.error is fault
    assert (owner.status, owner.view_state["failure"]["title"]) == ("failed", "KeyError: 'a fault of ours'")


def test_a_fault_of_the_drawing_does_not_end_the_test(
    make_widget: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model has seen every step: records and suggestion are kept, and the error is told at the end."""
    before = training.state()
    widget = make_widget(num_steps=20, end_lr=1e-2)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr("lr_widget.widget.chart.LiveChart.grow", fail)
        with pytest.raises(ZeroDivisionError, match="a fault of ours"):
            widget.run()
    assert (len(widget.records), widget.records.stop_reason) == (20, "completed")
    assert (widget.suggestion, widget.history) == (widget.records.suggest(), (widget.records,))
    assert (widget.status, widget.view_state["failure"]["title"]) == ("failed", "ZeroDivisionError: a fault of ours")
    assert training.state() == before
    widget.run()
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)


def test_a_window_from_below_zero_and_a_logarithmic_axis_end_no_run(
    running: LRFinderWidget, training: Training
) -> None:
    """Zoomed and changed while the curve grows, it is drawn to its end."""
    click(running, "zoom", value=[1e-7, 10.0, -0.5, 50.0])
    click(running, "set", name="loss_scale", value="log")
    assert (running.chart_state["is_zoomed"], running.view_state["note"]["kind"]) == (True, "info")
    let_steps(training, 1000)
    assert running.wait(20)
    assert (running.status, running.view_state["failure"], running.loss_scale) == ("finished", None, "log")
    assert smoothed_curve(running).x.tolist() == running.records.lr.tolist()
    running.smoothing = 0.5
    running.hide(0)


def test_a_failed_run_in_the_background_holds_no_tensor_of_its_step(make_widget: Make, training: Training) -> None:
    """Nobody can look at its frames any more; what was told of it stays."""
    made: list[weakref.ref[torch.Tensor]] = []

    def fail(step: int) -> None:
        if step == 3:
            outputs = torch.zeros(3)
            made.append(weakref.ref(outputs))
            raise RuntimeError("my own")

    training.at_step = fail
    widget = make_widget(num_steps=20)
    widget.start()
    assert widget.wait(20)
    join_runs()
    gc.collect()
    assert [ref() for ref in made] == [None]
    assert "in fail" in widget.view_state["failure"]["traceback"]


@pytest.fixture(params=["fails", "stops"])
def futile(request: pytest.FixtureRequest, make_widget: Make, training: Training) -> LRFinderWidget:
    """A widget whose second run has failed in its fifth step, or was stopped before its first one."""
    widget = make_widget(num_steps=40)
    widget.run()
    last = training.calls

    def fail(step: int) -> None:
        if step == last + 5:
            raise RuntimeError("my own")

    def stop(change: Any) -> None:
        if change["new"] == "running":
            widget.stop()

    if request.param == "fails":
        training.at_step = fail
        with pytest.raises(RuntimeError, match="my own"):
            widget.run()
        training.at_step = lambda step: None
        assert (training.calls, widget.status) == (last + 5, "failed")
    else:
        widget.observe(stop, "status")
        assert len(widget.run()) == 0
        widget.unobserve(stop, "status")
        assert (training.calls, widget.status) == (last, "finished")
    return widget


def test_after_a_run_that_gave_nothing_the_one_before_is_current(futile: LRFinderWidget) -> None:
    """Its suggestion is shown, and no curve is said to grow."""
    [run] = futile.chart_state["runs"]
    assert (run["is_current"], run["is_growing"]) == (True, False)
    assert (futile.suggestion, futile.selected_lr) == (futile.records.suggest(), futile.records.suggest().lr)
    assert "while the test runs" not in futile.chart_state["text"]
    assert futile.answer["lr"] == rate_text(futile.suggestion.lr)
    assert "copy" in futile.view_state["can"]


def test_after_a_run_that_gave_nothing_records_can_be_added(futile: LRFinderWidget) -> None:
    """They do not take the place of the run before."""
    suggestion, own = futile.suggestion, futile.records
    futile.add(LRRecords([1e-3, 1e-2, 1e-1], [3.0, 2.0, 1.0]), name="of elsewhere")
    assert (futile.suggestion, futile.records, len(futile.history)) == (suggestion, own, 2)
    assert [run["is_current"] for run in futile.chart_state["runs"]] == [True, False]
    assert smoothed_curve(futile).x.tolist() == own.lr.tolist()


def test_after_a_run_that_gave_nothing_the_one_before_can_go(futile: LRFinderWidget) -> None:
    """Nothing is left of either, and the next run is a good one."""
    futile.remove(0)
    assert (futile.records, futile.suggestion, futile.selected_lr, futile.history) == (None, None, None, ())
    assert (futile.answer["lr"], futile.answer["code"], futile.answer["reason"][:14]) == ("", "", "Run trains for")
    assert not {"copy", "apply", "code", "probe"} & set(futile.view_state["can"])
    assert (vertical_lines(futile), smoothed_curve(futile).x.size) == ([], 0)
    records = futile.run()
    assert (futile.records, futile.suggestion) == (records, records.suggest())


def test_after_a_run_that_gave_nothing_probes_are_drawn_over_their_own_run(
    futile: LRFinderWidget, training: Training
) -> None:
    """From their first dot on, not over the curve that failed."""
    calls, training.may_step = training.calls, threading.Semaphore(3)
    futile.max_probe_steps = 40
    futile.start_probe()
    wait_until(lambda: training.calls == calls + 4)
    assert smoothed_curve(futile).x.tolist() == futile.records.lr.tolist()
    let_steps(training, 1000)
    assert futile.wait(20)
    assert (futile.rule, futile.evidence.records) == ("probe", futile.records)


def test_settings_reach_the_parts_that_depend_on_them(screen: Screen, owner: SimpleNamespace) -> None:
    """Other bounds move the axis and the sentence about the run, and a pick makes a script."""
    owner.sweep = Sweep(1e-3, 0.1, 30)
    screen.change("start_lr", 1e-3)
    assert owner.chart_state["text"] == "Loss over the learning rate, from 1e-3 to 0.1. No run yet."
    assert "for 30 steps while the rate grows from 1e-3 to 0.1" in owner.answer["reason"]
    screen.change("selected_lr", 5e-3)
    assert (owner.selected_lr, owner.answer["is_picked"]) == (5e-3, True)
    assert owner.answer["code"] == "lr = 0.005 in shares of (1.0, 0.1)"
    assert vertical_lines(screen.chart) == [5e-3]
    screen.change("selected_lr", None)
    assert (owner.selected_lr, owner.answer["code"], vertical_lines(screen.chart)) == (None, "", [])


def test_a_sentence_stays_until_the_next_one(screen: Screen, owner: SimpleNamespace) -> None:
    """It outlives all other changes of the screen."""
    assert owner.view_state["note"] == {"kind": "info", "text": "Ready."}
    screen.talk.say("good", "Copied.")
    screen.change("num_steps", 100)
    assert owner.view_state["note"] == {"kind": "good", "text": "Copied."}


def test_an_observer_of_the_records_may_pick_a_rate(make_widget: Make) -> None:
    """The suggestion is selected when it hears of them; its own rate is a pick, which another rule does not move."""
    widget = make_widget(num_steps=40)
    selected: list[float] = []

    def pick(change: Any) -> None:
        selected.append(widget.selected_lr)
        widget.selected_lr = change["new"].suggest().lr / 2

    widget.observe(pick, "records")
    suggested = widget.run().suggest().lr
    assert (selected, widget.answer["is_picked"]) == ([suggested], True)
    widget.rule = "steepest"
    assert widget.selected_lr == suggested / 2


def test_an_observer_of_the_records_may_choose_a_rule(make_widget: Make) -> None:
    """Its suggestion is then the one that is shown and selected."""
    widget = make_widget(num_steps=40)
    widget.observe(lambda change: setattr(widget, "rule", "minimum/10"), "records")
    found = widget.run().suggest("minimum/10")
    assert (widget.rule, widget.suggestion, widget.selected_lr) == ("minimum/10", found, found.lr)


def test_the_old_suggestion_can_be_picked_during_a_run(make_widget: Make, training: Training) -> None:
    """The trait has it already when the run begins, so a pick of another rate and back is one of the old suggestion."""
    widget = make_widget(num_steps=40)
    widget.run()
    old = widget.suggestion.lr
    widget.selected_lr = 0.5
    calls, training.may_step = training.calls, threading.Semaphore(3)
    widget.start()
    wait_until(lambda: training.calls == calls + 4)
    assert (widget.selected_lr, widget.answer["selected"]) == (old, rate_text(old))
    widget.selected_lr = 0.25
    widget.selected_lr = old
    training.may_step.release(1000)
    assert widget.wait(20)
    training.may_step = None
    assert (widget.selected_lr, widget.answer["is_picked"]) == (old, True)


def test_an_observer_of_the_records_may_remove_the_run(make_widget: Make) -> None:
    """One without a use, say: the test has ended all the same, and the run before is shown."""
    widget = make_widget(num_steps=20)
    first = widget.run()

    def remove(_: Any) -> None:
        widget.unobserve(remove, "records")
        widget.remove(-1)

    widget.observe(remove, "records")
    widget.run()
    assert (widget.status, widget.records, widget.history) == ("finished", first, (first,))
    assert (widget.suggestion, widget.answer["lr"]) == (first.suggest(), rate_text(first.suggest().lr))
    assert "start" in widget.view_state["can"]
    assert smoothed_curve(widget).x.tolist() == first.lr.tolist()


@pytest.mark.parametrize("trait", ["records", "history", "suggestion"])
def test_an_observer_of_the_results_may_close_the_widget(make_widget: Make, training: Training, trait: str) -> None:
    """The results stay, and nothing says that a run goes on."""
    before = training.state()
    widget = make_widget(num_steps=20)

    def close(_: Any) -> None:
        if widget.runner.current is None:
            widget.close()

    widget.observe(close, trait)
    records = widget.run()
    assert (widget.status, widget.is_busy, repr(widget)) == ("finished", False, "LRFinderWidget(closed)")
    assert (widget.records, widget.suggestion) == (records, records.suggest())
    assert training.state() == before


@pytest.mark.parametrize("trait", ["rule", "suggestion", "selected_lr", "records", "history", "evidence"])
def test_observers_of_the_results_see_all_of_them_new(make_widget: Make, trait: str) -> None:
    """None of them meets a rule with the rate of another, or a suggestion of other records."""
    widget = make_widget(num_steps=40, max_probe_steps=40)
    widget.run()
    seen: list[bool] = []

    def look(_: Any) -> None:
        is_probed = widget.rule == "probe"
        expected = widget.evidence.suggestion if is_probed else widget.records.suggest(widget.rule)
        is_one = (widget.suggestion, widget.selected_lr) == (expected, expected.lr)
        seen.append(is_one and widget.records is widget.history[-1])

    widget.observe(look, trait)
    widget.probe()
    widget.end_lr = 1.0
    widget.run()
    widget.rule = "steepest"
    widget.run()
    assert seen
    assert all(seen)


def test_the_word_on_losses_that_a_logarithmic_axis_cannot_show_goes_with_it(make_widget: Make) -> None:
    """What was said since stays."""
    widget = make_widget(num_steps=5, loss_scale="linear")
    widget.add(LRRecords([1e-3, 1e-2, 1e-1], [2.0, 1.0, -1.0]))
    widget.loss_scale = "log"
    assert (widget.view_state["note"]["kind"], "are not drawn" in note(widget)) == ("warning", True)
    widget.loss_scale = "linear"
    assert widget.view_state["note"] == {"kind": "info", "text": "Ready."}
    widget.loss_scale = "log"
    widget.screen.talk.say("good", "Copied.")
    widget.loss_scale = "linear"
    assert note(widget) == "Copied."
