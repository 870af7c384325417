"""Alternatives at the cost of a range test and probes: searches on the stored losses, optimizers without a rate.

A search may take 375 steps: five trainings of 75 steps at a constant rate, judged by their last 50 training losses.
Optimizers that claim to need no rate train for 400 steps longer instead.
"""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import torch

from lr_widget.horizon import Horizon

from .score import Stored, load, seeds
from .tasks import Task
from .truth import BLOCK, LENGTHS, RATES, SCHEDULES, STORED

OTHERS = STORED / "others.json"
NUM_TRAININGS = 5
BLOCKS = 3  # of 25 steps, in each
EXTRA_STEPS = 400
DECADES = np.arange(0, 17, 4)  # places of 1e-5, 1e-4 … 1e-1
DRAWS = 200


def decades(stored: Stored, seed: int) -> float:
    """Return the best of the decades 1e-5 … 1e-1."""
    return float(RATES[DECADES[_judged(stored, seed)[DECADES].argmin()]])


def random_searches(stored: Stored, seed: int) -> list[float]:
    """Return the outcomes of many searches with five rates, drawn log-uniformly from 1e-5 … 1e-1."""
    drawn = np.random.default_rng(seed).integers(0, DECADES[-1] + 1, (DRAWS, NUM_TRAININGS))
    judged = _judged(stored, seed)
    return [float(RATES[places[judged[places].argmin()]]) for places in drawn]


def optuna_search(stored: Stored, seed: int) -> float:
    """Return the outcome of Optuna with its default sampler and a median pruner, which judges every 25 steps."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spent = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal spent
        rate = trial.suggest_float("lr", RATES[0], RATES[DECADES[-1]], log=True)
        place = int(np.abs(np.log10(RATES) - math.log10(rate)).argmin())
        losses = np.nan_to_num(stored.early[:BLOCKS, seed, place].astype(float), nan=1e30, posinf=1e30)
        for block, loss in enumerate(losses):
            spent += BLOCK
            trial.report(loss, block)
            if trial.should_prune() and block < BLOCKS - 1:
                raise optuna.TrialPruned
        return float(losses[1:].mean())

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner(n_startup_trials=2)
    )
    while spent + BLOCK * BLOCKS <= NUM_TRAININGS * BLOCK * BLOCKS:
        study.optimize(objective, n_trials=1)
    place = int(np.abs(np.log10(RATES) - math.log10(study.best_params["lr"])).argmin())
    return float(RATES[place])


def rebuild_others(tasks: list[Task]) -> None:
    """Run Optuna's searches and train with Prodigy and schedule-free AdamW; needs optuna and pytorch_optimizer."""
    torch.set_num_threads(1)
    found = dict(_others())
    for task in tasks:
        rates = [float(f"{optuna_search(load(task), seed):.3g}") for seed in seeds()]
        found[task.name] = {
            "Optuna": rates,
            **{name: _without_a_rate(task, name) for name in ("Prodigy", "ScheduleFree")},
        }
        OTHERS.write_text(json.dumps(found, indent=1) + "\n")
        print(task.name, flush=True)
    _others.cache_clear()


def optuna_rate(task: Task, seed: int) -> float:
    """Return the stored outcome of Optuna's search."""
    return _others()[task.name]["Optuna"][seed]


def loss_without_a_rate(task: Task, name: str, training: tuple[int, str]) -> float | None:
    """Return the stored held-out loss of an optimizer without a rate, or None."""
    return _others().get(task.name, {}).get(name, {}).get("{} {}".format(*training))


def _without_a_rate(task: Task, name: str) -> dict[str, float]:
    """Return the held-out losses of trainings of one seed. Schedule-free AdamW has a constant rate in each of them."""
    losses = {}
    for steps in LENGTHS[1:3]:
        for schedule in SCHEDULES:
            if name == "ScheduleFree" and schedule != "constant":
                losses[f"{steps} {schedule}"] = losses[f"{steps} constant"]
            else:
                losses[f"{steps} {schedule}"] = _train(task, name, steps + EXTRA_STEPS, schedule)
    return losses


def _train(task: Task, name: str, num_steps: int, schedule: str) -> float:
    import pytorch_optimizer

    model, _, batches = task.start(0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    is_prodigy = name == "Prodigy"
    optimizer = (pytorch_optimizer.Prodigy if is_prodigy else pytorch_optimizer.ScheduleFreeAdamW)(trained)
    share = Horizon(num_steps, schedule).over(optimizer.param_groups[0]["lr"], num_steps)
    if not is_prodigy:
        optimizer.train()
    model.train()
    for step, batch in zip(range(1, num_steps + 1), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = share(step)
        loss = task.step_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if not is_prodigy:
        optimizer.eval()
    return float(f"{task.held_out_loss(model):.5g}")


def _judged(stored: Stored, seed: int) -> np.ndarray:
    """Return the mean training loss of steps 26 to 75 at each rate, infinite where it is not finite."""
    losses = stored.early[1:BLOCKS, seed].astype(float).mean(axis=0)
    return np.where(np.isfinite(losses), losses, np.inf)


@cache
def _others() -> dict[str, dict]:
    return json.loads(OTHERS.read_text()) if OTHERS.exists() else {}
