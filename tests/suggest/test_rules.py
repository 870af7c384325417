"""The rules by name: analytic answers, refused input, and the promises that all of them keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lr_widget.suggest import suggest_all, suggest_lr

from .helpers import LRS, noisy_sweep

OURS = ("auto", "steepest", "minimum/10")
finite = st.floats(allow_nan=False, allow_infinity=False)
curves = st.lists(st.tuples(st.floats(1e-300, 1e300), finite), max_size=60)


def logistic_fall(steepest_at: float) -> np.ndarray:
    """Return losses that fall steepest against log rate at the given rate."""
    return 1 / (1 + (LRS / steepest_at) ** 2)


def test_steepest_finds_the_analytic_steepest_point():
    """A logistic fall in log rate is steepest at its middle."""
    assert suggest_lr(LRS, logistic_fall(3.16e-3), rule="steepest").lr == pytest.approx(3.16e-3, rel=0.02)


def test_minimum_tenth_is_an_order_of_magnitude_before_a_parabolas_minimum():
    """A parabola in log rate with its minimum at 1e-1 gives 1e-2."""
    assert suggest_lr(LRS, (np.log10(LRS) + 1) ** 2, rule="minimum/10").lr == pytest.approx(1e-2, rel=0.15)


def test_unknown_rule_is_refused_with_the_known_ones():
    """The message is the list to choose from."""
    with pytest.raises(ValueError, match=r"rule must be one of 'auto', .*, got 'best'"):
        suggest_lr([1.0], [1.0], rule="best")


def test_unequal_lengths_are_refused():
    """A silent zip would pair losses with the wrong rates."""
    with pytest.raises(ValueError, match=r"equally long, got 2 and 1; give one loss a rate"):
        suggest_lr([1.0, 2.0], [1.0])


@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan"), float("inf")])
def test_rates_without_a_logarithm_are_refused(rate: float):
    """Every rule reads the curve against the logarithm of the rate."""
    with pytest.raises(ValueError, match=r"lrs must be positive and finite, got .*; leave such points out"):
        suggest_lr([1e-3, rate], [1.0, 1.0])


def test_too_few_points_and_a_constant_curve_give_a_reason_from_every_rule():
    """No rule invents a rate where there is nothing to read."""
    for suggestion in (*suggest_all([1e-3], [1.0]).values(), *suggest_all(LRS, np.ones(141)).values()):
        assert suggestion.lr is None
        assert suggestion.reason.endswith(".")


@pytest.mark.parametrize(("number", "rates"), [(1, "1 rate has"), (2, "2 rates have")])
def test_too_few_points_are_counted_and_the_reason_says_how_to_get_more(number: int, rates: str):
    """For a curve of validation losses, too: more steps are no more losses where each evaluation is far apart."""
    losses = [1.0] * number + [float("nan")] * 3
    for suggestion in suggest_all([0.1 * k for k in range(1, number + 4)], losses).values():
        assert suggestion.reason == (
            f"Only {rates} a finite loss; a suggestion needs at least 5: "
            "take more steps or, for validation losses, lower val_every."
        )
        assert suggestion.remedies == ("num_steps",)


def test_without_any_finite_loss_more_steps_are_no_remedy():
    """Nor are other rates, as the first loss is that of the model as it is."""
    for suggestion in suggest_all([0.1, 0.2, 0.3], [float("nan")] * 3).values():
        assert suggestion.reason == "No rate has a finite loss; look for the cause in the data, the model or the loss."
        assert (suggestion.lr, suggestion.remedies) == (None, ())


@example([(1.0, 1.7976931348623157e308)] * 3 + [(lr, 0.0) for lr in (2.0, 3.0, 4.0, 5.0)])
@settings(deadline=None)
@given(curves)
def test_no_finite_input_raises_in_any_rule(points: list[tuple[float, float]]):
    """Huge, denormal, unsorted, repeated, few or none."""
    lrs, losses = [lr for lr, _ in points], [loss for _, loss in points]
    for suggestion in suggest_all(lrs, losses).values():
        assert suggestion.lr is None or suggestion.lr >= 0


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_scale_and_offset_of_the_losses_change_nothing(seed: int, noise: float, scale: float, offset: float):
    """Negative and huge losses are as good as any."""
    lrs, losses = noisy_sweep(noise, seed=seed)
    for rule in OURS:
        plain, moved = suggest_lr(lrs, losses, rule), suggest_lr(lrs, scale * (losses + offset), rule)
        assert (plain.lr, plain.confidence) == (pytest.approx(moved.lr), moved.confidence)


@settings(deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_points_changes_nothing(seed: int, random: object):
    """Reversed or shuffled, the rates say where each loss belongs."""
    lrs, losses = noisy_sweep(0.2, seed=seed)
    order = list(range(100))
    random.shuffle(order)
    assert suggest_all(lrs[order], losses[order]) == suggest_all(lrs, losses) == suggest_all(lrs[::-1], losses[::-1])


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 30), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_tail_without_finite_losses_changes_nothing(seed: int, length: int, bad: float):
    """A test that ended in NaN is read up to there."""
    lrs, losses = noisy_sweep(0.2, seed=seed)
    tail = 10 * 1.1 ** np.arange(1, length + 1)
    assert suggest_all([*lrs, *tail], [*losses, *[bad] * length]) == suggest_all(lrs, losses)
