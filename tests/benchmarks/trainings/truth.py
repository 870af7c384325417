"""Compute the stored data of every task: the held-out losses of trainings at a grid of rates, and range-test curves."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from lr_widget.horizon import Horizon

from ..rules.ground_truth import RATES, sweeps
from .stacked import Stack
from .tasks import Task

STORED = Path(__file__).parent / "stored"
SCHEDULES = ("constant", "one_cycle", "cosine")
LENGTHS = (100, 400, 1600, 6400)
SEEDS = 3
BLOCK = 25  # steps that a stored training loss is the mean of
EARLY_STEPS = 400
SWEEP_STEPS = (100, 300)


def path_of(task: Task) -> Path:
    return STORED / ("".join(c if c.isalnum() else "_" for c in task.name) + ".npz")


def rebuild(tasks: list[Task]) -> None:
    """Compute and store the tasks that are not stored yet; one to five minutes each on one core or an accelerator."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    STORED.mkdir(exist_ok=True)
    for task in tasks:
        if path_of(task).exists():
            continue
        begin = time.perf_counter()
        arrays = trainings(task) | {f"sweep_{steps}": sweeps(task, steps, SEEDS) for steps in SWEEP_STEPS}
        np.savez_compressed(path_of(task), **{key: value.astype(np.float32) for key, value in arrays.items()})
        print(f"{task.name}: {time.perf_counter() - begin:.0f} s", flush=True)


def trainings(task: Task) -> dict[str, np.ndarray]:
    """Train at all rates of the grid, in all schedules and for all lengths of the task.

    Returns:
        "untrained": held-out losses before, (seeds,). "end": held-out losses after, (schedules, lengths, seeds, rates).
        "early": mean training losses of blocks at a constant rate, (blocks, seeds, rates).
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lengths = [length for length in LENGTHS if length <= task.longest]

    def stack() -> Stack:
        return Stack(task, torch.tensor(RATES, dtype=torch.float32), SEEDS, device)

    untrained = stack().held_out()[:, 0]
    losses, ends = stack().train(lengths[-1], lambda _: 1.0, at=tuple(lengths))
    end = [torch.stack([ends[length] for length in lengths])]
    for schedule in SCHEDULES[1:]:
        rows = []
        for length in lengths:
            share = Horizon(length, schedule).over(1.0, length)
            rows.append(stack().train(length, share, at=(length,))[1][length])
        end.append(torch.stack(rows))
    early = losses[:EARLY_STEPS].unflatten(0, (-1, BLOCK)).mean(1)
    return {"untrained": untrained.numpy(), "end": torch.stack(end).numpy(), "early": early.numpy()}
