"""The tables of RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np

from .others import decades, loss_without_a_rate, optuna_rate, random_searches
from .probes import BUDGETS, probed
from .score import BAD, NEAR_BEST, Stored, Training, load, mean_and_error, seeds
from .tasks import halves
from .truth import LENGTHS, RATES, SCHEDULES

Answers = Callable[[Stored, int, Training], "float | None"]  # (task, seed, training) -> rate
WORDS = {"constant": "constant rate", "one_cycle": "one cycle", "cosine": "cosine"}
MIDDLE = LENGTHS[1:3]
WITH_RATES = LENGTHS[1:]

INTRODUCTION = """# How good is the rate for a training?

Regret of the rate after a training of 400, 1,600 or 6,400 steps, at a constant rate, in one cycle and with a cosine: 0 is
as good as the best rate of a grid of quarter decades for that length and schedule, 1 is nothing learnt. The loss is that of
held-out examples. Means over tasks, each the mean of three seeds, and the standard error of that mean over the tasks; in
brackets, the paired difference to auto and probes. Near-best is a regret of at most 0.05, bad one of at least 0.5.

The first task of each pair chose everything: how far a rate moves with the length (`lr_widget/suggest/horizon.py`), the
rounds of the probes (`lr_widget/engine/probes/rounds.py`) and the words of the confidence. The second task only reports.
The tasks were fixed before, with one exception: the two tasks that tune a text model were made anew with a longer
pretraining, before anything had been looked at on the reporting half, as the first ones went on with it rather than tuned.
A first report on the reporting half showed probes that were led astray by noise ("digits in twos"). Two remedies were tried
and not taken, as they cost more on the choosing tasks (these and those of `tests/benchmarks/rules`) than they gain: to let the
rate that probes begin with count, too, and to count trainings as equal whose difference noise may explain.

"auto" reads a sweep of 100 steps, probes take 300 or 1,200 more. All other searches take 375 steps. Prodigy and
schedule-free AdamW (at its default rate of 2.5e-3, in every column) train for 400 steps longer, and stand only for the
tasks whose optimizer is Adam or AdamW: elsewhere they would be another optimizer, not another rate. They have one seed, and
their regret can be negative. Random search is the mean of many searches. The columns of 6,400 steps stand for the tasks that
were trained for so long, 14 of 19. Held-out windows of the text tasks overlap with training windows.

