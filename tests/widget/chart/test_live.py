"""The chart follows a run while it grows, and the runs, settings and marks afterwards."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from bqplot import LinearScale, LogScale

from lr_widget import Evidence, LRRecords, ProbeRun, StepRecord, Suggestion
from lr_widget.schedule import Sweep
from lr_widget.smoothing import ema
from lr_widget.widget.chart import DrawnRun, LiveChart, look

from ..helpers import Make, Training, click
from ..marks import (
    area,
    band,
    bounds,
    dots,
    earlier_curves,
    label,
    limits,
    points,
    raw_curve,
    smoothed_curve,
    validation_curve,
    vertical_lines,
)

SWEEP = Sweep(1e-4, 1.0, 4)
LRS = [1e-4, 1e-3, 1e-2, 1e-1]
LOSSES = [3.0, 2.0, 1.0, 1000.0]
BOTTOM, TOP = 0.808, 4.392  # their limits: 1 … 3 + 60 %, which is 4.2, and 6 % of 3.2 on both sides


def steps_of(losses: list[float], **fields: Any) -> list[StepRecord]:
    """Steps at 1e-4, 1e-3 … with these losses."""
    lrs = [10.0 ** (step - 4) for step in range(len(losses))]
    return [StepRecord(step, lr, loss, (lr,), **fields) for step, (lr, loss) in enumerate(zip(lrs, losses), start=1)]


def records_of(losses: list[float], reason: str = "completed", **fields: Any) -> LRRecords:
    """Records of the same steps."""
    return LRRecords(LRS[: len(losses)], losses, reason, **fields)


def chart_of(losses: list[float], reason: str = "completed", **fields: Any) -> LiveChart:
    """A chart with one run, without smoothing."""
    chart = LiveChart(SWEEP, 0.0)
    chart.show_runs(DrawnRun(1, records_of(losses, reason, **fields), 0), [])
    return chart


def test_a_growing_curve_equals_the_smoothing_of_the_whole() -> None:
    """Step by step gives the same as the records' smoothing, also after the beta was changed."""
    losses = np.random.default_rng(0).normal(size=200)
    sweep = Sweep(1e-7, 10.0, 200)
    chart, steps = LiveChart(sweep, 0.9), []
    chart.begin(1, sweep, 0, [])
    for step, loss in enumerate(losses, start=1):
        steps.append(StepRecord(step, sweep.lr(step), float(loss), (sweep.lr(step),)))
        chart.grow([steps])
    assert np.asarray(smoothed_curve(chart).y) == pytest.approx(ema(losses, 0.9))
    chart.smooth(0.5)
    assert np.asarray(smoothed_curve(chart).y) == pytest.approx(ema(losses, 0.5))
    assert np.asarray(raw_curve(chart).y).tolist() == losses.tolist()
    assert np.asarray(raw_curve(chart).x)[24] == pytest.approx(1e-6)


@pytest.mark.parametrize("losses", [np.random.default_rng(0).normal(2.0, 0.1, size=400), np.linspace(3.0, 1.0, 400)])
def test_a_growing_curve_sends_two_messages_an_update(losses: np.ndarray, messages: list[dict[str, Any]]) -> None:
    """Its two lines, each below 5 kB; the axis of a curve that falls at every step is sent a few times all the same."""
    sweep = Sweep(1e-7, 10.0, 400)
    chart = LiveChart(sweep, 0.9)
    chart.begin(1, sweep, 0, [])
    messages.clear()
    before = chart.messages
    steps = [StepRecord(k, sweep.lr(k), float(loss), ()) for k, loss in enumerate(losses, start=1)]
    for size in range(1, 401):
        chart.grow([steps[:size]])
    assert chart.messages - before == len(messages)
    ids = {raw_curve(chart).model_id, smoothed_curve(chart).model_id}
    lines = [message["state"] for message in messages if message["comm"] in ids]
    assert len(lines) == 800
    assert len(messages) < 900
    sizes = [8 * sum(column["shape"][0] for column in state.values()) for state in lines]
    assert 4000 < max(sizes) < 4600


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
    """3,000 steps: few updates, x and y together, at most 280 points, the last state sent."""
    training.losses = lambda call: 1.0 + (call % 7)
    widget = make_widget(num_steps=3000)
    begin = time.perf_counter()
    widget.run()
    seconds = time.perf_counter() - begin
    smoothed = smoothed_curve(widget).model_id
    curves = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == smoothed]
    curves = [state for state in curves if "x" in state]
    assert all(set(state) >= {"x", "y"} for state in curves)
    assert len(curves) <= 15 * seconds + 3
    assert all(state["x"]["shape"][0] == state["y"]["shape"][0] <= 280 for state in curves)
    assert widget.progress["step"] == 3000
    states = [m["state"] for m in messages if m.get("method") == "update" and m["comm"] == widget.model_id]
    assert [state["status"] for state in states if "status" in state][-1] == "finished"


