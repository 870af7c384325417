"""What short trainings at several rates show: which one ends lowest, how clearly, and which rate to try next.

No torch here: `lr_widget.probe` trains, this judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lr_widget.smoothing import Floats
from lr_widget.suggestion import Suggestion

if TYPE_CHECKING:
    import pandas as pd

    from lr_widget.records import LRRecords

STEPS_A_DECADE = 4
STRIDES = (2, 1)  # first half a decade away from the best rate, then a quarter
CLEAR_ERRORS = 3.0
MIN_OUTRUN_SHARE = 4  # nobody is out of the race in its first quarter


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
        """The rate of the best training, with the range and the confidence that the others give it.

        The range goes half-way (in log rate) to the next rates on both sides that are clearly worse. The confidence is
        "high" where there is a clearly worse one on both sides, "medium" where there is any other on both sides, "low"
        otherwise.
        """
        best = self.best
        if best is None:
            return Suggestion(None, "probe", f"{self._cost()} none got to its end; try lower rates.", evidence=self)
        return Suggestion(
            best.lr,
            "probe",
            self._reason(best),
            low=self._reach(best, -1),
            high=self._reach(best, 1),
            confidence=self._confidence(best),
            evidence=self,
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a training, by rate: "lr", "end_loss", "val_loss", "steps", "stop_reason".

        A loss at the end is NaN where a training did not get to its end.
        """
        import pandas as pd

        ends = [r.end_loss if r.is_complete else math.nan for r in self._by_rate()]
        rows = [
            (r.lr, end, r.val_loss, r.loss.size, r.stop_reason) for r, end in zip(self._by_rate(), ends, strict=True)
        ]
        table: pd.DataFrame = pd.DataFrame(rows, columns=["lr", "end_loss", "val_loss", "steps", "stop_reason"])
        return table

    def _by_rate(self) -> list[ProbeRun]:
        return sorted(self.runs, key=lambda run: run.lr)

    def _beside(self, best: ProbeRun, side: int) -> list[ProbeRun]:
        """Return the trainings above (1) or below (-1) the best one that say something, the nearest first."""
        runs = self._by_rate()[::side]
        return [run for run in runs if (run.lr - best.lr) * side > 0 and run.stop_reason != "interrupted"]

    def _confidence(self, best: ProbeRun) -> str:
        sides = [self._beside(best, side) for side in (-1, 1)]
        if all(any(is_clearly_worse(run, best) for run in runs) for runs in sides):
            return "high"
        return "medium" if all(sides) else "low"

    def _reach(self, best: ProbeRun, side: int) -> float:
        reached = best.lr
        for run in self._beside(best, side):
            if is_clearly_worse(run, best):
                return math.sqrt(reached) * math.sqrt(run.lr)
            reached = run.lr
        return reached

    def _cost(self) -> str:
        count = f"{len(self.runs)} short trainings" if len(self.runs) != 1 else "the one short training"
        return f"Of {count} ({self.num_steps} steps in all),"

    def _reason(self, best: ProbeRun) -> str:
        what = "loss" if best.val_loss is None else "validation loss"
        found = f"{self._cost()} the one at {best.lr:.1e} ended with the lowest {what}, {best.end_loss:.4g}"
        first = self.runs[0]
        if best is first:
            return f"{found}; they began with it."
        return f"{found}; at {first.lr:.1e}, where they began, {_outcome(first)}."


def best_of(runs: Sequence[ProbeRun]) -> ProbeRun | None:
    """Return the training with the lowest finite end, or None."""
    best = min(runs, key=lambda run: run.end_loss, default=None)
    return best if best is not None and math.isfinite(best.end_loss) else None


def next_rate(runs: Sequence[ProbeRun], suggested: float) -> float | None:
    """Return the rate to try next: half a decade beside the best one so far, then a quarter, the higher rate first.

    None where the rates around the best one have all been tried. Where none got to its end, the next one is half a
    decade below the lowest.

    >>> next_rate([], 0.01)
    0.01
    """
    if not runs:
        return suggested
    tried = {_place(run.lr, suggested) for run in runs}
    best = best_of(runs)
    if best is None:
        return _rate(min(tried) - STRIDES[0], suggested)
    here = _place(best.lr, suggested)
    beside = [here + side * stride for stride in STRIDES for side in (1, -1)]
    return next((_rate(place, suggested) for place in beside if place not in tried), None)


def is_outrun(losses: Floats, best: Floats) -> bool:
    """Say whether a training is clearly behind the best one at the same step, so that it need not go on.

    Both see the same batches, so the losses are compared step by step: over the second half so far, their mean
    difference is above 3 standard errors of it.
    """
    count = losses.size
    if count > best.size or count * MIN_OUTRUN_SHARE <= best.size:
        return False
    difference = second_half(losses) - second_half(best[:count])
    if difference.size < 2:
        return False
    error = float(difference.std(ddof=1)) / math.sqrt(difference.size)
    return bool(difference.mean() > CLEAR_ERRORS * error)


def is_clearly_worse(run: ProbeRun, best: ProbeRun) -> bool:
    """Say whether noise cannot explain how far a training ended above the best one.

    A validation loss is taken on the same data every time, so that any difference counts.
    """
    if not run.is_complete:
        return True
    if run.val_loss is not None and best.val_loss is not None:
        return run.val_loss > best.val_loss
    return is_outrun(run.loss, best.loss)


def second_half(losses: Floats) -> Floats:
    """Return the later half of the steps, where what was learnt shows; the middle one of an odd number is in it."""
    return losses[losses.size // 2 :]


def _place(lr: float, suggested: float) -> int:
    return round(STEPS_A_DECADE * math.log10(lr / suggested))


def _rate(place: int, suggested: float) -> float:
    return float(suggested * 10 ** (place / STEPS_A_DECADE))


def _outcome(run: ProbeRun) -> str:
    if run.is_complete:
        return f"it was {run.end_loss:.4g}"
    return {"diverged": "it exploded", "non_finite": "it became infinite"}.get(run.stop_reason, "it was clearly higher")
