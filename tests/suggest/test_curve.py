"""The curve as the rules read it: several losses at one rate, levels, explosions, long sweeps."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.suggest import suggest_lr
from lr_widget.suggest.curve import MAX_POINTS, prepare, read_points

from .helpers import noisy_sweep


def test_several_losses_at_one_rate_count_as_their_mean():
    """Sweeps of several seeds over the same rates can be given as they are."""
    lrs, losses = noisy_sweep(0.05)
    up, down = losses + 0.125, losses - 0.125
    twice = suggest_lr(np.concatenate([lrs, lrs]), np.concatenate([up, down]))
    assert twice.lr == pytest.approx(suggest_lr(lrs, losses).lr)


def test_the_height_of_the_explosion_makes_no_difference():
    """That a rate is too high is known from the first rise; how far the loss goes is chance."""
    lrs, losses = noisy_sweep(0.05)
    exploded = np.where(losses > 3.5, losses * 1e6, losses)
    assert suggest_lr(lrs, exploded).lr == pytest.approx(suggest_lr(lrs, losses).lr)


def test_a_long_curve_is_thinned_and_answers_the_same():
    """With 50,000 steps the analytic curve gives the same rate as with 400, short of the step that is taken off."""
    few, many = (suggest_lr(*noisy_sweep(0.0, n)).lr for n in (400, 50_000))
    assert many == pytest.approx(few, rel=0.1)


def test_points_are_sorted_and_those_without_a_finite_loss_left_out():
    """Two finite losses at 0.1 give their mean; NaN and infinity have no place on a curve."""
    points = read_points([0.1, 0.01, 0.1, 1.0, 0.001], [5.0, 2.0, 3.0, np.nan, np.inf])
    assert points.lrs.tolist() == [0.01, 0.1]
    assert points.losses.tolist() == [2.0, 4.0]
    assert points.step == 1.0


def test_the_levels_of_a_curve_are_0_and_1():
    """From 4 down to 2: 1 is the start, 0 the lowest median of three, 3 half-way; 9 is cut and, 5 above 4, exploded."""
    losses = [4.0, 4.0, 4.0, 4.0, 3.0, 2.0, 1.0, 2.0, 9.0]
    curve = prepare(read_points(np.logspace(-8, 0, 9), losses))
    assert curve.y.tolist() == [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0]
    assert curve.is_exploded.tolist() == [False] * 8 + [True]
    assert curve.step == pytest.approx(1.0)
    assert not curve.is_rising


def test_a_curve_that_mostly_lies_above_its_first_losses_is_rising():
    """Five of eight losses lie above the first three."""
    assert prepare(read_points(np.logspace(-7, 0, 8), [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).is_rising


def test_thinning_averages_neighbours_and_keeps_few_points_as_they_are():
    """Twice as many points as allowed become pairs, in log rate."""
    x = np.linspace(-8, 0, 2 * MAX_POINTS)
    points = read_points(10**x, np.tile([1.0, 3.0], MAX_POINTS))
    thinned = points.thinned()
    assert thinned.x == pytest.approx((x[::2] + x[1::2]) / 2)
    assert thinned.losses.tolist() == [2.0] * MAX_POINTS
    assert thinned.thinned() is thinned
