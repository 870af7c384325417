"""Smoothing: the causal average worked out by hand, and straight lines that do not lag."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from lr_widget.smoothing import ema, local_linear


def test_ema_is_the_bias_corrected_average_worked_out_by_hand():
    """With beta 0.5: 1; (1 + 2*2)/3; (1 + 2*2 + 4*3)/7."""
    assert ema([1.0, 2.0, 3.0], beta=0.5) == pytest.approx([1.0, 5 / 3, 17 / 7])


def test_ema_of_a_constant_is_the_constant_from_the_first_step():
    """A plain average would start at a tenth of it."""
    assert ema([7.0] * 4, beta=0.9) == pytest.approx([7.0] * 4)


def test_ema_without_smoothing_returns_the_losses():
    """Beta 0 gives the past no weight."""
    assert ema([3.0, -1.0, 2.0], beta=0).tolist() == [3.0, -1.0, 2.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_ema_is_untouched_before_a_bad_loss_and_nan_from_it_on(bad: float):
    """Nothing that happens later changes an earlier smoothed value."""
    smoothed = ema([1.0, 2.0, bad, 4.0], beta=0.5)
    assert smoothed[:2] == pytest.approx([1.0, 5 / 3])
    assert np.isnan(smoothed[2:]).all()


def test_ema_of_nothing_is_nothing():
    """The widget draws before the first step."""
    assert ema([]).tolist() == []


@pytest.mark.parametrize("beta", [1.0, -0.1, 1.5, float("nan")])
def test_ema_refuses_a_beta_outside_its_range(beta: float):
    """At 1 the average would never move."""
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got .*; use 0 for no smoothing"):
        ema([1.0], beta=beta)


def test_ema_refuses_a_beta_that_is_no_number():
    """A text is not read as a number."""
    with pytest.raises(TypeError, match=r"beta must be in \[0, 1\), got '0\.9'; use 0 for no smoothing"):
        ema([1.0], beta="0.9")


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.98, 0.999])
def test_ema_of_a_growing_curve_equals_the_smoothing_of_the_whole(beta: float):
    """Step by step gives the same as all at once, and both are the recursion of the docstring."""
    losses = np.random.default_rng(0).normal(size=200)
    whole = ema(losses, beta)
    assert [ema(losses[:step], beta)[-1] for step in range(1, 201)] == pytest.approx(whole)
    means = list(accumulate(losses, lambda mean, loss: beta * mean + (1 - beta) * loss, initial=0.0))[1:]
    assert whole == pytest.approx(means / (1 - beta ** np.arange(1, 201)))


def test_ema_follows_losses_as_large_as_a_float32_holds():
    """An exploding loss is finite until it is infinite, however often it comes."""
    assert ema([3e38] * 500, beta=0.99) == pytest.approx([3e38] * 500)


def test_local_linear_reproduces_a_straight_line_up_to_its_ends_on_uneven_points():
    """A plain moving average would bend both ends towards the middle."""
    x = np.array([0.0, 0.1, 0.5, 2.0, 2.1, 4.0])
    fit = local_linear(x, 3 - 2 * x, bandwidth=0.7)
    assert fit.level == pytest.approx(3 - 2 * x)
    assert fit.slope == pytest.approx([-2.0] * 6)


def test_local_linear_does_not_lag():
    """The steepest point of a logistic fall stays where it is, at 0, and falls mirrored about it."""
    x = np.linspace(-4, 4, 81)
    fit = local_linear(x, 1 / (1 + np.exp(3 * x)), bandwidth=0.5)
    assert x[np.argmin(fit.slope)] == pytest.approx(0.0)
    assert fit.level + fit.level[::-1] == pytest.approx(np.ones(81))


def test_local_linear_on_one_shared_x_is_flat_at_the_mean():
    """There is no slope to see where the rate never changes."""
    fit = local_linear(np.zeros(3), np.array([1.0, 2.0, 6.0]), bandwidth=1.0)
    assert fit.level == pytest.approx([3.0] * 3)
    assert fit.slope.tolist() == [0.0] * 3
