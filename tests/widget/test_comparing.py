"""Runs side by side, as Python code and as a browser sees them; a widget on records without any model."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas
import pytest
import torch
import traitlets
from torch import nn

from lr_widget import LRFinderWidget, LRRecords, NotebookError, range_test
from lr_widget.schedule import Sweep, rate_text

from .helpers import Make, Training, click, let_steps, note, registered, wait_until
from .marks import earlier_curves, smoothed_curve, vertical_lines


def records(lowest: float = 1e-2, **changes: Any) -> LRRecords:
    """A loss that falls until about `lowest` and then rises."""
    lrs = 1e-7 * 1e8 ** (np.arange(1, 101) / 100)
    losses = 2 - 1 / (1 + (lowest / lrs) ** 2) + (lrs / (30 * lowest)) ** 4
    return replace(LRRecords(lrs, losses, start_lr=1e-7, end_lr=10.0, num_steps=100), **changes)


@pytest.fixture
def from_records() -> Iterator[Any]:
    """Open widgets on records, and close them afterwards."""
    made: list[LRFinderWidget] = []

    def make(given: LRRecords | Mapping[str, LRRecords], **settings: Any) -> LRFinderWidget:
        made.append(LRFinderWidget.from_records(given, **settings))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


def drawn(widget: LRFinderWidget) -> dict[str, list[float]]:
    """The smoothed losses of each run that is drawn, by its name."""
    marks = widget.figure.marks
    shown = [run for run in widget.chart_state["runs"] if run["marks"] is not None]
    return {run["name"]: np.asarray(marks[run["marks"]["smoothed"]].y).tolist() for run in shown}


def listed(widget: LRFinderWidget, name: str) -> list[Any]:
    """One field of every run that the browser lists."""
    return [run[name] for run in widget.chart_state["runs"]]


def run_id(widget: LRFinderWidget, place: int) -> int:
    """The id by which the browser means a run."""
    return int(listed(widget, "run_id")[place])


# --- on records alone ------------------------------------------------------------------------------------------------


def test_a_widget_opens_on_records(from_records: Any) -> None:
    """With their sweep, their training and their suggestion, and nothing to run."""
    given = records(train_steps=5000, train_schedule="cosine")
    widget = from_records(given)
    assert (widget.records, widget.history, widget.names) == (given, (given,), ("run 1",))
    assert (widget.sweep, widget.train_steps, widget.train_schedule) == (Sweep(1e-7, 10.0, 100), 5000, "cosine")
    assert (widget.suggestion, widget.selected_lr) == (given.suggest(), given.suggest().lr)
    assert (widget.status, note(widget), widget.progress["text"]) == ("idle", "Ready.", "")
    assert widget.answer["lr"] == rate_text(given.suggest().lr)
    assert vertical_lines(widget) == [given.suggest().lr]
    assert listed(widget, "is_current") == [True]
    assert "start" not in widget.view_state["can"]
    assert "csv" in widget.view_state["can"]


def test_three_batch_sizes_are_compared_in_one_line(from_records: Any) -> None:
    """Each with its name, its colour, its rate; the suggestion is for the last one."""
    runs = {f"batch {size}": records(lowest) for size, lowest in ((16, 1e-3), (64, 3e-3), (256, 1e-2))}
    widget = from_records(runs)
    assert widget.names == ("batch 16", "batch 64", "batch 256")
    assert widget.history == tuple(runs.values())
    assert widget.suggestion == runs["batch 256"].suggest()
    assert listed(widget, "lr") == [rate_text(each.suggest().lr) for each in runs.values()]
    assert len(set(listed(widget, "color"))) == 3
    assert list(drawn(widget)) == list(runs)


def test_numbers_are_names_and_a_list_needs_none(from_records: Any) -> None:
    """As sizes of batches are numbers; the runs of a list are told apart by what differs."""
    a, b = records(1e-3), records(1e-2, start_lr=1e-8)
    widget = from_records({16: a, 64: b, 0.5: a, None: b})
    assert widget.names == ("16", "64", "0.5", "None")
    for several in ([a, b], (a, b)):
        widget = from_records(several)
        assert (widget.history, widget.suggestion) == ((a, b), b.suggest())
        assert widget.names == ("1e-7 … 10", "1e-8 … 10")
    assert from_records([a]).names == ("run 1",)


def test_twenty_records_are_shown_and_more_are_refused(from_records: Any) -> None:
    """The oldest would be dropped without a word."""
    assert len(from_records([records()] * 20).history) == 20
    with pytest.raises(ValueError, match="from_records takes 1 to 20 runs, got 21; give those that you compare"):
        from_records({f"run of {number}": records() for number in range(21)})


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        (records(), {"smoothing": 2}),
        (records(), {"loss_min": 2.0, "loss_max": 1.0}),
        (records(), {"num_steps": 50}),
        ({"a": records(), "b": 3}, {}),
        ([records()] * 21, {}),
    ],
)
def test_a_refused_widget_on_records_leaves_nothing_behind(given: Any, setting: dict[str, Any]) -> None:
    """Neither a widget nor a part of its chart in the registry of ipywidgets."""
    before = len(registered())
    with pytest.raises(
        (TypeError, ValueError, traitlets.TraitError), match=r"smoothing|loss_min|num_steps|a run|20 runs"
    ):
        LRFinderWidget.from_records(given, **setting)
    assert len(registered()) == before


def test_records_keep_the_repeats_and_the_schedule_of_their_test(from_records: Any) -> None:
    """The widget shows the settings that they were made with; records that do not say them get the usual ones."""
    repeats = (records(), records(1.1e-2))
    assert from_records(records(repeats=repeats)).repeats == 2
    lrs = np.linspace(0.01, 1, 100)
    linear = LRRecords(lrs, 2 - lrs, start_lr=1e-7, end_lr=1.0, num_steps=100, schedule="linear")
    assert from_records(linear).sweep == Sweep(1e-7, 1.0, 100, "linear")
    assert from_records(LRRecords([1e-3, 1e-2], [2.0, 1.0])).sweep == Sweep(1e-7, 10.0, 100)


def test_settings_of_a_widget_on_records(from_records: Any) -> None:
    """Those that have a meaning without a model."""
    settings = {"variable": "rate", "smoothing": 0.5, "loss_scale": "log", "loss_min": 0.1, "loss_max": 5.0}
    widget = from_records(records(), **settings, train_steps=5000, train_schedule="cosine", suggest_from="val_loss")
    assert {name: getattr(widget, name) for name in settings} == settings
    assert (widget.train_steps, widget.train_schedule, widget.suggest_from) == (5000, "cosine", "val_loss")
    assert "no validation losses" in widget.answer["reason"]
    widget.suggest_from = "loss"
    assert widget.suggestion == records().suggest(train_steps=5000, train_schedule="cosine")


def test_probes_around_a_pick_stay_when_records_of_elsewhere_come(make_widget: Make) -> None:
    """Their answer is about the model here."""
    widget = make_widget(max_probe_steps=80)
    widget.selected_lr = 0.01
    widget.probe()
    evidence = widget.evidence
    widget.add(records())
    assert widget.evidence is evidence
    assert (widget.rule, widget.records) == ("probe", None)
    assert len(widget.history) == 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "from_records takes 1 to 20 runs, got 0; give those that you compare"),
        ([], ValueError, "from_records takes 1 to 20 runs, got 0; give those that you compare"),
        ([records()] * 21, ValueError, "from_records takes 1 to 20 runs, got 21; give those that you compare"),
        (None, TypeError, r"must be the records of a range test, got None of type NoneType"),
        ("a.json", TypeError, r"must be the records of a range test, got 'a.json' of type str"),
        ({"a": 3}, TypeError, r"must be the records of a range test, got 3 of type int"),
        ({"a": records(), "b": None}, TypeError, r"must be the records of a range test, got None of type NoneType"),
    ],
)
def test_what_are_no_records_is_refused(given: Any, error: type[Exception], message: str) -> None:
    """With the remedy."""
    with pytest.raises(error, match=message):
        LRFinderWidget.from_records(given)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"num_steps": 50}, TypeError, "from_records got an unexpected keyword argument 'num_steps'"),
        ({"smooting": 0.5}, TypeError, r"unexpected keyword argument 'smooting'; did you mean 'smoothing'\?"),
        ({"smoothing": 2}, traitlets.TraitError, r"smoothing must be in \[0, 1\), got 2"),
        ({"train_steps": 0}, traitlets.TraitError, "train_steps must be at least 1, got 0"),
        ({"loss_min": 2.0, "loss_max": 1.0}, traitlets.TraitError, "loss_min must be below loss_max, got 2 and 1"),
        ({"suggest_from": "accuracy"}, traitlets.TraitError, "accuracy"),
    ],
)
def test_a_wrong_setting_is_refused(setting: dict[str, Any], error: type[Exception], message: str) -> None:
    """As by a widget with a model."""
    with pytest.raises(error, match=message):
        LRFinderWidget.from_records(records(), **setting)


def test_the_script_of_records_is_the_rate(from_records: Any) -> None:
    """And where it is from."""
    widget = from_records(records(), variable="best")
    rate = rate_text(records().suggest().lr)
    assert widget.answer["code"] == f"best = {rate}  # read off the records named 'run 1'\n"
    widget.selected_lr = 0.0123456
    assert widget.answer["code"] == "best = 0.0123456\n"


def test_a_rate_of_records_is_copied(from_records: Any, notebook: dict[str, Any]) -> None:
    """As it is shown."""
    widget = from_records(records(), variable="best")
    assert widget.copy_to_notebook() == float(rate_text(records().suggest().lr))
    assert notebook == {"best": widget.copy_to_notebook()}


# --- kept runs -------------------------------------------------------------------------------------------------------


def test_records_are_added_and_listed(make_widget: Make) -> None:
    """The suggestion stays that of the run here; without one, it is that of the records."""
    widget = make_widget(num_steps=30)
    first, second, third = records(1e-3), records(1e-2), records(1e-1)
    widget.add(first, name="of elsewhere")
    assert (widget.records, widget.suggestion, widget.status) == (first, first.suggest(), "idle")
    own = widget.run()
    widget.add(second)
    widget.add(third, name="the third")
    assert widget.history == (first, own, second, third)
    assert (widget.names[0], widget.names[3]) == ("of elsewhere", "the third")
    assert len(set(widget.names)) == 4
    assert (widget.records, widget.suggestion) == (own, own.suggest())
    assert listed(widget, "is_current") == [False, True, False, False]
    assert len(drawn(widget)) == 4
    assert smoothed_curve(widget).x.tolist() == own.lr.tolist()


@pytest.mark.parametrize("wrong", [None, 3, [1.0], "run.json", {"a": 1}])
def test_only_records_can_be_added(make_widget: Make, wrong: Any) -> None:
    """Nothing changes."""
    widget = make_widget()
    with pytest.raises(TypeError, match=r"a run must be the records of a range test, got .*; give what range_test"):
        widget.add(wrong)
    with pytest.raises(
        TypeError, match=r"the name of a run must be a text, got 3 of type int; give one like 'batch 64'"
    ):
        widget.add(records(), name=3)
    assert (widget.history, widget.names) == ((), ())


@pytest.mark.parametrize("meant", [1, -2, "b"])
def test_a_run_is_meant_by_its_place_or_its_name(from_records: Any, meant: int | str) -> None:
    """From the beginning, from the end, by name; history and names follow."""
    a, b, c = records(1e-4), records(1e-3), records(1e-2)
    widget = from_records({"a": a, "b": b, "c": c})
    widget.hide(meant)
    assert (listed(widget, "is_hidden"), list(drawn(widget))) == ([False, True, False], ["a", "c"])
    assert len(widget.history) == 3
    widget.hide(meant, is_hidden=False)
    assert (listed(widget, "is_hidden"), list(drawn(widget))) == ([False, False, False], ["a", "b", "c"])
    widget.rename(meant, "the middle one")
    assert widget.names == tuple(listed(widget, "name")) == ("a", "the middle one", "c")
    widget.remove(1)
    assert (widget.names, widget.history) == (("a", "c"), (a, c))


def test_a_run_of_the_browser_is_meant_by_its_id(from_records: Any) -> None:
    """The same four deeds, by clicks."""
    widget = from_records({"a": records(1e-4), "b": records(1e-3), "c": records(1e-2)})
    middle = run_id(widget, 1)
    click(widget, "hide", run_id=middle)
    assert list(drawn(widget)) == ["a", "c"]
    click(widget, "show", run_id=middle)
    assert list(drawn(widget)) == ["a", "b", "c"]
    click(widget, "rename", run_id=middle, value="d")
    assert widget.names == ("a", "d", "c")
    click(widget, "rename", run_id=middle, value="")
    assert widget.names == ("a", "run 2", "c")
    click(widget, "remove", run_id=middle)
    click(widget, "remove", run_id=middle)
    assert widget.names == ("a", "c")
    assert note(widget) == f"run_id must be that of a kept run, got {middle}; it may have been removed meanwhile."


@pytest.mark.parametrize("meant", [2, -3, "c", None, 1.5, [0], "", True])
@pytest.mark.parametrize("method", ["rename", "hide", "remove"])
def test_a_run_that_is_not_there_is_an_error(from_records: Any, method: str, meant: Any) -> None:
    """The message names those that are."""
    widget = from_records({"a": records(1e-4), "b": records(1e-3)})
    arguments = (meant, "name") if method == "rename" else (meant,)
    with pytest.raises(ValueError, match=r"there is no run .*; the runs are 'a', 'b'"):
        getattr(widget, method)(*arguments)
    assert (widget.names, listed(widget, "is_hidden")) == (("a", "b"), [False, False])
    with pytest.raises(TypeError, match="the name of a run must be a text, got None"):
        widget.rename("a", None)


def test_without_any_run_nothing_can_be_named(make_widget: Make) -> None:
    """The message says that there is none."""
    with pytest.raises(ValueError, match="there is no run 0; the runs are none"):
        make_widget().hide(0)


def test_the_current_run_can_go(make_widget: Make) -> None:
    """The latest of the others is then read; without any, the chart is empty, and Run is announced again."""
    widget = make_widget(num_steps=30)
    first = widget.run()
    second = widget.run()
    widget.selected_lr = 0.5
    widget.remove(-1)
    assert (widget.records, widget.history) == (first, (first,))
    assert (widget.suggestion, widget.selected_lr) == (first.suggest(), first.suggest().lr)
    assert not widget.answer["is_picked"]
    assert listed(widget, "is_current") == [True]
    assert second is not first
    widget.remove(0)
    assert (widget.records, widget.suggestion, widget.selected_lr, widget.history) == (None, None, None, ())
    assert widget.answer["reason"].startswith("Run trains for 30 steps")
    assert (widget.chart_state["runs"], vertical_lines(widget)) == ([], [])
    assert widget.chart_state["text"].endswith("No run yet.")
    assert "csv" not in widget.view_state["can"]
    assert len(widget.run()) == len(first)


def test_where_the_latest_run_goes_the_one_before_comes_back(make_widget: Make) -> None:
    """Records that were added for comparison are the last choice, however late they came."""
    widget = make_widget(num_steps=30)
    first = widget.run()
    widget.run()
    widget.add(records(), name="of elsewhere")
    widget.remove(1)
    assert (widget.records, widget.suggestion) == (first, first.suggest())
    assert listed(widget, "is_current") == [True, False]
    assert smoothed_curve(widget).x.tolist() == first.lr.tolist()
    widget.remove(0)
    assert (widget.suggestion, widget.names) == (records().suggest(), ("of elsewhere",))


def test_only_the_run_that_grows_is_listed_as_growing(running: LRFinderWidget, training: Training) -> None:
    """Its name and its place are not settled; at its end it is a kept run like the others."""
    running.add(records(), name="kept")
    assert listed(running, "is_growing") == [False, True]
    let_steps(training, 1000)
    assert running.wait(20)
    training.may_step = None
    assert listed(running, "is_growing") == [False, False]
    running.max_probe_steps = 40
    running.selected_lr = 1e-3
    running.probe()
    assert listed(running, "is_growing") == [False, False]


def test_a_hidden_current_run_keeps_its_suggestion(make_widget: Make) -> None:
    """It is off the chart, and still what the rate is from."""
    widget = make_widget(num_steps=30)
    widget.run()
    widget.hide(0)
    assert (drawn(widget), widget.suggestion) == ({}, widget.records.suggest())
    assert (listed(widget, "is_hidden"), listed(widget, "is_current")) == ([True], [True])
    assert "csv" not in widget.view_state["can"]
    widget.hide(0, is_hidden=False)
    assert smoothed_curve(widget).x.tolist() == widget.records.lr.tolist()


def test_runs_are_kept_hidden_and_removed_while_one_grows(running: LRFinderWidget, training: Training) -> None:
    """The growing curve stays, and becomes the current run at its end."""
    grown = smoothed_curve(running).x.tolist()
    running.add(records(1e-3), name="a")
    running.add(records(1e-2), name="b")
    assert (listed(running, "name"), running.suggestion) == (["a", "b", "this run"], None)
    assert listed(running, "is_current") == [False, False, True]
    assert smoothed_curve(running).x.tolist() == grown
    running.hide("a")
    running.remove("b")
    assert [name for name in drawn(running) if name != "this run"] == []
    assert len(running.history) == 1
    id_of_growing = run_id(running, -1)
    click(running, "remove", run_id=id_of_growing)
    assert "must be that of a kept run" in note(running)
    let_steps(training, 100)
    assert running.wait(20)
    assert len(running.history) == 2
    assert (run_id(running, -1), running.records) == (id_of_growing, running.history[-1])
    assert listed(running, "is_current") == [False, True]
    assert smoothed_curve(running).x.tolist() == running.records.lr.tolist()


def test_earlier_runs_are_drawn_thin_below_the_next_one(make_widget: Make) -> None:
    """In their own colours; a hidden one is not."""
    widget = make_widget(num_steps=20)
    for _ in range(3):
        widget.run()
    widget.hide(0)
    widget.run()
    assert [run["marks"] is None for run in widget.chart_state["runs"]] == [True, False, False, False]
    assert sum(np.asarray(mark.x).size > 0 for mark in earlier_curves(widget)) == 2
    shown = [run["color"] for run in widget.chart_state["runs"] if not run["is_hidden"]]
    assert len(set(shown)) == 3


def test_at_most_twenty_runs_are_kept(from_records: Any) -> None:
    """The oldest one makes room, but never the current one; names, history and list agree."""
    first = records()
    widget = from_records(first)
    for number in range(25):
        widget.add(records(1e-3 * (1 + number)), name=f"run of {number}")
    assert len(widget.history) == len(widget.names) == len(widget.chart_state["runs"]) == 20
    assert (widget.names[0], widget.names[-1]) == ("run 1", "run of 24")
    assert (widget.records, widget.names[1]) == (first, "run of 6")
    assert widget.history[0] is first
    assert len(drawn(widget)) == 8


def test_the_current_run_outlasts_twenty_others(from_records: Any) -> None:
    """A rate does not change because a twenty-first run was added, and its curve is there to be seen."""
    widget = from_records(records())
    before = widget.suggestion
    for number in range(21):
        widget.add(records(1e-3), name=str(number))
    assert (widget.suggestion, len(widget.history)) == (before, 20)
    assert listed(widget, "is_current") == [True] + [False] * 19
    assert smoothed_curve(widget).x.tolist() == widget.records.lr.tolist()
    widget.train_steps = 5000
    assert widget.suggestion == records().suggest(train_steps=5000)
    widget.remove(0)
    assert (widget.suggestion, len(widget.history)) == (records(1e-3).suggest(train_steps=5000), 19)


def test_a_run_that_fails_keeps_nothing(make_widget: Make, training: Training) -> None:
    """The list is as before, and the next run is kept."""
    widget = make_widget(num_steps=20)
    widget.run()
    before = (widget.names, widget.history, listed(widget, "run_id"))

    def fail(step: int) -> None:
        if training.calls == 25:
            raise RuntimeError("my own")

    training.at_step = fail
    with pytest.raises(RuntimeError, match="my own"):
        widget.run()
    assert (widget.names, widget.history, listed(widget, "run_id")) == before
    widget.add(records())
    widget.run()
    assert len(widget.history) == 3
    assert listed(widget, "is_current") == [False, False, True]


def test_names_are_made_of_what_differs(make_widget: Make, training: Training) -> None:
    """Two lengths differ in their steps; a third with another optimizer and batch in these, too."""
    widget = make_widget(num_steps=20)
    widget.run()
    assert widget.names == ("run 1",)
    widget.num_steps = 30
    widget.run()
    assert widget.names == ("20 steps", "30 steps")
    widget.end_lr = 1.0
    widget.run()
    assert widget.names == ("1e-7 … 10 · 20 steps", "1e-7 … 10 · 30 steps", "1e-7 … 1 · 30 steps")


def test_a_rate_of_elsewhere_can_be_probed(make_widget: Make) -> None:
    """The evidence names the records; dots and suggestion stand over their curve."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    given = records()
    widget.add(given, name="of elsewhere")
    evidence = widget.probe()
    assert (evidence.suggested, evidence.records) == (given.suggest().lr, given)
    assert (widget.rule, widget.suggestion, widget.history) == ("probe", evidence.suggestion, (given,))
    assert listed(widget, "name") == ["of elsewhere"]


