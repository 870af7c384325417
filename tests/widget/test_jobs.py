"""Probes and repeats in the widget, as Python code and as a browser sees them."""

from __future__ import annotations

import threading
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


def dots(widget: LRFinderWidget) -> dict[str, Any]:
    """The marks of the probes: circles for those that got to their end, crosses for the others."""
    return {mark.marker: mark for mark in widget.figure.marks if hasattr(mark, "marker")}


def band(widget: LRFinderWidget) -> Any:
    """The shaded area between the repeats."""
    return next(mark for mark in widget.figure.marks if getattr(mark, "fill", "") == "between")


def test_the_outcome_of_probes_becomes_the_suggestion(make_widget: Make, training: Training) -> None:
    """With its rule, its chip, its dots and its reason; the model is as before."""
    before = training.state()
    widget = make_widget(num_steps=40, max_probe_steps=64)
    widget.run()
    began = widget.selected_lr
    evidence = widget.probe()
    assert training.state() == before
    assert evidence.runs == widget.evidence.runs
    assert evidence.suggested == began
    assert evidence.records is widget.records
    assert evidence.num_steps <= 64
    assert widget.rule == "probe"
    assert widget.suggestion == evidence.suggestion
    assert widget.selected_lr == evidence.suggestion.lr
    assert [rule["name"] for rule in widget.view_state["rules"]][-1] == "probe"
    assert widget.view_state["suggestion"]["reason"] == evidence.suggestion.reason
    assert f"{evidence.suggestion.confidence} confidence" in widget.view_state["suggestion"]["range"]
    assert note(widget).startswith(f"Probed: {evidence.num_steps} steps at {len(evidence.runs)} rates in ")
    ended = sorted(run.lr for run in evidence.runs if run.is_complete)
    assert sorted(np.asarray(dots(widget)["circle"].x)) == pytest.approx(ended)
    assert len(np.asarray(dots(widget)["cross"].x)) == len(evidence.runs) - len(ended)


def test_probing_from_the_browser_and_stopping_it(make_widget: Make, training: Training) -> None:
    """It runs in the background, is steered like a test, and keeps what it has found."""
    before = training.state()
    widget = make_widget(num_steps=20, max_probe_steps=80)
    widget.run()
    calls = training.calls
    training.may_step = threading.Semaphore(25)
    click(widget, "probe")
    wait_until(lambda: training.calls == calls + 26)
    assert widget.status == "running"
    assert widget.view_state["suggestion"]["reason"].startswith("Short trainings from the same state")
    click(widget, "stop", run_id=widget.view_state["run_id"])
    training.may_step.release(1000)
    assert widget.wait(20)
    training.may_step = None
    assert (widget.status, widget.rule) == ("finished", "probe")
    assert [run.loss.size for run in widget.evidence.runs] == [20, 6]
    assert widget.evidence.runs[1].stop_reason == "interrupted"
    assert note(widget).startswith("Stopped probing: 26 steps at 2 rates in ")
    assert training.state() == before


def test_probes_go_around_the_pick_and_take_its_place(make_widget: Make) -> None:
    """Whoever asks around their own rate wants the outcome."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    click(widget, "set", name="selected_lr", value="2e-3")
    evidence = widget.probe()
    assert evidence.suggested == 2e-3
    assert widget.selected_lr == evidence.suggestion.lr
    assert widget.view_state["is_picked"] is False


def test_without_a_rate_there_is_nothing_to_probe(make_widget: Make) -> None:
    """From Python an error; in the browser the button is off, and a message that comes all the same is answered."""
    widget = make_widget()
    assert "probe" not in widget.view_state["can"]
    with pytest.raises(NotebookError, match="no rate to probe around yet; run the test, or pick a rate"):
        widget.probe()
    click(widget, "probe")
    assert note(widget).startswith("There is no rate to probe around yet")
    with pytest.raises(traitlets.TraitError, match="rule cannot be 'probe' before there were probes"):
        widget.rule = "probe"
    click(widget, "set", name="selected_lr", value="1e-3")
    assert "probe" in widget.view_state["can"]


def test_another_test_takes_the_probes_away(make_widget: Make) -> None:
    """They belong to the curve that they were made around; the rule is the default one again."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.probe()
    widget.run()
    assert (widget.evidence, widget.rule) == (None, "auto")
    assert "probe" not in [rule["name"] for rule in widget.view_state["rules"]]
    assert all(len(np.asarray(mark.x)) == 0 for mark in dots(widget).values())


