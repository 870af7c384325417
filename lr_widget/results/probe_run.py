"""Compare short trainings at several rates: which ended lowest, what the others lost, and which rate to try next.

No torch here: `lr_widget.probing` trains, this judges, `lr_widget.evidence` says what came of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..smoothing import Floats

PLACES_A_DECADE = 4
STRIDE = 2  # in places: half a decade
LOWEST_PLACE = -16  # where no training gets to its end four decades down, the rate is not what is wrong
CLOSE = 0.1  # rates that lose less than this share of what the best one learns are about as good
FAR = 0.5  # nobody is out of the race who may have learnt half of it
CLEAR_ERRORS = 3.0
MIN_OUTRUN_SHARE = 4  # nor in the first quarter
ROUNDING = 1e-12  # relative: a smaller fall is none


@dataclass(frozen=True, eq=False)
class ProbeRun:
    """One short training.

    Attributes:
        lr: its rate, or the top of its cycle.
        loss: raw training loss of each step.
        stop_reason: "completed", "stopped" where it was far behind another one, "diverged", "non_finite", "exhausted"
            or "interrupted".
        val_loss: mean validation loss at its end, or None without validation data.
    """

    lr: float
    loss: Floats
    stop_reason: str
    val_loss: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it got to its end."""
        return self.stop_reason == "completed"

    @property
    def end_loss(self) -> float:
        """The validation loss at the end, or the mean training loss of the second half.

        Infinite where it did not get to its end, or that is not finite.
        """
        if not self.is_complete:
            return math.inf
        end = float(second_half(self.loss).mean()) if self.val_loss is None else self.val_loss
        return end if math.isfinite(end) else math.inf


def best_of(runs: Sequence[ProbeRun]) -> ProbeRun | None:
    """Return the training with the lowest finite end, or None."""
    best = min(runs, key=lambda run: run.end_loss, default=None)
    return best if best is not None and math.isfinite(best.end_loss) else None


def lost(run: ProbeRun, runs: Sequence[ProbeRun]) -> float:
    """Return how much of what the best training learnt this one did not, as a share.

    0 for the best one and 1 for one that learnt nothing. For all but the best one it is infinite where this is not
    known: without an end, where not even the best one learnt anything, and with validation data, since how far the
    validation loss fell is not known.
    """
    best = best_of(runs)
    if run is best:
        return 0.0
    if best is None or best.val_loss is not None or not math.isfinite(run.end_loss):
        return math.inf
    learnt = fallen(runs)
    return (run.end_loss - best.end_loss) / learnt if learnt > 0 else math.inf


def fallen(runs: Sequence[ProbeRun], count: int | None = None) -> float:
    """Return how far the training loss fell within so many steps in the training where it fell furthest.

    From the first loss, which is the same in all of them, before any update. Negative where it rose in all of them.
    """
    before = float(runs[0].loss[0])
    end = min(float(second_half(run.loss[:count]).mean()) for run in runs if run.is_complete)
    return 0.0 if math.isclose(before, end, rel_tol=ROUNDING) else before - end


def next_rate(runs: Sequence[ProbeRun], suggested: float) -> float | None:
    """Return the rate to try next, or None where there is none.

    First half a decade beyond the highest or the lowest rate so far, whichever ended lower, until both have lost a
    tenth of what the best one learnt; of two alike the higher one, unless nothing has been learnt. Then a quarter of a
    decade beside the best one, first where its neighbour ended lower. Where none got to its end, half a decade below
    the lowest, for four decades.

    >>> next_rate([], 0.01)
    0.01
    """
    if not runs:
        return suggested
    if runs[-1].stop_reason == "exhausted" or not math.isfinite(runs[0].loss[0]):  # as it will be at every rate
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
    """Say whether a training is so clearly behind the best one so far that it need not go on.

    Its mean loss over the second half of its steps, less 3 standard errors, is above that of the best one at the same
    steps by more than half of what was learnt until there.
    """
    best, count = best_of(runs), losses.size
    if best is None or count * MIN_OUTRUN_SHARE <= best.loss.size:
        return False
    return _is_behind(losses, best.loss[:count], by=FAR * max(fallen(runs, count), 0.0))


def is_clearly_worse(run: ProbeRun, best: ProbeRun) -> bool:
    """Say whether noise cannot explain that a training ended above the best one.

    A validation loss is taken on the same data every time, so that any difference counts.
    """
    if not math.isfinite(run.end_loss):
        return True
    if best.val_loss is not None:
        return run.end_loss > best.end_loss
    return _is_behind(run.loss, best.loss)


def second_half(losses: Floats) -> Floats:
    """Return the later half of the steps, where what was learnt shows; the middle one of an odd number is in it."""
    return losses[losses.size // 2 :]


def _is_behind(losses: Floats, best: Floats, by: float = 0.0) -> bool:
    """Compare step by step, as both see the same batches: their mean difference, less 3 standard errors of it."""
    difference = second_half(losses) - second_half(best)
    error = float(difference.std(ddof=1)) / math.sqrt(difference.size)
    return float(difference.mean()) - CLEAR_ERRORS * error > by


def _place(run: ProbeRun, suggested: float) -> int:
    return round(PLACES_A_DECADE * math.log10(run.lr / suggested))


def _rate(place: int, suggested: float) -> float:
    return float(suggested * 10 ** (place / PLACES_A_DECADE))
