"""The default rule: between the end of the fall and a tenth of the explosion, averaged over all shapes that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..schedule import rate_text
from .curve import START_SHARE
from .shapes import PARAMETERS
from .suggestion import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .curve import Curve
    from .shapes import Shapes

SAFETY_DECADES = 1.0  # a tenth of the rate at which the loss explodes
BOTTOM_ERROR_DECADES = 0.45  # of the end of the fall as the best rate, on a curve without noise
EDGE_ERROR_DECADES = 0.28  # of a tenth of the jump
NOISE_EVIDENCE = 17.0  # twice a log-likelihood ratio; how often noise alone reaches it: see Shapes
CLEAR_EVIDENCE = 400.0  # from there on 9 of 10 rates of the benchmark are near-best, below it 6 of 10
SURE = 0.9
END_SHARE = 20  # the last twentieth of the sweep is too short to tell a bottom from a fall that goes on
AGREEING_FACTOR = 3.0
MORE_POINTS = "take more steps or, for validation losses, lower val_every"


def auto(curve: Curve, others: Iterable[float | None]) -> Suggestion:
    """Suggest the mean, in log rate, of the end of the fall and a tenth of the last rate before the jump.

    Both readings are averages over all curves that are flat, fall, are flat and jump, weighted by their probability
    given the losses. Each reading counts by its certainty, and that of the jump also by the probability that there is
    one. So noise widens the averages instead of making up a minimum, and where it hides the fall, the explosion still
    tells. One step is taken off, as a step's loss is measured before its own update. The range spans two standard
    deviations of that mean on either side.

    Args:
        curve: the prepared sweep.
        others: rates of other rules, to say how many agree.

    Returns:
        Its `confidence` is "high" where the fall stands out by far, the loss jumps up before the end and the range is
        at most a decade wide, so seldom after 100 steps; "low" where noise hides the fall or it goes on at an end of
        the sweep; otherwise "medium". There is no rate for fewer than 10 points, where noise hides everything, where
        the loss falls nowhere or explodes within a decade of the start without having fallen, and where it falls to
        the very end.
    """
    if curve.x.size < PARAMETERS:
        few = f"{curve.x.size} points are too few to tell a fall from noise"
        reason = f"{few}; at least {PARAMETERS} are needed: {MORE_POINTS}."
        return Suggestion(None, "auto", reason, remedies=("num_steps",))
    shapes = curve.shapes
    if shapes is None:
        reason = "The loss falls nowhere below where it starts; lower the start."
        return Suggestion(None, "auto", reason, remedies=("start_lr",))
    (bottom, bottom_error), (edge, edge_error) = map(shapes.mean_and_deviation, (shapes.bottom, shapes.edge))
    reason, remedies = _no_answer(curve, shapes, edge - SAFETY_DECADES)
    if reason:
        return Suggestion(None, "auto", reason, remedies=remedies)
    readings = np.array([bottom, edge - SAFETY_DECADES]) - curve.step
    errors = np.hypot([bottom_error, edge_error], [BOTTOM_ERROR_DECADES, EDGE_ERROR_DECADES])
    certainty = np.array([1.0, _chance_of_a_jump(shapes)]) / errors**2
    middle = float(readings @ certainty / certainty.sum())
    spread = 2 / float(certainty.sum()) ** 0.5
    log_rates = np.clip([middle, middle - spread, middle + spread], curve.x[0], curve.x[-1])
    lr, low, high = (10 ** float(log_rate) for log_rate in log_rates)
    doubt, remedies = _doubt(shapes)
    reason = f"{_where(shapes, bottom, readings)}{doubt}; {_agreement(lr, others)}."
    return Suggestion(lr, "auto", reason, low, high, _confidence(shapes, spread), remedies)


def _no_answer(curve: Curve, shapes: Shapes, safe: float) -> tuple[str, tuple[str, ...]]:
    """Return the reason why the curve carries no answer and its remedies, or nothing."""
    if shapes.evidence < NOISE_EVIDENCE and not curve.is_rising:
        reason = "Neither a fall nor a jump of the loss stands out of its noise; take more steps or a larger batch."
        return reason, ("num_steps", "repeats", "end_lr")
    if shapes.fall_evidence < NOISE_EVIDENCE and (curve.is_rising or safe < curve.x[0]):
        return "The loss rises from the first rates on; lower the start.", ("start_lr",)
    if _chance_of_falling_on(shapes) > SURE:
        reason = "The loss falls to the very end, so the curve does not show what is too high; extend the end."
        return reason, ("end_lr",)
    return "", ()


def _where(shapes: Shapes, bottom: float, readings: Iterable[float]) -> str:
    """Name the rates that the suggestion lies between, or the end of the fall where there is no jump."""
    if _never_jumps(shapes):
        return f"Where the loss levels out, {rate_text(10**bottom)}"
    named = zip(readings, ("where {} levels out", "a tenth of the last rate before {} jumps up"), strict=True)
    (low, at_low), (high, at_high) = sorted(named)
    low_text, high_text = rate_text(10**low), rate_text(10**high)
    if low_text == high_text:
        return f"At {low_text}, where the loss levels out, a tenth of the last rate before it jumps up"
    return f"Between {low_text}, {at_low.format('the loss')}, and {high_text}, {at_high.format('it')}"


def _doubt(shapes: Shapes) -> tuple[str, tuple[str, ...]]:
    """Name the part of the shape that the curve does not show and its remedies, or nothing."""
    if shapes.fall_evidence < NOISE_EVIDENCE:
        return " (noise hides the fall: more steps or a larger batch would show more)", ("num_steps", "repeats")
    if _starts_falling(shapes):
        return " (it falls from the first rates on: a lower start would show more)", ("start_lr",)
    if _never_jumps(shapes):
        return " (it does not jump up to the end: higher rates would show more)", ("end_lr",)
    return "", ()


def _starts_falling(shapes: Shapes) -> bool:
    """Tell if the fall probably starts in the first tenth of the sweep."""
    first, last = float(shapes.start.min()), float(shapes.edge.max())
    return _is_likely(shapes.expected(shapes.start <= first + (last - first) / START_SHARE))


def _never_jumps(shapes: Shapes) -> bool:
    """Tell if the loss probably does not jump up before the end."""
    return not _is_likely(_chance_of_a_jump(shapes))


def _chance_of_a_jump(shapes: Shapes) -> float:
    """Return the probability that the loss jumps up before the end; without a jump, nothing limits the rate."""
    return shapes.expected(shapes.edge < shapes.edge.max())


def _chance_of_falling_on(shapes: Shapes) -> float:
    """Return the probability that the loss falls into the last twentieth of the sweep, and does not jump."""
    first, last = float(shapes.start.min()), float(shapes.edge.max())
    return shapes.expected((shapes.bottom > last - (last - first) / END_SHARE) & (shapes.edge >= last))


def _is_likely(probability: float) -> bool:
    """Tell if something is likelier than not."""
    return probability > 1 - probability


def _confidence(shapes: Shapes, spread: float) -> Literal["high", "medium", "low"]:
    if shapes.fall_evidence < NOISE_EVIDENCE or _starts_falling(shapes) or _is_likely(_chance_of_falling_on(shapes)):
        return "low"
    is_narrow = 2 * spread <= SAFETY_DECADES  # only where the loss jumps up; then even the upper end keeps off that
    return "high" if is_narrow and shapes.fall_evidence >= CLEAR_EVIDENCE else "medium"


def _agreement(lr: float, others: Iterable[float | None]) -> str:
    rates = [other for other in others if other is not None]
    # products, not quotients: a rate can be so small that it is 0 as a float
    agreeing = sum(lr <= other * AGREEING_FACTOR and other <= lr * AGREEING_FACTOR for other in rates)
    return f"{agreeing} of {len(rates)} other rules lie within a factor of {AGREEING_FACTOR:.0f}"