def test_probes_keep_the_list_of_runs(running: LRFinderWidget, training: Training) -> None:
    """No curve grows, so none is listed as this run."""
    let_steps(training, 100)
    assert running.wait(20)
    calls, training.may_step = training.calls, threading.Semaphore(3)
    running.max_probe_steps = 40
    running.start_probe()
    wait_until(lambda: training.calls == calls + 4)
    assert listed(running, "name") == ["run 1"]
    assert listed(running, "is_current") == [True]


# --- table -----------------------------------------------------------------------------------------------------------


def sent_tables(messages: list[dict[str, Any]]) -> list[str]:
    """The tables that were sent to the browser."""
    contents = [message.get("content") for message in messages]
    return [content["csv"] for content in contents if isinstance(content, dict) and "csv" in content]


def test_the_table_has_every_run_that_is_not_hidden(messages: list[dict[str, Any]], from_records: Any) -> None:
    """To the last bit, as pandas reads it."""
    a, b = records(1e-3), records(1e-2, val_loss=records(2e-2).loss)
    widget = from_records({"a": a, "hidden": records(1e-1), "b": b}, smoothing=0.5)
    widget.hide("hidden")
    click(widget, "csv")
    [text] = sent_tables(messages)
    table = pandas.read_csv(io.StringIO(text), dtype=str)  # numbers are then made by NumPy, to the last bit
    assert list(table.columns) == ["run", "step", "lr", "loss", "smoothed", "val_loss"]
    assert table["run"].unique().tolist() == ["a", "b"]
    for name, each in (("a", a), ("b", b)):
        part = table[table["run"] == name]
        assert part["step"].astype(int).tolist() == list(range(1, 101))
        assert part["lr"].astype(float).tolist() == each.lr.tolist()
        assert part["loss"].astype(float).tolist() == each.loss.tolist()
        assert part["smoothed"].astype(float).tolist() == each.smoothed_loss(0.5).tolist()
    assert table[table["run"] == "b"]["val_loss"].astype(float).tolist() == b.val_loss.tolist()
    assert table[table["run"] == "a"]["val_loss"].isna().all()


