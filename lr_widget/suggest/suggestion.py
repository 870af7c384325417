"""What every rule answers with: a rate and why, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import NoSuggestionError

if TYPE_CHECKING:
    from ..results.evidence import Evidence


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that a rule read off a curve, or the reason why there is none.

    lr: the rate, or None.
    rule: the name of the rule.
    reason: one plain sentence, also when there is a rate; with repeats, a second one about their spread.
    low, high: the range of rates that the curve supports about as well, where the rule knows one.
    confidence: "high", "medium" or "low", where the rule knows it; what they mean is the rule's to say.
    evidence: the short trainings that it rests on, for the rule "probe".

    ``float(suggestion)`` is the rate and raises NoSuggestionError with the reason where there is none.

    >>> float(Suggestion(lr=1e-3, rule="steepest", reason="The loss falls fastest here."))
    0.001
    """

    lr: float | None
    rule: str
    reason: str
    low: float | None = None
    high: float | None = None
    confidence: str | None = None
    evidence: Evidence | None = field(default=None, repr=False, compare=False)

    def __float__(self) -> float:
        if self.lr is None:
            raise NoSuggestionError(self.reason)
        return self.lr


def with_spread(suggestion: Suggestion, of_sweeps: Sequence[Suggestion]) -> Suggestion:
    """Return the suggestion of a mean curve with the spread of those that its single sweeps give.

    The range is widened to hold them, and the reason says what they are. Sweeps without a rate are left out.
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
