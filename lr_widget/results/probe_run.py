"""One short training at one rate, and the comparison of several: the best end, the losses against it, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..schedule import rate_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..smoothing import Floats

CLOSE = 0.1  # rates that lose less than this share of what the best one learns are about as good
CLEAR_ERRORS = 3.0  # standard errors that noise hardly explains
ROUNDING = 1e-12  # a smaller fall, relative to the loss, is none


@dataclass(frozen=True, eq=False, repr=False)
class ProbeRun:
    """One short training.

    Attributes:
        lr: its rate, or the top of its schedule.
        loss: raw training loss of each step.
        stop_reason: "completed", "stopped" where it was far behind another one, "diverged", "non_finite", "exhausted"
            or "interrupted".
        val_loss: mean validation loss at its end, or None without validation data.
        num_steps: the length that it was to have; None for that of the evidence's first trainings.
        schedule: of its rate, one of `lr_widget.horizon.TRAIN_SCHEDULES`.

    >>> import numpy as np
    >>> run = ProbeRun(lr=0.01, loss=np.array([4.0, 3.0, 2.0, 1.0]), stop_reason="completed")
    >>> run.is_complete, run.end_loss
    (True, 1.5)
    """

    lr: float
    loss: Floats
    stop_reason: str
    val_loss: float | None = None
    num_steps: int | None = None
    schedule: str = "constant"

    def __repr__(self) -> str:
        end = f", end loss {self.end_loss:.4g}" if math.isfinite(self.end_loss) else ""
        return f"<ProbeRun: lr {rate_text(self.lr)}, {len(self.loss)} steps{end}, {self.stop_reason}>"

    @property
    def is_complete(self) -> bool:
        """True where it ran to its end."""
        return self.stop_reason == "completed"

    @property
    def end_loss(self) -> float:
        """The validation loss at the end, or the mean training loss of the second half.

        Infinite where the training is not complete or that loss is not finite.
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
    """Return the share that a training did not learn of everything that the best one learnt.

    0 for the best one and 1 for one that learnt nothing. For all but the best one it is infinite where it is unknown:
    for a training without an end, where not even the best one learnt anything, and with validation data, since nobody
    knows how far the validation loss fell.
    """
    best = best_of(runs)
    if run is best:
        return 0.0
    if best is None or best.val_loss is not None or not math.isfinite(run.end_loss):
        return math.inf
    learnt = fallen(runs)
    return (run.end_loss - best.end_loss) / learnt if learnt > 0 else math.inf


def fallen(runs: Sequence[ProbeRun], count: int | None = None) -> float:
    """Return the largest fall of the training loss over the first `count` steps, among the complete trainings.

    The fall counts from the first loss, which is the same in all of them, before any update. Negative where the loss
    rose in all of them.
    """
    before = float(runs[0].loss[0])
    end = min(float(second_half(run.loss[:count]).mean()) for run in runs if run.is_complete)
    return 0.0 if math.isclose(before, end, rel_tol=ROUNDING) else before - end


def is_clearly_worse(run: ProbeRun, best: ProbeRun) -> bool:
    """Tell if a training ended above the best one by more than noise can explain.

    The validation loss is measured on the same data every time, so any difference counts.
    """
    if not math.isfinite(run.end_loss):
        return True
    if best.val_loss is not None:
        return run.end_loss > best.end_loss
    return is_behind(run.loss, best.loss)


def is_behind(losses: Floats, best: Floats, by: float = 0.0) -> bool:
    """Compare two trainings step by step, as both see the same batches.

    Args:
        losses: raw training losses of the one in question.
        best: those of the other one at the same steps.
        by: the gap that still counts as none.

    Returns:
        True where the mean difference over the second half, less 3 of its standard errors, is above `by`.
    """
    difference = second_half(losses) - second_half(best)
    error = float(difference.std(ddof=1)) / math.sqrt(difference.size)
    return float(difference.mean()) - CLEAR_ERRORS * error > by


def second_half(losses: Floats) -> Floats:
    """Return the later half of the losses, with the middle one of an odd number; it shows best how much was learnt."""
    return losses[losses.size // 2 :]