def test_a_table_is_sent_during_a_run(running: LRFinderWidget, messages: list[dict[str, Any]]) -> None:
    """Of the runs that are kept; the one that grows comes at its end."""
    running.add(records(), name="kept")
    messages.clear()
    sent: list[Any] = []
    running.send = sent.append
    click(running, "csv")
    [text] = [content["csv"] for content in sent if "csv" in content]
    assert set(pandas.read_csv(io.StringIO(text))["run"]) == {"kept"}


# --- chart -----------------------------------------------------------------------------------------------------------


def test_a_part_of_the_chart_is_shown_until_all_is_asked_for(from_records: Any) -> None:
    """The browser may then reset it; the next records leave the window as it is."""
    widget = from_records(records())
    whole = (smoothed_curve(widget).scales["x"].min, smoothed_curve(widget).scales["x"].max)
    click(widget, "zoom", value=[1e-3, 1e-1, 1.0, 2.0])
    scales = smoothed_curve(widget).scales
    assert (scales["x"].min, scales["x"].max, scales["y"].min, scales["y"].max) == (1e-3, 1e-1, 1.0, 2.0)
    assert widget.chart_state["is_zoomed"]
    widget.add(records(1e-3))
    assert widget.chart_state["is_zoomed"]
    click(widget, "zoom", value=None)
    assert (scales["x"].min, scales["x"].max) == whole
    assert not widget.chart_state["is_zoomed"]


