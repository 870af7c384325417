"""The answer of every rule: a rate with its reason, or the reason for none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import NoSuggestionError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that a rule read off a curve, or the reason why there is none.

    `float(suggestion)` is the rate.

    Attributes:
        lr: the rate, or None.
        rule: the name of the rule.
        reason: one plain sentence, also when there is a rate; with repeats, a second one about their spread.
        low, high: the range of rates that the curve supports about as well, where the rule knows one.
        confidence: "high", "medium" or "low" in the words of the rule, where it knows one.

    Raises:
        NoSuggestionError: by `float(suggestion)`, with the reason, where there is no rate.

    >>> float(Suggestion(lr=1e-3, rule="steepest", reason="The loss falls fastest here."))
    0.001
    """

    lr: float | None
    rule: str
    reason: str
    low: float | None = None
    high: float | None = None
    confidence: str | None = None

    def __float__(self) -> float:
        if self.lr is None:
            raise NoSuggestionError(self.reason)
        return self.lr


def with_spread(suggestion: Suggestion, of_sweeps: Sequence[Suggestion]) -> Suggestion:
    """Return the suggestion of a mean curve with the spread of the suggestions of its single sweeps.

    The range is widened to hold their rates, and the reason names the lowest and the highest. Sweeps without a rate
    are left out.
    """
    rates = [single.lr for single in of_sweeps if single.lr is not None]
    if suggestion.lr is None or not rates:
        return suggestion
    low, high = f"{min(rates):.1e}", f"{max(rates):.1e}"
    given = low if low == high else f"{low} … {high}"
    if len(rates) == 1:
        spread = f"1 of the {len(of_sweeps)} sweeps by itself gives {given}."
    else:
        number = "The" if len(rates) == len(of_sweeps) else f"{len(rates)} of the"
        spread = f"{number} {len(of_sweeps)} sweeps by themselves give {given}."
    known = [rate for rate in (suggestion.low, suggestion.high) if rate is not None]
    rates += [suggestion.lr, *known]
    return replace(suggestion, low=min(rates), high=max(rates), reason=f"{suggestion.reason} {spread}")