def test_a_validation_loss_that_is_not_finite_is_a_cross(make_widget: Make, training: Training) -> None:
    """It has no end to compare, and stands where its training loss was."""
    widget = make_widget(num_steps=20, max_probe_steps=40, val_data=training.data)
    click(widget, "set", name="selected_lr", value="1e-3")
    training.losses = lambda call: 1.0 if torch.is_grad_enabled() else float("nan")
    evidence = widget.probe()
    assert {run.stop_reason for run in evidence.runs} == {"completed"}
    assert widget.suggestion.lr is None
    assert "none got to a finite end" in widget.suggestion.reason
    assert np.asarray(dots(widget)["circle"].x).size == 0
    assert np.asarray(dots(widget)["cross"].x).tolist() == [run.lr for run in evidence.runs]
    assert np.asarray(dots(widget)["cross"].y) == pytest.approx([1.0] * len(evidence.runs))


def test_a_sweep_is_a_curve_and_those_before_it_a_band() -> None:
    """At the end, the curve is the mean of all of them."""
    chart, sweeps = LiveChart(SWEEP, 0.0), []
    chart.begin(1, SWEEP, 0, [])
    for losses in ([3.0, 2.0, 1.0], [5.0, 4.0, 0.0], [4.0]):
        sweeps.append(steps_of(losses[:1]))
        chart.grow(sweeps)
        sweeps[-1].extend(steps_of(losses)[1:])
    chart.grow(sweeps)
    assert np.asarray(smoothed_curve(chart).y).tolist() == [4.0]
    assert np.asarray(band(chart).y).tolist() == [[3.0, 2.0, 0.0], [5.0, 4.0, 1.0]]
    repeats = [records_of(losses) for losses in ([3.0, 2.0, 1.0], [5.0, 4.0, 0.0])]
    chart.end(records_of([4.0, 3.0, 0.5], repeats=repeats))
    assert np.asarray(smoothed_curve(chart).y).tolist() == [4.0, 3.0, 0.5]
    assert np.asarray(band(chart).y).tolist() == [[3.0, 2.0, 0.0], [5.0, 4.0, 1.0]]