def test_an_exception_in_a_probe_is_shown_and_the_last_result_stays(make_widget: Make, training: Training) -> None:
    """As in a test, with the step; Probe works again afterwards."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    records = widget.run()
    suggestion = widget.suggestion

    def fail(call: int) -> None:
        if call == 26:
            raise RuntimeError("my own")

    training.at_step = fail
    with pytest.raises(RuntimeError, match="my own"):
        widget.probe()
    assert widget.status == "failed"
    assert "step 6 of 10" in widget.view_state["failure"]["where"]
    assert (widget.records, widget.suggestion) == (records, suggestion)
    training.at_step = lambda call: None
    click(widget, "probe")
    assert widget.wait(20)
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)
    shown = [np.asarray(mark.x).tolist() for mark in dots(widget).values()]
    training.at_step = lambda call: fail(26)
    with pytest.raises(RuntimeError, match="my own"):
        widget.probe()
    assert widget.rule == "probe"
    assert [np.asarray(mark.x).tolist() for mark in dots(widget).values()] == shown


def test_repeats_are_run_shown_as_a_band_and_kept(make_widget: Make, training: Training) -> None:
    """The records are those of range_test with the same repeats; the band spans their smoothed losses."""
    before = training.state()
    widget = make_widget(num_steps=20, end_lr=1e-2, repeats=3, seed=5)
    records = widget.run()
    assert training.state() == before
    expected = range_test(
        training.model,
        training.optimizer,
        training.loss_fn(),
        training.data,
        num_steps=20,
        end_lr=1e-2,
        repeats=3,
        seed=5,
        dataloader_options={"batch_size": 16},
        progress=False,
    )
    assert [repeat.loss.tolist() for repeat in records.repeats] == [r.loss.tolist() for r in expected.repeats]
    smoothed = np.array([repeat.smoothed_loss(0.9) for repeat in records.repeats])
    assert np.asarray(band(widget).y) == pytest.approx(np.array([smoothed.min(0), smoothed.max(0)]))
    assert widget.view_state["progress"] == {"step": 60, "total": 60, "text": widget.view_state["progress"]["text"]}
    assert widget.view_state["progress"]["text"].startswith("sweep 3 / 3 · step 20 / 20 · ")
    widget.selected_lr = 1e-3
    assert "num_steps=20, repeats=3," in widget.view_state["code"]
    widget.smoothing = 0.0
    raw = np.array([repeat.loss for repeat in records.repeats])
    assert np.asarray(band(widget).y) == pytest.approx(np.array([raw.min(0), raw.max(0)]))
    click(widget, "set", name="repeats", value="1")
    widget.run()
    assert np.asarray(band(widget).x).size == 0


def test_stopping_in_a_later_sweep_keeps_those_before(make_widget: Make, training: Training) -> None:
    """The one that was cut short would only shorten the others."""
    widget = make_widget(num_steps=20, end_lr=1e-2, repeats=5)
    training.at_step = lambda call: widget.stop() if call == 47 else None
    records = widget.run()
    assert (len(records), len(records.repeats), records.stop_reason) == (20, 2, "stopped")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("repeats", 0, "Repeats must be at least 1, got 0; 1 is usual"),
        ("repeats", "two", "Repeats must be a whole number, got 'two'; type one like 1"),
        ("max_probe_steps", 31, "max_probe_steps must be at least 32, got 31; 300 is usual"),
        ("max_probe_steps", "", "max_probe_steps must be a whole number, got ''; type one like 300"),
    ],
)
def test_wrong_numbers_are_ignored_with_a_message(make_widget: Make, name: str, value: Any, message: str) -> None:
    """As for the other settings."""
    widget = make_widget()
    before = getattr(widget, name)
    click(widget, "set", name=name, value=value)
    assert message in note(widget)
    assert getattr(widget, name) == before


def test_a_schedule_of_ones_own_is_refused(make_widget: Make) -> None:
    """The sliders would have no meaning."""
    with pytest.raises(TypeError, match="sliders set the sweep, so schedule must be"):
        make_widget(schedule=lambda step: 1e-3)


def test_on_colab_probes_run_in_the_handler(
    make_widget: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tests do there."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    monkeypatch.setattr(hosts, "current_host", lambda: hosts.HOSTS["colab"])
    training.threads.clear()
    click(widget, "probe")
    assert widget.rule == "probe"
    assert training.threads == {threading.current_thread().name}


def test_probes_around_a_pick_need_no_test_before(make_widget: Make) -> None:
    """The dots have the chart to themselves, and another rule has nothing to say yet."""
    widget = make_widget(max_probe_steps=40)
    click(widget, "set", name="selected_lr", value="1e-3")
    evidence = widget.probe()
    assert (widget.rule, widget.records) == ("probe", None)
    ended = [run.lr for run in evidence.runs if run.is_complete]
    assert sorted(np.asarray(dots(widget)["circle"].x)) == pytest.approx(sorted(ended))
    low, high = (getattr(dots(widget)["circle"].scales["y"], name) for name in ("min", "max"))
    assert all(low <= loss <= high for loss in np.asarray(dots(widget)["circle"].y))
    assert sorted(np.asarray(dots(widget)["circle"].y)) == pytest.approx(
        sorted(run.end_loss for run in evidence.runs if run.is_complete)
    )
    widget.rule = "auto"
    assert (widget.suggestion, widget.selected_lr) == (None, None)


def test_probes_beyond_the_axis_do_not_stretch_it(make_widget: Make) -> None:
    """What cannot be seen has no dot and no say in the limits."""
    widget = make_widget(max_probe_steps=200, start_lr=1e-4, end_lr=1e-3)
    click(widget, "set", name="selected_lr", value="1e-3")
    evidence = widget.probe()
    within = {run.lr: run.end_loss for run in evidence.runs if run.is_complete and run.lr <= 1e-3}
    assert max(run.lr for run in evidence.runs) > 1e-3
    circles = dots(widget)["circle"]
    assert np.asarray(circles.x) == pytest.approx(list(within))
    assert np.asarray(circles.y) == pytest.approx(list(within.values()))  # not moved to an edge


def test_a_validation_loss_that_is_not_finite_is_a_cross(make_widget: Make, training: Training) -> None:
    """It has no end to compare, and stands where its training loss was."""
    widget = make_widget(num_steps=20, max_probe_steps=40, val_data=training.data)
    click(widget, "set", name="selected_lr", value="1e-3")
    training.losses = lambda call: 1.0 if torch.is_grad_enabled() else float("nan")
    evidence = widget.probe()
    assert {run.stop_reason for run in evidence.runs} == {"completed"}
    assert widget.suggestion.lr is None
    assert "none got to a finite end" in widget.view_state["suggestion"]["reason"]
    assert np.asarray(dots(widget)["cross"].y) == pytest.approx([1.0] * len(evidence.runs))


def test_probes_that_were_stopped_before_any_end_change_nothing(make_widget: Make, training: Training) -> None:
    """That somebody pressed Stop is no answer: what the rule, or earlier probes have suggested stays, with its dots."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()

    def stop_at_once() -> None:
        training.at_step = lambda call: widget.stop()
        assert widget.probe().suggestion.lr is None
        training.at_step = lambda call: None

    of_rule = widget.suggestion
    stop_at_once()
    assert (widget.suggestion, widget.rule, widget.evidence) == (of_rule, "auto", None)
    assert note(widget).startswith("Stopped probing: 1 step at 1 rate in ")
    evidence = widget.probe()
    shown = [np.asarray(mark.x).tolist() for mark in dots(widget).values()]
    stop_at_once()
    assert (widget.suggestion, widget.rule) == (evidence.suggestion, "probe")
    assert widget.evidence.runs == evidence.runs
    assert [np.asarray(mark.x).tolist() for mark in dots(widget).values()] == shown


def test_probes_that_find_nothing_take_the_place_of_the_rule(make_widget: Make, training: Training) -> None:
    """That no rate trains is an answer."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    training.losses = lambda call: float("nan")
    evidence = widget.probe()
    assert (widget.rule, widget.suggestion) == ("probe", evidence.suggestion)
    assert widget.view_state["suggestion"]["reason"] == evidence.suggestion.reason


def test_probes_that_find_nothing_take_the_place_of_earlier_ones(make_widget: Make, training: Training) -> None:
    """What the widget shows is the latest evidence: no rate, and why."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.probe()
    training.losses = lambda call: float("nan")
    evidence = widget.probe()
    assert widget.suggestion == evidence.suggestion
    assert (widget.suggestion.lr, widget.selected_lr) == (None, None)
    assert "the first loss was not finite, whatever the rate" in widget.view_state["suggestion"]["reason"]
