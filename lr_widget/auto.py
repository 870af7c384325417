"""The default rule: between the half-way point of the fall and its bottom, with a range and a confidence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lr_widget.curve import BANDWIDTH_DECADES, Curve
from lr_widget.suggestion import Suggestion

CLEAR_ERRORS = 8.0  # a fall of so many standard errors is seen again in every repetition
VISIBLE_ERRORS = 4.0
NOISE_ERRORS = 2.0  # what noise alone reaches about once in two curves
AGREEING_FACTOR = 3.0
STILL_FALLING_SHARE = 0.5  # of the steepest slope


def auto(curve: Curve, others: Iterable[float | None]) -> Suggestion:
    """Suggest the geometric mean of two rates: where half of the fall is done, and where the loss is lowest.

    Below the first, training is slow; above the second, it gets unstable. Both are read off a centred, lag-free
    smoothing of the losses, after whatever lies above the starting level was cut to it: an explosion says that a rate
    is too high, not by how much. One step is taken off, as a step's loss is measured before its own update.
    The two rates are the range; the confidence is how far the fall stands out of the noise.

    Args:
        curve: the prepared sweep.
        others: rates of other rules, to say how many agree.

    Returns:
        ``confidence`` is "high" for a fall of at least 8 standard errors of the smoothed loss that shows both of its
        ends, "low" below 4, otherwise "medium"; "low" at best where the curve starts or stops in the middle of its
        fall. Where no fall is above 2 standard errors but the loss explodes, the rate is a tenth of the last one
        before that, with "low" confidence; where there is neither, or where the fall goes on at the end, there is none.
    """
    fit = curve.fit
    bottom = int(np.argmin(fit.level))
    top = int(np.argmax(fit.level[: bottom + 1]))
    fall = fit.level[top] - fit.level[bottom]
    scatter = float(np.hypot(fit.error[top], fit.error[bottom]))
    is_visible = bool(fall > NOISE_ERRORS * scatter) and bottom > 0
    if not is_visible and curve.edge is not None and not curve.is_rising:
        return _before_the_edge(curve.edge)
    reason = _no_answer(curve, bottom, is_visible)
    if reason:
        return Suggestion(None, "auto", reason)
    half_way = int(np.flatnonzero(fit.level[: bottom + 1] > fit.level[bottom] + fall / 2)[-1]) + 1
    low, high = (max(float(curve.x[at]) - curve.step, float(curve.x[0])) for at in (half_way, bottom))
    lr = 10 ** ((low + high) / 2)
    cut_off = _cut_off(curve, bottom)
    confidence = "low" if cut_off or fall < VISIBLE_ERRORS * scatter else "medium"
    if not cut_off and fall >= CLEAR_ERRORS * scatter:
        confidence = "high"
    reason = (
        f"Half-way between the rate where half of the fall is done, {10**low:.1e}, and the one with the lowest loss, "
        f"{10**high:.1e}{cut_off}; {_agreement(lr, others)}."
    )
    return Suggestion(lr, "auto", reason, low=10**low, high=10**high, confidence=confidence)


def _before_the_edge(edge: float) -> Suggestion:
    """Return what is left where noise hides the fall but not the explosion: the rule of thumb."""
    reason = (
        f"Noise hides any fall of the loss, so this is a tenth of the rate above which it only rises, {10**edge:.1e}; "
        "more steps or a larger batch would tell more."
    )
    return Suggestion(10 ** (edge - 1), "auto", reason, high=10**edge, confidence="low")


def _no_answer(curve: Curve, bottom: int, is_visible: bool) -> str:
    """Return why the curve carries no answer, or nothing."""
    if not is_visible and curve.is_rising:
        return "The loss rises from the first rates on; lower start_lr."
    if not is_visible:
        return "No fall of the loss stands out of its noise; take more steps or a larger batch."
    if bottom == curve.x.size - 1 and _falls_at(curve, -1):
        return "The loss falls to the very end, so the curve does not show what is too high; extend end_lr."
    return ""


def _falls_at(curve: Curve, end: int) -> bool:
    """Return whether the loss falls at the first (0) or the last (-1) point about as fast as anywhere.

    The slope at the very end is too noisy: it is the mean one over two bandwidths that counts.
    """
    x, level = curve.x, curve.fit.level
    inside = float(np.clip(x[end] + (2 * BANDWIDTH_DECADES if end == 0 else -2 * BANDWIDTH_DECADES), x[0], x[-1]))
    slope = (level[end] - np.interp(inside, x, level)) / (x[end] - inside)
    return bool(slope < 0 and slope <= STILL_FALLING_SHARE * curve.fit.slope.min())


def _cut_off(curve: Curve, bottom: int) -> str:
    """Return what of the fall is not on the curve, or nothing."""
    if _falls_at(curve, 0):
        return " (it falls from the first rates on: a lower start_lr would show more)"
    if bottom == curve.x.size - 1:
        return " (it does not rise yet at the end: a higher end_lr would show more)"
    return ""


def _agreement(lr: float, others: Iterable[float | None]) -> str:
    rates = [other for other in others if other is not None]
    # products, not quotients: a rate can be so small that it is 0 as a float
    agreeing = sum(lr <= other * AGREEING_FACTOR and other <= lr * AGREEING_FACTOR for other in rates)
    return f"{agreeing} of {len(rates)} other rules lie within a factor of {AGREEING_FACTOR:.0f}"
