"""What short trainings at several rates show: which ones end lowest, how clearly, and which rate to try next.

No torch here: `lr_widget.probe` trains, this judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lr_widget.smoothing import Floats
from lr_widget.suggestion import Suggestion

if TYPE_CHECKING:
    import pandas as pd

    from lr_widget.records import LRRecords

PLACES_A_DECADE = 4
STRIDE = 2  # in places: half a decade
LOWEST_PLACE = -16  # where no training gets to its end four decades down, the rate is not what is wrong
CLOSE = 0.1  # rates that lose less than this share of what the best one learns are about as good
FAR = 0.5  # nobody is out of the race who may have learnt half of it
CLEAR_ERRORS = 3.0
MIN_OUTRUN_SHARE = 4  # nor in the first quarter
NUM_FIRST_LOSSES = 4  # their mean is the loss before anything is learnt


@dataclass(frozen=True, eq=False)
class ProbeRun:
    """One short training.

    Attributes:
        lr: its rate, or the top of its cycle.
        loss: raw training loss of each step.
        stop_reason: "completed", "stopped" where it was clearly behind another one, "diverged", "non_finite",
            "exhausted" or "interrupted".
        val_loss: mean validation loss at its end, or None without validation data.
    """

    lr: float
    loss: Floats
    stop_reason: str
    val_loss: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it got to its end, so that the end can be compared."""
        return self.stop_reason == "completed"

    @property
    def end_loss(self) -> float:
        """The validation loss at the end, or the mean training loss of the second half; infinite without an end."""
        if not self.is_complete:
            return math.inf
        return float(second_half(self.loss).mean()) if self.val_loss is None else self.val_loss


