"""Axes, markers and windows as plain values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_widget import LRRecords
from lr_widget.schedule import Sweep
from lr_widget.widget.chart.scene import (
    Marker,
    chosen,
    clipped,
    inside,
    loss_axis,
    marker,
    on_scale,
    rate_axis,
    records_bounds,
    sweep_bounds,
)

X, Y = rate_axis(1e-4, 1.0, is_log=True), loss_axis(0.0, 4.0, is_log=False)


def test_places_on_an_axis() -> None:
    """0 at the low end, 1 at the high one, by the logarithm or not."""
    assert [X.share(lr) for lr in (1e-4, 1e-2, 1.0)] == pytest.approx([0.0, 0.5, 1.0])
    assert [Y.share(loss) for loss in (0.0, 1.0, 4.0)] == pytest.approx([0.0, 0.25, 1.0])


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(0.0, 3.0, "loss"), (123456.001, 123456.009, "loss - 123456"), (-123456.009, -123456.001, "loss + 123456.01")],
)
def test_the_loss_axis_names_the_offset_of_its_ticks(low: float, high: float, name: str) -> None:
    """What is subtracted from the losses stands in its name."""
    assert loss_axis(low, high, is_log=False).label == name


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_any_limits_make_an_axis(one: float, other: float) -> None:
    """Equal ones, huge ones and those that only rounding tells apart, too."""
    axis = loss_axis(min(one, other), max(one, other), is_log=False)
    assert axis.low < axis.high
    assert math.isfinite(axis.high - axis.low)
    assert len(axis.ticks.labels) >= 3


def test_a_marker_is_a_line_with_its_label_inside() -> None:
    """In the right half of the axis, which begins at 0.01, the label stands to the left of the line."""
    assert marker(X, "suggested", 0.0099, 2) == Marker(
        0.0099, "9.9e-3", "suggested 9.9e-3", is_inside=True, is_left=False
    )
    assert marker(X, "your pick", 0.0101, 6) == Marker(
        0.0101, "0.0101", "your pick 0.0101", is_inside=True, is_left=True
    )
    assert marker(X, "your pick", None, 6) is None


def test_a_rate_beyond_the_axis_is_an_arrow_at_its_edge() -> None:
    """No line and no cut label."""
    assert marker(X, "your pick", 50.0, 6) == Marker(1.0, "50", "your pick 50 →", is_inside=False, is_left=True)
    assert marker(X, "suggested", 1e-9, 2) == Marker(1e-4, "1e-9", "← suggested 1e-9", is_inside=False, is_left=False)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1e-3, 0.1, (1e-3, 0.1)),
        (1e-9, 0.1, (1e-4, 0.1)),
        (0.1, math.inf, (0.1, 1.0)),
        (2.0, 3.0, None),
        (None, 0.1, None),
    ],
)
def test_ranges_end_at_the_edges(low: float | None, high: float, shown: tuple[float, float] | None) -> None:
    """A range that is not on the axis, or that nobody knows, is not shown."""
    assert clipped(X, low, high) == shown


def test_bounds_of_sweeps_and_records() -> None:
    """Those that were asked for; without them, those that are there."""
    assert sweep_bounds(Sweep(1e-3, 1.0, 10)) == (1e-3, 1.0)
    assert sweep_bounds(Sweep(1e-3, 1.0, 4, lambda step: 1 / step)) == (0.25, 1.0)
    assert records_bounds(LRRecords([0.1, 0.2], [1.0, 1.0], start_lr=0.01, end_lr=1.0)) == (0.01, 1.0)
    assert records_bounds(LRRecords([0.2, 0.1], [1.0, 1.0])) == (0.1, 0.2)
    assert records_bounds(LRRecords([], [])) is None


@pytest.mark.parametrize(
    ("low", "high", "is_log", "shown"),
    [
        (None, None, False, (1.0, 5.0)),
        (0.0, 3.0, False, (0.0, 3.0)),
        (3.0, 0.0, False, (0.0, 3.0)),
        (2.0, 2.0, False, (1.0, 5.0)),
        (None, 3.0, False, (1.0, 3.0)),
        (7.0, None, False, (7.0, 11.0)),
        (None, 0.5, False, (-3.5, 0.5)),
        (0.0, 3.0, True, (1.0, 3.0)),
        (7.0, None, True, (7.0, 70.0)),
        (None, 0.5, True, (0.05, 0.5)),
    ],
)
def test_limits_of_the_user_win(
    low: float | None, high: float | None, is_log: bool, shown: tuple[float, float]
) -> None:
    """One alone moves the other if need be; in the wrong order they change places; a logarithm needs positive ones."""
    assert chosen((1.0, 5.0), low, high, is_log=is_log) == pytest.approx(shown)


def test_a_window_ends_where_the_rates_end() -> None:
    """Losses may go further; on a logarithmic axis they stay positive."""
    assert inside((1e-9, 0.1, -2.0, 3.0), X, Y) == (1e-4, 0.1, -2.0, 3.0)
    assert inside((1e-3, 0.1, -2.0, 3.0), X, loss_axis(0.1, 10.0, is_log=True)) == (1e-3, 0.1, 0.1, 3.0)


@pytest.mark.parametrize(
    ("losses", "shown"),
    [
        ((-2.0, 3.0), (0.1, 3.0)),
        ((0.0, 0.5), (0.05, 0.5)),
        ((0.01, 3.0), (0.1, 3.0)),
        ((0.5, 3.0), (0.5, 3.0)),
        ((-2.0, 0.0), None),
        ((-2.0, -1.0), None),
    ],
)
def test_a_logarithmic_axis_shows_the_positive_part_of_a_window(
    losses: tuple[float, float], shown: tuple[float, float] | None
) -> None:
    """From the axis's own low end on, or a tenth of the window's high one; a linear axis shows all of it."""
    assert on_scale(losses, loss_axis(0.1, 10.0, is_log=True)) == shown
    assert on_scale(losses, Y) == losses


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        ((1e-3, math.nan, 0.0, 1.0), "must have finite ends"),
        ((1e-3, 0.1, 0.0, math.inf), "must have finite ends"),
        ((2.0, 3.0, 0.0, 1.0), "must lie on the chart"),
        ((1e-3, 0.1, 5.0, 6.0), "must lie on the chart"),
        ((0.1, 1e-3, 0.0, 1.0), "must not be empty"),
        ((1e-3, 0.1, 1.0, 1.0), "must not be empty"),
        ((1e-3, 1.0000001e-3, 0.0, 1.0), "must not be empty"),
    ],
)
def test_windows_that_show_nothing_are_refused(window: tuple[float, float, float, float], reason: str) -> None:
    """With the rule, the window and the remedy."""
    with pytest.raises(ValueError, match=rf"^a zoom window {reason}, got \(.*\); drag over"):
        inside(window, X, Y)


def test_without_a_loss_there_is_nothing_to_zoom_into() -> None:
    """The chart has no loss axis then."""
    with pytest.raises(ValueError, match="must lie on the chart"):
        inside((1e-3, 0.1, 0.0, 1.0), X, None)
