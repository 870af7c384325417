"""The figure: axes of both kinds, and the marks of a scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bqplot import LinearScale, LogScale
from ipywidgets import Widget

from lr_widget.widget.chart import look
from lr_widget.widget.chart.figure import Chart
from lr_widget.widget.chart.points import Line, Probe
from lr_widget.widget.chart.scene import Scene, loss_axis, rate_axis
from lr_widget.widget.chart.ticks import tick_key

from ..helpers import Make, Training, click, note
from ..marks import area, bounds, dots, earlier_curves, label, limits, points, raw_curve, smoothed_curve

LRS = np.array([1e-3, 1e-2, 1e-1])
LOSSES = np.array([3.0, 2.0, 1.0])


def scene(**changes: Any) -> Scene:
    """A curve from 1e-4 to 1, but for the changes."""
    plain = Scene(
        rate_axis(1e-4, 1.0, is_log=True),
        loss_axis(0.8, 4.4, is_log=False),
        current=Line(1, 0, LRS, LOSSES, LOSSES + 0.5),
    )
    return plain._replace(**changes)


def ticks(axis: Any) -> dict[float, str]:
    """The labels that the browser finds for the values of an axis."""
    return {value: axis.tick_labels[tick_key(value)] for value in np.asarray(axis.tick_values)}


@pytest.fixture
def chart() -> Chart:
    """A chart with one curve."""
    chart = Chart()
    chart.show(scene())
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
    circles = dots(widget)["circle"]
    assert sorted(np.asarray(circles.x)) == pytest.approx(sorted(ended))
    low, high = limits(widget)
    assert all(low <= loss <= high for loss in np.asarray(circles.y))
    assert sorted(np.asarray(circles.y)) == pytest.approx(
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
    """It has no ticks to show, on either kind of axis."""
    chart = Chart()
    chart.show(scene(y=None, current=None))
    assert not chart.figure.axes[1].visible
    chart.show(scene(y=loss_axis(0.1, 10.0, is_log=True)))
    assert chart.figure.axes[1].visible
    chart.show(scene(y=None, current=None))
    assert not chart.figure.axes[1].visible
    assert smoothed_curve(chart).scales["y"].min > 0  # it stays logarithmic, which has no zero


def test_axes_end_where_the_scene_says(chart: Chart) -> None:
    """The labels of the ticks stand under the keys that the browser looks for."""
    assert (bounds(chart), limits(chart)) == ((1e-4, 1.0), (0.8, 4.4))
    x, y = chart.figure.axes
    assert ticks(x) == {1e-4: "1e-4", 1e-3: "1e-3", 1e-2: "0.01", 0.1: "0.1", 1.0: "1"}
    assert ticks(y) == {1.0: "1", 2.0: "2", 3.0: "3", 4.0: "4"}
    chart.show(scene(y=loss_axis(123456.001, 123456.005, is_log=False)))
    assert list(ticks(y).values()) == ["0.001", "0.002", "0.003", "0.004", "0.005"]
    assert (x.label, y.label) == ("learning rate", "loss - 123456")


def test_each_kind_of_axis_has_its_own(chart: Chart) -> None:
    """The figure gets another axis, as one of bqplot does not follow its scale, and every mark the scales of it."""
    before = list(chart.figure.axes)
    chart.show(scene(x=rate_axis(1e-4, 1.0, is_log=False), y=loss_axis(0.1, 10.0, is_log=True)))
    x, y = chart.figure.axes
    assert not {x, y} & set(before)
    assert (type(x.scale), type(y.scale)) == (LinearScale, LogScale)
    assert (x.scale.min, x.scale.max, y.scale.min, y.scale.max) == (1e-4, 1.0, 0.1, 10.0)
    scales = [mark.scales for mark in chart.figure.marks]
    assert all(each["x"] is x.scale for each in scales)
    assert {id(each["y"]) for each in scales} == {id(y.scale), id(chart.figure.scale_y)}
    assert smoothed_curve(chart).scales["y"] is y.scale
    chart.show(scene())
    assert list(chart.figure.axes) == before


def test_labels_of_ticks_come_before_their_values(messages: list[dict[str, Any]]) -> None:
    """With them or after them, the browser would write the labels of the values before."""
    chart = Chart()
    messages.clear()
    chart.show(scene())
    for axis in chart.figure.axes:
        sent = [set(message["state"]) for message in messages if message["comm"] == axis.model_id]
        assert sent[0] == {"tick_labels"}
        assert "tick_values" in sent[1]


def test_only_changes_are_sent(chart: Chart, messages: list[dict[str, Any]]) -> None:
    """Nothing for the same scene; of a longer curve, its two lines."""
    other = Chart()
    other.show(scene())
    sent, counted = len(messages), other.messages.count
    other.show(scene())
    assert (len(messages), other.messages.count) == (sent, counted)
    longer = np.append(LRS, 0.5)
    other.show(scene(current=Line(1, 0, longer, np.append(LOSSES, 2.0), np.append(LOSSES, 2.0))))
    assert {message["comm"] for message in messages[sent:]} == {
        raw_curve(other).model_id,
        smoothed_curve(other).model_id,
    }
    assert len(messages) - sent == other.messages.count - counted == 2


def test_runs_have_their_colours_and_their_places(chart: Chart) -> None:
    """The browser finds the curves of a run by their places; a run that is gone leaves none behind."""
    others = tuple(Line(10 + color, color, LRS, LOSSES, LOSSES + color) for color in range(1, 8))
    chart.show(scene(earlier=others, validation=(LRS[:2], LOSSES[:2])))
    marks = chart.figure.marks
    assert chart.marks_of(1) == {
        "raw": marks.index(raw_curve(chart)),
        "smoothed": marks.index(smoothed_curve(chart)),
        "validation": next(k for k, mark in enumerate(marks) if mark.colors == [look.VALIDATION.key]),
    }
    for line in others:
        place = chart.marks_of(line.run_id)
        assert place is not None
        assert (place["raw"], place["validation"]) == (None, None)
        mark = marks[place["smoothed"]]
        assert points(mark) == list(zip(LRS, line.smoothed, strict=True))
        assert (mark.colors, mark.line_style) == ([look.PALETTE[line.color].key], look.LINE_STYLES[line.color])
    assert chart.marks_of(99) is None
    chart.show(scene(current=None, earlier=others[:1]))
    assert (chart.marks_of(1), chart.marks_of(12), len(earlier_curves(chart))) == (None, None, 1)
    assert (points(raw_curve(chart)), points(smoothed_curve(chart))) == ([], [])


def test_regions_and_labels_are_drawn(chart: Chart) -> None:
    """The unstable rates are named within their region."""
    chart.show(scene(good=(1e-3, 1e-2), unstable=(0.1, 1.0)))
    assert area(chart, look.SUGGESTION) == [(1e-3, 0.0), (1e-3, 1.0), (1e-2, 1.0), (1e-2, 0.0)]
    assert area(chart, look.UNSTABLE) == [(0.1, 0.0), (0.1, 1.0), (1.0, 1.0), (1.0, 0.0)]
    text = label(chart, "unstable")
    assert (points(text), text.align) == ([(1.0, look.UNSTABLE_HEIGHT)], "end")
    chart.show(scene())
    assert (area(chart, look.SUGGESTION), area(chart, look.UNSTABLE), label(chart, "unstable")) == ([], [], None)


def test_probes_are_dots_diamonds_and_crosses_at_the_edges_at_most(chart: Chart) -> None:
    """One that stopped early is a cross, whatever its length; a loss beyond the axis stands at its edge."""
    probes = (
        Probe(1e-3, 9.0, is_complete=True, is_compared=False),
        Probe(1e-2, 2.0, is_complete=True),
        Probe(1e-1, 0.1, is_complete=False, is_compared=False),
    )
    chart.show(scene(probes=probes))
    for marker, point in (("diamond", (1e-3, 4.4)), ("circle", (1e-2, 2.0)), ("cross", (1e-1, 0.8))):
        assert points(dots(chart)[marker]) == [point]
    chart.show(scene())
    assert [points(mark) for mark in dots(chart).values()] == [[], [], []]


def test_closing_closes_every_widget_of_the_chart(messages: list[dict[str, Any]]) -> None:
    """Also layouts, and axes and scales that are not on the figure at the moment."""
    before = set(open_widgets())
    chart = Chart()
    chart.show(scene())
    chart.show(scene(y=loss_axis(0.1, 10.0, is_log=True)))
    assert len(open_widgets()) - len(before) > 30
    chart.close()
    assert [type(widget).__name__ for key, widget in open_widgets().items() if key not in before] == []


def open_widgets() -> dict[str, Widget]:
    """All widgets with a comm to the browser; ipywidgets 7 has them in the class."""
    from ipywidgets.widgets import widget

    return dict(widget._instances if hasattr(widget, "_instances") else Widget.widgets)
