"""The suggestion rules by name: "auto", "steepest", "minimum/10" and those of other finders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..schedule import rate_text
from .auto import MORE_POINTS, auto
from .curve import MIN_POINTS, prepare, read_points
from .peers import PEERS
from .suggestion import Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from .curve import Curve, Points


def _steepest(curve: Curve) -> Suggestion:
    at = int(np.argmin(curve.fit.slope))
    if curve.fit.slope[at] >= 0:
        reason = "The loss falls nowhere below where it starts; lower the start."
        return Suggestion(None, "steepest", reason, remedies=("start_lr",))
    return Suggestion(10 ** float(curve.x[at]), "steepest", "The smoothed loss falls fastest here.")


def _minimum_tenth(curve: Curve) -> Suggestion:
    at = int(np.argmin(curve.fit.level))
    if at == 0:
        reason = "The loss is lowest at the first rate; lower the start."
        return Suggestion(None, "minimum/10", reason, remedies=("start_lr",))
    lowest = float(curve.x[at])
    return Suggestion(
        10 ** (lowest - 1), "minimum/10", f"A tenth of the rate where the loss is lowest, {rate_text(10**lowest)}."
    )


# Rules that read the prepared curve: {name: function of the curve}. A new one is an entry here.
CURVE_RULES: dict[str, Callable[[Curve], Suggestion]] = {"steepest": _steepest, "minimum/10": _minimum_tenth}

RULES = ("auto", *CURVE_RULES, *PEERS)  # the default first


def suggest_lr(lrs: ArrayLike, losses: ArrayLike, rule: str = "auto") -> Suggestion:
    """Suggest a learning rate from the raw curve of a range test.

    ================= =============================================================================================
    "auto"            between where the fall ends and a tenth of the explosion, with range and confidence (default)
    "steepest"        steepest fall of the loss against the logarithm of the rate, on a smoothing that does not lag
    "minimum/10"      one order of magnitude before the lowest loss (Smith, arXiv 1506.01186; the luz article)
    all others        those of fastai, torch-lr-finder, ignite and Lightning: see `lr_widget.suggest.peers`
    ================= =============================================================================================

    Args:
        lrs: one positive rate a step, in any order; several losses at one rate count as one, their mean.
        losses: one raw loss a step, of any sign and scale; NaN and infinite losses are left out.
        rule: one of `RULES`.

    Returns:
        A `Suggestion`; where the curve carries no answer, its `lr` is None and its `reason` says why. With "auto",
        "steepest" and "minimum/10", adding to the losses or multiplying them by a positive number changes nothing.

    Raises:
        ValueError: the rule is unknown, the lengths differ, or a rate is not positive and finite.

    >>> import numpy as np
    >>> lrs = np.logspace(-6, 1, 141)
    >>> losses = 1 / (1 + (lrs / 3.16e-3) ** 2)
    >>> round(suggest_lr(lrs, losses, rule="steepest").lr, 4)
    0.0032
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {rule!r}")
    return _suggest(read_points(lrs, losses), rule)


def suggest_all(lrs: ArrayLike, losses: ArrayLike) -> dict[str, Suggestion]:
    """Return the suggestion of every rule: {rule name: suggestion}; see `suggest_lr` for the arguments and errors.

    >>> list(suggest_all([1e-3], [1.0]))[:4]
    ['auto', 'steepest', 'minimum/10', 'valley']
    """
    points = read_points(lrs, losses)
    return {rule: _suggest(points, rule) for rule in RULES}


def _suggest(points: Points, rule: str) -> Suggestion:
    reason, remedies = _too_little(points)
    if reason:
        return Suggestion(None, rule, reason, remedies=remedies)
    return _peer(points, rule) if rule in PEERS else _ours(points, rule)


def _too_little(points: Points) -> tuple[str, tuple[str, ...]]:
    if points.lrs.size == 0:
        return "No rate has a finite loss; look for the cause in the data, the model or the loss.", ()
    if points.lrs.size < MIN_POINTS:
        few = "1 rate has" if points.lrs.size == 1 else f"{points.lrs.size} rates have"
        reason = f"Only {few} a finite loss; a suggestion needs at least {MIN_POINTS}: {MORE_POINTS}."
        return reason, ("num_steps",)
    if points.losses.min() == points.losses.max():
        return "The loss is the same at every rate; check that the optimizer trains this model.", ()
    return "", ()


def _peer(points: Points, rule: str) -> Suggestion:
    function, reason = PEERS[rule]
    with np.errstate(all="ignore"):  # differences of huge losses may be infinite, slopes between equal logs undefined
        lr = function(points.lrs, points.losses)
    if lr is None:
        return Suggestion(None, rule, f"{rule} has no answer for this curve: too few points before its minimum or end.")
    return Suggestion(lr, rule, reason)


def _ours(points: Points, rule: str) -> Suggestion:
    curve = prepare(points)
    if rule in CURVE_RULES:
        return CURVE_RULES[rule](curve)
    few = points.thinned()
    others = [*(read(curve) for read in CURVE_RULES.values()), *(_peer(few, name) for name in PEERS)]
    return auto(curve, [other.lr for other in others])
