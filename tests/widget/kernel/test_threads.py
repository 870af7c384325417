"""Two threads meet in a widget, in the order that does the most harm."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget import LRFinderWidget, LRRecords
from lr_widget.widget.kernel import hosts

from ..helpers import A_WHILE, Make, Training, click, in_another_thread, let_steps, note, wait_until


def end_slowly(widget: LRFinderWidget, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let a run take a while over its end; the event is set when it is there."""
    is_there, keep = threading.Event(), widget.screen.results.keep_records

    def keep_slowly(records: LRRecords) -> bool:
        is_there.set()
        time.sleep(A_WHILE)
        return keep(records)

    monkeypatch.setattr(widget.screen.results, "keep_records", keep_slowly)
    return is_there


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
    """`wait` returns False while the run goes on."""
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
    """It holds the widget's lock, and the end of the run needs it."""
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
    assert (widget.selected_lr, widget.screen.results.selection.pick is not None) == (2e-3, True)


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
            assert applied == float(f"{widget.selected_lr:.1e}") == float(f"{widget.suggestion.lr:.1e}")
    assert widget.wait(20)
    assert widget.evidence.suggested == widget.records.suggest().lr
    assert widget.evidence.records is widget.records


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