def test_a_new_run_shows_all_of_itself(make_widget: Make) -> None:
    """A window is on the curve that was there."""
    widget = make_widget(num_steps=20)
    widget.run()
    click(widget, "zoom", value=[1e-3, 1e-1, 0.0, 2.0])
    assert widget.chart_state["is_zoomed"]
    widget.run()
    assert not widget.chart_state["is_zoomed"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1e-1, 1e-3, 1.0, 2.0], "must not be empty"),
        ([1e-3, 1e-1, 2.0, 2.0], "must not be empty"),
        ([20.0, 30.0, 1.0, 2.0], "must lie on the chart"),
        ([1e-3, 1e-1, 1e6, 1e7], "must lie on the chart"),
        ([1e-3, float("inf"), 1.0, 2.0], "must be finite"),
        ([1e-3, 1e-1], "has four limits"),
        ("all", "has four limits"),
    ],
)
def test_a_window_that_shows_nothing_is_refused_in_words(from_records: Any, value: Any, message: str) -> None:
    """The chart stays as it is."""
    widget = from_records(records())
    before = [scale.min for scale in smoothed_curve(widget).scales.values()]
    click(widget, "zoom", value=value)
    assert (widget.view_state["note"]["kind"], message in note(widget)) == ("warning", True), note(widget)
    assert not widget.chart_state["is_zoomed"]
    assert [scale.min for scale in smoothed_curve(widget).scales.values()] == before


