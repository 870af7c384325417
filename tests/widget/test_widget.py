"""The widget as Python code and as a browser sees it, without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import traitlets

from lr_widget import LRFinderWidget, NotebookError, range_test
from lr_widget.widget.kernel import hosts

from .helpers import Training, click, note, wait_until

Make = Callable[..., LRFinderWidget]


def smoothed_mark(widget: LRFinderWidget) -> Any:
    """The bold curve."""
    return next(mark for mark in widget.figure.marks if getattr(mark, "stroke_width", 0) == 2.6)


def test_run_gives_the_records_of_range_test(make_widget: Make, training: Training) -> None:
    """The same sweep from the same state gives the same numbers, and leaves no trace."""
    before = training.state()
    widget = make_widget(start_lr=1e-5, end_lr=1.0, num_steps=30)
    records = widget.run()
    assert training.state() == before
    expected = range_test(
        training.model,
        training.optimizer,
        training.loss_fn(),
        training.data,
        start_lr=1e-5,
        end_lr=1.0,
        num_steps=30,
        dataloader_options={"batch_size": 16},
        progress=False,
    )
    assert records.lr.tolist() == expected.lr.tolist()
    assert records.loss.tolist() == expected.loss.tolist()
    assert records is widget.records
    assert widget.history == (records,)
    assert widget.status == "finished"
    assert widget.suggestion == records.suggest()
    assert widget.selected_lr == records.suggest().lr


def test_start_runs_in_the_background_and_gives_the_same(make_widget: Make, training: Training) -> None:
    """The kernel is free meanwhile; the numbers do not depend on the thread."""
    before = training.state()
    widget = make_widget(num_steps=20)
    blocking = widget.run()
    training.threads.clear()
    widget.start()
    assert widget.wait(20)
    assert training.threads == {"lr_widget-range-test"}
    assert widget.records.loss.tolist() == blocking.loss.tolist()
    assert training.state() == before
    assert len(widget.history) == 2


def test_the_end_is_shown_after_the_restore(make_widget: Make, training: Training) -> None:
    """Who sees "finished" may train at once."""
    before = training.state()
    widget = make_widget(num_steps=20)
    seen = []
    widget.observe(lambda change: seen.append((change["new"], training.state() == before)), "status")
    widget.run()
    assert seen[0][0] == "running"
    assert seen[-1] == ("finished", True)


def test_stop_pause_and_resume_from_the_browser(make_widget: Make, training: Training) -> None:
    """Pause and Resume steer the run; a stale Stop is ignored, the right one answered within a step."""
    training.may_step = threading.Semaphore(3)
    before = training.state()
    widget = make_widget(num_steps=50)
    click(widget, "start")
    wait_until(lambda: training.calls == 4)
    assert widget.status == "running"
    run_id = widget.view_state["run_id"]
    click(widget, "pause", run_id=run_id)
    training.may_step.release()
    wait_until(lambda: widget.status == "paused")
    assert widget.runner.current.count == 4
    click(widget, "resume", run_id=run_id)
    wait_until(lambda: widget.status == "running" and training.calls == 5)
    click(widget, "stop", run_id=run_id - 1)
    assert "stop" in widget.view_state["can"]
    click(widget, "stop", run_id=run_id)
    assert widget.view_state["can"] == []
    assert note(widget) == "Stopping after this step."
    training.may_step.release()
    assert widget.wait(20)
    assert (widget.records.stop_reason, len(widget.records)) == ("stopped", 5)
    training.may_step = None
    assert training.state() == before


def test_starting_twice_is_refused(make_widget: Make, training: Training) -> None:
    """From Python with an exception, from the browser with a message."""
    training.may_step = threading.Semaphore(0)
    widget = make_widget()
    widget.start()
    with pytest.raises(RuntimeError, match="running already"):
        widget.start()
    with pytest.raises(RuntimeError, match="running already"):
        widget.run()
    click(widget, "start")
    assert note(widget).startswith("A range test is running already")
    with pytest.raises(NotebookError, match="there is no rate to apply yet"):
        widget.apply()


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


def test_a_keyboard_interrupt_keeps_the_curve(make_widget: Make, training: Training) -> None:
    """run() returns what there is."""

    def interrupt(call: int) -> None:
        if call == 9:
            raise KeyboardInterrupt

    training.at_step = interrupt
    before = training.state()
    records = make_widget(num_steps=20).run()
    assert (records.stop_reason, len(records)) == ("interrupted", 8)
    assert training.state() == before


def test_a_loss_that_becomes_nan_ends_the_run_and_keeps_the_chart_whole(make_widget: Make, training: Training) -> None:
    """The NaN is on record, but no scale and no curve of the chart holds it."""
    training.losses = lambda call: 2.0 / call if call < 15 else float("nan")
    widget = make_widget(num_steps=20)
    records = widget.run()
    assert (records.stop_reason, len(records)) == ("non_finite", 15)
    assert np.isnan(records.loss[-1])
    for mark in widget.figure.marks:
        assert np.isfinite(np.asarray(mark.x)).all()
        assert np.isfinite(np.asarray(mark.y)).all()
    assert "became nan at step 15" in note(widget)


def test_a_stop_before_the_first_step(make_widget: Make, training: Training) -> None:
    """There is nothing to keep, and nothing breaks."""
    widget = make_widget()
    widget.observe(lambda change: widget.stop() if change["new"] == "running" else None, "status")
    records = widget.run()
    assert (len(records), records.stop_reason) == (0, "stopped")
    assert (widget.records, widget.history, widget.status) == (None, (), "finished")
    assert training.calls == 0


@pytest.mark.parametrize("name", ["start_lr", "end_lr", "selected_lr"])
@pytest.mark.parametrize("value", ["abc", -1, 0, float("inf"), float("nan"), True, [1e-3]])
def test_python_gets_an_error_for_a_wrong_rate(make_widget: Make, name: str, value: Any) -> None:
    """With the name, the value and an example."""
    widget = make_widget()
    before = getattr(widget, name)
    with pytest.raises(traitlets.TraitError, match=rf"{name} must be .*; give a rate like 3e-4"):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_steps", 1, "num_steps must be at least 2, got 1; 100 is usual"),
        ("num_steps", 2.5, "num_steps must be an integer, got 2.5 of type float; 100 is usual"),
        ("num_steps", float("inf"), "num_steps must be an integer, got inf of type float"),
        ("smoothing", 1.0, r"must be in \[0, 1\), got 1.0"),
        ("smoothing", "x", r"must be in \[0, 1\), got 'x'"),
        ("variable", "1x", "must be a Python identifier, got '1x'"),
        ("start_lr", 10.0, "start_lr must be below end_lr, got 10 and 10"),
        ("end_lr", 1e-9, "start_lr must be below end_lr, got 1e-07 and 1e-09"),
        ("rule", "best", "best"),
    ],
)
def test_python_gets_an_error_for_a_wrong_setting(make_widget: Make, name: str, value: Any, message: str) -> None:
    """And the old value stays."""
    widget = make_widget()
    before = getattr(widget, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("start_lr", "end_lr") for value in ("abc", "-1", "0", "1e400", "", "nan", None, [], {})]
    + [("start_lr", "10"), ("num_steps", "1"), ("num_steps", "2.5"), ("smoothing", "2"), ("variable", "a b")],
)
def test_a_wrong_value_from_the_browser_is_ignored_with_a_message(make_widget: Make, name: str, value: Any) -> None:
    """As a command and as a trait that the browser sets."""
    widget = make_widget()
    before = {key: getattr(widget, key) for key in ("start_lr", "end_lr", "num_steps", "smoothing", "variable")}
    click(widget, "set", name=name, value=value)
    assert widget.view_state["note"]["kind"] == "warning"
    assert f"It stays {before[name]!r}" in note(widget) or f"It stays {before[name]:g}" in note(widget)
    widget.say("info", "")
    widget.set_state({name: value})
    assert "It stays" in note(widget)
    assert {key: getattr(widget, key) for key in before} == before


def test_right_values_from_the_browser_arrive(make_widget: Make) -> None:
    """Text and numbers, also with a decimal comma."""
    widget = make_widget()
    for name, value in [
        ("start_lr", " 3e-4 "),
        ("end_lr", "0,5"),
        ("num_steps", "42"),
        ("smoothing", 0),
        ("variable", "r"),
    ]:
        click(widget, "set", name=name, value=value)
    widget.set_state({"end_lr": 0.25})
    assert (widget.start_lr, widget.end_lr, widget.num_steps, widget.smoothing) == (3e-4, 0.25, 42, 0.0)
    assert widget.variable == "r"
    assert widget.run().num_steps == 42


@pytest.mark.parametrize(
    "content",
    [None, "start", 3, [], {}, {"command": "eval"}, {"command": ["start"]}, {"command": "set", "name": "status"},
     {"command": "set", "name": 3}, {"command": "set", "name": "rule", "value": "best"},
     {"command": "set", "name": "selected_lr", "value": {}}, {"command": "pick", "value": 1e-3}],
)  # fmt: skip
def test_a_message_that_is_none_is_ignored_with_a_message(make_widget: Make, content: Any) -> None:
    """Nothing in it is executed."""
    widget = make_widget()
    widget._handle_custom_msg(content, [])
    assert widget.view_state["note"]["kind"] == "warning"
    assert widget.status == "idle"


def test_the_browser_cannot_set_what_is_not_its_own(make_widget: Make) -> None:
    """Status, view and chart are Python's."""
    widget = make_widget()
    figure = widget.figure
    widget.set_state({"status": "running", "view_state": {}, "figure": "IPY_MODEL_x", "_esm": "alert(1)"})
    assert (widget.status, widget.figure) == ("idle", figure)
    assert widget.view_state["note"]["text"] == "Ready."


