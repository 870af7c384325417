"""The chart follows a run while it grows."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget import Evidence, LRRecords, ProbeRun, StepRecord, Suggestion
from lr_widget.schedule import Sweep
from lr_widget.smoothing import ema
from lr_widget.widget.chart import LiveChart

from ..helpers import Make, Training, click
from ..marks import band, dots, earlier_curves, raw_curve, smoothed_curve, vertical_lines


def steps_of(losses: list[float]) -> list[StepRecord]:
    """Steps at 1e-4, 1e-3 … with these losses."""
    lrs = [10.0 ** (step - 4) for step in range(len(losses))]
    return [StepRecord(step, lr, loss, (lr,)) for step, (lr, loss) in enumerate(zip(lrs, losses, strict=True), start=1)]


def test_a_growing_curve_equals_the_smoothing_of_the_whole() -> None:
    """Step by step gives the same as the records' smoothing, also after the beta was changed."""
    losses = np.random.default_rng(0).normal(size=200)
    chart, steps = LiveChart(Sweep(1e-7, 10.0, 200), 0.9), []
    for step, loss in enumerate(losses, start=1):
        steps.append(StepRecord(step, 10.0 ** (-step / 50), float(loss), (10.0 ** (-step / 50),)))
        chart.grow([steps])
    assert np.asarray(smoothed_curve(chart).y) == pytest.approx(ema(losses, 0.9))
    chart.smooth(0.5)
    assert np.asarray(smoothed_curve(chart).y) == pytest.approx(ema(losses, 0.5))
    assert np.asarray(raw_curve(chart).y).tolist() == losses.tolist()
    assert np.asarray(raw_curve(chart).x)[49] == pytest.approx(0.1)


def test_smoothing_is_derived_from_the_raw_losses(make_widget: Make) -> None:
    """Moving the slider redraws without another run."""
    widget = make_widget(num_steps=20, end_lr=1e-3)
    records = widget.run()
    smoothed = smoothed_curve(widget)
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
    smoothed = smoothed_curve(widget).model_id
    curves = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == smoothed]
    assert all(set(state) == {"x", "y"} for state in curves)
    assert len(curves) <= 15 * seconds + 3
    assert all(state["x"]["shape"][0] == state["y"]["shape"][0] <= 600 for state in curves)
    assert widget.view_state["progress"]["step"] == 3000
    states = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == widget.model_id]
    assert states[-1]["status"] == "finished"
    assert len(states) <= 15 * seconds + 6


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


def test_the_last_of_several_sweeps_is_the_curve_and_those_before_it_the_band() -> None:
    """At the end, the curve is the mean of all and the band has all of them."""
    chart = LiveChart(Sweep(1e-4, 1.0, 3), 0.0)
    sweeps = [steps_of([3.0, 2.0, 1.0]), steps_of([5.0, 4.0, 0.0]), steps_of([4.0])]
    chart.grow(sweeps)
    assert np.asarray(smoothed_curve(chart).y).tolist() == [4.0]
    assert np.asarray(band(chart).y).tolist() == [[3.0, 2.0, 0.0], [5.0, 4.0, 1.0]]
    lrs = [1e-4, 1e-3, 1e-2]
    repeats = [LRRecords(lrs, losses) for losses in ([3.0, 2.0, 1.0], [5.0, 4.0, 0.0])]
    chart.end(LRRecords(lrs, [4.0, 3.0, 0.5], repeats=repeats))
    assert np.asarray(smoothed_curve(chart).y).tolist() == [4.0, 3.0, 0.5]
    assert np.asarray(band(chart).y).tolist() == [[3.0, 2.0, 0.0], [5.0, 4.0, 1.0]]


def test_a_new_run_begins_over_the_latest_four_earlier_ones() -> None:
    """The curve and the marks of the run before are gone."""
    chart = LiveChart(Sweep(1e-4, 1.0, 3), 0.0)
    chart.grow([steps_of([3.0, 2.0, 1.0])])
    chart.mark(Suggestion(1e-3, "auto", "Because."), 1e-2)
    assert vertical_lines(chart) == [1e-3, 1e-2]
    history = [LRRecords([1e-3, 1e-2], [float(first), 0.0]) for first in range(6)]
    chart.begin(Sweep(1e-3, 0.1, 3), history)
    assert [mark.y[0] for mark in earlier_curves(chart)] == [2.0, 3.0, 4.0, 5.0]
    assert np.asarray(smoothed_curve(chart).y).size == 0
    assert (vertical_lines(chart), chart.bounds) == ([], (1e-3, 0.1))


def test_the_rate_axis_covers_the_bounds_that_are_set_and_the_sweep_that_is_drawn() -> None:
    """Before the first run there are only the bounds."""
    chart = LiveChart(Sweep(1e-4, 1.0, 3), 0.0)
    chart.cover(1e-2, 0.1)
    assert chart.bounds == (1e-2, 0.1)
    chart.begin(Sweep(1e-3, 0.05, 3), [])
    chart.cover(1e-2, 0.1)
    assert chart.bounds == (1e-3, 0.1)


def test_probes_are_drawn_at_their_end_or_where_they_stopped() -> None:
    """A cross stands at the mean of the second half of its losses, and a probe with a loss that is not finite nowhere."""
    chart = LiveChart(Sweep(1e-4, 1.0, 3), 0.0)
    runs = (
        ProbeRun(1e-3, np.array([5.0] + [2.0] * 7), "completed"),
        ProbeRun(1e-2, np.array([5.0, 4.0, 3.0, 2.0]), "stopped"),
        ProbeRun(1e-1, np.array([5.0, np.nan]), "non_finite"),
    )
    chart.grow([steps_of([3.0, 2.0, 1.0])])
    chart.probe(Evidence(1e-2, runs, 8))
    assert np.asarray(dots(chart)["circle"].x).tolist() == [1e-3]
    assert np.asarray(dots(chart)["cross"].x).tolist() == [1e-2]
    assert np.asarray(dots(chart)["circle"].y).tolist() == [2.0]
    assert np.asarray(dots(chart)["cross"].y).tolist() == [2.5]


def test_the_probes_that_give_the_suggestion_are_dots() -> None:
    """Those of the longer round once two of them have ended, before that those of the shorter one."""
    chart = LiveChart(Sweep(1e-4, 1.0, 3), 0.0)
    short = [ProbeRun(lr, np.array([5.0] + [2.0] * 7), "completed", None, 8) for lr in (1e-3, 1e-2)]
    long = [ProbeRun(lr, np.array([5.0] + [1.0] * 15), "completed", None, 16) for lr in (2e-3, 3e-3)]
    for runs, circles, diamonds in (
        ([*short, long[0]], [1e-3, 1e-2], [2e-3]),
        ([*short, *long], [2e-3, 3e-3], [1e-3, 1e-2]),
    ):
        chart.probe(Evidence(1e-2, tuple(runs), 8))
        assert np.asarray(dots(chart)["circle"].x).tolist() == circles
        assert np.asarray(dots(chart)["diamond"].x).tolist() == diamonds
