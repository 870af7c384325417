"""What two threads do at the same time, in the order that does the most harm."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget import LRFinderWidget
from lr_widget.results.records import LRRecords
from lr_widget.widget.kernel import hosts

from ..helpers import Training, click, note, wait_until

Make = Callable[..., LRFinderWidget]

A_WHILE = 0.3
"""Seconds that one thread gives another to come in between, where it can."""


@pytest.fixture
def running(make_widget: Make, training: Training) -> LRFinderWidget:
    """A widget in the background, which waits in its fourth step."""
    training.may_step = threading.Semaphore(3)
    widget = make_widget(num_steps=50)
    widget.start()
    wait_until(lambda: training.calls == 4)
    return widget


@pytest.fixture
def paused(running: LRFinderWidget, training: Training) -> LRFinderWidget:
    """The same, paused after that step."""
    running.pause()
    let_steps(training, 1)
    wait_until(lambda: note(running).startswith("Paused."))
    return running


def let_steps(training: Training, count: int) -> None:
    """Let the training do some more steps."""
    assert training.may_step is not None
    training.may_step.release(count)


def end_slowly(widget: LRFinderWidget, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let a run take a while over its end; the event is set when it is there."""
    is_there, keep = threading.Event(), widget._screen.keep_records

    def keep_slowly(records: LRRecords) -> None:
        is_there.set()
        time.sleep(A_WHILE)
        keep(records)

    monkeypatch.setattr(widget._screen, "keep_records", keep_slowly)
    return is_there


@pytest.mark.parametrize(("action", "expected"), [("stop", "Stopped at step"), ("pause", "Paused.")])
def test_what_came_of_a_click_is_said_last(
    running: LRFinderWidget, training: Training, monkeypatch: pytest.MonkeyPatch, action: str, expected: str
) -> None:
    """The thread that trains may see the wish before the click is answered; the answer must not hide its outcome."""
    act = getattr(running.runner, action)

    def act_and_lose_time(run_id: int | None) -> bool:
        is_meant = act(run_id)
        let_steps(training, 1)
        time.sleep(A_WHILE)
        return bool(is_meant)

    monkeypatch.setattr(running.runner, action, act_and_lose_time)
    click(running, action, run_id=running.view_state["run_id"])
    wait_until(lambda: note(running).startswith(expected))


def test_a_second_click_on_pause_changes_nothing(paused: LRFinderWidget) -> None:
    """It was sent before the browser had seen the pause."""
    click(paused, "pause", run_id=paused.view_state["run_id"])
    assert (paused.status, note(paused)[:7]) == ("paused", "Paused.")


def test_a_pause_right_after_a_resume_is_shown(paused: LRFinderWidget, training: Training) -> None:
    """The thread that trains wakes up only after the second click."""
    with paused.lock:
        paused.resume()
        paused.pause()
    wait_until(lambda: note(paused).startswith("Paused."))
    assert paused.status == "paused"
    let_steps(training, 1)
    time.sleep(A_WHILE)
    assert paused.runner.current.count == 4


def test_a_resume_before_the_pause_began_is_shown(running: LRFinderWidget, training: Training) -> None:
    """The pause is shown, and taken back before anybody waits."""

    def resume(change: Any) -> None:
        if change["new"] == "paused":
            running.resume()

    running.observe(resume, "status")
    running.pause()
    let_steps(training, 2)
    wait_until(lambda: training.calls == 6)
    assert running.status == "running"
    assert "pause" in running.view_state["can"]


def test_a_resume_after_stop_is_ignored(running: LRFinderWidget) -> None:
    """The run ends; nothing says that it goes on."""
    run_id = running.view_state["run_id"]
    click(running, "stop", run_id=run_id)
    click(running, "resume", run_id=run_id)
    assert note(running) == "Stopping after this step."