def test_every_command_is_answered(make_widget: Make, messages: list[dict[str, Any]]) -> None:
    """The browser can tell a kernel that is busy from one that has done it."""
    widget = make_widget()
    click(widget, "set", name="selected_lr", value="1e-3")
    assert {"done": "1"} in [message.get("content") for message in messages]


def test_wrong_arguments_are_refused_when_the_widget_is_made(make_widget: Make) -> None:
    """Before anything is shown."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'start'; did you mean 'start_lr'"):
        make_widget(start=1e-3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'; it takes the keywords of range_test"):
        make_widget(colour="red")
    with pytest.raises(ValueError, match="start_lr"):
        make_widget(start_lr=1.0, end_lr=0.1)
    with pytest.raises(traitlets.TraitError, match="identifier, got 'my lr'"):
        make_widget("my lr")
    with pytest.raises(ValueError, match="group_lrs"):
        make_widget(group_lrs="none")


def test_picking_and_choosing_a_rule(make_widget: Make) -> None:
    """A pick wins over the suggestion until it is taken back; a rule changes the suggestion."""
    widget = make_widget(num_steps=30)
    widget.run()
    suggested = widget.suggestion.lr
    click(widget, "set", name="selected_lr", value="2e-3")
    assert (widget.selected_lr, widget.view_state["is_picked"]) == (2e-3, True)
    click(widget, "set", name="rule", value="steepest")
    assert widget.suggestion.rule == "steepest"
    assert widget.selected_lr == 2e-3
    click(widget, "set", name="rule", value="auto")
    click(widget, "set", name="selected_lr", value=None)
    assert (widget.selected_lr, widget.view_state["is_picked"]) == (suggested, False)
    widget.selected_lr = 5e-3
    assert widget.view_state["selected"] == "5.0e-03"


def test_copying_to_the_notebook(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact rate goes to the variable; without a rate, or over something else, nothing is copied."""
    put: dict[str, float] = {}
    monkeypatch.setattr("lr_widget.widget.widget.put", put.__setitem__)
    widget = make_widget("best", num_steps=20)
    with pytest.raises(NotebookError, match="no rate to copy yet"):
        widget.copy_to_notebook()
    widget.run()
    click(widget, "copy")
    assert put == {"best": widget.suggestion.lr}
    assert note(widget).startswith("The notebook's variable best is now")
    monkeypatch.undo()
    click(widget, "copy")
    assert "no notebook to put 'best' into" in note(widget)


