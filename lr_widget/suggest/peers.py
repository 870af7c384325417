"""The suggestion rules of other learning-rate finders, on any curve.

=================  =================================================================================================
"valley"           fastai `valley` (by ESRI): the middle of the longest falling stretch
"slide"            fastai `slide` (Novetta): slide down from the end until the slope stops changing
"minimum"          fastai `minimum`: a tenth of the rate with the lowest loss
"steep"            fastai `steep`: steepest fall between neighbouring points
"torch-lr-finder"  davidtvs/pytorch-lr-finder `LRFinder.plot(suggest_lr=True)`: steepest fall a step
"ignite"           pytorch/ignite `FastaiLRFinder.lr_suggestion()`: the same, only before the lowest loss
"lightning"        Lightning `Tuner.lr_find().suggestion()`: steepest fall against the rate itself, not its logarithm
=================  =================================================================================================

A rule in `PEERS` takes the finite points of a sweep, sorted by rate, smooths and trims them as its library does, and
returns the rate; or None where its library raises or answers with a point outside the curve. The functions that these
rules call work on the points as given, so that a library's own examples apply to them.

The rules judge a curve by the scale of the loss (slide), by the points' numbers (valley) or by a moving average that
lags. They are here for comparison; "auto" is the rule to use.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import numpy as np

from ..smoothing import Floats, ema

Peer = Callable[[Floats, Floats], float | None]  # (rates, raw losses) -> rate

FASTAI_AND_LIGHTNING_BETA = 0.98
TORCH_LR_FINDER_AND_IGNITE_BETA = 0.95
SLIDE_STEPS = 15
SLIDE_THRESHOLD = 0.005


def plain_average(losses: Floats, beta: float = TORCH_LR_FINDER_AND_IGNITE_BETA) -> Floats:
    """Smooth as torch-lr-finder and ignite do by default: `m_k = beta * m_(k-1) + (1 - beta) * loss_k` from the first.

    >>> plain_average(np.array([1.0, 3.0]), beta=0.5).tolist()
    [1.0, 2.0]
    """
    import pandas as pd

    average: Floats = pd.Series(losses).ewm(alpha=1 - beta, adjust=False).mean().to_numpy()
    return average


def longest_valley(lrs: Floats, losses: Floats) -> float | None:
    """Return the rate half-way along the longest strictly falling subsequence (fastai `valley`).

    Like fastai, this counts the valley's start back from its end by its length, as if no point in between were left
    out. Patience sorting finds the lengths in O(n log n), where fastai compares all pairs.

    >>> longest_valley(np.arange(1.0, 10.0), np.arange(9.0, 0.0, -1.0))
    4.0
    """
    if not lrs.size:
        return None
    lengths = _falling_lengths(losses)
    end = int(np.argmax(lengths))
    start = end - int(lengths[end]) if end else 0
    third = (end - start) / 3
    return float(lrs[start + int(third) + int(third / 2)])


def _falling_lengths(losses: Floats) -> Floats:
    """Return for each point the length of the longest strictly falling subsequence that ends there."""
    tops: list[float] = []
    lengths = np.empty(losses.size)
    for i, loss in enumerate((-losses).tolist()):
        at = bisect_left(tops, loss)
        tops[at : at + 1] = [loss]
        lengths[i] = at + 1
    return lengths


def slide(lrs: Floats, losses: Floats) -> float | None:
    """Slide a window of 15 steps down from the end while the slopes at its two ends differ by more than 0.005 (fastai).

    The rate at the window's left end is returned.
    """
    if lrs.size <= SLIDE_STEPS:
        return None
    change = np.gradient(losses)
    left = lrs.size - 1 - SLIDE_STEPS
    still = np.abs(change[SLIDE_STEPS:] - change[:-SLIDE_STEPS]) <= SLIDE_THRESHOLD
    stops = np.flatnonzero(still)
    if stops.size and stops[-1] == left:
        return float(lrs[left])
    return float(lrs[stops[-1] + 1 if stops.size else 0])


def tenth_of_minimum(lrs: Floats, losses: Floats) -> float | None:
    """Return a tenth of the rate with the lowest loss (fastai `minimum`).

    >>> tenth_of_minimum(np.array([0.1, 1.0, 10.0]), np.array([3.0, 2.0, 4.0]))
    0.1
    """
    return float(lrs[np.argmin(losses)]) / 10 if lrs.size else None


def steepest_pair(lrs: Floats, losses: Floats) -> float | None:
    """Return the left rate of the two neighbours with the steepest fall between them, in log rate (fastai `steep`)."""
    if lrs.size < 2:
        return None
    return float(lrs[_least(np.diff(losses) / np.diff(np.log(lrs)))])


def steepest_step(lrs: Floats, losses: Floats) -> float | None:
    """Return the rate of the largest fall a step, by central differences (torch-lr-finder)."""
    return float(lrs[_least(np.gradient(losses))]) if lrs.size >= 2 else None


def steepest_step_before_minimum(lrs: Floats, losses: Floats) -> float | None:
    """Return the rate of the largest fall a step among the inner points before the lowest loss (ignite).

    None where the lowest loss is among the first two.
    """
    end = int(np.argmin(losses)) + 1 if lrs.size else 0
    if end < 3:
        return None
    return float(lrs[1 + _least((losses[2:end] - losses[: end - 2]) / 2)])


def steepest_in_rate(lrs: Floats, losses: Floats) -> float | None:
    """Return the rate with the lowest derivative of the loss against the rate itself (Lightning)."""
    return float(lrs[_least(np.gradient(losses, lrs))]) if lrs.size >= 2 else None


def _least(values: Floats) -> int:
    """Return the index of the lowest number; undefined slopes, between equal rates, do not count."""
    return int(np.argmin(np.where(np.isnan(values), np.inf, values)))


def _fastai(rule: Peer) -> Peer:
    """Smooth and trim as fastai's `lr_find`: drop the first tenth of the points and the last five."""

    def suggest(lrs: Floats, losses: Floats) -> float | None:
        kept = slice(lrs.size // 10, max(lrs.size - 5, 0))
        return rule(lrs[kept], ema(losses, FASTAI_AND_LIGHTNING_BETA)[kept])

    return suggest


def _torch_lr_finder(lrs: Floats, losses: Floats) -> float | None:
    kept = slice(10, max(lrs.size - 5, 0))
    return steepest_step(lrs[kept], plain_average(losses)[kept])


def _ignite(lrs: Floats, losses: Floats) -> float | None:
    return steepest_step_before_minimum(lrs, plain_average(losses))


def _lightning(lrs: Floats, losses: Floats) -> float | None:
    kept = slice(10, max(lrs.size - 1, 0))
    return steepest_in_rate(lrs[kept], ema(losses, FASTAI_AND_LIGHTNING_BETA)[kept])


# {name: (rule, reason of its suggestions)}
PEERS: dict[str, tuple[Peer, str]] = {
    "valley": (_fastai(longest_valley), "In the middle of the longest falling stretch of the loss (fastai)."),
    "slide": (_fastai(slide), "Before the slope of the loss settles, seen from the end (fastai)."),
    "minimum": (_fastai(tenth_of_minimum), "A tenth of the rate at which the moving average is lowest (fastai)."),
    "steep": (_fastai(steepest_pair), "The moving average falls fastest here (fastai)."),
    "torch-lr-finder": (_torch_lr_finder, "The moving average falls fastest here (torch-lr-finder)."),
    "ignite": (_ignite, "The moving average falls fastest here, before its minimum (ignite)."),
    "lightning": (_lightning, "The moving average falls fastest against the rate itself here (Lightning)."),
}