def test_a_refusal_does_not_hide_the_end(
    running: LRFinderWidget, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run was pressed in two places; the test ends while the second one is told so."""
    say = running.say

    def say_late(kind: Any, text: str) -> None:
        let_steps(training, 100)
        time.sleep(A_WHILE)
        say(kind, text)

    monkeypatch.setattr(running, "say", say_late)
    click(running, "start")
    assert running.wait(20)
    assert note(running).startswith("Done")


def test_wait_ends_with_the_outcome_there(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it begins between the last step and the outcome."""
    widget = make_widget(num_steps=10)
    is_ending = end_slowly(widget, monkeypatch)
    widget.start()
    assert is_ending.wait(20)
    assert widget.wait(20)
    assert widget.status == "finished"
    assert widget.suggestion is not None


def test_wait_can_take_too_long(running: LRFinderWidget) -> None:
    """Then it says so."""
    assert not running.wait(0.05)


def test_waiting_inside_a_blocking_run_is_refused(make_widget: Make, training: Training) -> None:
    """The loss function would wait for its own end."""
    widget = make_widget(num_steps=5)
    training.at_step = lambda step: widget.wait() and None
    with pytest.raises(RuntimeError, match="cannot wait for itself"):
        widget.run()


def test_closing_waits_for_a_run_in_another_thread(make_widget: Make, training: Training) -> None:
    """A cell runs the test, another thread closes the widget: after that the model is as before."""
    before = training.state()
    training.may_step = threading.Semaphore(3)
    widget = make_widget(num_steps=50)
    cell = threading.Thread(target=widget.run)
    cell.start()
    wait_until(lambda: training.calls == 4)
    threading.Timer(A_WHILE, let_steps, (training, 100)).start()
    widget.close()
    assert training.state() == before
    cell.join(20)


def test_stopping_and_waiting_in_an_observer(running: LRFinderWidget, training: Training) -> None:
    """It holds the widget's lock, which the end of the run needs."""
    answers = []

    def end(_: Any) -> None:
        running.stop()
        let_steps(training, 100)
        answers.append((running.wait(20), running.status))

    running.observe(end, "variable")
    running.variable = "rate"
    assert answers == [(True, "finished")]


def test_closing_in_an_observer(make_widget: Make, training: Training) -> None:
    """Everything is put back when the assignment returns."""
    training.at_step = lambda step: time.sleep(0.01)
    before = training.state()
    widget = make_widget(num_steps=1000)
    widget.start()
    wait_until(lambda: training.calls > 3)
    widget.observe(lambda change: widget.close(), "variable")
    widget.variable = "rate"
    assert training.state() == before


def test_a_rate_picked_at_the_end_of_a_run_stays(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither overwritten by the suggestion nor is the suggestion called a pick."""
    widget = make_widget(num_steps=30)
    is_ending = end_slowly(widget, monkeypatch)
    widget.start()
    assert is_ending.wait(20)
    widget.selected_lr = 2e-3
    assert widget.wait(20)
    assert (widget.selected_lr, widget._screen.selection.pick is not None) == (2e-3, True)


def test_apply_and_probe_at_the_end_of_a_run_take_its_rate(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one that was selected before."""
    widget = make_widget(num_steps=30, max_probe_steps=40)
    is_ending = end_slowly(widget, monkeypatch)
    for act in (widget.apply, widget.start_probe):
        widget.selected_lr = 5e-7
        is_ending.clear()
        widget.start()
        assert is_ending.wait(20)
        applied = act()
        if applied is not None:
            assert applied == widget.selected_lr == widget.suggestion.lr
    assert widget.wait(20)
    assert widget.evidence.suggested == widget.records.suggest().lr
    assert widget.evidence.records is widget.records


@pytest.mark.parametrize("trait", ["records", "suggestion", "selected_lr", "status", "view_state"])
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
    assert widget.view_state["suggestion"]["lr"] == f"{widget.records.suggest().lr:.1e}"
    assert training.state() == before
    widget.unobserve(fail, trait)
    widget.selected_lr = 2e-3
    assert widget._screen.selection.pick is not None
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
    assert widget._screen.selection.pick is not None


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


def test_a_page_that_asks_for_the_state_gets_no_old_one_last(
    running: LRFinderWidget, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends between the reading of the state and its sending."""
    get_state = running.get_state
    sent: list[dict[str, Any]] = []

    def get_slowly(key: Any = None, **options: Any) -> Any:
        state = get_state(key, **options)
        if key is None:
            let_steps(training, 100)
            time.sleep(A_WHILE)
        return state

    monkeypatch.setattr(running, "get_state", get_slowly)
    monkeypatch.setattr(running, "_send", lambda message, buffers=None: sent.append(message.get("state", {})))
    running._handle_msg({"content": {"data": {"method": "request_state"}}, "buffers": []})
    assert running.wait(20)
    assert [state["status"] for state in sent if "status" in state][-1] == "finished"


def in_another_thread(function: Callable[[], None]) -> None:
    """Call a function as a newer kernel calls the handler of a message: while a cell is running."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(20)


@pytest.mark.parametrize("command", ["start", "probe", "apply"])
def test_what_touches_the_model_waits_for_the_end_of_the_cell(
    make_widget: Make, training: Training, messages: list[dict[str, Any]], command: str
) -> None:
    """The cell may be training the same model; what only steers or reads is done at once."""
    shown = []

    async def cells() -> None:
        widget = make_widget(num_steps=20, max_probe_steps=40)
        widget.selected_lr = 1e-2
        in_another_thread(lambda: click(widget, "set", name="variable", value="rate"))
        in_another_thread(lambda: click(widget, command))
        time.sleep(A_WHILE)
        shown.append((widget.variable, training.calls, training.optimizer.param_groups[0]["lr"]))
        await asyncio.sleep(0.01)
        assert widget.wait(20)
        shown.append((widget.records is not None, widget.evidence is not None))

    asyncio.run(cells())
    lr = training.optimizer.param_groups[0]["lr"]
    done = {"start": (True, False), "probe": (False, True), "apply": (False, False)}
    assert shown == [("rate", 0, 1e-3), done[command]]
    assert lr == (1e-2 if command == "apply" else 1e-3)


def test_what_comes_after_a_waiting_command_waits_behind_it(make_widget: Make, training: Training) -> None:
    """Apply takes the rate that was shown when it was clicked."""

    async def cell() -> None:
        widget = make_widget(num_steps=20)
        widget.selected_lr = 1e-2
        in_another_thread(lambda: click(widget, "apply"))
        in_another_thread(lambda: click(widget, "set", name="selected_lr", value="1e-1"))
        await asyncio.sleep(0.01)
        assert widget.selected_lr == 1e-1

    asyncio.run(cell())
    assert training.optimizer.param_groups[0]["lr"] == 1e-2


def test_a_widget_that_is_closed_while_a_click_waits_runs_nothing(make_widget: Make, training: Training) -> None:
    """The next cell may train."""

    async def cell() -> None:
        widget = make_widget(num_steps=20)
        in_another_thread(lambda: click(widget, "start"))
        widget.close()
        await asyncio.sleep(A_WHILE)
        assert widget.wait(20)

    asyncio.run(cell())
    assert training.calls == 0


def test_where_a_gui_has_the_loop_messages_are_carried_out_at_once(
    make_widget: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two cells, ``%gui qt`` keeps the kernel's own loop from calling anything."""
    shell = SimpleNamespace(kernel=SimpleNamespace(eventloop=lambda kernel: None), user_ns={})
    monkeypatch.setattr(hosts, "shell", lambda: shell)

    async def cell() -> None:
        widget = make_widget(num_steps=20)
        in_another_thread(lambda: click(widget, "start"))
        assert widget.wait(20)
        assert widget.status == "finished"

    asyncio.run(cell())


def test_without_a_loop_messages_are_carried_out_at_once(make_widget: Make) -> None:
    """A loop that has ended calls nothing any more."""
    made = []

    async def cell() -> None:
        made.append(make_widget(num_steps=20))

    asyncio.run(cell())
    in_another_thread(lambda: click(made[0], "start"))
    assert made[0].wait(20)
    assert made[0].status == "finished"