def test_several_sweeps_at_once_are_read() -> None:
    """Where no update came between them."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(1, SWEEP, 0, [])
    chart.grow([steps_of([3.0, 2.0]), steps_of([5.0, 1.0]), steps_of([4.0])])
    assert np.asarray(smoothed_curve(chart).y).tolist() == [4.0]
    assert np.asarray(band(chart).y).tolist() == [[3.0, 1.0], [5.0, 2.0]]


def test_a_new_run_begins_over_the_latest_seven_earlier_ones() -> None:
    """The curve, the marks and the zoom of the run before are gone."""
    chart = chart_of([3.0, 2.0, 1.0], "diverged")
    chart.mark(Suggestion(1e-3, "auto", "Because."), 1e-2)
    chart.zoom((1e-3, 1e-2, 1.0, 2.0))
    assert vertical_lines(chart) == [1e-3, 1e-2]
    history = [DrawnRun(k, LRRecords([1e-3, 1e-2], [float(k), 0.0]), k) for k in range(8)]
    chart.begin(8, Sweep(1e-3, 0.1, 3), 0, history)
    assert [mark.y[0] for mark in earlier_curves(chart)] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert points(smoothed_curve(chart)) == []
    assert (vertical_lines(chart), bounds(chart), chart.is_zoomed) == ([], (1e-3, 0.1), False)


def test_runs_are_drawn_again_hidden_and_removed() -> None:
    """Eight in all, each in its colour; the current one with its raw losses."""
    chart, runs = chart_of(LOSSES), [DrawnRun(k, records_of([float(k), 0.5]), k) for k in range(9 - 1)]
    chart.show_runs(None, runs)
    assert [mark.colors[0] for mark in earlier_curves(chart)] == [tone.key for tone in look.PALETTE]
    assert points(raw_curve(chart)) == []
    chart.show_runs(runs[7], runs[:7])
    assert (raw_curve(chart).y.tolist(), smoothed_curve(chart).colors) == ([7.0, 0.5], [look.PALETTE[7].key])
    assert len(earlier_curves(chart)) == 7
    chart.show_runs(runs[7], runs[2:3])
    assert [mark.y[0] for mark in earlier_curves(chart)] == [2.0]
    assert [chart.marks_of(k) is not None for k in range(8)] == [k in (2, 7) for k in range(8)]


def test_a_growing_curve_stays_when_others_are_hidden() -> None:
    """It has no records yet that could be drawn again."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(2, SWEEP, 1, [DrawnRun(1, records_of([3.0, 2.0]), 0)])
    chart.grow([steps_of([3.0, 2.5])])
    chart.show_runs(None, [])
    assert (smoothed_curve(chart).y.tolist(), earlier_curves(chart)) == ([3.0, 2.5], [])
    chart.grow([steps_of([3.0, 2.5, 2.0])])
    assert smoothed_curve(chart).y.tolist() == [3.0, 2.5, 2.0]
    assert chart.marks_of(2) is not None


def test_a_sweep_that_nobody_began_is_not_drawn() -> None:
    """An update may come late, when its run was removed."""
    chart = LiveChart(SWEEP, 0.0)
    chart.grow([steps_of([3.0])])
    chart.end(records_of([3.0]))
    assert points(smoothed_curve(chart)) == []


def test_the_rate_axis_covers_the_sweep_that_is_set_and_the_runs_that_are_drawn() -> None:
    """Before the first run there is only the sweep."""
    chart = LiveChart(SWEEP, 0.0)
    chart.cover(Sweep(1e-2, 0.1, 3))
    assert bounds(chart) == (1e-2, 0.1)
    chart.begin(1, Sweep(1e-3, 0.05, 3), 0, [])
    chart.cover(Sweep(1e-2, 0.1, 3))
    assert bounds(chart) == (1e-3, 0.1)
    chart.end(LRRecords([1e-3, 0.05], [2.0, 1.0], start_lr=1e-3, end_lr=0.05))
    chart.show_runs(None, [DrawnRun(2, LRRecords([1e-2, 3.0], [1.0, 1.0]), 1)])
    assert bounds(chart) == (1e-2, 3.0)
    chart.show_runs(None, [])
    assert bounds(chart) == (1e-2, 0.1)


def test_a_linear_sweep_has_a_linear_rate_axis() -> None:
    """That of the current run counts, and without one that which is set."""
    chart = LiveChart(Sweep(1e-4, 1.0, 4, "linear"), 0.0)
    assert isinstance(smoothed_curve(chart).scales["x"], LinearScale)
    chart.begin(1, SWEEP, 0, [])
    assert isinstance(smoothed_curve(chart).scales["x"], LogScale)
    chart.end(records_of([2.0, 1.0], schedule="linear"))
    assert isinstance(smoothed_curve(chart).scales["x"], LinearScale)
    chart.cover(SWEEP)
    assert isinstance(smoothed_curve(chart).scales["x"], LinearScale)
    chart.show_runs(None, [])
    chart.cover(Sweep(1e-4, 1.0, 5))
    assert isinstance(smoothed_curve(chart).scales["x"], LogScale)


