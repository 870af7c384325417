"""The chart: its axes, curves, bands, dots and markers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget.widget.chart.figure import Chart
from lr_widget.widget.chart.look import MAX_EARLIER_RUNS
from lr_widget.widget.chart.points import Probe

from ..helpers import Make, Training, click, note
from ..marks import band, dots, earlier_curves, label, smoothed_curve, vertical_lines

LRS = np.array([1e-4, 1e-3, 1e-2, 1e-1])
LOSSES = np.array([3.0, 2.0, 1.0, 1000.0])
BOTTOM, TOP = 0.808, 4.392  # their limits: 1 … 3 + 60 %, which is 4.2, and 6 % of 3.2 on both sides


def limits(chart: Chart) -> tuple[float, float]:
    """The ends of the loss axis."""
    scale = smoothed_curve(chart).scales["y"]
    return scale.min, scale.max


def points(mark: Any) -> list[tuple[float, float]]:
    """The points of a mark."""
    return list(zip(np.asarray(mark.x).tolist(), np.asarray(mark.y).tolist(), strict=True))


@pytest.fixture
def chart() -> Chart:
    """A chart from 1e-4 to 1 with one curve whose tail explodes."""
    chart = Chart(1e-4, 1.0)
    chart.show_current(LRS, LOSSES, LOSSES)
    return chart


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
    """A probe beyond the axis has no dot and no say in the limits."""
    widget = make_widget(max_probe_steps=200, start_lr=1e-4, end_lr=1e-3)
    click(widget, "set", name="selected_lr", value="1e-3")
    evidence = widget.probe()
    within = {run.lr: run.end_loss for run in evidence.runs if run.is_complete and run.lr <= 1e-3}
    assert max(run.lr for run in evidence.runs) > 1e-3
    circles = dots(widget)["circle"]
    assert np.asarray(circles.x) == pytest.approx(list(within))
    assert np.asarray(circles.y) == pytest.approx(list(within.values()))  # not moved to an edge


def test_without_a_loss_the_loss_axis_is_hidden() -> None:
    """It has no ticks to show, and goes from 0 to 1 until there is a finite loss."""
    chart = Chart(1e-4, 1.0)
    nothing, lost = np.array([]), np.array([np.nan])
    for losses in (nothing, lost):
        chart.show_current(LRS[: losses.size], losses, losses)
        assert (limits(chart), chart.figure.axes[1].visible) == ((0.0, 1.0), False)
    chart.show_current(LRS, LOSSES, LOSSES)
    assert chart.figure.axes[1].visible


def test_an_exploding_tail_does_not_flatten_the_curve(chart: Chart) -> None:
    """The loss of 1000 leaves the picture at its top, and the ticks are round losses within the limits."""
    assert limits(chart) == pytest.approx((BOTTOM, TOP))
    assert points(smoothed_curve(chart)) == list(zip(LRS, LOSSES, strict=True))
    assert np.asarray(chart.figure.axes[1].tick_values).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_the_loss_axis_suits_the_other_curves_too(chart: Chart) -> None:
    """A curve from 6 to 3 alone would get 2.82 … 6.18."""
    other = np.array([6.0, 5.0, 4.0, 3.0])
    chart.show_current(LRS, LOSSES, LOSSES, [(LRS, other, other)])
    assert limits(chart) == pytest.approx((BOTTOM, 6.18))


def test_a_probe_below_the_curve_makes_room_for_itself(chart: Chart) -> None:
    """The axis goes down to the dot and 4 % of the height further: 0.5 - 0.04 * (4.392 - 0.5)."""
    chart.show_current(LRS, LOSSES, LOSSES, probes=[Probe(1e-3, 0.5, is_complete=True)])
    assert limits(chart) == pytest.approx((0.34432, TOP))
    assert points(dots(chart)["circle"]) == [(1e-3, 0.5)]


def test_a_probe_that_stopped_early_makes_no_room_and_stands_at_the_edge(chart: Chart) -> None:
    """So does a complete one above the curve."""
    chart.show_current(
        LRS, LOSSES, LOSSES, probes=[Probe(1e-3, 0.5, is_complete=False), Probe(1e-2, 9.0, is_complete=True)]
    )
    assert limits(chart) == pytest.approx((BOTTOM, TOP))
    assert points(dots(chart)["cross"]) == [(1e-3, pytest.approx(BOTTOM))]
    assert points(dots(chart)["circle"]) == [(1e-2, pytest.approx(TOP))]


def test_probes_of_another_length_are_diamonds(chart: Chart) -> None:
    """Their ends are not to be compared with those of the dots; one that stopped early is a cross, whatever its length."""
    chart.show_current(
        LRS,
        LOSSES,
        LOSSES,
        probes=[
            Probe(1e-3, 3.0, is_complete=True, is_compared=False),
            Probe(1e-2, 2.0, is_complete=True),
            Probe(1e-1, 3.0, is_complete=False, is_compared=False),
        ],
    )
    for marker, point in (("diamond", (1e-3, 3.0)), ("circle", (1e-2, 2.0)), ("cross", (1e-1, 3.0))):
        assert points(dots(chart)[marker]) == [point]


def test_probes_without_a_curve_have_the_chart_to_themselves() -> None:
    """Losses of 2 and 1 get 6 % of their distance as margins."""
    chart, nothing = Chart(1e-4, 1.0), np.array([])
    probes = [Probe(1e-3, 2.0, is_complete=True), Probe(1e-2, 1.0, is_complete=True), Probe(5.0, 0.1, is_complete=True)]
    chart.show_current(nothing, nothing, nothing, probes=probes)
    assert limits(chart) == pytest.approx((0.94, 2.06))
    assert points(dots(chart)["circle"]) == [(1e-3, 2.0), (1e-2, 1.0)]
    chart.show_current(nothing, nothing, nothing)
    assert points(dots(chart)["circle"]) == []


@pytest.mark.parametrize("losses", [[2.0, 2.5], [2.5, 2.0], [2.2, 2.0, 2.5, 2.1]])
def test_probes_without_a_curve_are_all_within_the_axis_in_any_order(losses: list[float]) -> None:
    """From 2.0 to 2.5, with 6 % of the height at both ends; one that exploded does not stretch it."""
    chart = Chart(1e-4, 1.0)
    probes = [Probe(1e-3 * 2**k, loss, is_complete=True) for k, loss in enumerate(losses)]
    exploded = Probe(0.1, 1e9, is_complete=False)
    nothing = np.array([])
    chart.show_current(nothing, nothing, nothing, probes=[*probes, exploded])
    assert limits(chart) == pytest.approx((1.97, 2.53))
    assert [y for _, y in points(dots(chart)["circle"])] == losses
    assert points(dots(chart)["cross"]) == [(0.1, pytest.approx(2.53))]


def test_at_most_four_earlier_curves_are_drawn(chart: Chart) -> None:
    """Fewer of them leave none of those before behind."""
    curves = [(LRS, LOSSES, LOSSES + index) for index in range(5)]
    chart.show_earlier(curves)
    assert [mark.y[0] for mark in earlier_curves(chart)] == [3.0, 4.0, 5.0, 6.0]
    assert len(earlier_curves(chart)) == MAX_EARLIER_RUNS
    chart.show_earlier(curves[:1])
    assert [np.asarray(mark.y).size for mark in earlier_curves(chart)] == [4, 0, 0, 0]


def test_several_sweeps_are_a_band_from_the_lowest_to_the_highest_loss(chart: Chart) -> None:
    """It takes the smoothed losses, as far as all sweeps go, and one sweep is no band."""
    smoothed = [np.array([1.0, 3.0, 5.0]), np.array([2.0, 1.0])]
    curves = [(LRS[: each.size], each * 0, each) for each in smoothed]
    chart.show_repeats(curves)
    assert np.asarray(band(chart).x).tolist() == [1e-4, 1e-3]
    assert np.asarray(band(chart).y).tolist() == [[1.0, 1.0], [2.0, 3.0]]
    chart.show_repeats(curves[:1])
    assert (np.asarray(band(chart).x).size, np.asarray(band(chart).y).shape) == (0, (2, 0))


@pytest.mark.parametrize(("lr", "align", "offset"), [(2.4e-2, "start", 6), (2.6e-2, "end", -6)])
def test_a_marker_is_a_line_with_its_label_inside(chart: Chart, lr: float, align: str, offset: int) -> None:
    """From 60 % of the axis on, which is 0.0251, the label stands to the left of the line."""
    chart.show_suggestion(lr)
    chart.show_pick(lr)
    assert vertical_lines(chart) == [lr, lr]
    for start, height in (("suggested", 0.95), ("your pick", 0.86)):
        text = label(chart, start)
        assert (list(text.text), points(text)) == ([f"{start} {lr:.1e}"], [(lr, height)])
        assert (text.align, text.x_offset) == (align, offset)


def test_suggestion_and_pick_are_taken_away_one_by_one(chart: Chart) -> None:
    """Each has its own line, and without a rate there is neither a line nor a label."""
    chart.show_suggestion(1e-3)
    chart.show_pick(1e-2)
    assert vertical_lines(chart) == [1e-3, 1e-2]
    chart.show_suggestion(None)
    assert (vertical_lines(chart), label(chart, "suggested")) == ([1e-2], None)
    chart.show_pick(None)
    assert (vertical_lines(chart), label(chart, "your pick")) == ([], None)


@pytest.mark.parametrize(
    ("lr", "low", "high", "shaded"),
    [
        (1e-3, 5e-4, 2e-3, [(5e-4, 1.0), (2e-3, 1.0)]),
        (1e-3, None, 2e-3, []),
        (1e-3, 5e-4, None, []),
        (None, 5e-4, 2e-3, []),
    ],
)
def test_the_range_around_a_suggestion_is_shaded(
    chart: Chart, lr: float | None, low: float | None, high: float | None, shaded: list[Any]
) -> None:
    """A range with one end only is not shown, nor one without its rate."""
    chart.show_suggestion(1e-2, 5e-3, 2e-2)
    chart.show_suggestion(lr, low, high)
    [area] = [mark for mark in chart.figure.marks if getattr(mark, "fill", "") == "bottom"]
    assert points(area) == shaded


def test_other_bounds_move_the_rate_axis(chart: Chart) -> None:
    """Its ticks are the decades between them."""
    chart.show_bounds(1e-3, 10.0)
    scale = smoothed_curve(chart).scales["x"]
    assert (scale.min, scale.max, chart.bounds) == (1e-3, 10.0, (1e-3, 10.0))
    assert np.asarray(chart.figure.axes[0].tick_values).tolist() == pytest.approx([1e-3, 1e-2, 1e-1, 1.0, 10.0])


def test_closing_closes_every_mark_axis_and_scale(chart: Chart) -> None:
    """None of them has a comm to the browser any more."""
    figure = chart.figure
    parts = [
        figure,
        *figure.marks,
        *figure.axes,
        figure.scale_x,
        figure.scale_y,
        *smoothed_curve(chart).scales.values(),
    ]
    assert all(part.comm is not None for part in parts)
    chart.close()
    assert [type(part).__name__ for part in parts if part.comm is not None] == []
