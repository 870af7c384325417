"""What of a curve is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.smoothing import ema
from lr_widget.widget.chart.points import GrowingCurve, loss_ticks, lr_ticks, thin, y_limits


def test_a_growing_curve_equals_the_smoothing_of_the_whole() -> None:
    """Step by step gives what the records' smoothing gives, also after the beta was changed."""
    losses = np.random.default_rng(0).normal(size=200)
    curve = GrowingCurve(0.9)
    for step, loss in enumerate(losses, start=1):
        curve.add(10.0**-step, float(loss))
    assert curve.arrays()[2] == pytest.approx(ema(losses, 0.9))
    curve.smooth(0.5)
    lrs, raw, smoothed = curve.arrays()
    assert smoothed == pytest.approx(ema(losses, 0.5))
    assert raw.tolist() == losses.tolist()
    assert lrs[1] == 1e-2


def test_thinning_keeps_the_ends_and_every_extremum() -> None:
    """A million points become at most 600, and a single spike among them survives."""
    x = np.arange(1, 1_000_001, dtype=float)
    y = np.sin(x / 1e5)
    y[654_321], y[123_456] = 40.0, -50.0
    thin_x, thin_y = thin(x, y)
    assert len(thin_x) <= 600
    assert (thin_x[0], thin_x[-1]) == (1.0, 1_000_000.0)
    assert dict(zip(thin_x, thin_y, strict=True))[654_322.0] == 40.0
    assert dict(zip(thin_x, thin_y, strict=True))[123_457.0] == -50.0
    assert np.all(np.diff(thin_x) > 0)


def test_thinning_leaves_short_curves_alone_and_drops_what_no_axis_can_show() -> None:
    """NaN and infinity never reach the chart."""
    x, y = thin(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, np.nan, 6.0, np.inf]))
    assert (x.tolist(), y.tolist()) == ([1.0, 3.0], [5.0, 6.0])


def test_an_exploding_tail_does_not_flatten_the_curve() -> None:
    """From 2.3 down to 0.3 and then up to 1e9: the axis ends a little above 2.3."""
    loss = np.concatenate([np.full(40, 2.3), np.linspace(2.3, 0.3, 40), np.geomspace(0.3, 1e9, 20)])
    low, high = y_limits(loss, loss) or (0.0, 0.0)
    assert 0.0 <= low < 0.3
    # top 2.3, plus 0.6 of the height 2.0, plus 6 % of the whole: (2.3 + 1.2) + 0.06 * 3.2
    assert high == pytest.approx(3.692)


@pytest.mark.parametrize(
    ("losses", "inside"),
    [
        ([-3.0, -5.0, -9.0], (-9.0, -3.0)),
        ([7.0], (7.0, 7.0)),
        ([2.0, 2.0, 2.0], (2.0, 2.0)),
        ([1.0, 2.0, 4.0, 8.0], (1.0, 3.0)),
        ([3.0, np.inf, np.nan], (3.0, 3.0)),
        ([0.0, 0.0], (0.0, 0.0)),
        ([1e6, 1e6 + 1, 1e6 - 1], (1e6 - 1, 1e6 + 1)),
    ],
)
def test_limits_enclose_what_matters(losses: list[float], inside: tuple[float, float]) -> None:
    """Negative, single, constant, rising, non-finite and offset losses get a proper axis."""
    low, high = y_limits(np.array(losses), np.array(losses)) or (np.nan, np.nan)
    assert low < inside[0] <= inside[1] < high


def test_no_finite_loss_has_no_limits() -> None:
    """The chart then keeps the axis that it has."""
    assert y_limits(np.array([np.nan]), np.array([np.nan])) is None


def test_limits_of_positive_losses_hardly_go_below_zero() -> None:
    """A loss that cannot be negative has no axis that says so."""
    losses = np.array([2.0, 1.0, 0.0])
    assert (y_limits(losses, losses) or (0.0, 0.0))[0] == pytest.approx(-0.06)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1e-3, 10.0, [1e-3, 1e-2, 1e-1, 1.0, 10.0]),
        (2e-3, 5e-2, [2e-3, 5e-3, 1e-2, 2e-2, 5e-2]),
        (1e-20, 1.0, [1e-20, 1e-17, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2]),
        (3e-4, 4e-4, [3e-4, 4e-4]),
    ],
)
def test_rate_ticks(low: float, high: float, ticks: list[float]) -> None:
    """Decades; fewer in a wide range; 1-2-5 in a narrow one; the bounds where none of these is inside."""
    assert lr_ticks(low, high) == pytest.approx(ticks)


def test_loss_ticks() -> None:
    """At most six, at round losses, also below zero."""
    assert loss_ticks(0.0, 2.4).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert loss_ticks(-9.4, -2.6).tolist() == [-8.0, -6.0, -4.0]
