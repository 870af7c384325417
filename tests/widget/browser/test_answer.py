"""The answer: the rate, large, or why there is none and how to get one; the code that gives it again."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget import LRFinderWidget, LRRecords, NotebookError, Suggestion
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep, rate_text
from lr_widget.widget.browser import Answers
from lr_widget.widget.choice import Advice, Selection
from lr_widget.widget.results import Results

from ..helpers import Make, Training, click, let_steps, note

SUGGESTED = Suggestion(3.2e-3, "auto", "Steepest fall.", low=1.1e-3, high=6e-3, confidence="high")
NONE = Suggestion(None, "steepest", "No fall.")
SWEEP = Sweep(1e-7, 10.0, 100)


class WithModel:
    """The arguments of a widget with a model."""

    can_run = True
    receiver = "trainer"

    def script(self, choice: Any, **given: Any) -> str:
        return f"{given['variable']} = {choice.lr}"


class Without:
    """The arguments of a widget that only shows records."""

    can_run = False
    receiver = "optimizer"

    def script(self, choice: Any, **given: Any) -> str:
        return f"{given['variable']} = {choice.lr}, whatever it is from"


def answers(selection: Selection, arguments: Any = None, **settings: Any) -> Answers:
    """The answers of a widget with its first settings, but for those given."""
    owner = SimpleNamespace(
        sweep=SWEEP,
        start_lr=1e-7,
        end_lr=10.0,
        num_steps=100,
        repeats=1,
        max_probe_steps=300,
        suggest_from="loss",
        horizon=selection.horizon,
        variable="lr",
        records=None,
        evidence=None,
    )
    vars(owner).update(settings)
    results = Results(owner, selection.horizon)
    results.selection = selection
    return Answers(owner, arguments or WithModel(), results)


def answer(selection: Selection, arguments: Any = None, run: Any = None, **settings: Any) -> dict[str, Any]:
    """What is answered."""
    return dict(answers(selection, arguments, **settings).make(run, None))


def test_before_the_first_run_it_announces_one() -> None:
    """There is no rate, and none is missing."""
    assert answer(Selection(), repeats=2) == {
        "lr": "",
        "range": "",
        "confidence": "",
        "purpose": "",
        "reason": "Run trains 2 times for 100 steps while the rate grows from 1e-7 to 10, "
        "then puts the model back as it was and suggests a rate.",
        "is_missing": False,
        "advice": [],
        "plan": answer(Selection())["plan"],
        "rules": [],
        "selected": "",
        "is_picked": False,
        "receiver": "trainer",
        "code": "",
    }
    assert answer(Selection())["plan"].startswith("Up to 300 steps around a picked or suggested rate: trainings of 75 ")


def test_the_training_that_the_rate_is_for_is_announced_before_the_first_run() -> None:
    """Once its length is known."""
    reason = answer(Selection(horizon=Horizon(5000, "cosine")))["reason"]
    assert reason.endswith(" suggests a rate for a training of 5,000 steps with a cosine schedule.")
    assert answer(Selection(horizon=Horizon(None, "cosine")))["reason"].endswith("a rate.")


def test_records_alone_announce_no_run() -> None:
    """There is nothing to run, so nothing offers it."""
    shown = answers(Selection(), Without())
    assert shown.make(None, None)["reason"] == "These are records without a model: there is nothing to run."
    assert shown.possible() == ["pick"]


def test_a_suggestion_is_shown_with_its_range_and_its_rivals() -> None:
    """Rate, range, confidence and purpose apart; a rule without a rate says none."""
    selection = Selection({"auto": SUGGESTED, "steepest": NONE}, horizon=Horizon(5000))
    shown = answer(selection)
    parts = [shown[name] for name in ("lr", "range", "confidence", "purpose", "reason", "is_missing")]
    assert parts == [
        "3.2e-3",
        "1.1e-3 … 6e-3",
        "high confidence",
        "for a training of 5,000 steps at a constant rate",
        "Steepest fall.",
        False,
    ]
    assert shown["rules"] == [
        {"name": "auto", "lr": "3.2e-3", "reason": "Steepest fall."},
        {"name": "steepest", "lr": "none", "reason": "No fall."},
    ]
    assert (shown["selected"], shown["is_picked"], shown["code"]) == ("3.2e-3", False, "lr = 0.0032")
    assert "around 3.2e-3" in shown["plan"]
    assert answers(selection).possible() == ["start", "set", "pick", "probe", "copy", "apply", "code"]
    assert answers(selection, Without()).possible() == ["pick", "copy", "code"]


def test_a_rule_without_a_rate_shows_its_reason() -> None:
    """Nothing is selected, so there is nothing to copy or apply; where the curve has a rate, probes can go around it."""
    selection = Selection({"auto": SUGGESTED, "steepest": NONE}, rule="steepest")
    shown = answer(selection)
    assert [shown[name] for name in ("lr", "range", "confidence", "purpose", "selected", "code")] == [""] * 6
    assert (shown["reason"], shown["is_missing"]) == ("No fall.", True)
    assert answers(selection).possible() == ["start", "set", "pick"]
    selection = Selection({"auto": NONE}, as_read={"auto": 3.2e-3})
    assert answers(selection).possible() == ["start", "set", "pick", "probe"]


def test_a_pick_is_selected_and_can_be_cleared() -> None:
    """The suggestion is shown beside it, and the pick has all its digits."""
    selection = Selection({"auto": SUGGESTED}, pick=0.02345)
    shown = answer(selection)
    assert (shown["selected"], shown["is_picked"], shown["lr"]) == ("0.02345", True, "3.2e-3")
    assert answers(selection).possible() == ["start", "set", "pick", "probe", "copy", "apply", "code", "clear"]


def test_while_a_run_goes_on_it_is_waited_for() -> None:
    """The old suggestion is no answer to the new run, and nothing is offered; its code would be of a test that is not on the chart."""
    run = SimpleNamespace(job=SimpleNamespace(waiting="Wait for the end."))
    shown = answer(Selection({"auto": SUGGESTED, "steepest": NONE}), run=run)
    assert [shown[name] for name in ("lr", "range", "confidence", "purpose")] == [""] * 4
    assert (shown["reason"], shown["is_missing"], shown["advice"]) == ("Wait for the end.", False, [])
    assert shown["code"] == ""


def test_a_suggestion_of_an_earlier_run_says_so() -> None:
    """After a run that failed, it is still on the screen."""
    selection = Selection({"auto": SUGGESTED}, earlier={"auto"})
    assert answer(selection)["reason"] == "This is the suggestion of an earlier run. Steepest fall."


# A loss that falls until the end of the sweep: a higher end would show more.
FALLING = LRRecords(
    1e-7 * 1e4 ** (np.arange(1, 101) / 100), np.linspace(3.0, 2.9, 100), start_lr=1e-7, end_lr=1e-3, num_steps=100
)


# A loss with a lowest place: its rate is known.
FALLING_AND_RISING = LRRecords(
    10.0 ** np.linspace(-7, 1, 100),
    2 - 1 / (1 + (1e-2 / 10.0 ** np.linspace(-7, 1, 100)) ** 2) + (10.0 ** np.linspace(-7, 1, 100) / 0.3) ** 4,
)


def test_the_ways_on_are_those_that_were_shown_last() -> None:
    """A click that comes after they have changed is refused."""
    selection = Selection()
    selection.take_records(FALLING)
    shown = answers(selection, records=FALLING, end_lr=1e-3)
    labels = shown.make(None, None)["advice"]
    assert labels[0] == "Extend end to 10 and run"
    assert shown.find_advice(labels[0]).changes == {"end_lr": 10.0}
    shown.make(SimpleNamespace(job=SimpleNamespace(waiting="Wait.")), None)
    for label in (labels[0], "", None, [labels[0]]):
        with pytest.raises(ValueError, match=r"^this advice is not offered any more, so nothing was done; choose one"):
            shown.find_advice(label)


def test_probes_are_a_way_on_where_there_is_a_rate_to_start_from() -> None:
    """As behind a curve that is too short for the training; a curve of two points gives none."""
    far = Selection(horizon=Horizon(100_000))
    far.take_records(FALLING_AND_RISING)
    assert (far.lr, far.to_probe is None) == (None, False)
    assert "Probe instead" in answer(far, records=FALLING_AND_RISING, max_probe_steps=300_000)["advice"]
    tiny = LRRecords([1e-3, 1e-2], [2.0, 3.0])
    lost = Selection()
    lost.take_records(tiny)
    assert (lost.lr, lost.to_probe) == (None, None)
    shown = answer(lost, records=tiny, max_probe_steps=300_000, num_steps=10)["advice"]
    assert shown == ["Use 100 steps and run"]


def test_records_alone_have_no_way_on() -> None:
    """There is no model to go it with."""
    selection = Selection()
    selection.take_records(FALLING)
    assert answers(selection, Without(), records=FALLING).make(None, None)["advice"] == []


# --- in a widget -----------------------------------------------------------------------------------------------------


@pytest.fixture
def short(make_widget: Make, training: Training) -> LRFinderWidget:
    """A widget whose run has ended before the loss turned up."""
    training.losses = lambda call: 3.0 - 0.001 * call
    widget = make_widget(num_steps=60, end_lr=1e-3)
    widget.run()
    assert widget.answer["advice"][0] == "Extend end to 10 and run"
    return widget


def test_the_run_is_named_where_there_are_several(make_widget: Make) -> None:
    """A single run needs no name."""
    widget = make_widget(num_steps=40)
    widget.run()
    assert widget.answer["purpose"] == "for a training about as long as the test, at a constant rate"
    widget.add(FALLING_AND_RISING, name="yesterday")
    assert widget.answer["purpose"].startswith(f'of the run "{widget.names[0]}", for a training ')


def test_an_advice_changes_the_settings_and_runs(short: LRFinderWidget) -> None:
    """From the click to the new records, with the other settings as they were."""
    click(short, "follow", value="Extend end to 10 and run")
    assert short.wait(30)
    assert (short.end_lr, short.records.end_lr, short.num_steps, len(short.history)) == (10.0, 10.0, 60, 2)


def test_an_advice_that_is_not_offered_any_more_is_refused(short: LRFinderWidget, training: Training) -> None:
    """During a run, and after it."""
    training.may_step = threading.Semaphore(0)
    short.start()
    click(short, "follow", value="Extend end to 10 and run")
    assert (short.end_lr, short.view_state["note"]["kind"]) == (1e-3, "warning")
    assert note(short).startswith("This advice is not offered any more")
    let_steps(training, 100)
    assert short.wait(20)
    click(short, "follow", value="Extend end to 11 and run")
    assert (short.end_lr, len(short.history)) == (1e-3, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_steps": 300, "end_lr": -1.0},
        {"end_lr": 0.5, "start_lr": 0.5},
        {"start_lr": 1e-5, "num_steps": 1},
        {"loss_min": 2.0, "loss_max": 1.0},
    ],
)
def test_an_advice_of_which_a_part_is_refused_changes_nothing(
    short: LRFinderWidget, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Neither the widget nor what the browser shows."""
    before = {name: getattr(short, name) for name in (*changes, "sweep", "answer", "chart_state")}
    monkeypatch.setattr(short.screen.answers, "find_advice", lambda label: Advice("Do it", changes))
    click(short, "follow", value="Do it")
    assert {name: getattr(short, name) for name in before} == before
    assert (short.view_state["note"]["kind"], len(short.history)) == ("warning", 1)
    short.num_steps = 70
    assert short.sweep == Sweep(before["sweep"].start_lr, before["sweep"].end_lr, 70)