def test_an_exploding_tail_does_not_flatten_the_curve() -> None:
    """The loss of 1000 leaves the picture at its top, and the ticks are round losses within the limits."""
    chart = chart_of(LOSSES)
    assert limits(chart) == pytest.approx((BOTTOM, TOP))
    assert points(smoothed_curve(chart)) == list(zip(LRS, LOSSES, strict=True))
    assert np.asarray(chart.figure.axes[1].tick_values).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_the_loss_axis_suits_the_other_curves_too() -> None:
    """A curve from 6 to 3 alone would get 2.82 … 6.18."""
    chart = LiveChart(SWEEP, 0.0)
    others = [DrawnRun(2, records_of([6.0, 5.0, 4.0, 3.0]), 1)]
    chart.show_runs(DrawnRun(1, records_of(LOSSES), 0), others)
    assert limits(chart) == pytest.approx((BOTTOM, 6.18))


def test_rounding_noise_is_a_flat_line() -> None:
    """Two neighbouring float32 numbers, 6 % of the loss on both sides."""
    noise = [2.3025848865509033, 2.3025851249694824] * 2
    low, high = limits(chart_of(noise))
    assert (low, high) == pytest.approx((2.3025850 * 0.94, 2.3025850 * 1.06))


@pytest.mark.parametrize(
    "losses", [[1e300, 2e300], [-5.0, -9.0], [7.0, 7.0], [7.0], [0.0, 0.0], [1e-300, 2e-300], [1e308, -1e308], [5e-324]]
)
def test_any_losses_have_a_proper_axis(losses: list[float]) -> None:
    """Huge, negative, equal, single, zero and tiny ones, on both kinds of axis; those beyond 1e300 have no place."""
    chart = chart_of(losses)
    for scale in ("linear", "log"):
        chart.set_axis(scale, None, None)
        low, high = limits(chart)
        assert np.isfinite([low, high, high - low]).all()
        assert low < high
        assert len(chart.picture()) > 1000


def test_losses_that_nobody_could_measure_leave_the_axis_hidden() -> None:
    """All of them NaN."""
    chart = chart_of([float("nan")] * 3, "non_finite")
    assert not chart.figure.axes[1].visible
    assert chart.marks_of(1) is not None
    assert len(chart.picture()) > 1000


def test_a_probe_below_the_curve_makes_room_for_itself() -> None:
    """The axis goes down to the dot and 4 % of the height further: 0.5 - 0.04 * (4.392 - 0.5)."""
    chart = chart_of(LOSSES)
    chart.probe(Evidence(1e-3, (ProbeRun(1e-3, np.array([0.5, 0.5]), "completed"),), 2))
    assert limits(chart) == pytest.approx((0.34432, TOP))
    assert points(dots(chart)["circle"]) == [(1e-3, 0.5)]


def test_a_probe_that_stopped_early_makes_no_room_and_stands_at_the_edge() -> None:
    """So does a complete one above the curve."""
    chart = chart_of(LOSSES)
    runs = (ProbeRun(1e-3, np.array([0.5, 0.5]), "stopped"), ProbeRun(1e-2, np.array([9.0, 9.0]), "completed"))
    chart.probe(Evidence(1e-3, runs, 2))
    assert limits(chart) == pytest.approx((BOTTOM, TOP))
    assert points(dots(chart)["cross"]) == [(1e-3, pytest.approx(BOTTOM))]
    assert points(dots(chart)["circle"]) == [(1e-2, pytest.approx(TOP))]


@pytest.mark.parametrize("losses", [[2.0, 2.5], [2.5, 2.0], [2.2, 2.0, 2.5, 2.1]])
def test_probes_without_a_curve_are_all_within_the_axis_in_any_order(losses: list[float]) -> None:
    """From 2.0 to 2.5, with 6 % of the height at both ends; one that exploded does not stretch it."""
    chart = LiveChart(SWEEP, 0.0)
    runs = [ProbeRun(1e-3 * 2**k, np.array([loss, loss]), "completed") for k, loss in enumerate(losses)]
    exploded = ProbeRun(0.1, np.array([1e9, 1e9]), "diverged")
    chart.probe(Evidence(1e-3, (*runs, exploded), 2))
    assert limits(chart) == pytest.approx((1.97, 2.53))
    assert [y for _, y in points(dots(chart)["circle"])] == losses
    assert points(dots(chart)["cross"]) == [(0.1, pytest.approx(2.53))]


