"""A suggestion carried over to the training that the user will run: its rate, its range and how sure it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..schedule import rate_text
from .suggestion import AUTO, PROBE, SURE_DECADES, Suggestion

if TYPE_CHECKING:
    from ..horizon import Horizon

# How the best rate moves with the length of a training, chosen with one half of the tasks of
# tests/benchmarks/trainings (its RESULTS.md has what the other half says). In decades of rate per decade of length:
SLOPE = 0.3  # of a rate that is kept; Bjorck et al. (arXiv 2409.19913) find 0.32 for language models
DECAYING_SLOPE = 0.15  # of the top of a schedule that falls to almost nothing
SLOPE_DEVIATION = 0.1  # of both, between tasks
DECAYING_GAIN = 0.25  # decades; so much higher may the top of such a schedule be than a kept rate, for 100 steps
GAIN_STEPS = 100

CARRIES = 0.25  # decades of deviation from which on there is no rate: 316 times the length


def shift(horizon: Horizon, from_steps: int, *, from_decaying: bool = False) -> tuple[float, float]:
    """Return the decades from the best rate of a short training up to that of this one, and their deviation.

    The best rate of a training of T steps lies `-SLOPE * log10(T / 100)` decades beside that of 100 steps if it is
    kept, and the best top of a schedule that decays at `DECAYING_GAIN - DECAYING_SLOPE * log10(T / 100)`. The deviation
    is that of the slope between tasks, over the distance in length.

    Args:
        horizon: the training that the rate is for; one that is not longer, or of unknown length, counts as as long.
        from_steps: the length of the training whose best rate is known.
        from_decaying: that training's schedule decays.

    >>> from lr_widget.horizon import Horizon
    >>> up, deviation = shift(Horizon(10_000), 100)
    >>> round(up, 2), round(deviation, 2)
    (-0.6, 0.2)
    """
    longer = max(horizon.steps or from_steps, from_steps)
    distance = math.log10(longer) - math.log10(from_steps)
    up = _level(longer, horizon.is_decaying) - _level(from_steps, from_decaying)
    return up, SLOPE_DEVIATION * distance


def for_training(
    suggestion: Suggestion,
    horizon: Horizon,
    from_steps: int,
    *,
    from_decaying: bool = False,
    highest: float = math.inf,
) -> Suggestion:
    """Return the suggestion of a range test, or of probes, for a training of a given length and schedule.

    "auto" reads off a sweep of some steps about the best rate of a training that is as long: its own rates fall with
    the length of the sweep as the best rates do with that of the training. So the rate moves by the `shift` from there.
    The range goes with it, and its ends go apart by the deviation, which is added to both sides. Where it is then wider
    than a decade, the confidence is no longer "high". From 316 times the length on, there is no rate.

    Args:
        suggestion: of a range test, for a kept rate, or of probes; one without a rate is returned as it is, and so is
            one of another rule, as the rules of others give the rates that they give elsewhere.
        horizon: the training. Without a length the reason says for what length the rate holds.
        from_steps: length of the range test, or of a probe.
        from_decaying: the probes' schedule decays.
        highest: the highest rate that was tried; the range does not go beyond it.
    """
    if suggestion.lr is None or suggestion.rule not in (AUTO, PROBE):
        return suggestion
    up, error = shift(horizon, from_steps, from_decaying=from_decaying)
    if horizon.steps is not None and error >= CARRIES:
        remedies = ("max_steps",) if suggestion.rule == PROBE else ("num_steps",)
        reason = _too_far(suggestion, horizon, horizon.steps, from_steps)
        return Suggestion(None, suggestion.rule, reason, remedies=remedies)
    low, high, confidence = suggestion.low, suggestion.high, suggestion.confidence
    is_narrow = low is None or high is None or math.log10(high) - math.log10(low) + 2 * error <= SURE_DECADES
    length = _length(horizon, up, from_steps, from_decaying=from_decaying)
    lr = suggestion.lr * 10**up
    return replace(
        suggestion,
        lr=lr,
        low=None if low is None else low * 10 ** (up - error),
        high=None if high is None else max(lr, min(high * 10 ** (up + error), highest)),
        confidence=confidence if is_narrow or confidence != "high" else "medium",
        reason=f"{suggestion.reason.removesuffix('.')}; {length}.",
    )


def least_steps(train_steps: int) -> int:
    """Return the length of the shortest test, or probe, whose rate carries over to a training of this length."""
    return train_steps // int(10 ** (CARRIES / SLOPE_DEVIATION)) + 1


def _level(steps: int, is_decaying: bool) -> float:
    """Return how far the best rate lies above that of 100 steps at a kept rate, in decades."""
    longer = math.log10(steps) - math.log10(GAIN_STEPS)
    return DECAYING_GAIN - DECAYING_SLOPE * longer if is_decaying else -SLOPE * longer


def _length(horizon: Horizon, up: float, from_steps: int, *, from_decaying: bool) -> str:
    """Say for how long a training the rate is, and how far it was moved for that."""
    factor = f"{10 ** abs(up):.2g}"
    if horizon.steps is None:
        moved = "" if factor == "1" else f", {'raised' if up > 0 else 'lowered'} by a factor of {factor} for that"
        length = f"the suggestion holds for about {from_steps:,} steps {horizon.manner}{moved}"
        return f"{length}; for a longer training, say its length"
    if factor == "1":
        return f"for {horizon.words} the suggestion is about the same"
    if up > 0:
        why = "as the rate will not stay at its top"
    elif from_decaying and not horizon.is_decaying:
        why = "as a rate that is kept must be lower than the top of a schedule that falls"
        why += ", the more so in a longer training" * (horizon.steps > from_steps)
    else:
        why = "as the best rate usually falls when a training gets longer"
    return f"for {horizon.words} the suggestion is {'raised' if up > 0 else 'lowered'} by a factor of {factor}, {why}"


def _too_far(suggestion: Suggestion, horizon: Horizon, train_steps: int, from_steps: int) -> str:
    enough = least_steps(train_steps)
    known = (
        f"The rate for {horizon.words} is not known from a test this short: for about {from_steps:,} steps it is "
        f"{rate_text(float(suggestion))}"
    )
    if suggestion.rule == PROBE:
        return f"{known}; let probes take more steps, until the longest take {enough:,} each."
    return f"{known}; probe, or take a test of at least {enough:,} steps."
