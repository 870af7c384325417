"""Score rates on the stored trainings.

The regret of a rate for a training is `(end(rate) - best) / (untrained - best)`, at most 1: 0 is as good as the best rate
of the grid for that length and schedule, 1 is nothing learnt or worse. `end` is the loss on the held-out examples,
averaged over the seeds; rates between two of the grid are interpolated in log rate. No answer counts as 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from lr_widget import LRRecords

from .tasks import Task
from .truth import LENGTHS, RATES, SCHEDULES, SEEDS, path_of

NEAR_BEST = 0.05
BAD = 0.5

Training = tuple[int, str]  # steps, schedule


@dataclass(frozen=True, eq=False)
class Stored:
    """The stored data of a task."""

    task: Task
    untrained: float
    end: np.ndarray
    early: np.ndarray
    sweeps: dict[int, np.ndarray]

    def has(self, training: Training) -> bool:
        return LENGTHS.index(training[0]) < self.end.shape[1]

    def regrets(self, training: Training) -> np.ndarray:
        """Return the regret of every rate of the grid."""
        steps, schedule = training
        end = self.end[SCHEDULES.index(schedule), LENGTHS.index(steps)]
        mean = np.where(np.isfinite(end), end, self.untrained).clip(max=self.untrained).mean(axis=0)
        return (mean - mean.min()) / (self.untrained - mean.min())

    def regret(self, rate: float | None, training: Training) -> float:
        if rate is None:
            return 1.0
        return float(np.interp(math.log10(rate), np.log10(RATES), self.regrets(training)))

    def regret_of_loss(self, loss: float, training: Training) -> float:
        """Return the regret of a training with another optimizer that ended with a loss; it may be below 0."""
        steps, schedule = training
        end = self.end[SCHEDULES.index(schedule), LENGTHS.index(steps)]
        best = np.where(np.isfinite(end), end, self.untrained).clip(max=self.untrained).mean(axis=0).min()
        return float((min(loss, self.untrained) - best) / (self.untrained - best)) if math.isfinite(loss) else 1.0

    def holds_near_best(self, low: float, high: float, training: Training) -> bool:
        """Tell if a near-best rate lies between two rates."""
        inside = np.linspace(math.log10(low), math.log10(high), 50)
        return bool(np.interp(inside, np.log10(RATES), self.regrets(training)).min() <= NEAR_BEST)

    def records(self, num_steps: int, seed: int) -> LRRecords:
        """Return the records of a stored sweep."""
        losses = self.sweeps[num_steps][seed]
        rates = 1e-7 * (10.0 / 1e-7) ** (np.arange(1, num_steps + 1) / num_steps)
        taken = np.isfinite(losses)
        return LRRecords(rates[taken], losses[taken].astype(float), num_steps=num_steps)


@cache
def load(task: Task) -> Stored:
    with np.load(path_of(task)) as file:
        sweeps = {int(key[6:]): file[key] for key in file if key.startswith("sweep_")}
        return Stored(task, float(file["untrained"].mean()), file["end"].astype(float), file["early"], sweeps)


def seeds() -> range:
    return range(SEEDS)


def mean_and_error(by_task: np.ndarray) -> tuple[float, float]:
    """Return the mean over the tasks and its standard error, as the tasks are a sample of all there are."""
    return float(by_task.mean()), float(by_task.std(ddof=1) / math.sqrt(by_task.size))