def test_applying_keeps_the_proportions_of_the_groups(training: Training) -> None:
    """The first group gets the selected rate, the second its share, a rate in a tensor stays a tensor."""
    first, second = list(training.model[0].parameters()), list(training.model[3].parameters())
    optimizer = torch.optim.SGD([{"params": first, "lr": 0.1}, {"params": second, "lr": 0.01}])
    widget = LRFinderWidget(training.model, optimizer, training.loss_fn(), training.data, num_steps=5)
    widget.run()
    widget.selected_lr = 0.5
    assert widget.apply() == 0.5
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
    assert note(widget) == "The optimizer's learning rate is now 5.0e-01, 5.0e-02."
    widget.close()


def test_smoothing_is_derived_from_the_raw_losses(make_widget: Make) -> None:
    """Moving the slider redraws without another run."""
    widget = make_widget(num_steps=20, end_lr=1e-3)
    records = widget.run()
    smoothed = smoothed_mark(widget)
    assert np.asarray(smoothed.y) == pytest.approx(records.smoothed_loss(0.9))
    click(widget, "set", name="smoothing", value=0.5)
    assert np.asarray(smoothed.y) == pytest.approx(records.smoothed_loss(0.5))
    assert len(widget.history) == 1


def test_many_fast_steps_send_few_and_small_messages(
    make_widget: Make, training: Training, messages: list[dict[str, Any]]
) -> None:
    """3,000 steps: at most 15 updates a second, x and y together, at most 600 points, the last state sent."""
    training.losses = lambda call: 1.0 + (call % 7)
    widget = make_widget(num_steps=3000)
    begin = time.perf_counter()
    widget.run()
    seconds = time.perf_counter() - begin
    smoothed = smoothed_mark(widget).model_id
    curves = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == smoothed]
    assert all(set(state) == {"x", "y"} for state in curves)
    assert len(curves) <= 15 * seconds + 3
    assert all(state["x"]["shape"][0] == state["y"]["shape"][0] <= 600 for state in curves)
    assert widget.view_state["progress"]["step"] == 3000
    states = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == widget.model_id]
    assert states[-1]["status"] == "finished"
    assert len(states) <= 15 * seconds + 6


