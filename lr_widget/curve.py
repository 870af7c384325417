"""The curve as the rules read it: checked, sorted, cut at its starting level, scaled, thinned and smoothed. NumPy only.

After this, the order of the points, a constant added to the losses, a factor on them and the height of an explosion
make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lr_widget.smoothing import Fit, Floats, local_linear

MIN_POINTS = 5
MAX_POINTS = 400  # more are averaged: smoothing costs the square
BANDWIDTH_DECADES = 0.3
EXPLODED_POINTS = 3  # one outlier is no explosion
START_SHARE = 10  # the first tenth of the points shows the loss before anything is learnt


@dataclass(frozen=True)
class Points:
    """The finite points of a sweep, in ascending order of their rates, which all differ; losses raw."""

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
        """Return at most MAX_POINTS points, each the average of its neighbourhood in log rate."""
        if self.x.size <= MAX_POINTS:
            return self
        cell = ((self.x - self.x[0]) * (MAX_POINTS / (self.x[-1] - self.x[0]))).astype(np.int64)
        x, losses = _means(np.minimum(cell, MAX_POINTS - 1), self.x, self.losses)
        return Points(10**x, losses)


@dataclass(frozen=True)
class Curve:
    """A sweep prepared for reading.

    Attributes:
        x: log10 of the rates, ascending, at most MAX_POINTS.
        y: losses between 0, the lowest, and 1, the level at the start; what lies above that is cut to 1, since a loss
            that is above where it started only says that nothing is learnt. All 1 where the loss is nowhere below it.
        step: distance in decades between two steps of the sweep.
        is_rising: whether most losses lie above all of the first ones.
        edge: log10 of the last rate with a loss at or below its starting level, where the loss explodes after it:
            where the last three losses lie above all of the first half. None elsewhere.
    """

    x: Floats
    y: Floats
    step: float
    is_rising: bool
    edge: float | None

    @cached_property
    def fit(self) -> Fit:
        """The smoothed curve."""
        return local_linear(self.x, self.y, BANDWIDTH_DECADES)


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
    """Cut, scale and thin; the points must be at least one."""
    few = points.thinned()
    half = few.losses / 2  # so that the difference of two huge losses is still finite
    start = half[: max(3, half.size // START_SHARE)]
    level = float(np.median(start))
    y = np.minimum(half, level)
    fall = level - float(y.min())
    scaled = 1 - (level - y) / fall if fall > 0 else np.ones_like(y)
    has_exploded = half[-EXPLODED_POINTS:].min() > half[: half.size // 2].max()
    edge = float(few.x[np.flatnonzero(half <= level)[-1]]) if has_exploded else None
    return Curve(few.x, scaled, points.step, bool(np.median(half) > start.max()), edge)


def _means(group: np.ndarray[tuple[int], np.dtype[np.int64]], *columns: Floats) -> list[Floats]:
    """Return the mean of each column in each group that has members, in the order of the groups' numbers."""
    count = np.bincount(group)
    filled = count > 0
    # Divided before summing: a sum of huge losses must stay finite.
    return [np.bincount(group, column / count[group]).astype(np.float64)[filled] for column in columns]