def test_the_loss_axis_is_kept_across_runs(make_widget: Make) -> None:
    """Its scale and its limits; an empty field gives the limit back to the chart."""
    widget = make_widget(num_steps=20, loss_max=5.0)
    click(widget, "set", name="loss_scale", value="log")
    click(widget, "set", name="loss_min", value="0,25")
    for _ in range(2):
        widget.run()
        axis = smoothed_curve(widget).scales["y"]
        assert (type(axis).__name__, axis.min, axis.max) == ("LogScale", 0.25, 5.0)
    click(widget, "set", name="loss_min", value="")
    click(widget, "set", name="loss_max", value="")
    axis = smoothed_curve(widget).scales["y"]
    assert (widget.loss_min, widget.loss_max) == (None, None)
    assert (axis.min, axis.max) != (0.25, 5.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss_min", "5", '"from" must be below "to", got 5 and 5; change one of them. It stays 0.'),
        ("loss_max", "-1", '"from" must be below "to", got 0 and -1; change one of them. It stays 5.'),
        ("loss_max", "high", "\"to\" must be a number, got 'high'; type one like 5. It stays 5."),
        ("loss_max", "inf", '"to" must be finite, got inf; give a number like 2.5. It stays 5.'),
        ("loss_scale", "cubic", "It stays 'linear'."),
        ("suggest_from", "accuracy", "It stays 'loss'."),
    ],
)
def test_wrong_limits_are_refused_in_words(make_widget: Make, name: str, value: str, message: str) -> None:
    """The axis stays as it was."""
    widget = make_widget(num_steps=20, loss_min=0, loss_max=5)
    widget.run()
    click(widget, "set", name=name, value=value)
    assert note(widget).endswith(message)
    assert (widget.view_state["refused"], widget.loss_min, widget.loss_max) == (name, 0.0, 5.0)
    axis = smoothed_curve(widget).scales["y"]
    assert (axis.min, axis.max) == (0.0, 5.0)


