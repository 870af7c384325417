"""Probes and repeats in the widget, as Python code and as a browser sees them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
import traitlets

from lr_widget import LRFinderWidget, NotebookError, range_test
from lr_widget.widget.kernel import hosts

from .helpers import Make, Training, click, let_steps, note, wait_until
from .marks import band, dots


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
    assert [rule["name"] for rule in widget.answer["rules"]][-1] == "probe"
    assert widget.answer["reason"] == evidence.suggestion.reason
    assert widget.answer["confidence"] == f"{evidence.suggestion.confidence} confidence"
    assert note(widget).startswith(f"Probed: {evidence.num_steps} steps in {len(evidence.runs)} trainings, ")
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
    assert widget.answer["reason"].startswith("Each dot is one training from the same state")
    click(widget, "stop", run_id=widget.view_state["run_id"])
    training.may_step.release(1000)
    assert widget.wait(20)
    training.may_step = None
    assert (widget.status, widget.rule) == ("finished", "probe")
    assert [run.loss.size for run in widget.evidence.runs] == [20, 6]
    assert widget.evidence.runs[1].stop_reason == "interrupted"
    assert note(widget).startswith("Stopped probing: 26 steps in 2 trainings, ")
    assert training.state() == before


def test_probes_go_around_the_pick_and_take_its_place(make_widget: Make) -> None:
    """A user who probes around their own rate wants the outcome."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    click(widget, "set", name="selected_lr", value="2e-3")
    evidence = widget.probe()
    assert evidence.suggested == 2e-3
    assert widget.selected_lr == evidence.suggestion.lr
    assert widget.answer["is_picked"] is False


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


def test_probes_go_with_their_run(make_widget: Make) -> None:
    """With their dots, their words in the legend and their rule; those of a run that stays are left."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.run()
    widget.probe()
    evidence = widget.evidence
    shown = {marker: np.asarray(mark.x).tolist() for marker, mark in dots(widget).items()}
    widget.remove(0)
    assert (widget.evidence, widget.rule, widget.suggestion) == (evidence, "probe", evidence.suggestion)
    assert {marker: np.asarray(mark.x).tolist() for marker, mark in dots(widget).items()} == shown
    widget.add(widget.records, name="of elsewhere")
    widget.remove(0)
    assert (widget.evidence, widget.rule) == (None, "auto")
    assert (widget.records, widget.suggestion) == (evidence.records, evidence.records.suggest())
    assert [np.asarray(mark.x).size for mark in dots(widget).values()] == [0, 0, 0]
    assert not [entry for entry in widget.chart_state["legend"] if entry["kind"].startswith("probe")]
    assert "dot" not in widget.chart_state["text"]


def test_a_run_that_is_being_probed_cannot_go(make_widget: Make, training: Training) -> None:
    """It is refused in words; other runs may go, and at the end so may this one."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.run()
    own = widget.records
    calls, training.may_step = training.calls, threading.Semaphore(3)
    widget.start_probe()
    wait_until(lambda: training.calls == calls + 4)
    first, second = (run["run_id"] for run in widget.chart_state["runs"])
    click(widget, "remove", run_id=second)
    assert note(widget) == "This run is being probed, so it was kept; stop the probes first."
    with pytest.raises(ValueError, match="this run is being probed, so it was kept; stop the probes first"):
        widget.remove(-1)
    click(widget, "remove", run_id=first)
    assert widget.history == (own,)
    let_steps(training, 100)
    assert widget.wait(20)
    training.may_step = None
    assert (widget.rule, widget.evidence.records) == ("probe", own)
    widget.remove(0)
    assert (widget.history, widget.evidence, widget.suggestion) == ((), None, None)


def test_another_test_takes_the_probes_away(make_widget: Make) -> None:
    """They belong to the curve that they were made around; the rule is the default one again."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.probe()
    widget.run()
    assert (widget.evidence, widget.rule) == (None, "auto")
    assert "probe" not in [rule["name"] for rule in widget.answer["rules"]]
    assert all(len(np.asarray(mark.x)) == 0 for mark in dots(widget).values())


def test_an_exception_in_a_probe_is_shown_and_the_last_result_stays(make_widget: Make, training: Training) -> None:
    """It is shown with its step, as in a range test, and Probe works again afterwards."""
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
    assert widget.progress == {"step": 60, "total": 60, "text": widget.progress["text"]}
    assert widget.progress["text"].startswith("sweep 3 / 3 · step 20 / 20 · ")
    widget.selected_lr = 1e-3
    assert "num_steps=20, repeats=3," in widget.answer["code"]
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


def test_on_colab_probes_run_in_the_handler(
    make_widget: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Range tests do so there, too, since Colab shows nothing that a thread sends."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    monkeypatch.setattr(hosts, "_name", lambda: "colab")
    training.threads.clear()
    click(widget, "probe")
    assert widget.rule == "probe"
    assert training.threads == {threading.current_thread().name}


def test_probes_that_were_stopped_before_any_end_change_nothing(make_widget: Make, training: Training) -> None:
    """A press on Stop is no answer: the suggestion of the rule or of earlier probes stays, with its dots."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()

    def stop_at_once() -> None:
        training.at_step = lambda call: widget.stop()
        assert widget.probe().suggestion.lr is None
        training.at_step = lambda call: None

    of_rule = widget.suggestion
    stop_at_once()
    assert (widget.suggestion, widget.rule, widget.evidence) == (of_rule, "auto", None)
    assert note(widget).startswith("Stopped probing: 1 step in 1 training, ")
    evidence = widget.probe()
    shown = [np.asarray(mark.x).tolist() for mark in dots(widget).values()]
    stop_at_once()
    assert (widget.suggestion, widget.rule) == (evidence.suggestion, "probe")
    assert widget.evidence.runs == evidence.runs
    assert [np.asarray(mark.x).tolist() for mark in dots(widget).values()] == shown


