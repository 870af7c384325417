"""Smoothing of loss curves: causal for showing, centred and therefore lag-free for suggesting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_share

Floats = NDArray[np.float64]


def ema(losses: ArrayLike, beta: float = 0.9) -> Floats:
    """Smooth a curve with a bias-corrected causal exponential moving average.

    `m_k = beta * m_(k-1) + (1 - beta) * loss_k` with `m_0 = 0`, and the result is `m_k / (1 - beta**k)` (Kingma and
    Ba, arXiv 1412.6980, section 3): the first value is the first loss, not a fraction of it. Good for showing a curve
    while it grows; its features lag behind, so our own rules smooth with `local_linear` instead.

    Args:
        losses: one loss a step, any length; an empty input gives an empty result. From the first NaN or infinite loss
            on, the result is NaN; the values before it are not touched.
        beta: weight of the past, in [0, 1); 0 returns the losses.

    Returns:
        An array as long as `losses`.

    Raises:
        ValueError: `beta` is outside [0, 1).
        TypeError: `beta` is no real number.

    >>> ema([1.0, 2.0, 3.0], beta=0.5).round(4).tolist()
    [1.0, 1.6667, 2.4286]
    """
    import pandas as pd

    beta = check_share("beta", beta)
    raw = np.asarray(losses, dtype=np.float64).ravel()
    finite = first_finite_run(raw)
    smoothed = np.full(raw.shape, np.nan)
    # With adjust=True, pandas divides by the sum of the weights, which is the bias correction.
    smoothed[: finite.size] = pd.Series(finite).ewm(alpha=1 - beta, adjust=True).mean()
    return smoothed


def first_finite_run(values: Floats) -> Floats:
    """Return the values before the first NaN or infinite one.

    >>> first_finite_run(np.array([1.0, 2.0, np.nan, 3.0])).tolist()
    [1.0, 2.0]
    """
    bad = np.flatnonzero(~np.isfinite(values))
    return values[: bad[0]] if bad.size else values


@dataclass(frozen=True)
class Fit:
    """A smoothed curve, one entry a point.

    Attributes:
        level: the smoothed values.
        slope: their derivative, in units of `y` per unit of `x`.
    """

    level: Floats
    slope: Floats


def local_linear(x: Floats, y: Floats, bandwidth: float) -> Fit:
    """Fit a straight line around each point, weighted by a Gaussian, and return its level and slope there.

    Local linear regression (Fan and Gijbels, 1996): centred, so nothing lags; unbiased on straight lines up to both
    ends, so the first and last points pull no slope where a plain moving average would. Works on uneven spacing.

    Args:
        x, y: one-dimensional, equally long, finite; `x` in any unit, usually log10 of the rate. Memory grows with the
            square of the length: thin a long curve first.
        bandwidth: standard deviation of the weights, in the unit of `x`, > 0.

    Returns:
        Arrays as long as `x`. Where all points in reach share one `x`, the slope is 0 and the level their mean.

    >>> fit = local_linear(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0]), bandwidth=1.0)
    >>> fit.level.round(6).tolist(), fit.slope.round(6).tolist()
    ([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0])
    """
    distance = x[None, :] - x[:, None]
    weight = np.exp(-0.5 * (distance / bandwidth) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    centred = distance - (weight * distance).sum(axis=1, keepdims=True)
    spread = (weight * centred**2).sum(axis=1, keepdims=True)
    to_slope = np.divide(weight * centred, spread, out=np.zeros_like(weight), where=spread > (1e-9 * bandwidth) ** 2)
    to_level = weight + to_slope * (centred - distance)
    level = (to_level * y).sum(axis=1)  # not a matrix product, whose threads would take longer to meet
    return Fit(level, (to_slope * y).sum(axis=1))