def test_the_validation_loss_can_be_read_where_there_is_one(make_widget: Make, training: Training) -> None:
    """It is drawn, named in the legend and offered; the suggestion is then that of the records."""
    val_data = [tuple(part[:32] for part in training.data)]
    widget = make_widget(num_steps=40, val_data=val_data)
    assert not widget.chart_state["has_validation"]
    found = widget.run()
    assert widget.chart_state["has_validation"]
    assert "validation" in [entry["kind"] for entry in widget.chart_state["legend"]]
    click(widget, "set", name="suggest_from", value="val_loss")
    assert widget.suggestion == found.suggest(of="val_loss")
    assert widget.answer["reason"].startswith("By the validation loss: ")
    assert widget.run().val_loss is not None
    assert widget.suggestion == widget.records.suggest(of="val_loss")


def test_the_validation_loss_of_a_hidden_run_can_be_read(from_records: Any) -> None:
    """The rate is read off the records, which are there, drawn or not."""
    given = records(val_loss=records(1e-4).loss)
    widget = from_records(given)
    widget.hide(0)
    assert widget.chart_state["has_validation"]
    click(widget, "set", name="suggest_from", value="val_loss")
    assert widget.suggestion == given.suggest(of="val_loss")


def test_without_validation_data_there_is_nothing_to_read(make_widget: Make) -> None:
    """The reason says so, and one button brings the training loss back."""
    with pytest.raises(ValueError, match='suggest_from="val_loss" needs validation losses, got no val_data; give some'):
        make_widget(num_steps=60, suggest_from="val_loss")
    widget = make_widget(num_steps=60)
    widget.suggest_from = "val_loss"
    found = widget.run()
    assert (widget.suggestion.lr, widget.answer["is_missing"]) == (None, True)
    assert "no validation losses" in widget.answer["reason"]
    assert "Read the training loss" in widget.answer["advice"]
    click(widget, "follow", value="Read the training loss")
    assert (widget.suggest_from, widget.suggestion) == ("loss", found.suggest())
    assert len(widget.history) == 1


# --- from scripts, and closed ----------------------------------------------------------------------------------------


def test_the_records_of_scripts_meet_in_a_widget(from_records: Any) -> None:
    """As `range_test` returns them."""
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = (torch.randn(64, 4), torch.randint(0, 2, (64,)))
    given = (model, optimizer, nn.functional.cross_entropy, data)
    found = {
        f"batch {size}": range_test(*given, num_steps=20, dataloader_options={"batch_size": size}, progress=False)
        for size in (16, 32)
    }
    widget = from_records(found)
    assert widget.history == tuple(found.values())
    with pytest.raises(NotebookError, match="has no model to run"):
        widget.run()


def test_a_closed_widget_on_records_keeps_its_runs(from_records: Any) -> None:
    """Its records stay to be read; to change its runs is refused in words."""
    widget = from_records({"a": records(1e-3), "b": records(1e-2)})
    widget.close()
    widget.close()
    for change in (lambda: widget.add(records(1e-1)), lambda: widget.hide("a"), lambda: widget.remove("b")):
        with pytest.raises(NotebookError, match="this widget is closed"):
            change()
    assert widget.names == ("a", "b")
    assert repr(widget) == "LRFinderWidget(closed)"
