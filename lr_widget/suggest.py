"""Read a learning rate off the curve of a range test, with the reason, or say why there is none. NumPy only.

Every rule is a function from a prepared curve to a `Suggestion`. A curve is prepared once: points without a finite
loss are dropped, the rest is sorted by rate, the losses are shifted and scaled to the unit range and long curves are
thinned to averages. So the order of the points, a constant added to the losses or a factor on them changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lr_widget.errors import NoSuggestionError
from lr_widget.smoothing import Floats, local_linear

MIN_POINTS = 5
MAX_POINTS = 400
BANDWIDTH_DECADES = 0.3


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that a rule read off a curve, or the reason why there is none.

    lr: the rate, or None.
    rule: the name of the rule.
    reason: one plain sentence, also when there is a rate.
    low, high: the range of rates that the curve supports about as well, where the rule knows one.
    confidence: "high", "medium" or "low", where the rule knows it.

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

    def __float__(self) -> float:
        if self.lr is None:
            raise NoSuggestionError(self.reason)
        return self.lr


@dataclass(frozen=True)
class _Curve:
    """A prepared curve: log10 of the rates, ascending; losses scaled to [0, 1]; their local level and slope."""

    x: Floats
    y: Floats
    level: Floats
    slope: Floats


def suggest_lr(lrs: ArrayLike, losses: ArrayLike, rule: str = "auto") -> Suggestion:
    """Suggest a learning rate from the raw curve of a range test.

    lrs: one positive rate a step, in any order.
    losses: one raw loss a step, of any sign and scale; NaN and infinite losses are left out.
    rule: "auto" (default), "steepest" or "minimum/10".

    Returns a `Suggestion`; where the curve carries no answer, its `lr` is None and its `reason` says why.

    Raises ValueError for an unknown rule, arrays of unequal length, and rates that are not positive and finite.

    >>> import numpy as np
    >>> lrs = np.logspace(-6, 1, 141)
    >>> losses = 1 / (1 + (lrs / 3.16e-3) ** 2)
    >>> f"{suggest_lr(lrs, losses, rule='steepest').lr:.1e}"
    '3.2e-03'
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {rule!r}")
    curve = _prepare(lrs, losses)
    return curve_reason(curve, rule) if isinstance(curve, str) else RULES[rule](curve)


def suggest_all(lrs: ArrayLike, losses: ArrayLike) -> dict[str, Suggestion]:
    """Ask every rule; see `suggest_lr` for the arguments and errors. Returns {rule name: suggestion}.

    >>> list(suggest_all([1e-3], [1.0]))
    ['auto', 'steepest', 'minimum/10']
    """
    curve = _prepare(lrs, losses)
    return {name: curve_reason(curve, name) if isinstance(curve, str) else rule(curve) for name, rule in RULES.items()}


def curve_reason(reason: str, rule: str) -> Suggestion:
    """Return the suggestion without a rate."""
    return Suggestion(lr=None, rule=rule, reason=reason)


def _prepare(lrs: ArrayLike, losses: ArrayLike) -> _Curve | str:
    """Check, sort, scale, thin and smooth; a sentence instead where there is too little to read."""
    rates = np.asarray(lrs, dtype=np.float64).ravel()
    raw = np.asarray(losses, dtype=np.float64).ravel()
    if rates.size != raw.size:
        raise ValueError(f"lrs and losses must be equally long, got {rates.size} and {raw.size}; give one loss a rate")
    if rates.size and not (np.isfinite(rates) & (rates > 0)).all():
        bad = rates[~(np.isfinite(rates) & (rates > 0))][0]
        raise ValueError(f"lrs must be positive and finite, got {bad!s}; leave such points out")
    kept = np.isfinite(raw)
    rates, raw = rates[kept], raw[kept]
    if np.unique(rates).size < MIN_POINTS:
        return f"Only {np.unique(rates).size} rates have a finite loss; a suggestion needs at least {MIN_POINTS}."
    order = np.lexsort((raw, rates))
    x, y = _thin(np.log10(rates[order]), _to_unit_range(raw[order]))
    if np.ptp(y) == 0:
        return "The loss is the same at every rate; check that the optimizer trains this model."
    # An exploding tail would bend the lines fitted next to it: what matters is that it rose, not how far.
    y = np.minimum(y, y[0] + (y[0] - y.min()) if y[0] > y.min() else np.inf)
    return _Curve(x, y, *local_linear(x, y, BANDWIDTH_DECADES))


def _to_unit_range(raw: Floats) -> Floats:
    """Shift and scale to [0, 1]; halving first keeps the range of huge losses finite."""
    half = raw / 2
    low, high = half.min(), half.max()
    return (half - low) / (high - low) if high > low else np.zeros_like(half)


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Average neighbours until at most MAX_POINTS are left, so that long curves cost little and get less noisy."""
    if x.size <= MAX_POINTS:
        return x, y
    edges = np.linspace(x[0], x[-1], MAX_POINTS + 1)
    cell = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, MAX_POINTS - 1)
    count = np.bincount(cell, minlength=MAX_POINTS)
    filled = count > 0
    return tuple(np.bincount(cell, v, MAX_POINTS)[filled] / count[filled] for v in (x, y))  # type: ignore[return-value]


def _steepest(curve: _Curve) -> Suggestion:
    """Take the rate at which the smoothed loss falls fastest against log rate."""
    at = int(np.argmin(curve.slope))
    if curve.slope[at] >= 0:
        return curve_reason("The loss never falls; lower start_lr.", "steepest")
    return Suggestion(10 ** float(curve.x[at]), "steepest", "The smoothed loss falls fastest here.")


def _minimum_tenth(curve: _Curve) -> Suggestion:
    """Take a tenth of the rate at which the smoothed loss is lowest."""
    lowest = float(curve.x[int(np.argmin(curve.level))])
    reason = f"One order of magnitude before the smoothed loss is lowest, at {10**lowest:.1e}."
    return Suggestion(10 ** (lowest - 1), "minimum/10", reason)


def _auto(curve: _Curve) -> Suggestion:
    """Take the geometric mean of the steepest point and a quarter of the minimum's rate."""
    steepest = int(np.argmin(curve.slope))
    lowest = int(np.argmin(curve.level))
    if curve.slope[steepest] >= 0 or lowest == 0:
        return curve_reason("The loss rises from the first rate on; lower start_lr.", "auto")
    low, high = sorted((float(curve.x[steepest]), float(curve.x[lowest]) - math.log10(4)))
    reason = "Between the steepest fall of the loss and its minimum, well before it turns up."
    return Suggestion(10 ** ((low + high) / 2), "auto", reason, low=10**low, high=10**high)


RULES: dict[str, Callable[[_Curve], Suggestion]] = {
    "auto": _auto,
    "steepest": _steepest,
    "minimum/10": _minimum_tenth,
}
