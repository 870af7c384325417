"""What every rule answers with: a rate and why, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lr_widget.errors import NoSuggestionError

if TYPE_CHECKING:
    from lr_widget.evidence import Evidence


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that a rule read off a curve, or the reason why there is none.

    lr: the rate, or None.
    rule: the name of the rule.
    reason: one plain sentence, also when there is a rate.
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
