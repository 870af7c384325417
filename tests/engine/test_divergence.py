"""The stop rule against loss sequences with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget.engine.divergence import Divergence


def first_stop(
    losses: np.ndarray | list[float], factor: float | None = 4.0, num_steps: int | None = None
) -> int | None:
    """The step, from 1, of the rule's answer yes; None without one."""
    has_diverged = Divergence(factor, num_steps or len(losses))
    return next((step for step, loss in enumerate(losses, 1) if has_diverged(float(loss))), None)


def fall_and_explosion(noise: float = 0.0) -> np.ndarray:
    """2.3 falls to 0.5 in 60 steps and then doubles at every step; the known answer is soon after step 60."""
    fall = np.linspace(2.3, 0.5, 60)
    rise = 0.5 * 2.0 ** np.arange(1, 41)
    return np.concatenate([fall, rise]) + noise * np.random.default_rng(0).standard_normal(100)


def test_an_explosion_after_a_fall_stops_within_a_few_steps() -> None:
    # Best 0.5, range 1.8: the limit is 0.5 + 4 * 1.8 = 7.7; 8.0 is reached at step 64, and three losses must be above.
    assert first_stop(fall_and_explosion()) == 66


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_noise_does_not_hide_an_explosion(noise: float) -> None:
    assert first_stop(fall_and_explosion(noise)) in range(64, 72)


def test_a_loss_from_minus_3_to_minus_9_runs_to_the_end() -> None:
    assert first_stop(np.linspace(-3, -9, 100)) is None


def test_a_loss_that_crosses_zero_runs_to_the_end() -> None:
    assert first_stop(np.linspace(3, -2, 100)) is None


def test_a_constant_loss_runs_to_the_end() -> None:
    assert first_stop(np.full(100, 2.3)) is None
    assert first_stop(np.zeros(100)) is None


def test_an_offset_of_a_million_does_not_hide_an_explosion() -> None:
    with_offset = (fall_and_explosion() + 1e6).astype(np.float32)
    assert first_stop(with_offset) in (66, 67)


def test_a_negative_loss_that_explodes_upwards_stops() -> None:
    assert first_stop(fall_and_explosion() - 100.0) == 66


def test_a_single_outlier_is_no_explosion() -> None:
    losses = np.linspace(2.3, 0.5, 100)
    losses[50] = 1e6
    assert first_stop(losses) is None


@pytest.mark.parametrize("slope", [1e-5, 1e-3, 0.02])
def test_a_gentle_rise_from_the_start_is_no_explosion(slope: float) -> None:
    assert first_stop(2.3 + slope * np.arange(100)) is None


def test_pure_noise_is_no_explosion_for_many_seeds() -> None:
    for seed in range(300):
        noise = np.random.default_rng(seed).standard_normal(100)
        assert first_stop(2.3 + noise) is None
        assert first_stop(np.exp(noise)) is None


def test_none_never_stops() -> None:
    assert first_stop(fall_and_explosion(), factor=None) is None


def test_a_larger_factor_lets_the_curve_climb_further() -> None:
    assert first_stop(fall_and_explosion(), factor=100.0) == 71  # 0.5 + 180; 256 is at step 69


@settings(deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_scale_and_offset_change_nothing(scale: float, shift: float) -> None:
    assert first_stop(scale * fall_and_explosion(0.05) + shift) == first_stop(fall_and_explosion(0.05))


@pytest.mark.parametrize("factor", [0, -1.0, float("nan"), float("inf"), "4"])
def test_a_factor_that_is_not_positive_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="diverge_factor must be a positive number or None for never, got"):
        Divergence(factor, 100)


@pytest.mark.parametrize("place", [0, 1, 5])
def test_one_wild_loss_early_on_does_not_hide_an_explosion(place: int) -> None:
    """100 among 2.3 … 0.5: the range counts as 4 · 1.8 at most, so that 300 is above 0.5 + 4 · 7.2 = 29.3."""
    losses = np.concatenate([np.linspace(2.3, 0.5, 61), np.full(39, 300.0)])
    losses[place] = 100.0
    assert first_stop(losses) == 64


def test_a_high_plateau_at_the_start_counts_as_part_of_the_range() -> None:
    """Three losses of 100 are no outlier: 300 is then within 0.5 + 4 · 99.5."""
    assert first_stop(np.concatenate([np.full(3, 100.0), np.linspace(2.3, 0.5, 60), np.full(37, 300.0)])) is None


def test_a_factor_may_be_a_number_of_numpy_and_no_bool() -> None:
    assert first_stop(fall_and_explosion(), factor=np.float32(4.0)) == 66
    with pytest.raises(ValueError, match="diverge_factor must be a positive number or None for never, got True"):
        Divergence(True, 100)


def test_a_factor_too_large_for_a_float_is_refused() -> None:
    """An int of 400 digits is no finite number."""
    with pytest.raises(ValueError, match="diverge_factor must be a positive number or None for never, got 1000"):
        Divergence(10**400, 100)


@settings(deadline=None)
@given(
    losses=st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 2.0, 1e5]), max_size=60),
    num_steps=st.integers(1, 60),
)
def test_losses_put_aside_change_no_answer(losses: list[float], num_steps: int) -> None:
    """Counting in every loss at once gives the same answers, step by step."""
    lazy, eager = Divergence(1.5, num_steps), Divergence(1.5, num_steps)
    for loss in losses:
        eager._limit = -math.inf
        assert lazy(loss) is eager(loss)
