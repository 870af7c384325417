"""The training that the rate is for, set in the widget: what it changes at once, and what stays."""

from __future__ import annotations

import base64
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets

from lr_widget import LRFinderWidget, range_test
from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.schedule import rate_text
from lr_widget.widget.chart.look import SUGGESTION

from .helpers import Make, Training, click, note, wait_until
from .marks import vertical_lines

TOO_LONG = 10**9  # steps at a constant rate, of which a test of 100 steps says nothing


def curve(training: Training) -> None:
    """Give the next test a loss that falls until 1e-2 and explodes from 0.3 on, whatever the model does."""
    rates = np.logspace(-7, 1, 101)[1:]
    losses = 2 - 1 / (1 + (1e-2 / rates) ** 2) + (rates / 0.3) ** 4
    training.losses = lambda call: float(losses[(call - 1) % 100])


@pytest.fixture
def finished(make_widget: Make, training: Training) -> LRFinderWidget:
    """A widget after a run of 100 steps, with a suggestion."""
    curve(training)
    widget = make_widget()
    widget.run()
    assert widget.suggestion.lr is not None
    return widget


def marked_range(widget: LRFinderWidget) -> list[float]:
    """The ends of the shaded range of good rates."""
    shaded = next(mark for mark in widget.figure.marks if mark.colors == [SUGGESTION.key] * 2)
    return sorted({float(end) for end in np.asarray(shaded.x)})


def picture(html: str) -> str:
    """The stored picture of the chart."""
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert found is not None
    return base64.b64decode(found[1]).decode()


def test_another_training_changes_the_suggestion_everywhere_without_a_run(
    finished: LRFinderWidget, training: Training, tmp_path: Path
) -> None:
    """Trait, line and range on the chart, words, chip, script, stored result and page; records and history stay."""
    calls, records, before = training.calls, finished.records, finished.suggestion
    finished.train_steps = 5000
    expected = records.suggest(train_steps=5000)
    assert expected.lr < before.lr
    assert (finished.suggestion, finished.selected_lr) == (expected, expected.lr)
    assert vertical_lines(finished) == [expected.lr]
    assert marked_range(finished) == [expected.low, expected.high]
    answer, rate = finished.answer, rate_text(expected.lr)
    assert (answer["lr"], answer["reason"]) == (rate, expected.reason)
    assert "a training of 5,000 steps at a constant rate" in expected.reason
    assert answer["rules"][0] == {"name": "auto", "lr": rate, "reason": expected.reason}
    assert f"\nlr = {rate}  # float(records.suggest())" in answer["code"]
    stored = finished.screen.pages.stored()
    assert f"suggested lr = {rate}" in stored["text/plain"]
    assert f"Suggested learning rate: {rate}" in stored["text/html"]
    assert f"suggested {rate}" in picture(stored["text/html"])
    finished.to_html(tmp_path / "a.html")
    assert f"<td>auto</td><td>{rate}</td>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    finished.train_schedule = "cosine"
    assert finished.suggestion == records.suggest(train_steps=5000, train_schedule="cosine")
    finished.train_steps, finished.train_schedule = None, "constant"
    assert (finished.suggestion.lr, vertical_lines(finished)) == (before.lr, [before.lr])
    assert (training.calls, finished.records, finished.history) == (calls, records, (records,))
    assert finished.status == "finished"