Made by `python -m tests.benchmarks.trainings --write`; `--rebuild` computes what is not stored, `--probe` and `--others` the
probes and the alternatives anew.
"""


def report() -> str:
    """Return the whole of RESULTS.md."""
    parts = [INTRODUCTION]
    for title, tasks in zip(("Reporting half", "Choosing half"), reversed(halves()), strict=True):
        stored = [load(task) for task in tasks]
        parts += [f"## {title}\n", "; ".join(task.name for task in tasks) + "\n"]
        parts += [f"### {title}: regret\n", regrets(stored), ""]
        parts += [f"### {title}: the words of the confidence and the ranges\n", promises(stored), ""]
        parts += [f"### {title}: how the best rate moves\n", slopes(stored), ""]
    return "\n".join(parts)


def regrets(stored: list[Stored]) -> str:
    """Return the table of regrets, one line a method."""
    cells = list(product(SCHEDULES, ("400 and 1,600", "6,400")))
    head = "| | " + " | ".join(f"{schedule}, {lengths}" for schedule, lengths in cells) + " |"
    lines = [head, "|" + "---|" * (len(cells) + 1)]
    groups = {cell: MIDDLE if cell[1] != "6,400" else LENGTHS[3:] for cell in cells}
    own = {cell: _by_task(stored, _regrets_of(_probes(BUDGETS[0])), cell[0], groups[cell]) for cell in cells}
    for name, regret in _methods().items():
        row = []
        for cell in cells:
            by_task = _by_task(stored, regret, cell[0], groups[cell])
            known = np.isfinite(by_task)
            if not known.any():
                row.append("")
                continue
            mean, error = mean_and_error(by_task[known])
            difference, its_error = mean_and_error((by_task - own[cell])[known])
            paired = "" if name == _ours(BUDGETS[0]) else f" ({difference:+.3f} ± {its_error:.3f})"
            row.append(f"{mean:.3f} ± {error:.3f}{paired}")
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def short(stored: list[Stored]) -> str:
    """Return the README's table: 400 and 1,600 steps, without the differences."""
    lines = [f"| | {' | '.join(WORDS.values())} |", "|" + "---|" * (1 + len(SCHEDULES))]
    for name, regret in _methods().items():
        columns = [_by_task(stored, regret, schedule, MIDDLE) for schedule in SCHEDULES]
        cells = ["{:.3f} ± {:.3f}".format(*mean_and_error(column[np.isfinite(column)])) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def promises(stored: list[Stored]) -> str:
    """Return the table of what became of each word: near-best, bad, and near-best rates inside the range."""
    lines = [
        "| answer | word | answers | mean regret | near-best | bad | a near-best rate in the range | range, decades |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, answers in _with_words().items():
        rows = [row for one in stored for row in answers(one)]
        for word in ("high", "medium", "low", "none"):
            of = np.array([row[1:] for row in rows if row[0] == word], dtype=float)
            if of.size:
                regret, inside, width = of.T
                lines.append(
                    f"| {name} | {word} | {len(of)} | {regret.mean():.3f} | {np.mean(regret <= NEAR_BEST):.0%} "
                    f"| {np.mean(regret >= BAD):.0%} | {np.mean(inside):.0%} | {np.mean(width):.2f} |"
                )
    return "\n".join(lines)


def slopes(stored: list[Stored]) -> str:
    """Return the table of the slopes of the best rate: decades a decade of length, and where the schedules begin."""
    lines = [
        "| schedule | 100 to 1,600 steps | 1,600 to 6,400 | above a constant rate, 100 steps |",
        "|---|---|---|---|",
    ]
    for schedule in SCHEDULES:
        best = [{n: _best(one, (n, schedule)) for n in LENGTHS if one.has((n, schedule))} for one in stored]
        early = np.array([(each[1600] - each[100]) / np.log10(16) for each in best])
        late = np.array([(each[6400] - each[1600]) / np.log10(4) for each in best if 6400 in each])
        above = np.array([each[100] - _best(one, (100, "constant")) for each, one in zip(best, stored, strict=True)])
        cells = " | ".join("{:.2f} ± {:.2f}".format(*mean_and_error(column)) for column in (early, late, above))
        lines.append(f"| {schedule} | {cells} |")
    return "\n".join(lines)


def _best(one: Stored, training: Training) -> float:
    """Return the middle of the near-best rates, as a decimal logarithm."""
    weights = (1 - one.regrets(training) / NEAR_BEST).clip(0)
    return float((weights * np.log10(RATES)).sum() / weights.sum())


Regrets = Callable[[Stored, Training], float]


def _methods() -> dict[str, Regrets]:
    return {
        "auto (100 steps)": _regrets_of(_auto(100)),
        "auto (300 steps)": _regrets_of(_auto(300)),
        _ours(BUDGETS[0]): _regrets_of(_probes(BUDGETS[0])),
        _ours(BUDGETS[1]): _regrets_of(_probes(BUDGETS[1])),
        "grid of decades": _regrets_of(lambda one, seed, _: decades(one, seed)),
        "random search": _random,
        "Optuna": _regrets_of(lambda one, seed, _: optuna_rate(one.task, seed)),
        "Prodigy": lambda one, training: _without_a_rate(one, "Prodigy", training),
        "schedule-free AdamW": lambda one, training: _without_a_rate(one, "ScheduleFree", training),
        "habit": _regrets_of(lambda one, *_: one.task.habit),
    }


def _ours(budget: int) -> str:
    return f"auto and probes ({budget:,} steps)"


def _auto(num_steps: int) -> Answers:
    return lambda one, seed, training: one.records(num_steps, seed).suggest("auto", "loss", *training).lr


def _probes(budget: int) -> Answers:
    return lambda one, seed, training: probed(one.task, budget, seed, training)["lr"]


def _regrets_of(answers: Answers) -> Regrets:
    return lambda one, training: float(
        np.mean([one.regret(answers(one, seed, training), training) for seed in seeds()])
    )


def _random(one: Stored, training: Training) -> float:
    return float(np.mean([one.regret(rate, training) for seed in seeds() for rate in random_searches(one, seed)]))


def _without_a_rate(one: Stored, name: str, training: Training) -> float:
    loss = loss_without_a_rate(one.task, name, training) if one.task.optimizer in ("Adam", "AdamW") else None
    return np.nan if loss is None else one.regret_of_loss(loss, training)


def _by_task(stored: Iterable[Stored], regret: Regrets, schedule: str, lengths: Iterable[int]) -> np.ndarray:
    lengths = list(lengths)
    return np.array(
        [np.mean([regret(one, (n, schedule)) for n in lengths]) for one in stored if one.has((max(lengths), schedule))]
    )


def _with_words() -> dict[str, Callable[[Stored], list[tuple]]]:
    """Return {name: function that lists (word, regret, near-best rate inside, width) of its answers}."""
    named: dict[str, Callable[[Stored], list[tuple]]] = {}
    for steps in (100, 300):
        named[f"auto ({steps} steps), for as many steps"] = lambda one, n=steps: [
            _kept(one.records(n, seed).suggest(), one, (LENGTHS[0] if n == 100 else LENGTHS[1], "constant"))
            for seed in seeds()
        ]
        named[f"auto ({steps} steps), for the training"] = lambda one, n=steps: [
            _kept(one.records(n, seed).suggest("auto", "loss", *training), one, training)
            for seed, training in product(seeds(), _trainings(one))
        ]
    for budget in BUDGETS:
        named[_ours(budget) + ", for the training"] = lambda one, b=budget: [
            _kept_answer(probed(one.task, b, seed, training), one, training)
            for seed, training in product(seeds(), _trainings(one))
        ]
    return named


def _trainings(one: Stored) -> list[Training]:
    return [(n, schedule) for n, schedule in product(WITH_RATES, SCHEDULES) if one.has((n, schedule))]


def _kept(suggestion, one: Stored, training: Training) -> tuple:
    return _kept_answer(vars(suggestion), one, training)


def _kept_answer(answer: dict, one: Stored, training: Training) -> tuple:
    if answer["lr"] is None:
        return "none", 1.0, 0.0, np.nan
    inside = one.holds_near_best(answer["low"], answer["high"], training)
    width = np.log10(answer["high"]) - np.log10(answer["low"])
    return answer["confidence"], one.regret(answer["lr"], training), inside, width
