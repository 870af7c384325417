"""Score rules on the stored curves and trainings.

The regret of a rate on a task and a schedule is `(end(rate) - best) / (untrained - best)`, at most 1: 0 is as good as
the best rate of the grid, 1 is nothing learnt or worse. `end` is the loss over the training examples after 400 steps,
averaged over the seeds; rates between two of the grid are interpolated in log rate. The regret on a task is the mean of
those for a constant rate and for one cycle, so no rate is perfect for both. No suggestion counts as regret 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .ground_truth import RATES, path_of
from .tasks import Task

NEAR_BEST = 0.05
BAD = 0.5

# (task's stored data, rates, raw losses, seed) -> rate
Rule = Callable[["Stored", np.ndarray, np.ndarray, int], "float | None"]


@dataclass(frozen=True)
class Stored:
    """The stored data of a task."""

    task: Task
    untrained: float
    end: np.ndarray
    sweeps: dict[int, np.ndarray]

    def regrets(self) -> np.ndarray:
        """Return the regret of every rate of the grid under every schedule."""
        mean = np.where(np.isfinite(self.end), self.end, self.untrained).clip(max=self.untrained).mean(axis=2)
        best = mean.min(axis=0)
        return (mean - best) / (self.untrained - best)

    def regret(self, rate: float | None) -> float:
        if rate is None:
            return 1.0
        return float(np.interp(math.log10(rate), np.log10(RATES), self.regrets().mean(axis=1)))

    def best_rate(self) -> float:
        return float(RATES[self.regrets().mean(axis=1).argmin()])

    def curves(self, num_steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return (rates, raw losses) of the sweeps of one length."""
        rates = 1e-7 * (10.0 / 1e-7) ** (np.arange(1, num_steps + 1) / num_steps)
        lengths = np.isfinite(self.sweeps[num_steps]).sum(axis=1)
        return [(rates[:n], row[:n]) for row, n in zip(self.sweeps[num_steps].astype(float), lengths, strict=True)]


@dataclass(frozen=True)
class Row:
    """One rule's line of the table: everything over all curves of all tasks, the spread over the seeds of a task."""

    mean: float
    median: float
    p90: float
    worst: float
    near_best: float
    bad: float
    spread: float
    none: float


def load(task: Task) -> Stored:
    with np.load(path_of(task)) as file:
        sweeps = {int(key[6:]): file[key] for key in file if key.startswith("sweep_")}
        return Stored(task, float(file["untrained"].mean()), file["end"].astype(float), sweeps)


def score(stored: list[Stored], rule: Rule, num_steps: int) -> Row:
    regrets, spreads, answered = [], [], []
    for one in stored:
        rates = [rule(one, *curve, seed) for seed, curve in enumerate(one.curves(num_steps))]
        logs = [math.log10(rate) for rate in rates if rate is not None]
        spreads.append(float(np.std(logs)) if logs else 0.0)
        answered += [rate is not None for rate in rates]
        regrets += [one.regret(rate) for rate in rates]
    return Row(
        mean=float(np.mean(regrets)),
        median=float(np.median(regrets)),
        p90=float(np.quantile(regrets, 0.9)),
        worst=max(regrets),
        near_best=float(np.mean(np.array(regrets) <= NEAR_BEST)),
        bad=float(np.mean(np.array(regrets) >= BAD)),
        spread=float(np.mean(spreads)),
        none=1 - float(np.mean(answered)),
    )
