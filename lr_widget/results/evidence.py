"""The evidence of short trainings at several rates: the rate to use, its range, a confidence and the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..suggest import Suggestion
from .probe_run import CLOSE, ProbeRun, best_of, fallen, is_clearly_worse, lost

if TYPE_CHECKING:
    import pandas as pd

    from .records import LRRecords


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """Short trainings from one and the same state, and the learning rate that they suggest.

    Attributes:
        suggested: the rate that the search started from.
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

    def __repr__(self) -> str:
        number = f"{len(self.runs)} training{'s' * (len(self.runs) != 1)}"
        parts = [f"{number} from lr {self.suggested:.1e} on", f"{self.num_steps} steps in all"]
        best, found = self.best, self.suggestion
        if best is not None:
            parts += [f"lowest end {best.end_loss:.4g} at lr {best.lr:.1e}", f"{found.confidence} confidence"]
        rate = "none" if found.lr is None else f"{found.lr:.1e} ({found.low:.1e} … {found.high:.1e})"
        return f"<Evidence: {', '.join(parts)}, suggestion {rate}>"

    @property
    def num_steps(self) -> int:
        """The cost of all trainings together, in optimizer steps."""
        return sum(run.loss.size for run in self.runs)

    @property
    def best(self) -> ProbeRun | None:
        """The training with the lowest finite end, or None where there is none."""
        return best_of(self.runs)

    @property
    def suggestion(self) -> Suggestion:
        """The middle of the rates around the best one that ended about as low, with a range and a confidence.

        The middle is their mean in log rate: the best one counts in full, one that lost a tenth of what the best one
        learnt not at all, those between in proportion. After so few steps the lowest end alone is partly luck. With
        validation data it is the best one alone, as nobody knows how far the validation loss fell.

        The range goes half-way (in log rate) to the next rates on both sides that lost a tenth or more. The confidence
        is "high" where a rate on both sides was worse than noise can explain, "medium" where any other rate was tried
        on both sides, "low" otherwise, and where no training loss fell.
        """
        best = self.best
        if best is None:
            return Suggestion(None, "probe", self._why_none())
        (below, low), (above, high) = self._stretch(best, -1), self._stretch(best, 1)
        return Suggestion(
            self._middle(best, [*below, *above]),
            "probe",
            self._reason(best, 1 + len(below) + len(above)),
            low=low,
            high=high,
            confidence=self._confidence(best),
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a training, by rate.

        The columns are "lr", "end_loss", "lost" (of everything that the best one learnt, the share that this one did
        not), "val_loss", "steps" and "stop_reason". Unknown numbers are NaN: "end_loss" and "lost" of a training
        without an end, and "lost" with validation data.
        """
        import pandas as pd

        runs = self._by_rate()
        columns = {
            "lr": [run.lr for run in runs],
            "end_loss": [_or_nan(run.end_loss) for run in runs],
            "lost": [_or_nan(lost(run, self.runs)) for run in runs],
            "val_loss": [run.val_loss for run in runs],
            "steps": [run.loss.size for run in runs],
            "stop_reason": [run.stop_reason for run in runs],
        }
        table: pd.DataFrame = pd.DataFrame(columns)
        return table

    def _by_rate(self) -> list[ProbeRun]:
        return sorted(self.runs, key=lambda run: run.lr)

    def _beside(self, best: ProbeRun, side: int) -> list[ProbeRun]:
        """Return the trainings above (1) or below (-1) the best one but those interrupted, the nearest first."""
        runs = self._by_rate()[::side]
        return [run for run in runs if (run.lr - best.lr) * side > 0 and run.stop_reason != "interrupted"]

    def _stretch(self, best: ProbeRun, side: int) -> tuple[list[ProbeRun], float]:
        """Return the trainings on one side up to the first that is not about as good, and the range's limit there."""
        close: list[ProbeRun] = []
        for run in self._beside(best, side):
            reached = close[-1].lr if close else best.lr
            if lost(run, self.runs) >= CLOSE:
                return close, math.sqrt(reached) * math.sqrt(run.lr)
            close.append(run)
        return close, close[-1].lr if close else best.lr

    def _middle(self, best: ProbeRun, close: list[ProbeRun]) -> float:
        weights = [1.0, *(1 - lost(run, self.runs) / CLOSE for run in close)]
        decades = [0.0, *(math.log10(run.lr) - math.log10(best.lr) for run in close)]
        return float(best.lr * 10 ** np.average(decades, weights=weights))

    def _confidence(self, best: ProbeRun) -> str:
        if fallen(self.runs) <= 0:
            return "low"
        sides = [self._beside(best, side) for side in (-1, 1)]
        if all(any(is_clearly_worse(run, best) for run in runs) for runs in sides):
            return "high"
        return "medium" if all(sides) else "low"

    def _cost(self) -> str:
        if len(self.runs) == 1:
            return f"In one short training ({self.num_steps} step{'s' * (self.num_steps != 1)}),"
        return f"In {len(self.runs)} short trainings ({self.num_steps} steps in all),"

    def _why_none(self) -> str:
        reasons, steps = {run.stop_reason for run in self.runs}, {run.loss.size for run in self.runs}
        if "interrupted" in reasons:
            return f"{self._cost()} the stop came before any end."
        if "exhausted" in reasons:
            return f"{self._cost()} the data ended before {self.probe_steps} steps; give more, or fewer probe_steps."
        if steps == {1}:
            return f"{self._cost()} the first loss was not finite, whatever the rate; look at the batch and the model."
        if reasons == {"non_finite"} and len(self.runs) > len(steps) == 1:
            return f"{self._cost()} each loss of step {steps.pop()} was not finite; try lower rates or check its batch."
        return f"{self._cost()} none got to a finite end; try lower rates."

    def _reason(self, best: ProbeRun, number: int) -> str:
        what = "loss" if best.val_loss is None else "validation loss"
        first = self.runs[0]
        began = ", where they began," if best is first else ""
        reason = f"{self._cost()} the rate {best.lr:.1e}{began} ended with the lowest {what}, {best.end_loss:.4g}"
        if number > 1:
            reason += f", and the suggestion is the middle of the {number} that ended about as low"
        if best is not first:
            reason += f"; at {first.lr:.1e}, where they began, {_outcome(first)}"
        untried = [way for way, side in (("higher", 1), ("lower", -1)) if not self._beside(best, side)]
        if untried:
            reason += f"; no {' or '.join(untried)} rate was tried: that takes more steps"
        if fallen(self.runs) <= 0:
            reason += "; but no training loss fell below the first one"
        return f"{reason}."


def _outcome(run: ProbeRun) -> str:
    if math.isfinite(run.end_loss):
        return f"it was {run.end_loss:.4g}"
    return "it exploded" if run.stop_reason == "diverged" else "it was not finite"


def _or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan
