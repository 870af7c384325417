"""Smoothing of loss curves: causal for showing, centred and therefore lag-free for suggesting. NumPy only."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ema(losses: ArrayLike, beta: float = 0.9) -> Floats:
    """Smooth a curve with a bias-corrected causal exponential moving average.

    ``m_k = beta * m_(k-1) + (1 - beta) * loss_k`` with ``m_0 = 0``, and the result is ``m_k / (1 - beta**k)``
    (Kingma and Ba, arXiv 1412.6980, section 3): the first value is the first loss, not a fraction of it. Good for
    showing a curve while it grows; its features lag behind, so the rules smooth with `local_linear` instead.

    losses: one loss a step, any length (an empty input gives an empty result). From the first NaN or infinite loss
        on, the result is NaN; the values before it are not touched.
    beta: weight of the past, in [0, 1); 0 returns the losses.

    Raises ValueError for a beta outside [0, 1).

    >>> ema([1.0, 2.0, 3.0], beta=0.5).round(4).tolist()
    [1.0, 1.6667, 2.4286]
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), got {beta!r}; use 0 for no smoothing")
    raw = np.asarray(losses, dtype=np.float64).ravel()
    finite = first_finite_run(raw)
    smoothed = np.full(raw.shape, np.nan)
    if finite.size:
        means = accumulate(finite.tolist(), lambda mean, loss: beta * mean + (1 - beta) * loss, initial=0.0)
        moving = np.fromiter(means, dtype=np.float64, count=finite.size + 1)[1:]
        smoothed[: finite.size] = moving / (1 - beta ** np.arange(1, finite.size + 1))
    return smoothed


def first_finite_run(values: Floats) -> Floats:
    """Return the values before the first NaN or infinite one.

    >>> first_finite_run(np.array([1.0, 2.0, np.nan, 3.0])).tolist()
    [1.0, 2.0]
    """
    bad = np.flatnonzero(~np.isfinite(values))
    return values[: bad[0]] if bad.size else values


def local_linear(x: Floats, y: Floats, bandwidth: float) -> tuple[Floats, Floats]:
    """Fit a straight line around each point, weighted by a Gaussian, and return its level and its slope there.

    Local linear regression (Fan and Gijbels, 1996): centred, so nothing lags; unbiased on straight lines up to both
    ends, so the first and last points pull no slope where a plain moving average would. Works on uneven spacing.

    x, y: one-dimensional, equally long, finite; x in any unit, usually log10 of the rate. Memory grows with the
        square of the length: thin the curve first.
    bandwidth: standard deviation of the weights, in the unit of x.

    Returns two arrays as long as x; the slope is 0 where all the points in reach share one x.

    >>> level, slope = local_linear(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0]), bandwidth=1.0)
    >>> level.round(6).tolist(), slope.round(6).tolist()
    ([1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0])
    """
    distance = x[None, :] - x[:, None]
    weight = np.exp(-0.5 * (distance / bandwidth) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean_x = (weight * distance).sum(axis=1)
    mean_y = weight @ y
    spread = (weight * (distance - mean_x[:, None]) ** 2).sum(axis=1)
    covariance = (weight * (distance - mean_x[:, None]) * (y[None, :] - mean_y[:, None])).sum(axis=1)
    slope = np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > (1e-9 * bandwidth) ** 2)
    return mean_y - slope * mean_x, slope