@dataclass(frozen=True, eq=False)
class Evidence:
    """Short trainings from one and the same state, and what they say about the learning rate.

    Attributes:
        suggested: the rate that they were made around.
        runs: the trainings, in the order in which they were made.
        probe_steps: the length of a training that is not stopped early.
        profile: "constant" or "one_cycle", the rate over a training.
        records: the range test whose curve gave the rate to start from, where there is one.
    """

    suggested: float
    runs: tuple[ProbeRun, ...]
    probe_steps: int
    profile: str = "constant"
    records: LRRecords | None = None

    @property
    def num_steps(self) -> int:
        """What the trainings cost, in optimizer steps."""
        return sum(run.loss.size for run in self.runs)

    @property
    def best(self) -> ProbeRun | None:
        """The training with the lowest end, or None where none got to its end."""
        return best_of(self.runs)

    @property
    def suggestion(self) -> Suggestion:
        """The middle of the rates that ended about as low as the best one, with a range and a confidence.

        It is their mean in log rate: the best one counts in full, one that lost a tenth of what the best one learnt not
        at all, those between in proportion. After so few steps the lowest end alone is partly luck.

        The range goes half-way (in log rate) to the next rates on both sides that lost more than a tenth. The
        confidence is "high" where a rate on both sides was worse than noise can explain, "medium" where there is any
        other on both sides, "low" otherwise, and where nothing was learnt.
        """
        best = self.best
        if best is None:
            return Suggestion(None, "probe", self._why_none(), evidence=self)
        lr = self._middle(best)
        return Suggestion(
            lr,
            "probe",
            self._reason(best),
            low=min(self._reach(best, -1), lr),
            high=max(self._reach(best, 1), lr),
            confidence=self._confidence(best),
            evidence=self,
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a training, by rate.

        The columns are "lr", "end_loss", "lost" (the share of what the best one learnt that this one did not),
        "val_loss", "steps" and "stop_reason". What is known only at the end is NaN where a training did not get there.
        """
        import pandas as pd

        columns = {
            "lr": [run.lr for run in self._by_rate()],
            "end_loss": [run.end_loss if run.is_complete else math.nan for run in self._by_rate()],
            "lost": [lost(run, self.runs) if run.is_complete else math.nan for run in self._by_rate()],
            "val_loss": [run.val_loss for run in self._by_rate()],
            "steps": [run.loss.size for run in self._by_rate()],
            "stop_reason": [run.stop_reason for run in self._by_rate()],
        }
        table: pd.DataFrame = pd.DataFrame(columns)
        return table

    def _by_rate(self) -> list[ProbeRun]:
        return sorted(self.runs, key=lambda run: run.lr)

    @property
    def _has_learnt(self) -> bool:
        return _learnt(self.runs) > 0

    def _close(self) -> list[ProbeRun]:
        """Return the trainings that ended about as low as the best one, and itself."""
        return [run for run in self.runs if lost(run, self.runs) < CLOSE]

    def _middle(self, best: ProbeRun) -> float:
        close = self._close()
        weights = [1 - lost(run, self.runs) / CLOSE for run in close]
        logs = [math.log(run.lr) - math.log(best.lr) for run in close]
        return best.lr * math.exp(float(np.average(logs, weights=weights)))

    def _beside(self, best: ProbeRun, side: int) -> list[ProbeRun]:
        """Return the trainings above (1) or below (-1) the best one that say something, the nearest first."""
        runs = self._by_rate()[::side]
        return [run for run in runs if (run.lr - best.lr) * side > 0 and run.stop_reason != "interrupted"]

    def _confidence(self, best: ProbeRun) -> str:
        if not self._has_learnt:
            return "low"
        sides = [self._beside(best, side) for side in (-1, 1)]
        if all(any(is_clearly_worse(run, best) for run in runs) for runs in sides):
            return "high"
        return "medium" if all(sides) else "low"

    def _reach(self, best: ProbeRun, side: int) -> float:
        reached = best.lr
        for run in self._beside(best, side):
            if lost(run, self.runs) >= CLOSE:
                return math.sqrt(reached) * math.sqrt(run.lr)
            reached = run.lr
        return reached

    def _cost(self) -> str:
        count = f"{len(self.runs)} short trainings" if len(self.runs) != 1 else "the one short training"
        return f"Of {count} ({self.num_steps} steps in all),"

    def _why_none(self) -> str:
        steps = {run.loss.size for run in self.runs}
        if len(self.runs) > 1 and len(steps) == 1:
            return f"{self._cost()} all ended at step {steps.pop()}; look at the batch of that step and at the model."
        return f"{self._cost()} none got to its end; try lower rates."

    def _reason(self, best: ProbeRun) -> str:
        what = "loss" if best.val_loss is None else "validation loss"
        number, first = len(self._close()), self.runs[0]
        began = ", where they began," if best is first else ""
        reason = f"{self._cost()} the one at {best.lr:.1e}{began} ended with the lowest {what}, {best.end_loss:.4g}"
        if number > 1:
            reason += f", and this is the middle of the {number} that ended about as low"
        if best is not first:
            reason += f"; at {first.lr:.1e}, where they began, {_outcome(first)}"
        if not self._has_learnt:
            reason += "; but none ended below the loss before training"
        return f"{reason}."


def best_of(runs: Sequence[ProbeRun]) -> ProbeRun | None:
    """Return the training with the lowest finite end, or None."""
    best = min(runs, key=lambda run: run.end_loss, default=None)
    return best if best is not None and math.isfinite(best.end_loss) else None


def lost(run: ProbeRun, runs: Sequence[ProbeRun]) -> float:
    """Return how much of what the best training learnt this one did not, as a share.

    0 for the best one, 1 for one that learnt nothing, infinite for one that did not get to its end. Where not even the
    best one learnt anything, infinite for all the others.
    """
    best = best_of(runs)
    if best is None or not run.is_complete:
        return math.inf
    behind, learnt = run.end_loss - best.end_loss, _learnt(runs)
    if behind == 0:
        return 0.0
    return behind / learnt if learnt > 0 else math.inf


def next_rate(runs: Sequence[ProbeRun], suggested: float) -> float | None:
    """Return the rate to try next, or None where the best one has been found.

    First half a decade beyond the highest or the lowest rate so far, whichever ended lower (the higher one first),
    until both have lost a tenth of what the best one learnt. Then a quarter of a decade beside the best one, first
    where its neighbour ended lower. Where none got to its end, half a decade below the lowest, for four decades.

    >>> next_rate([], 0.01)
    0.01
    """
    if not runs:
        return suggested
    best, tried = best_of(runs), {_place(run, suggested): run for run in runs}
    if best is None:
        return _rate(min(tried) - STRIDE, suggested) if min(tried) > LOWEST_PLACE else None
    ends = [(lost(tried[end], runs), end + way) for end, way in ((max(tried), STRIDE), (min(tried), -STRIDE))]
    beyond = [end for end in ends if end[0] < CLOSE]
    here = _place(best, suggested)
    around = [(here + way, here + 2 * way) for way in (1, -1)]
    beside = [(lost(tried[far], runs), near) for near, far in around if far in tried and near not in tried]
    ways = beyond or beside
    return _rate(min(ways, key=lambda way: way[0])[1], suggested) if ways else None


def is_outrun(losses: Floats, runs: Sequence[ProbeRun]) -> bool:
    """Say whether a training is so clearly behind the best one so far that it need not go on.

    Its mean loss over the second half of its steps, less 3 standard errors, says that it has learnt less than half of
    what the best one has at the same step.
    """
    best, count = best_of(runs), losses.size
    if best is None or count > best.loss.size or count * MIN_OUTRUN_SHARE <= best.loss.size:
        return False
    return _is_behind(losses, best.loss[:count], by=FAR * max(_learnt(runs, count), 0.0))


def is_clearly_worse(run: ProbeRun, best: ProbeRun) -> bool:
    """Say whether noise cannot explain that a training ended above the best one.

    A validation loss is taken on the same data every time, so that any difference counts.
    """
    if not run.is_complete:
        return True
    if run.val_loss is not None and best.val_loss is not None:
        return run.val_loss > best.val_loss
    return _is_behind(run.loss, best.loss)


def second_half(losses: Floats) -> Floats:
    """Return the later half of the steps, where what was learnt shows; the middle one of an odd number is in it."""
    return losses[losses.size // 2 :]


def _is_behind(losses: Floats, best: Floats, by: float = 0.0) -> bool:
    """Compare step by step, as both see the same batches: their mean difference, less 3 standard errors of it."""
    difference = second_half(losses) - second_half(best)
    if difference.size < 2:
        return False
    error = float(difference.std(ddof=1)) / math.sqrt(difference.size)
    return float(difference.mean()) - CLEAR_ERRORS * error > by


def _learnt(runs: Sequence[ProbeRun], count: int | None = None) -> float:
    """Return how far the training loss fell within so many steps in the training where it fell furthest."""
    complete = [run for run in runs if run.is_complete]
    first = min(complete, key=lambda run: run.lr).loss[:NUM_FIRST_LOSSES]
    return float(first.mean() - min(second_half(run.loss[:count]).mean() for run in complete))


def _place(run: ProbeRun, suggested: float) -> int:
    return round(PLACES_A_DECADE * math.log10(run.lr / suggested))


def _rate(place: int, suggested: float) -> float:
    return float(suggested * 10 ** (place / PLACES_A_DECADE))


def _outcome(run: ProbeRun) -> str:
    if run.is_complete:
        return f"it was {run.end_loss:.4g}"
    return {"diverged": "it exploded", "non_finite": "it became infinite"}.get(run.stop_reason, "it was clearly higher")
