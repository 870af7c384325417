"""Compute the stored data of every task: the ends of trainings at a grid of rates, and range-test curves."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch

from lr_widget import range_test

from .tasks import Task

STORED = Path(__file__).parent / "stored"
RATES = np.logspace(-5, 1, 25)
SCHEDULES = ("constant", "one_cycle")
TRAINING_STEPS = 400
TRAINING_SEEDS = 2
SWEEP_STEPS = (100, 300)
SWEEP_SEEDS = 6


def path_of(task: Task) -> Path:
    return STORED / ("".join(c if c.isalnum() else "_" for c in task.name) + ".npz")


def rebuild(tasks: list[Task]) -> None:
    """Compute and store the tasks that are not stored yet; about a minute each on one core."""
    torch.set_num_threads(1)
    STORED.mkdir(exist_ok=True)
    for task in tasks:
        if path_of(task).exists():
            continue
        begin = time.perf_counter()
        arrays = {f"sweep_{steps}": sweeps(task, steps) for steps in SWEEP_STEPS}
        arrays["untrained"] = np.array([task.evaluate(task.start(seed)[0]) for seed in range(TRAINING_SEEDS)])
        untrained = float(arrays["untrained"].mean())
        arrays["end"] = np.stack([ends(task, schedule, untrained) for schedule in SCHEDULES], axis=1)
        np.savez_compressed(path_of(task), **{key: value.astype(np.float32) for key, value in arrays.items()})
        print(f"{task.name}: {time.perf_counter() - begin:.0f} s", flush=True)


def sweeps(task: Task, num_steps: int, seeds: int = SWEEP_SEEDS) -> np.ndarray:
    """Return the raw losses of range tests from 1e-7 to 10, one row a seed, NaN after the end."""
    losses = np.full((seeds, num_steps), np.nan)
    for seed in range(seeds):
        model, optimizer, batches = task.start(seed)
        records = range_test(
            model, optimizer, None, batches, train_step=task.step_loss, num_steps=num_steps, progress=False
        )
        losses[seed, : len(records)] = records.loss
    return losses


def ends(task: Task, schedule: str, untrained: float) -> np.ndarray:
    """Return the final losses of trainings, by rate and seed.

    First one rate a decade; between two of these that both learn less than 5 % of what the best does, nothing more is
    trained and the end is theirs. A rate that learns less than half is not worth a second seed.
    """
    end = np.full(len(RATES), np.nan)
    coarse = np.arange(0, len(RATES), 4)
    end[coarse] = [train(task, RATES[i], schedule, 0) for i in coarse]
    enough = untrained - 0.05 * (untrained - end[coarse].min())
    for i in np.setdiff1d(np.arange(len(RATES)), coarse):
        below, above = end[i // 4 * 4], end[i // 4 * 4 + 4]
        end[i] = train(task, RATES[i], schedule, 0) if min(below, above) < enough else above
    half = untrained - 0.5 * (untrained - end.min())
    seeds = range(1, TRAINING_SEEDS)
    pairs = zip(RATES, end, strict=True)
    more = [[train(task, rate, schedule, seed) if first < half else first for seed in seeds] for rate, first in pairs]
    return np.column_stack([end, more])


def train(task: Task, rate: float, schedule: str, seed: int) -> float:
    """Train from scratch and return the loss over the training examples, infinite where it is not finite."""
    model, optimizer, batches = task.start(seed)
    model.train()
    for step, batch in zip(range(TRAINING_STEPS), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1.0 if schedule == "constant" else one_cycle((step + 0.5) / TRAINING_STEPS))
        loss = task.step_loss(model, batch)
        if not math.isfinite(loss.item()):
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    end = task.evaluate(model)
    return end if math.isfinite(end) else math.inf


def one_cycle(done: float) -> float:
    """Return the share of the top rate when the share `done` of the training is over.

    Cosine from 1/25 up to 1 in the first 30 %, then cosine down to almost 0, as torch's OneCycleLR does by default.
    """
    if done < 0.3:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * done / 0.3))
    return 0.5 * (1 + math.cos(math.pi * (done - 0.3) / 0.7))
