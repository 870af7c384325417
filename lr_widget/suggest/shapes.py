"""All curves of one simple shape, each with its probability given the losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..smoothing import Floats

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

JUMP_SHARE = 0.25  # of the fall; a smaller step up may be noise
PLACES = 41  # where a corner can be; the suggestion hardly depends on how many
PARAMETERS = 10  # that the best of all shapes is worth, by the memory that it leaves of noise
MOST_MEMORY = 0.8  # of noise; where straight lines miss a smooth curve, neighbours are even more alike
LEAST_VARIANCE = 1e-6  # of losses between 0 and 1; straight lines miss a curve without noise by about that


@dataclass(frozen=True)
class Shapes:
    """Curves that are flat, fall in a straight line, are flat and jump up, each with its probability given the losses.

    Attributes:
        start, bottom, edge: log10 of the rates at which each shape starts to fall, has fallen, and is about to jump.
        probability: of each shape; they add up to 1.
        evidence: twice the logarithm of how much likelier the losses are under the best of these shapes than under a
            constant, with noise of the same memory. Of curves of 12 to 300 points, noise alone reaches 17 in at most
            6 % where it is normal, uniform or exponential, and in at most 10 % where single losses lie far out
            (Student's t with 3 degrees of freedom) or, from 100 points on, where 0.8 of each error stays in the next.
        fall_evidence: the same against the best shape without a fall: a constant, or one that jumps up.
    """

    start: Floats
    bottom: Floats
    edge: Floats
    probability: Floats
    evidence: float
    fall_evidence: float

    def mean_and_deviation(self, corner: Floats) -> tuple[float, float]:
        """Return the mean and the standard deviation of a corner."""
        mean = self.expected(corner)
        return mean, float(np.sqrt(self.expected((corner - mean) ** 2)))

    def expected(self, values: Floats | Bools) -> float:
        """Return the expected value; that of a condition is its probability."""
        return float((self.probability * values).sum())  # not a matrix product, whose threads would take longer to meet


def fit_shapes(x: Floats, y: Floats, is_exploded: Bools) -> Shapes | None:
    """Weigh all shapes with corners on a grid by the likelihood of the losses, at the best levels for each shape.

    The noise is normal with a memory: a share of each error stays in the next one, the same for all shapes, read off
    the best. So neighbouring losses tell less than as many independent ones, by (1 - memory) / (1 + memory), and a
    drift is no fall. Errors of a straight line that misses a smooth fall look the same; hence the memory in the first
    half of the sweep counts where it is smaller. Explosions have one probability before the edge and a higher one
    after it. Sums over any stretch come from running sums, so that thousands of shapes take a few milliseconds.

    Args:
        x: log10 of the rates, ascending.
        y: losses between 0 and 1, as many as `x`.
        is_exploded: True where a loss is far above any of these levels, as many as `x`.

    Returns:
        None where no shape falls.
    """
    span = float(x[-1] - x[0])
    if not span > 0:
        return None
    u, places = (x - x[0]) / span, np.linspace(0, 1, PLACES)
    before = np.searchsorted(u, places, side="right")
    start, bottom, edge = _ordered_corners()
    after, residual = _jumps(y, before)
    saved, high, low = _falls(u, y, places, before)
    gain = _explosion_gain(is_exploded, before)
    is_shape = (low < high) & (after[edge] > low + JUMP_SHARE * (high - low))
    if not is_shape.any():
        return None
    fitted = np.where(is_shape, _log_likelihood(residual[edge] - saved, x.size) + gain[edge], -np.inf)
    best = int(fitted.argmax())
    fall = np.interp(u, places[[start[best], bottom[best]]], [high[best], low[best]])
    errors = y - np.where(u <= places[edge[best]], fall, after[edge[best]])
    memory = min(_memory(errors), _memory(errors[: errors.size // 2]))
    independent = (1 - memory) / (1 + memory)
    mean = np.cumsum(y)[before - 1] / before
    jumping = y - np.where(u <= places[:, None], mean[:, None], after[:, None])  # the last one is a constant
    without_fall = _log_likelihood(_innovations(jumping, memory), x.size) + independent * gain
    with_fall = _log_likelihood(_innovations(errors, memory), x.size) + independent * gain[edge[best]]
    probability = np.exp(independent * (fitted - fitted[best]))
    log_rates = x[0] + span * places
    return Shapes(
        log_rates[start],
        log_rates[bottom],
        log_rates[edge],
        probability / probability.sum(),
        2 * float(with_fall - without_fall[-1]),
        2 * float(with_fall - without_fall[after > mean].max()),
    )


def _memory(errors: Floats) -> float:
    """Return the correlation of neighbouring errors, without the bias of errors about a fit to the same losses.

    Of n errors about a fit with k parameters, it is seen too low by k (1 + 3 memory) / n, about.
    """
    squares = max(float((errors**2).sum()), errors.size * LEAST_VARIANCE)
    seen = float((errors[1:] * errors[:-1]).sum()) / squares
    bias = PARAMETERS / errors.size
    return float(np.clip(seen * (1 + 3 * bias) + bias, 0, MOST_MEMORY))


def _innovations(errors: Floats, memory: float) -> Floats:
    """Return the sum of squares of the innovations: each error without the share of the one before that stays in it."""
    new = errors[..., 1:] - memory * errors[..., :-1]
    squares: Floats = (new**2).sum(axis=-1) + (1 - memory**2) * errors[..., 0] ** 2
    return squares


@cache
def _ordered_corners() -> tuple[Ints, Ints, Ints]:
    """Return all (start, bottom, edge) with start < bottom <= edge, as indices of places."""
    start, bottom, edge = np.indices((PLACES, PLACES, PLACES))
    is_ordered = (start < bottom) & (bottom <= edge)
    return start[is_ordered], bottom[is_ordered], edge[is_ordered]


def _sums(values: Floats, before: Ints) -> Floats:
    """Return the sum of the values up to each place."""
    sums: Floats = np.concatenate([[0.0], np.cumsum(values)])
    return sums[before]


def _log_likelihood(squares: Floats, size: int) -> Floats:
    """Return the log-likelihood of normal noise of unknown variance, short of a constant."""
    return -0.5 * size * np.log(np.maximum(squares / size, LEAST_VARIANCE))


def _jumps(y: Floats, before: Ints) -> tuple[Floats, Floats]:
    """Return the mean after each place, infinite after the last, and the squares left by a constant on either side."""
    left, left_squares = _sums(y, before), _sums(y**2, before)
    right, right_squares, number = y.sum() - left, (y**2).sum() - left_squares, np.maximum(y.size - before, 1)
    residual = left_squares - left**2 / before + right_squares - right**2 / number
    return np.where(before < y.size, right / number, np.inf), residual


def _falls(u: Floats, y: Floats, places: Floats, before: Ints) -> tuple[Floats, Floats, Floats]:
    """Regress the losses up to each shape's edge on a ramp from 0 before its start to 1 after its bottom.

    Returns:
        The sum of squares that this saves, and the levels before the start and after the bottom.
    """
    start, bottom, edge = _ordered_corners()
    n, sum_u, sum_uu, sum_y, sum_uy = (_sums(v, before) for v in (np.ones_like(u), u, u**2, y, u * y))
    origin, width = places[:, None], np.maximum(places[None, :] - places[:, None], places[1])

    def ramp(sums: Floats, of: Floats) -> Floats:
        """Return the sum of ramp * values, from the sums of u * values and of the values."""
        to_bottom: Floats = (_between(sums) - origin * _between(of)) / width - of[None, :]
        return to_bottom[start, bottom] + of[edge]

    squares = (_between(sum_uu) - 2 * origin * _between(sum_u) + origin**2 * _between(n)) / width**2
    r, rr, ry = ramp(sum_u, n), (squares - n[None, :])[start, bottom] + n[edge], ramp(sum_uy, sum_y)
    spread, common = rr - r**2 / n[edge], ry - r * sum_y[edge] / n[edge]
    slope = np.divide(common, spread, out=np.zeros_like(common), where=spread > LEAST_VARIANCE)
    high = (sum_y[edge] - slope * r) / n[edge]
    return slope * common, high, high + slope


def _between(sums: Floats) -> Floats:
    """Return the sum from each place (row) to each other (column)."""
    return sums[None, :] - sums[:, None]


def _explosion_gain(is_exploded: Bools, before: Ints) -> Floats:
    """Return the gain in log-likelihood of the explosions with a higher share after a place, over one share for all."""
    size, total = is_exploded.size, int(is_exploded.sum())
    left = _sums(is_exploded.astype(np.float64), before)
    apart = _share_likelihood(left, before) + _share_likelihood(total - left, size - before)
    is_more = (total - left) * before > left * (size - before)
    return np.where(is_more, apart - _share_likelihood(np.array(total), np.array(size)), 0.0)


def _share_likelihood(hits: Floats, tries: Ints) -> Floats:
    """Return the log-likelihood of a number of hits among tries, with the best share for them."""
    share = np.clip(hits / np.maximum(tries, 1), 1e-12, 1 - 1e-12)
    return hits * np.log(share) + (tries - hits) * np.log1p(-share)