def test_probes_are_drawn_at_their_end_or_where_they_stopped() -> None:
    """A cross stands at the mean of the second half of its losses, and a probe with a loss that is not finite nowhere."""
    chart = chart_of([3.0, 2.0, 1.0])
    runs = (
        ProbeRun(1e-3, np.array([5.0] + [2.0] * 7), "completed"),
        ProbeRun(1e-2, np.array([5.0, 4.0, 3.0, 2.0]), "stopped"),
        ProbeRun(1e-1, np.array([5.0, np.nan]), "non_finite"),
    )
    chart.probe(Evidence(1e-2, runs, 8))
    assert points(dots(chart)["circle"]) == [(1e-3, 2.0)]
    assert points(dots(chart)["cross"]) == [(1e-2, 2.5)]


def test_the_probes_that_give_the_suggestion_are_dots() -> None:
    """Those of the longer round once two of them have ended, before that those of the shorter one."""
    chart = LiveChart(SWEEP, 0.0)
    short = [ProbeRun(lr, np.array([5.0] + [2.0] * 7), "completed", None, 8) for lr in (1e-3, 1e-2)]
    long = [ProbeRun(lr, np.array([5.0] + [1.0] * 15), "completed", None, 16) for lr in (2e-3, 3e-3)]
    for runs, circles, diamonds in (
        ([*short, long[0]], [1e-3, 1e-2], [2e-3]),
        ([*short, *long], [2e-3, 3e-3], [1e-3, 1e-2]),
    ):
        chart.probe(Evidence(1e-2, tuple(runs), 8))
        assert np.asarray(dots(chart)["circle"].x).tolist() == circles
        assert np.asarray(dots(chart)["diamond"].x).tolist() == diamonds


def test_validation_losses_are_a_line_of_their_own() -> None:
    """Where they were evaluated, while the run grows and afterwards; a run without them has none."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(1, SWEEP, 0, [])
    assert points(validation_curve(chart)) == []
    steps = steps_of([3.0, 2.0, 1.0])
    chart.grow([[steps[0], steps[1]._replace(val_loss=5.0), steps[2]]])
    assert points(validation_curve(chart)) == [(1e-3, 5.0)]
    chart.end(records_of([3.0, 2.0, 1.0], val_loss=np.array([np.nan, 5.0, 4.0])))
    assert points(validation_curve(chart)) == [(1e-3, 5.0), (1e-2, 4.0)]
    assert limits(chart)[1] > 5.0
    chart.show_runs(DrawnRun(2, records_of([2.0, 1.0]), 0), [])
    assert points(validation_curve(chart)) == []


def test_the_unstable_rates_are_shaded_once_the_run_has_ended() -> None:
    """From the first rate whose loss stayed above 3 to the end of the axis."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(1, SWEEP, 0, [])
    chart.grow([steps_of(LOSSES)])
    assert area(chart, look.UNSTABLE) == []
    chart.end(records_of(LOSSES, "diverged"))
    assert [lr for lr, _ in area(chart, look.UNSTABLE)] == [0.1, 0.1, 1.0, 1.0]
    chart.end(records_of([3.0, 2.0, 1.0, 0.9], "completed"))
    assert area(chart, look.UNSTABLE) == []


def test_marks_stand_at_their_rates_and_go_one_by_one() -> None:
    """The range around a suggestion is shaded; a range with one end only is not shown, nor one without its rate."""
    chart = chart_of([3.0, 2.0, 1.0])
    chart.mark(Suggestion(1e-3, "auto", "Here.", low=5e-4, high=2e-3), 1e-2)
    assert vertical_lines(chart) == [1e-3, 1e-2]
    assert [lr for lr, _ in area(chart, look.SUGGESTION)] == [5e-4, 5e-4, 2e-3, 2e-3]
    chart.mark(Suggestion(1e-3, "auto", "Here.", low=5e-4), None)
    assert (vertical_lines(chart), area(chart, look.SUGGESTION)) == ([1e-3], [])
    chart.mark(Suggestion(None, "auto", "No.", low=5e-4, high=2e-3), 1e-2)
    assert (vertical_lines(chart), area(chart, look.SUGGESTION)) == ([1e-2], [])
    chart.mark(None, None)
    assert (vertical_lines(chart), label(chart, "suggested"), label(chart, "your pick")) == ([], None, None)