def test_closing_in_the_middle_restores(make_widget: Make, training: Training) -> None:
    """close() returns when the thread has put everything back."""
    training.may_step = threading.Semaphore(3)
    before = training.state()
    widget = make_widget()
    widget.start()
    wait_until(lambda: training.calls == 4)
    threading.Timer(0.05, training.may_step.release, (1000,)).start()
    widget.close()
    training.may_step = None
    assert training.state() == before
    assert "closed" in repr(widget)


def test_on_colab_the_button_trains_in_the_handler(
    make_widget: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages from a thread do not appear there; an error is shown all the same, not raised."""
    monkeypatch.setattr(hosts, "current_host", lambda: hosts.HOSTS["colab"])
    notes = []
    widget = make_widget(num_steps=10)
    widget.observe(lambda change: notes.append(change["new"]["note"]["text"]), "view_state")
    click(widget, "start")
    assert widget.status == "finished"
    assert training.threads == {threading.current_thread().name}
    assert any("Runtime > Interrupt execution" in text for text in notes)


def test_fallbacks_say_the_result(make_widget: Make) -> None:
    """As plain text and as HTML, for where no widget can be shown."""
    widget = make_widget(num_steps=30)
    assert repr(widget) == "LRFinderWidget(learning-rate range test, 1e-07 to 10 in 30 steps, idle)"
    widget.run()
    assert f"suggested lr = {widget.suggestion.lr:.1e}: {widget.suggestion.reason}" in repr(widget)
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == repr(widget)
    assert f"{widget.suggestion.lr:.1e}" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_settings_changed_during_a_run_hold_for_the_next(make_widget: Make, training: Training) -> None:
    """The run in progress keeps its bounds and its record of them."""
    training.may_step = threading.Semaphore(2)
    widget = make_widget(num_steps=10)
    widget.start()
    wait_until(lambda: training.calls == 3)
    widget.num_steps, widget.start_lr = 20, 1e-3
    training.may_step.release(1000)
    assert widget.wait(20)
    assert (len(widget.records), widget.records.start_lr) == (10, 1e-7)
    assert widget.run().start_lr == 1e-3


def test_what_an_iterator_names_is_put_back_in_every_run(make_widget: Make, training: Training) -> None:
    """An iterator can be walked once, and every run needs what it gives."""
    scheduler = torch.optim.lr_scheduler.StepLR(training.optimizer, 1)
    training.at_step = lambda call: setattr(scheduler, "last_epoch", call)
    widget = make_widget(num_steps=5, also_restore=iter([scheduler]))
    for _ in range(2):
        widget.run()
        assert scheduler.last_epoch == 0
