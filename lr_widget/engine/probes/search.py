"""The search over rates: the one to train with next, and trainings that are too far behind to go on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...results import CLOSE, best_of, fallen, is_behind, lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...results import ProbeRun
    from ...smoothing import Floats

PLACES_A_DECADE = 4
STRIDE = 2  # in places: half a decade
LOWEST_PLACE = -16  # if four decades lower still fails, the rate is not the cause
FAR = 0.5  # a training that may have learnt half of what the best one did goes on
MIN_OUTRUN_SHARE = 4  # and so does every one in its first quarter


def next_rate(runs: Sequence[ProbeRun], suggested: float) -> float | None:
    """Return the rate to try next, or None where there is none.

    First half a decade beyond the highest or the lowest rate so far, starting with the one that ended lower, until
    both have lost a tenth of what the best one learnt; of two alike the higher one, unless nothing has been learnt.
    Then a quarter of a decade beside the best one, first where its neighbour ended lower. Where no training completed,
    half a decade below the lowest, for four decades.

    >>> next_rate([], 0.01)
    0.01
    """
    if not runs:
        return suggested
    if runs[-1].stop_reason == "exhausted" or not math.isfinite(runs[0].loss[0]):  # the same at every rate
        return None
    best, tried = best_of(runs), {_place(run, suggested): run for run in runs}
    if best is None:
        return _rate(min(tried) - STRIDE, suggested) if min(tried) > LOWEST_PLACE else None
    outwards = [(max(tried), STRIDE), (min(tried), -STRIDE)]
    if fallen(runs) <= 0:
        outwards.reverse()
    losses = {place: lost(run, runs) for place, run in tried.items()}
    beyond = [(losses[end], end + way) for end, way in outwards if losses[end] < CLOSE]
    here = _place(best, suggested)
    around = [(here + way, here + 2 * way) for way in (1, -1)]
    beside = [(losses[far], near) for near, far in around if far in tried and near not in tried]
    ways = beyond or beside
    return _rate(min(ways, key=lambda way: way[0])[1], suggested) if ways else None


def is_outrun(losses: Floats, runs: Sequence[ProbeRun]) -> bool:
    """Tell if a training is so clearly behind the best one so far that it need not go on.

    Its mean loss over the second half of its steps, less 3 standard errors, is above that of the best one at the same
    steps by more than half of what was learnt until there.
    """
    best, count = best_of(runs), losses.size
    if best is None or count * MIN_OUTRUN_SHARE <= best.loss.size:
        return False
    return is_behind(losses, best.loss[:count], by=FAR * max(fallen(runs, count), 0.0))


def _place(run: ProbeRun, suggested: float) -> int:
    return round(PLACES_A_DECADE * math.log10(run.lr / suggested))


def _rate(place: int, suggested: float) -> float:
    return float(suggested * 10 ** (place / PLACES_A_DECADE))
