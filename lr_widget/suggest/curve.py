"""The curve as the rules read it: checked, sorted, cut at its starting level, scaled, thinned and smoothed.

The order of the points, a constant added to the losses, a factor on them and the height of an explosion make no
difference to a prepared curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..smoothing import local_linear
from .shapes import fit_shapes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..smoothing import Fit, Floats
    from .shapes import Bools, Ints, Shapes

MIN_POINTS = 5
MAX_POINTS = 400  # more are averaged: smoothing costs the square
BANDWIDTH_DECADES = 0.3
START_SHARE = 10  # the first tenth of the points shows the loss before anything is learnt
LEVEL_QUANTILE = 0.75  # of the first half of the losses: an upper level of the loss before anything is learnt


@dataclass(frozen=True)
class Points:
    """The finite points of a sweep: rates in ascending order, all different, and raw losses."""

    lrs: Floats
    losses: Floats

    @cached_property
    def x(self) -> Floats:
        """The decimal logarithms of the rates."""
        return np.log10(self.lrs)

    @cached_property
    def step(self) -> float:
        """The mean distance between two rates in decades, or 0 for a single point."""
        return float(self.x[-1] - self.x[0]) / (self.x.size - 1) if self.x.size > 1 else 0.0

    def thinned(self) -> Points:
        """Return at most `MAX_POINTS` points, each the average of its neighbourhood in log rate."""
        if self.x.size <= MAX_POINTS:
            return self
        cell = ((self.x - self.x[0]) * (MAX_POINTS / (self.x[-1] - self.x[0]))).astype(np.int64)
        x, losses = _means(np.minimum(cell, MAX_POINTS - 1), self.x, self.losses)
        return Points(10**x, losses)


@dataclass(frozen=True)
class Curve:
    """A sweep prepared for reading.

    Attributes:
        x: log10 of the rates, ascending, at most `MAX_POINTS`.
        y: losses between 0 and 1. 1 is the upper quartile of the first half, or the median of the first tenth if that
            is higher; anything above is cut, since a loss above where it started only says that nothing is learnt. 0
            is the lowest median of three neighbours, so that no single loss sets the scale; anything below is cut.
            All 1 where the two levels are the same.
        is_exploded: True where a loss lies further above the upper level than the lower one lies below it.
        is_rising: True where most losses lie above all of the first ones.
        step: distance in decades between two steps of the sweep.
    """

    x: Floats
    y: Floats
    is_exploded: Bools
    is_rising: bool
    step: float

    @cached_property
    def fit(self) -> Fit:
        """The smoothed curve."""
        return local_linear(self.x, self.y, BANDWIDTH_DECADES)

    @cached_property
    def shapes(self) -> Shapes | None:
        """The shapes that fit the curve; None where no shape falls."""
        return fit_shapes(self.x, self.y, self.is_exploded)


def read_points(lrs: ArrayLike, losses: ArrayLike) -> Points:
    """Check a sweep, drop the points without a finite loss, sort by rate and average the losses of equal rates.

    Raises:
        ValueError: the lengths differ, or a rate is not positive and finite.

    >>> read_points([1e-2, 1e-3, 1e-2], [4.0, 1.0, 2.0])
    Points(lrs=array([0.001, 0.01 ]), losses=array([1., 3.]))
    """
    rates = np.asarray(lrs, dtype=np.float64).ravel()
    raw = np.asarray(losses, dtype=np.float64).ravel()
    if rates.size != raw.size:
        raise ValueError(f"lrs and losses must be equally long, got {rates.size} and {raw.size}; give one loss a rate")
    is_bad = ~(np.isfinite(rates) & (rates > 0))
    if is_bad.any():
        raise ValueError(f"lrs must be positive and finite, got {rates[is_bad][0]!s}; leave such points out")
    kept = np.isfinite(raw)
    rates, raw = rates[kept], raw[kept]
    if (np.diff(rates) > 0).all():
        return Points(rates, raw)
    different, group = np.unique(rates, return_inverse=True)
    return Points(different, _means(group.ravel(), raw)[0])


def prepare(points: Points) -> Curve:
    """Cut, scale and thin a sweep of at least three points."""
    few = points.thinned()
    half = few.losses / 2  # so that the difference of two huge losses is still finite
    start, first_half = (half[: max(3, half.size // part)] for part in (START_SHARE, 2))
    upper = max(float(np.median(start)), float(np.quantile(first_half, LEVEL_QUANTILE)))
    lower = min(upper, float(np.median([half[:-2], half[1:-1], half[2:]], axis=0).min()))
    height = upper - lower
    y = 1 - (upper - half.clip(lower, upper)) / height if height > 0 else np.ones_like(half)
    return Curve(few.x, y, half - upper > height, bool(np.median(half) > start.max()), points.step)


def _means(group: Ints, *columns: Floats) -> list[Floats]:
    """Return the mean of each column in each group that has members, in the order of the groups' numbers."""
    count = np.bincount(group)
    filled = count > 0
    # Divided before summing, as a sum of huge losses must stay finite; clipped, as rounding may leave their range.
    means = [np.bincount(group, column / count[group])[filled] for column in columns]
    return [mean.clip(column.min(), column.max()) for mean, column in zip(means, columns, strict=True)]
