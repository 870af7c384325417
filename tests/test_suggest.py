import numpy as np
import pytest

from lr_widget.errors import NoSuggestionError
from lr_widget.suggest import Suggestion, suggest_all, suggest_lr

LRS = np.logspace(-6, 1, 141)


def logistic_fall(steepest_at: float) -> np.ndarray:
    """Return losses that fall steepest against log rate at the given rate."""
    return 1 / (1 + (LRS / steepest_at) ** 2)


def test_steepest_finds_the_analytic_steepest_point():
    """A logistic fall in log rate is steepest at its middle."""
    assert suggest_lr(LRS, logistic_fall(3.16e-3), rule="steepest").lr == pytest.approx(3.16e-3, rel=0.02)


def test_minimum_tenth_is_an_order_of_magnitude_before_a_parabolas_minimum():
    """A parabola in log rate with its minimum at 1e-1 gives 1e-2."""
    assert suggest_lr(LRS, (np.log10(LRS) + 1) ** 2, rule="minimum/10").lr == pytest.approx(1e-2, rel=0.15)


def test_a_suggestion_without_a_rate_says_why_when_asked_for_its_number():
    """Code that wants a number must not go on with a made-up one."""
    with pytest.raises(NoSuggestionError, match=r"^flat as a plate$"):
        float(Suggestion(lr=None, rule="auto", reason="flat as a plate"))


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