def test_probes_that_find_nothing_take_the_place_of_the_rule(make_widget: Make, training: Training) -> None:
    """It is an answer that no rate trains."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    training.losses = lambda call: float("nan")
    evidence = widget.probe()
    assert (widget.rule, widget.suggestion) == ("probe", evidence.suggestion)
    assert widget.answer["reason"] == evidence.suggestion.reason


def test_probes_that_find_nothing_take_the_place_of_earlier_ones(make_widget: Make, training: Training) -> None:
    """The widget shows the latest evidence: no rate, and the reason."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    widget.probe()
    training.losses = lambda call: float("nan")
    evidence = widget.probe()
    assert widget.suggestion == evidence.suggestion
    assert (widget.suggestion.lr, widget.selected_lr) == (None, None)
    assert "the first loss was not finite, whatever the rate" in widget.answer["reason"]


@pytest.mark.parametrize("repeats", [2, 3])
def test_ctrl_c_before_the_first_step_of_a_later_sweep_keeps_those_before(
    make_widget: Make, training: Training, repeats: int
) -> None:
    """That sweep has begun and has no record yet."""

    def interrupt(call: int) -> None:
        if call == 21:
            raise KeyboardInterrupt

    training.at_step = interrupt
    widget = make_widget(num_steps=20, end_lr=1e-2, repeats=repeats)
    records = widget.run()
    assert (len(records), records.stop_reason, widget.status) == (20, "interrupted", "finished")
    assert "Interrupted at step 20 of 20" in note(widget)


def test_a_job_that_is_refused_changes_no_proportions(make_widget: Make, training: Training) -> None:
    """While a test runs, the groups have swept rates: a second job must not take its proportions from them."""
    training.may_step = threading.Semaphore(3)
    widget = make_widget(num_steps=20)
    widget.start()
    wait_until(lambda: training.calls == 4)
    shares = widget.screen.rates.shares
    training.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 5.0})
    with pytest.raises(RuntimeError, match="running already"):
        widget.start()
    assert widget.screen.rates.shares == shares
    del training.optimizer.param_groups[-1]
    training.may_step.release(1000)
    assert widget.wait(20)


@pytest.mark.parametrize(
    ("losses", "kind", "start", "bar"),
    [
        (lambda call: 3 - 2 / (1 + 10.0 ** (20 - call)), "good", "Done: 40 steps in ", (40, 40)),
        (lambda call: 3.0 - 0.02 * call if call < 35 else 1e6, "good", "Done in ", None),
        (lambda call: 2.0, "warning", "Ended without a rate: 40 steps in ", (40, 40)),
        (lambda call: float("nan"), "warning", "Ended without a rate in ", (1, 1)),
    ],
    ids=["falls", "explodes at the end", "flat", "NaN at step 1"],
)
def test_an_end_is_good_with_a_rate_only(
    make_widget: Make, training: Training, losses: Any, kind: str, start: str, bar: tuple[int, int] | None
) -> None:
    """In words and in colour; the bar is full wherever the test has ended by itself."""
    training.losses = losses
    widget = make_widget(num_steps=40)
    records = widget.run()
    assert (widget.view_state["note"]["kind"], widget.status) == (kind, "finished")
    assert note(widget).startswith(start)
    assert (widget.suggestion.lr is not None) == (kind == "good")
    assert (widget.answer["lr"] == "", widget.answer["is_missing"]) == (kind != "good",) * 2
    done = (widget.progress["step"], widget.progress["total"])
    assert done == (bar or (len(records), len(records)))
    assert bar is not None or records.stop_reason == "diverged"


def test_the_bar_of_a_test_that_was_stopped_is_not_full(make_widget: Make, training: Training) -> None:
    """Something is missing there."""
    widget = make_widget(num_steps=40)
    training.at_step = lambda call: widget.stop() if call == 10 else None
    widget.run()
    assert (widget.progress["step"], widget.progress["total"]) == (10, 40)
    assert note(widget).startswith("Stopped at step 10 of 40")


@pytest.mark.parametrize("value", [1.0, float("nan")])
def test_probes_are_good_with_a_rate_only(make_widget: Make, training: Training, value: float) -> None:
    """Probes that were tried in vain are no success."""
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.selected_lr = 1e-3
    training.losses = lambda call: value
    evidence = widget.probe()
    assert widget.view_state["note"]["kind"] == ("good" if evidence.suggestion.lr is not None else "warning")
    assert ("none gave a rate" in note(widget)) == (evidence.suggestion.lr is None)


def test_a_run_stands_in_the_answer_until_its_end(running: LRFinderWidget, training: Training) -> None:
    """No rate of before, and no advice."""
    answer = running.answer
    assert (answer["lr"], answer["reason"]) == ("", "The suggestion comes when the test ends.")
    assert (answer["is_missing"], answer["advice"], answer["code"]) == (False, [], "")
    assert running.progress["total"] == 50
    assert running.view_state["can"] == ["stop", "pause", "zoom"]
    let_steps(training, 100)
