"""The answer of a rule: its number, and its range with repeats."""

from __future__ import annotations

import pytest

from lr_widget.errors import NoSuggestionError
from lr_widget.suggest import Suggestion, with_spread


def test_a_suggestion_without_a_rate_says_why_when_asked_for_its_number():
    """Code that wants a number must not go on with a made-up one."""
    with pytest.raises(NoSuggestionError, match=r"^flat as a plate$"):
        float(Suggestion(lr=None, rule="auto", reason="flat as a plate"))


def test_the_spread_leaves_out_sweeps_without_a_rate() -> None:
    """Three, one or none of the sweeps that have a rate, and a range that is already wider."""
    mean = Suggestion(1e-3, "auto", "Here.", low=1e-5, high=2e-3)
    none = Suggestion(None, "auto", "Flat.")
    at = [Suggestion(rate, "auto", "") for rate in (2.1e-4, 4e-3)]
    spread = with_spread(mean, [*at, none])
    assert (spread.low, spread.high, spread.reason) == (
        1e-5,
        4e-3,
        "Here. 2 of the 3 sweeps by themselves give 2.1e-04 … 4.0e-03.",
    )
    assert with_spread(mean, [at[0], none]).reason == "Here. 1 of the 2 sweeps by itself gives 2.1e-04."
    assert with_spread(mean, [at[0], at[0]]).reason == "Here. The 2 sweeps by themselves give 2.1e-04."
    assert with_spread(mean, [none, none]) == with_spread(mean, []) == mean
    assert with_spread(none, at) == none