def test_bounds_of_an_advice_are_set_together(short: LRFinderWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, they would make no sweep."""
    advice = Advice("Do it", {"start_lr": 1.0, "end_lr": 100.0}, "none")
    monkeypatch.setattr(short.screen.answers, "find_advice", lambda label: advice)
    click(short, "follow", value="Do it")
    assert (short.sweep, len(short.history)) == (Sweep(1.0, 100.0, 60), 1)


def test_records_alone_refuse_everything_that_needs_a_model() -> None:
    """In words, on the screen and in Python; the rest works."""
    widget = LRFinderWidget.from_records(FALLING)
    widget.selected_lr = 1e-3
    for command in ("start", "probe"):
        click(widget, command)
        assert note(widget).startswith("This widget shows records and has no model to run; "), command
    click(widget, "apply")
    assert note(widget) == "This widget shows records only and has no optimizer; copy the rate instead."
    for method in (widget.run, widget.start, widget.probe, widget.start_probe):
        with pytest.raises(NotebookError, match="this widget shows records and has no model to run; for that, make"):
            method()
    with pytest.raises(NotebookError, match="has no optimizer"):
        widget.apply()
    assert (widget.status, widget.view_state["failure"]) == ("idle", None)
    assert widget.view_state["can"] == ["pick", "copy", "code", "clear", "zoom", "csv"]
    assert widget.answer["code"] == "lr = 1e-3\n"
    widget.close()


def test_the_code_names_the_variables_of_the_notebook(
    make_widget: Make, training: Training, notebook: dict[str, Any]
) -> None:
    """So that it runs in that notebook as it is."""
    notebook.update(net=training.model, adam=training.optimizer, pairs=training.data, torch=torch)
    widget = make_widget(num_steps=10)
    widget.selected_lr = 0.01
    assert "net, adam, loss_fn, pairs," in widget.answer["code"]
    assert f"lr = {rate_text(0.01)}  # picked" in widget.answer["code"]


def test_the_code_of_probes_is_of_those_that_were_made(make_widget: Make, training: Training) -> None:
    """Their budget and their training may be set to others since; the line of the rate names the training of now."""
    widget = make_widget(num_steps=30, max_probe_steps=40)
    widget.run()
    widget.probe()
    widget.max_probe_steps, widget.train_steps, widget.train_schedule = 5000, 60, "cosine"
    assert widget.rule == "probe"
    code = widget.answer["code"]
    probes = code.partition(" = probe(\n")[2].partition(")\n")[0]
    assert "max_steps=40," in probes
    assert "train_s" not in probes
    given = {"model": training.model, "optimizer": training.optimizer, "train_data": training.data}
    names = {**given, "loss_fn": training.loss_fn()}
    exec(code, names)
    origin = code.partition("# float(")[2].partition(") in two digits")[0]
    assert eval(origin, names) == widget.suggestion


def test_the_code_of_a_rate_of_elsewhere_makes_no_test(make_widget: Make) -> None:
    """It says of which run the rate is, until there is one of this model; a pick is the user's own."""
    widget = make_widget(num_steps=30)
    widget.add(FALLING_AND_RISING, name="other model")
    code = widget.answer["code"]
    assert "range_test" not in code
    assert f"\nlr = {rate_text(widget.suggestion.lr)}  # " in code
    assert "other model" in code
    widget.selected_lr = 0.01
    assert "num_steps=30," in widget.answer["code"]
    assert "lr = 0.01  # picked" in widget.answer["code"]
    widget.run()
    assert " = range_test(\n" in widget.answer["code"]
    assert "other model" not in widget.answer["code"]


def test_the_code_is_that_of_the_test_whose_rate_it_has(make_widget: Make) -> None:
    """Settings that were changed since are for the next run; before the first one, they are all there is."""
    widget = make_widget(num_steps=10, end_lr=1.0)
    widget.selected_lr = 0.01
    widget.num_steps = 20
    assert "end_lr=1.0, num_steps=20" in widget.answer["code"]
    widget.run()
    widget.selected_lr = 0.01
    widget.num_steps, widget.end_lr, widget.repeats = 30, 2.0, 3
    assert "end_lr=1.0, num_steps=20," in widget.answer["code"]
    assert "repeats" not in widget.answer["code"]