def test_the_notebook_keeps_the_suggestion_for_another_training(
    finished: LRFinderWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored output is updated in place, as after a pick."""
    kept: list[dict[str, str]] = []
    monkeypatch.setattr("lr_widget.widget.kernel.output.Outputs.update", lambda self, data: kept.append(data))
    click(finished, "set", name="train_steps", value="5,000")
    assert f"Suggested learning rate: {rate_text(finished.suggestion.lr)}" in kept[-1]["text/html"]


def test_the_length_is_typed_in_any_way_and_may_be_left_out(finished: LRFinderWidget) -> None:
    """An empty field is a length that was not said, also where the run was asked for one."""
    for typed, steps in (("5,000", 5000), ("5e3", 5000), ("", None), ("20000", 20_000)):
        click(finished, "set", name="train_steps", value=typed)
        assert (finished.train_steps, type(finished.train_steps)) == (steps, type(steps))
    records = finished.run()
    assert (records.train_steps, finished.suggestion) == (20_000, records.suggest())
    click(finished, "set", name="train_steps", value="")
    assert "20,000" not in finished.suggestion.reason


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_steps", "0", '"your training" must be at least 1, got 0; 1000 is usual. It stays 5,000.'),
        ("train_steps", "-5,000", '"your training" must be at least 1, got -5000; 1000 is usual. It stays 5,000.'),
        (
            "train_steps",
            "many",
            "\"your training\" must be a whole number, got 'many'; type one like 5,000. It stays 5,000.",
        ),
        (
            "train_steps",
            True,
            '"your training" must be an integer, got True of type bool; 1000 is usual. It stays 5,000.',
        ),
        (
            "train_steps",
            [1],
            '"your training" must be an integer, got a list of length 1; 1000 is usual. It stays 5,000.',
        ),
        ("train_schedule", "", "got ''; give the one that is most like yours. It stays 'cosine'."),
        ("train_schedule", "step", "got 'step'; give the one that is most like yours. It stays 'cosine'."),
        ("train_schedule", None, "got None of type NoneType; give its name. It stays 'cosine'."),
    ],
)
def test_a_wrong_training_is_refused_with_a_message(make_widget: Make, name: str, value: Any, message: str) -> None:
    """From the browser as a command and as a trait; the old value stays."""
    widget = make_widget(train_steps=5000, train_schedule="cosine")
    click(widget, "set", name=name, value=value)
    assert note(widget).endswith(message)
    assert widget.view_state["note"]["kind"] == "warning"
    widget.screen.talk.say("info", "")
    widget.set_state({name: value})
    assert note(widget).endswith(message)
    assert (widget.train_steps, widget.train_schedule) == (5000, "cosine")


@pytest.mark.parametrize("name", ["train_steps", "train_schedule"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "5000", True, [5000], "Cosine", {}])
def test_python_gets_the_error_of_the_engine(training: Training, make_widget: Make, name: str, value: Any) -> None:
    """The same sentence from the trait, the constructor and `range_test`."""
    widget = make_widget()
    before = getattr(widget, name)
    with pytest.raises(traitlets.TraitError, match=f"{name} must be") as from_trait:
        setattr(widget, name, value)
    given = (training.model, training.optimizer, training.loss_fn(), training.data)
    for make in (LRFinderWidget, range_test):
        with pytest.raises((TypeError, ValueError), match=f"{name} must be") as from_engine:
            make(*given, **{name: value})
        assert str(from_engine.value) == str(from_trait.value)
    assert getattr(widget, name) == before


def test_the_constructor_takes_the_training_and_the_run_puts_it_on_record(
    make_widget: Make, training: Training
) -> None:
    """The suggestion at the end of the first run is for it."""
    curve(training)
    widget = make_widget(train_steps=5000, train_schedule="one_cycle")
    assert (widget.train_steps, widget.train_schedule) == (5000, "one_cycle")
    assert "suggests a rate for a training of 5,000 steps in one cycle." in widget.answer["reason"]
    records = widget.run()
    assert (records.train_steps, records.train_schedule) == (5000, "one_cycle")
    assert widget.suggestion == records.suggest()
    assert "a training of 5,000 steps in one cycle" in widget.suggestion.reason


@pytest.mark.parametrize("schedule", TRAIN_SCHEDULES)
def test_every_schedule_can_be_chosen(make_widget: Make, schedule: str) -> None:
    """Its words are in the sentence about the run."""
    widget = make_widget(train_steps=10)
    click(widget, "set", name="train_schedule", value=schedule)
    assert widget.train_schedule == schedule
    assert widget.horizon.words in widget.answer["reason"]


def test_the_training_can_be_changed_during_a_run(make_widget: Make, training: Training) -> None:
    """Nothing is marked on the growing curve; at its end, the suggestion is for the training that is set then."""
    curve(training)
    widget = make_widget()
    widget.run()
    training.calls, training.may_step = 0, threading.Semaphore(3)
    widget.start()
    wait_until(lambda: training.calls == 4)
    click(widget, "set", name="train_steps", value="5000")
    assert widget.suggestion == widget.records.suggest(train_steps=5000)
    assert vertical_lines(widget) == []
    assert widget.status == "running"
    training.may_step.release(1000)
    assert widget.wait(20)
    training.may_step = None
    assert (widget.records.train_steps, widget.suggestion) == (None, widget.records.suggest(train_steps=5000))
    assert vertical_lines(widget) == [widget.suggestion.lr]


def test_a_pick_and_another_rule_stay_as_they_are(finished: LRFinderWidget) -> None:
    """Only auto answers for a training."""
    finished.rule = "steepest"
    steepest = finished.suggestion
    finished.train_steps = 5000
    assert finished.suggestion == steepest
    finished.selected_lr = 2e-3
    finished.train_steps = 50_000
    assert (finished.selected_lr, finished.answer["is_picked"]) == (2e-3, True)


def test_a_training_too_long_for_the_test_has_no_rate_but_can_be_probed(
    finished: LRFinderWidget, training: Training
) -> None:
    """The reason stands in the rate's place and nothing is marked; Probe starts from the curve's own rate."""
    own = finished.suggestion.lr
    finished.train_steps = TOO_LONG
    assert (finished.suggestion.lr, finished.selected_lr) == (None, None)
    answer = finished.answer
    assert (answer["lr"], answer["range"], answer["is_missing"]) == ("", "", True)
    assert "not known from a test this short" in answer["reason"]
    assert answer["rules"][0]["lr"] == "none"
    assert (vertical_lines(finished), marked_range(finished)) == ([], [])
    assert finished.view_state["can"] == ["start", "set", "pick", "probe", "zoom", "csv"]
    assert f"around {rate_text(own)}" in answer["plan"]
    stored = finished.screen.pages.stored()
    assert "No rate is suggested: The rate for a training of 1,000,000,000 steps" in stored["text/html"]
    assert "suggested" not in picture(stored["text/html"])
    training.losses = None
    finished.max_probe_steps = 32
    click(finished, "probe")
    assert finished.wait(20)
    assert finished.evidence.suggested == own
    assert finished.rule == "probe"


def test_the_plan_of_the_probes_follows_rate_budget_and_training(make_widget: Make) -> None:
    """It is there before the first run, and a number that is typed in changes it at once."""
    widget = make_widget()
    assert widget.answer["plan"].startswith("Up to 300 steps around a picked or suggested rate: trainings of 75 ")
    click(widget, "set", name="selected_lr", value="2e-3")
    assert "around 2e-3" in widget.answer["plan"]
    click(widget, "set", name="max_probe_steps", value="1,200")
    assert widget.answer["plan"].startswith("Up to 1,200 steps")
    assert "of 75 steps at a constant rate, then of 300 steps at a constant rate." in widget.answer["plan"]
    click(widget, "set", name="train_schedule", value="cosine")
    assert "then of 300 steps with a cosine schedule." in widget.answer["plan"]
    click(widget, "set", name="train_steps", value="60")
    assert widget.answer["plan"].endswith("Yours is no longer than that.")


def test_the_suggestion_of_probes_is_for_the_training_that_is_set(make_widget: Make, training: Training) -> None:
    """One that is set during the probes counts at their end, and a later one changes the suggestion at once."""
    widget = make_widget(num_steps=20, max_probe_steps=40, train_steps=500)
    widget.run()
    calls, training.may_step = training.calls, threading.Semaphore(3)
    widget.start_probe()
    wait_until(lambda: training.calls == calls + 4)
    widget.train_steps = 600
    training.may_step.release(1000)
    assert widget.wait(20)
    training.may_step = None
    assert widget.rule == "probe"
    for steps in (600, 2000):
        widget.train_steps = steps
        assert widget.suggestion == widget.evidence.suggest(train_steps=steps)
        assert widget.answer["reason"] == widget.suggestion.reason
        assert widget.suggestion.reason.split(";")[-1] in widget.screen.pages.stored()["text/html"]


def test_the_script_gives_the_suggestion_of_the_widget(finished: LRFinderWidget, training: Training) -> None:
    """It names the training, in numbers and names as Python reads them; a length that was not said is left out."""
    assert "train_s" not in finished.answer["code"].replace("train_data", "")
    finished.train_steps, finished.train_schedule = 5000, "linear_with_warmup"
    code = finished.answer["code"]
    assert '    train_steps=5000,\n    train_schedule="linear_with_warmup",\n' in code
    training.calls = 0
    names = {
        "model": training.model,
        "optimizer": training.optimizer,
        "loss_fn": training.loss_fn(),
        "train_data": training.data,
    }
    exec(code, names)
    assert names["records"].suggest() == finished.suggestion


def test_probes_train_in_the_schedule_that_is_set_now(make_widget: Make) -> None:
    """Not in that of the constructor; and the explanation follows their rounds."""
    widget = make_widget(max_probe_steps=128)
    widget.selected_lr, widget.train_steps, widget.train_schedule = 1e-3, 5000, "cosine"
    evidence = widget.probe()
    assert evidence.horizon == Horizon(5000, "cosine")
