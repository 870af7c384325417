"""The widget as Python code and as a browser sees it, without a browser."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
import torch
import traitlets
from torch import nn

from lr_widget import LRFinderWidget, NotebookError, range_test
from lr_widget.schedule import rate_text
from lr_widget.widget.kernel import hosts

from .helpers import Make, Training, click, join_runs, note, registered, wait_until


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


def test_a_keyboard_interrupt_keeps_the_curve(make_widget: Make, training: Training) -> None:
    """run() returns the records so far."""

    def interrupt(call: int) -> None:
        if call == 9:
            raise KeyboardInterrupt

    training.at_step = interrupt
    before = training.state()
    records = make_widget(num_steps=20).run()
    assert (records.stop_reason, len(records)) == ("interrupted", 8)
    assert training.state() == before


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
        ("end_lr", 1e-9, "start_lr must be below end_lr, got 1e-7 and 1e-9"),
        ("rule", "best", "best"),
    ],
)
def test_python_gets_an_error_for_a_wrong_setting(make_widget: Make, name: str, value: Any, message: str) -> None:
    """The old value stays."""
    widget = make_widget()
    before = getattr(widget, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_copying_to_the_notebook(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate goes to the variable as it is shown; without a rate, or over something else, nothing is copied."""
    put: dict[str, float] = {}

    def take(name: str, value: float, *, overwrite: bool) -> None:
        assert not overwrite
        put[name] = value

    monkeypatch.setattr("lr_widget.widget.widget.put", take)
    widget = make_widget("best", num_steps=20)
    with pytest.raises(NotebookError, match="no rate to copy yet"):
        widget.copy_to_notebook()
    widget.run()
    click(widget, "copy")
    assert put == {"best": float(rate_text(widget.suggestion.lr))}
    assert note(widget) == f"The notebook's variable best is now {rate_text(widget.suggestion.lr)}."
    assert widget.apply() == put["best"]
    assert f"\nbest = {rate_text(widget.suggestion.lr)}  # float(records.suggest())" in widget.answer["code"]
    assert note(widget) == f"The optimizer's learning rate is now {rate_text(widget.suggestion.lr)}."
    widget.copy_to_notebook()
    widget.selected_lr = 0.00325
    assert note(widget) == f"The notebook's variable best is still {rate_text(widget.suggestion.lr)}."
    assert widget.copy_to_notebook() == put["best"] == 0.00325
    assert note(widget) == "The notebook's variable best is now 3.25e-3."
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
    assert note(widget) == "The optimizer's learning rate is now 0.5, 0.05."
    widget.close()


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


@pytest.mark.parametrize("ending", ["never ran", "ran", "failed", "probed", "ran in a thread", "runs"])
def test_a_closed_widget_lets_go_of_model_and_optimizer(ending: str) -> None:
    """Also while somebody holds the widget, whose results stay."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    fails = [ending == "failed"]

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if fails[0]:
            raise RuntimeError("my own")
        return nn.functional.mse_loss(outputs, targets)

    widget = LRFinderWidget(model, optimizer, loss_fn, data, num_steps=10_000 if ending == "runs" else 10)
    if ending in ("ran", "probed"):
        widget.run()
    if ending == "probed":
        widget.selected_lr, widget.max_probe_steps = 0.1, 32
        widget.probe()
    if ending in ("ran in a thread", "failed", "runs"):
        widget.start()
        wait_until(lambda: widget.runner.current is None or (ending == "runs" and widget.runner.current.count > 2))
    kept = [weakref.ref(each) for each in (model, optimizer, loss_fn)]
    widget.close()
    widget.close()
    del model, optimizer, loss_fn, data
    for _ in range(2):
        gc.collect()
    assert [each() for each in kept] == [None, None, None]
    assert len(widget.history) == (ending not in ("never ran", "failed"))
    assert repr(widget) == "LRFinderWidget(closed)"


@pytest.mark.parametrize("method", ["run", "start"])
def test_a_widget_that_is_closed_as_its_run_begins_lets_go_of_the_model(method: str) -> None:
    """By an observer that hears of the beginning: no step is done, and nothing is drawn on the closed chart."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    widget = LRFinderWidget(model, optimizer, nn.functional.mse_loss, data, num_steps=10)
    drawn: list[int] = []

    def close(change: Any) -> None:
        if change["new"] == "running":
            widget.close()
            drawn.append(widget.screen.chart.messages)

    widget.observe(close, "status")
    kept = [weakref.ref(each) for each in (model, optimizer)]
    getattr(widget, method)()
    assert widget.wait(20)
    join_runs()
    del model, optimizer, data
    gc.collect()
    assert [each() for each in kept] == [None, None]
    assert drawn == [widget.screen.chart.messages]
    assert (widget.status, widget.is_busy) == ("finished", False)
    assert (widget.records, widget.history, repr(widget)) == (None, (), "LRFinderWidget(closed)")