def test_a_rate_beyond_the_axis_is_an_arrow() -> None:
    """No line, no cut label; when the axis gets there, the line is drawn."""
    chart = chart_of([3.0, 2.0, 1.0])
    chart.mark(None, 50.0)
    assert (vertical_lines(chart), list(label(chart, "your pick").text)) == ([], ["your pick 50 →"])
    chart.cover(Sweep(1e-4, 100.0, 4))
    assert (vertical_lines(chart), list(label(chart, "your pick").text)) == ([50.0], ["your pick 50"])


def test_a_logarithmic_loss_axis_takes_positive_losses() -> None:
    """From 1 to 100 with 6 % of two decades at both ends; without a positive loss it stays linear."""
    chart = chart_of([100.0, 10.0, 1.0, -1.0])
    chart.set_axis("log", None, None)
    assert isinstance(smoothed_curve(chart).scales["y"], LogScale)
    assert limits(chart) == pytest.approx((10**-0.12, 10**2.12))
    assert raw_curve(chart).y.tolist() == [100.0, 10.0, 1.0]
    chart.show_runs(DrawnRun(1, records_of([-1.0, -2.0]), 0), [])
    assert isinstance(smoothed_curve(chart).scales["y"], LinearScale)
    assert raw_curve(chart).y.tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ([3.0, 2.0, 1.0], ""),
        ([3.0, 0.0, 1.0], "Losses of 0 and below have no place on a logarithmic axis and are not drawn."),
        ([3.0, -2.0, 1.0], "Losses of 0 and below have no place on a logarithmic axis and are not drawn."),
        ([0.0, -2.0, -3.0], "No loss is positive, so the loss axis stays linear."),
    ],
)
def test_losses_that_a_logarithmic_axis_cannot_show_are_told(losses: list[float], sentence: str) -> None:
    """A linear axis shows all of them."""
    chart = chart_of(losses)
    assert chart.left_out == ""
    chart.set_axis("log", None, None)
    assert chart.left_out == sentence
    chart.close()


