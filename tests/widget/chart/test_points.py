"""The points and the ticks that a curve is drawn with."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.widget.chart.points import Probe, band, loss_limits, loss_ticks, lr_ticks


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


def test_a_band_goes_from_the_lowest_to_the_highest_loss() -> None:
    """It goes as far as all curves do, leaves rates out where one of them is not finite, and needs two curves."""
    lrs = np.array([1.0, 2.0, 3.0, 4.0])
    first, second = np.array([5.0, np.nan, 1.0, 9.0]), np.array([4.0, 2.0, 3.0])
    x, low_and_high = band([(lrs, first), (lrs[:3], second)])
    assert (x.tolist(), low_and_high.tolist()) == ([1.0, 3.0], [[4.0, 1.0], [5.0, 3.0]])
    x, low_and_high = band([(lrs, first)])
    assert (x.shape, low_and_high.shape) == ((0,), (2, 0))


def test_a_long_band_is_drawn_with_few_points() -> None:
    """Six of eleven rates are every second one, the first and the last among them."""
    lrs = np.arange(1.0, 12.0)
    x, low_and_high = band([(lrs, lrs), (lrs, -lrs)], max_points=6)
    assert x.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    assert low_and_high.tolist() == [(-x).tolist(), x.tolist()]


def test_a_probe_just_above_the_edge_has_room_for_its_dot() -> None:
    """The losses 3, 2, 1 give limits of 0.88 and 3.12; a dot at 0.9 needs 0.9 - 0.04 * (3.12 - 0.9)."""
    losses = np.array([3.0, 2.0, 1.0])
    assert loss_limits([(losses, losses)], []) == pytest.approx((0.88, 3.12))
    probe = Probe(1e-3, 0.9, is_complete=True)
    assert loss_limits([(losses, losses)], [probe]) == pytest.approx((0.8112, 3.12))
    assert loss_limits([(losses, losses)], [probe._replace(is_complete=False)]) == pytest.approx((0.88, 3.12))
