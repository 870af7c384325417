"""The probes' outcomes: computed by real trainings around the rate of "auto", stored by task and seed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch

from lr_widget import LRRecords, NoSuggestionError, probe

from .score import load
from .tasks import Task

PROBED = Path(__file__).parent / "stored" / "probed.json"


def rebuild_probes(tasks: list[Task]) -> None:
    """Probe around the suggestions for the stored 100-step sweeps, with the defaults: at most 300 steps each."""
    torch.set_num_threads(1)
    outcomes = dict(_probed())
    for task in tasks:
        outcomes[task.name] = [probe_around(task, seed, *curve) for seed, curve in enumerate(load(task).curves(100))]
        print(f"{task.name}: {outcomes[task.name]}", flush=True)
    PROBED.write_text(json.dumps(outcomes, indent=1) + "\n")
    _probed.cache_clear()


def probe_around(task: Task, seed: int, *curve: object) -> dict[str, float | int | None]:
    """Probe around the suggestion for a curve. Returns the rate that it comes to, or None, and the steps it takes."""
    model, optimizer, batches = task.start(seed)
    records = LRRecords(*curve)
    try:
        evidence = probe(model, optimizer, None, batches, train_step=task.step_loss, around=records, progress=False)
    except NoSuggestionError:
        return {"lr": None, "steps": 0}
    return {"lr": evidence.suggestion.lr, "steps": evidence.num_steps}


@cache
def _probed() -> dict[str, list[dict[str, float | int | None]]]:
    return json.loads(PROBED.read_text()) if PROBED.exists() else {}


def probed_rate(task: str, seed: int) -> float | None:
    """Return the rate that "auto" on 100 steps and then probes came to; None where they came to none.

    Raises:
        KeyError: it is not stored.
    """
    return _probed()[task][seed]["lr"]


def probe_steps(tasks: list[str]) -> list[int]:
    """Return the costs of the probes of these tasks, in steps."""
    return [outcome["steps"] for task in tasks for outcome in _probed()[task]]