def test_limits_of_the_user_hold_while_a_run_grows() -> None:
    """One of them may be automatic."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(1, SWEEP, 0, [])
    chart.set_axis("linear", 0.0, None)
    chart.grow([steps_of([3.0, 2.0])])
    assert limits(chart)[0] == 0.0
    chart.set_axis("linear", None, 5.0)
    chart.grow([steps_of([3.0, 2.0, 9.0])])
    assert limits(chart)[1] == 5.0
    chart.set_axis("linear", None, None)
    assert limits(chart)[0] > 0.0


def test_zooming_shows_a_window_with_all_its_points() -> None:
    """A long curve is thinned anew within it; it stays until its end, or until the loss axis gets other limits."""
    sweep = Sweep(1e-4, 1.0, 10_000)
    lrs = np.array([sweep.lr(k) for k in range(1, 10_001)])
    chart = LiveChart(sweep, 0.0)
    raw = np.random.default_rng(0).random(10_000)
    chart.show_runs(DrawnRun(1, LRRecords(lrs, raw, start_lr=1e-4, end_lr=1.0), 0), [])
    whole = (bounds(chart), limits(chart))
    chart.zoom((lrs[5000], lrs[5099], 0.25, 0.75))
    assert (chart.is_zoomed, bounds(chart), limits(chart)) == (True, (lrs[5000], lrs[5099]), (0.25, 0.75))
    assert raw_curve(chart).x.tolist() == lrs[4999:5101].tolist()
    chart.cover(Sweep(1e-6, 10.0, 5))
    chart.set_axis("linear", None, None)
    assert (bounds(chart), limits(chart)) == ((lrs[5000], lrs[5099]), (0.25, 0.75))
    chart.set_axis("linear", 0.0, 9.0)
    assert (chart.is_zoomed, bounds(chart), limits(chart)) == (False, (1e-6, 10.0), (0.0, 9.0))
    chart.set_axis("linear", None, None)
    chart.cover(sweep)
    assert (bounds(chart), limits(chart)) == whole
    chart.zoom((lrs[5000], lrs[5099], 0.25, 0.75))
    chart.zoom(None)
    assert (chart.is_zoomed, (bounds(chart), limits(chart))) == (False, whole)


def test_a_window_that_shows_nothing_changes_nothing() -> None:
    """It is refused in words."""
    chart = chart_of([3.0, 2.0, 1.0])
    before = chart.messages
    with pytest.raises(ValueError, match="a zoom window must lie on the chart"):
        chart.zoom((5.0, 6.0, 1.0, 2.0))
    assert (chart.is_zoomed, chart.messages) == (False, before)


def test_a_window_from_below_zero_is_cut_where_the_axis_becomes_logarithmic() -> None:
    """It is the same window again on a linear axis; one without anything above zero is given up."""
    chart = chart_of([3.0, 2.0, 1.0])
    chart.zoom((1e-3, 1e-2, -0.5, 2.5))
    chart.set_axis("log", None, None)
    assert (chart.is_zoomed, bounds(chart), limits(chart)) == (True, (1e-3, 1e-2), (0.25, 2.5))
    chart.set_axis("linear", None, None)
    assert (chart.is_zoomed, limits(chart)) == (True, (-0.5, 2.5))
    chart.set_axis("linear", -2.0, None)
    chart.zoom((1e-3, 1e-2, -1.0, 0.0))
    chart.set_axis("log", -2.0, None)
    assert (chart.is_zoomed, bounds(chart)) == (False, (1e-4, 1.0))
    assert 0 < limits(chart)[0] < 1.0
    chart.close()


def test_a_curve_grows_in_a_window_from_below_zero_on_a_logarithmic_axis() -> None:
    """Every step is drawn."""
    chart, steps = LiveChart(SWEEP, 0.0), steps_of(LOSSES)
    chart.begin(1, SWEEP, 0, [])
    chart.grow([steps[:2]])
    chart.zoom((1e-4, 1.0, -0.5, 50.0))
    chart.set_axis("log", None, None)
    chart.grow([steps])
    assert (limits(chart)[1], raw_curve(chart).x.tolist()) == (50.0, LRS)
    chart.close()


def test_probes_go_when_there_are_none_any_more() -> None:
    """With their dots and their words in the legend; to say so twice sends nothing."""
    chart = chart_of(LOSSES)
    runs = (ProbeRun(1e-3, np.array([4.0, 1.0]), "completed"), ProbeRun(1e-2, np.array([4.0, 2.0]), "completed"))
    chart.probe(Evidence(1e-3, runs, 2))
    assert sum(np.asarray(mark.x).size for mark in dots(chart).values()) == 2
    chart.probe(None)
    assert sum(np.asarray(mark.x).size for mark in dots(chart).values()) == 0
    assert not [entry for entry in chart.legend() if entry["kind"].startswith("probe")]
    before = chart.messages
    chart.probe(None)
    assert chart.messages == before
    chart.close()


def test_a_curve_without_records_has_ended_where_it_is() -> None:
    """Its test has failed: it makes way for the runs that are kept, as one that grows does not."""
    chart = LiveChart(SWEEP, 0.0)
    chart.begin(1, SWEEP, 0, [])
    chart.grow([steps_of(LOSSES[:3])])
    chart.end_early()
    assert smoothed_curve(chart).x.tolist() == LRS[:3]
    chart.show_runs(None, [])
    assert smoothed_curve(chart).x.size == 0
    chart.close()


def test_settings_that_do_not_change_send_nothing() -> None:
    """Each of them may be told again at every step."""
    chart = chart_of([3.0, 2.0, 1.0])
    before = chart.messages
    chart.cover(SWEEP)
    chart.mark(None, None)
    chart.set_axis("linear", None, None)
    chart.smooth(0.0)
    chart.zoom(None)
    chart.show_runs(DrawnRun(1, records_of([3.0, 2.0, 1.0]), 0), [])
    assert chart.messages == before
