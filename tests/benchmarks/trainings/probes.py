"""The probes' answers: real probes around the rate of "auto", stored by budget, task and seed."""

from __future__ import annotations

import json
from functools import cache

import torch

from lr_widget import LRRecords, NoSuggestionError, probe
from lr_widget.results import Evidence

from .score import load, seeds
from .tasks import Task
from .truth import LENGTHS, SCHEDULES, STORED

PROBED = STORED / "probed.json"
BUDGETS = (300, 1200)
SWEEP = 100  # steps of the range test that comes first

Answer = dict[str, float | str | None]  # "lr", "low", "high", "confidence"


def rebuild_probes(tasks: list[Task]) -> None:
    """Probe around the suggestions for the stored sweeps, and store the answers for all trainings."""
    torch.set_num_threads(1)
    answers = dict(_probed())
    for task in tasks:
        for budget in BUDGETS:
            answers[f"{task.name} {budget}"] = [_of_seed(task, seed, budget) for seed in seeds()]
        print(task.name, flush=True)
    PROBED.write_text(json.dumps(answers, indent=None, separators=(",", ":")).replace("],", "],\n") + "\n")
    _probed.cache_clear()


def _of_seed(task: Task, seed: int, budget: int) -> dict[str, Answer]:
    """Return {training: answer}. The first trainings are the same in all schedules; only longer ones follow them."""
    records, answers = load(task).records(SWEEP, seed), {}
    evidence = None
    for schedule in SCHEDULES:
        if budget > BUDGETS[0] or evidence is None:
            evidence = _probe(task, seed, records, budget, schedule)
        for steps in LENGTHS[1:]:
            answers[f"{steps} {schedule}"] = _answer(evidence, steps, schedule)
    return answers


def _probe(task: Task, seed: int, records: LRRecords, budget: int, schedule: str) -> Evidence | None:
    model, optimizer, batches = task.start(seed)
    try:
        return probe(
            model,
            optimizer,
            None,
            batches,
            train_step=task.step_loss,
            around=records,
            max_steps=budget,
            train_steps=LENGTHS[-1],
            train_schedule=schedule,
            progress=False,
        )
    except NoSuggestionError:
        return None


def _answer(evidence: Evidence | None, steps: int, schedule: str) -> Answer:
    if evidence is None:
        return {"lr": None, "low": None, "high": None, "confidence": None}
    found = evidence.suggest(steps, schedule)
    numbers = {name: float(f"{value:.3g}") if value else None for name, value in vars(found).items() if name in _RATES}
    return {**numbers, "confidence": found.confidence}


_RATES = ("lr", "low", "high")


@cache
def _probed() -> dict[str, list[dict[str, Answer]]]:
    return json.loads(PROBED.read_text()) if PROBED.exists() else {}


def probed(task: Task, budget: int, seed: int, training: tuple[int, str]) -> Answer:
    """Return the stored answer of probes with a budget.

    Raises:
        KeyError: it is not stored.
    """
    steps, schedule = training
    return _probed()[f"{task.name} {budget}"][seed][f"{steps} {schedule}"]