def test_a_widget_that_is_closed_in_a_long_step_lets_go_of_the_model_after_it() -> None:
    """Closing waits for some time only; what comes later is not drawn on the closed chart."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    is_in_step, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        is_in_step.release()
        assert may_end.acquire(timeout=30), "the test let no step end"
        return nn.functional.mse_loss(outputs, targets)

    widget = LRFinderWidget(model, optimizer, loss_fn, data, num_steps=10)
    shut_down = widget.runner.shut_down
    widget.runner.shut_down = lambda: shut_down(0.01)
    kept = [weakref.ref(each) for each in (model, optimizer, loss_fn)]
    before = model.weight.tolist()
    widget.start()
    may_end.release()
    for _ in range(2):
        assert is_in_step.acquire(timeout=20)
    widget.close()
    drawn = widget.screen.chart.messages
    assert widget.runner.current is not None
    may_end.release()
    join_runs()
    assert model.weight.tolist() == before
    del model, optimizer, loss_fn, data
    gc.collect()
    assert [each() for each in kept] == [None, None, None]
    assert widget.screen.chart.messages == drawn
    assert (widget.status, widget.is_busy) == ("finished", False)
    assert (widget.records, widget.history, repr(widget)) == (None, (), "LRFinderWidget(closed)")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"smoothing": 2}, traitlets.TraitError, r"smoothing must be in \[0, 1\)"),
        ({"loss_min": 2.0, "loss_max": 1.0}, traitlets.TraitError, "loss_min must be below loss_max"),
        ({"variable": "1x"}, traitlets.TraitError, "must be a Python identifier"),
        ({"num_steps": 1}, ValueError, "num_steps must be at least 2"),
        ({"suggest_from": "val_loss"}, ValueError, 'suggest_from="val_loss" needs validation losses, got no val_data'),
    ],
)
def test_a_refused_widget_leaves_nothing_behind(
    make_widget: Make, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Neither a widget nor a part of its chart in the registry of ipywidgets."""
    before = len(registered())
    with pytest.raises(error, match=message):
        make_widget(**wrong)
    assert len(registered()) == before


def test_a_closed_widget_says_that_it_is_closed(make_widget: Make, notebook: dict[str, float]) -> None:
    """It has no model to run; its rate can still be copied."""
    widget = make_widget(num_steps=10)
    widget.selected_lr = 0.1
    widget.close()
    for method in (widget.run, widget.start, widget.probe, widget.start_probe, widget.apply):
        with pytest.raises(NotebookError, match="this widget is closed and has let go of its model; make LRFinderW"):
            method()
    assert widget.copy_to_notebook() == notebook["lr"] == 0.1


def test_on_colab_the_button_trains_in_the_handler(
    make_widget: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages from a thread do not appear there; an error is shown all the same, not raised."""
    monkeypatch.setattr(hosts, "_name", lambda: "colab")
    notes = []
    widget = make_widget(num_steps=10)
    widget.observe(lambda change: notes.append(change["new"]["note"]["text"]), "view_state")
    click(widget, "start")
    assert widget.status == "finished"
    assert training.threads == {threading.current_thread().name}
    # There is no kernel here whose messages a run could read.
    assert any("Runtime > Interrupt execution ends the test" in text for text in notes)


def test_a_run_that_cannot_hear_says_what_to_press(make_widget: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the host's own words, in the status line and on the buttons, which are at rest."""
    monkeypatch.setattr(hosts, "_name", lambda: "vscode")
    monkeypatch.setattr("lr_widget.widget.kernel.hosts.cells_run_here", lambda: True)
    views: list[dict[str, Any]] = []
    widget = make_widget(num_steps=10)
    widget.observe(lambda change: views.append(change["new"]), "view_state")
    widget.run()
    during = next(view for view in views if view["is_blocking"])
    assert during["note"]["text"].endswith("The cell's own stop button ends the test and keeps the curve.")
    assert during["deaf"].startswith("This run hears no click. The cell's own stop button")
    assert during["can"] == []


def test_a_suggestion_that_outlives_a_failed_run_says_that_it_is_earlier(make_widget: Make, training: Training) -> None:
    """The next good run takes the remark away."""
    widget = make_widget(num_steps=20)
    widget.run()
    reason = widget.suggestion.reason

    def fail(step: int) -> None:
        raise RuntimeError("no more")

    training.at_step = fail
    click(widget, "start")
    assert widget.wait(20)
    assert widget.answer["reason"] == f"This is the suggestion of an earlier run. {reason}"
    training.at_step = lambda step: None
    widget.run()
    assert widget.answer["reason"] == widget.suggestion.reason


def test_pictures_are_sent_once_a_page_asks_for_them(make_widget: Make) -> None:
    """A page that mounts the live chart never pays for them."""
    widget = make_widget(num_steps=10)
    widget.run()
    assert widget.picture == ""
    click(widget, "draw")
    first = widget.picture
    assert first.startswith("<svg")
    widget.run()
    second = widget.picture
    assert second != first
    widget.smoothing = 0.1
    assert widget.picture != second


def test_the_plain_text_says_the_result(make_widget: Make) -> None:
    """It stands in where no widget can be shown."""
    widget = make_widget(num_steps=30)
    assert repr(widget) == "LRFinderWidget(learning-rate range test, 1e-7 to 10 in 30 steps, idle)"
    widget.run()
    assert f"suggested lr = {rate_text(widget.suggestion.lr)}: {widget.suggestion.reason}" in repr(widget)


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


def test_bounds_that_are_set_together_while_a_test_runs(make_widget: Make, training: Training) -> None:
    """Between the two assignments they make no sweep; the thread that trains must not look at them then."""
    training.may_step = threading.Semaphore(3)
    widget = make_widget(num_steps=20)
    widget.start()
    wait_until(lambda: training.calls == 4)
    with widget.hold_trait_notifications():
        widget.start_lr = 100.0
        training.may_step.release(1000)
        wait_until(lambda: training.calls >= 15)
        widget.end_lr = 1000.0
    assert widget.wait(20)
    training.may_step = None
    assert (widget.status, len(widget.records), widget.records.start_lr) == ("finished", 20, 1e-7)
    assert widget.run().start_lr == 100.0
