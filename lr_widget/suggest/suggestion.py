"""The answer of every rule: a rate with its reason, or the reason for none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from ..errors import NoSuggestionError
from ..schedule import rate_text

if TYPE_CHECKING:
    from collections.abc import Sequence


SURE_DECADES = 1.0  # a wider range is no high confidence
AUTO, PROBE = "auto", "probe"  # the rules whose rates can be carried over to another training


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that a rule read off a curve, or the reason why there is none.

    `float(suggestion)` is the rate: `SGD(params, lr=float(suggestion))`. The suggestion itself is no number, as it
    would stay in the optimizer's param groups and in checkpoints; an optimizer or a scheduler that compares or
    calculates with it gets an error that says so.

    Attributes:
        lr: the rate, or None.
        rule: the name of the rule.
        reason: one plain sentence, also when there is a rate; with repeats, a second one about their spread.
        low, high: the range of rates that the curve supports about as well, where the rule knows one.
        confidence: "high", "medium" or "low" in the words of the rule, where it knows one.
        remedies: keywords whose change would show more, the first one first: a lower "start_lr", a higher "end_lr",
            more "num_steps" or "repeats" of a range test, more "max_steps" of probes.

    Raises:
        NoSuggestionError: by `float(suggestion)` and wherever it is used as a number, with the reason, where there is
            no rate.
        TypeError: where it is used as a number and there is a rate.

    >>> float(Suggestion(lr=1e-3, rule="steepest", reason="The loss falls fastest here."))
    0.001
    """

    lr: float | None
    rule: str
    reason: str
    low: float | None = None
    high: float | None = None
    confidence: str | None = None
    remedies: tuple[str, ...] = ()

    def __float__(self) -> float:
        if self.lr is None:
            raise NoSuggestionError(self.reason)
        return self.lr

    def __str__(self) -> str:
        if self.lr is None:
            return f"no rate: {self.reason}"
        spread = "" if self.low is None or self.high is None else f" ({rate_text(self.low)} … {rate_text(self.high)})"
        confidence = "" if self.confidence is None else f", {self.confidence} confidence"
        return f"{rate_text(self.lr)}{spread}{confidence}: {self.reason}"

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)  # `f"{suggestion:.1e}"` is the rate

    def _is_no_number(self, *_: object) -> NoReturn:
        """Refuse to be a number: as one, it would get into param groups, and from there into checkpoints."""
        raise TypeError(f"a Suggestion is no number, here for the rate {rate_text(float(self))}; use float(suggestion)")

    __lt__ = __le__ = __gt__ = __ge__ = _is_no_number
    __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _is_no_number
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __abs__ = __round__ = __int__ = _is_no_number


def with_spread(suggestion: Suggestion, of_sweeps: Sequence[Suggestion]) -> Suggestion:
    """Return the suggestion of a mean curve with the spread of the suggestions of its single sweeps.

    The range is widened to hold their rates, and the reason names the lowest and the highest; where it is then wider
    than a decade, the confidence is no longer "high". Sweeps without a rate are left out.
    """
    rates = [single.lr for single in of_sweeps if single.lr is not None]
    if suggestion.lr is None or not rates:
        return suggestion
    low, high = rate_text(min(rates)), rate_text(max(rates))
    given = low if low == high else f"{low} … {high}"
    if len(rates) == 1:
        spread = f"1 of the {len(of_sweeps)} sweeps by itself gives {given}."
    else:
        number = "The" if len(rates) == len(of_sweeps) else f"{len(rates)} of the"
        spread = f"{number} {len(of_sweeps)} sweeps by themselves give {given}."
    known = [rate for rate in (suggestion.low, suggestion.high) if rate is not None]
    rates += [suggestion.lr, *known]
    is_wide = math.log10(max(rates)) - math.log10(min(rates)) > SURE_DECADES
    confidence = "medium" if is_wide and suggestion.confidence == "high" else suggestion.confidence
    reason = f"{suggestion.reason} {spread}"
    return replace(suggestion, low=min(rates), high=max(rates), confidence=confidence, reason=reason)


# What ended a test before its last step, and what to do about it.
_ENDED = {
    "interrupted": ("The test was interrupted after {}", "let it run to its end"),
    "stopped": ("The test was stopped after {}", "let it run to its end"),
    "exhausted": ("The data ended after {}", "a DataLoader or a list would begin anew"),
}


def of_ended_test(suggestion: Suggestion, stop_reason: str, steps: int) -> Suggestion:
    """Begin the reason for no rate with what ended the test before its last step.

    Where nothing but higher rates is missing, the end of the test is the whole reason: they were to come.

    Args:
        suggestion: of the whole test; one with a rate is returned as it is.
        stop_reason: of the test.
        steps: that it had by then.
    """
    if suggestion.lr is not None or stop_reason not in _ENDED:
        return suggestion
    cause, remedy = _ENDED[stop_reason]
    ended = cause.format("1 step" if steps == 1 else f"{steps:,} steps")
    if suggestion.remedies == ("end_lr",):
        return replace(suggestion, reason=f"{ended}, while the loss still fell; {remedy}.", remedies=())
    is_final = stop_reason == "exhausted"  # running it again would end there, too
    return replace(suggestion, reason=f"{ended}{f'; {remedy}' if is_final else ''}. {suggestion.reason}")


def of_one_group(suggestion: Suggestion) -> Suggestion:
    """Add to the reason that a sweep of one param group also shows how the others learn."""
    others = "The other param groups train at their own rates meanwhile: a fall from the first rates on may be theirs."
    return replace(suggestion, reason=f"{suggestion.reason} {others}")
