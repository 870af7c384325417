"""The tables of RESULTS.md from the stored data."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import numpy as np

from lr_widget.suggest import RULES, suggest_lr

from .probes import probe_steps, probed_rate
from .score import BAD, NEAR_BEST, Row, Rule, Stored, load, score
from .tasks import halves, later, newest

HEADER = "| rule | mean | median | p90 | worst | near-best | bad | spread | no answer |\n" + 9 * "|---" + "|"
INTRODUCTION = f"""# How good are the suggestion rules?

Regret of the suggested rate: 0 is as good as the best rate of a fine grid, 1 is nothing learnt; the mean of that for a
constant rate and for one cycle, {{steps}} steps each. Near-best is a regret of at most {NEAR_BEST}, bad one of at least
{BAD}. The spread is the standard deviation over seeds in decades. "No answer" counts as regret 1. Sweeps from 1e-7 to
10, six seeds a task. The rules were chosen on one half of thirty-six tasks; the other half only reports. Ten later tasks
were made after the default rule was fixed; how probes go on was chosen with the choosing half and these. The twelve
newest tasks were made after that, so that nothing was chosen with them. Probes cost at most 300 steps together. The noise
model of "auto" and the words of its confidence were changed later, chosen with the choosing half and the later tasks; but the
figures of the other groups were seen meanwhile, so these are no clean report of them.

Made by `python -m tests.benchmarks.rules --write`; `--rebuild` computes what is not stored, `--probe` the probes anew.
The rules of other finders give the same rate as those finders' own code on all stored curves:
`python -m tests.benchmarks.rules.peers`.
"""


def rules() -> dict[str, Rule]:
    """Return every row of the table but the probes."""

    def suggested(stored: Stored, lrs: np.ndarray, losses: np.ndarray, seed: int, *, name: str) -> float | None:
        return suggest_lr(lrs, losses, name).lr

    def random(stored: Stored, lrs: np.ndarray, losses: np.ndarray, seed: int) -> float:
        return 10 ** np.random.default_rng([seed, *map(ord, stored.task.name)]).uniform(-7, 1)

    return {
        **{name: partial(suggested, name=name) for name in RULES},
        "habit (0.1 for SGD, 1e-3 for Adam)": lambda stored, *_: stored.task.habit,
        "random rate": random,
        "oracle": lambda stored, *_: stored.best_rate(),
    }


def table(stored: list[Stored], num_steps: int) -> str:
    rows = {name: score(stored, rule, num_steps) for name, rule in rules().items()}
    if num_steps == 100:
        cost = np.mean(probe_steps([one.task.name for one in stored]))
        name = f"auto and probes ({cost:.0f} more steps on average)"
        rows[name] = score(stored, lambda one, lrs, losses, seed: probed_rate(one.task.name, seed), num_steps)
    return "\n".join([HEADER, *(_line(name, row) for name, row in rows.items())])


def confidences(stored: list[Stored], num_steps: int) -> str:
    """Return the regret of the suggestions of "auto", by their confidence."""
    regrets = defaultdict(list)
    for one in stored:
        for curve in one.curves(num_steps):
            suggestion = suggest_lr(*curve)
            regrets[suggestion.confidence or "no answer"].append(one.regret(suggestion.lr))
    lines = ["| confidence | curves | mean regret | near-best | bad |", "|---|---|---|---|---|"]
    for name in ("high", "medium", "low", "no answer"):
        of = np.array(regrets[name])
        if of.size:
            near, bad = np.mean(of <= NEAR_BEST), np.mean(of >= BAD)
            lines.append(f"| {name} | {of.size} | {of.mean():.3f} | {near:.0%} | {bad:.0%} |")
    return "\n".join(lines)


def report() -> str:
    """Return the whole of RESULTS.md."""
    from .ground_truth import TRAINING_STEPS

    choosing, reporting = halves()
    groups = {"Reporting half": reporting, "Newest tasks": newest(), "Later tasks": later(), "Choosing half": choosing}
    parts = [INTRODUCTION.format(steps=TRAINING_STEPS)]
    for title, group in groups.items():
        stored = [load(task) for task in group]
        parts.append(f"## {title}\n\n{', '.join(task.name for task in group)}\n")
        for num_steps in (100, 300):
            parts += [f"### {title}, {num_steps} steps\n", table(stored, num_steps), ""]
            parts += [f'"auto" by its confidence, {num_steps} steps:\n', confidences(stored, num_steps), ""]
    return "\n".join(parts)


def _line(name: str, row: Row) -> str:
    return (
        f"| {name} | {row.mean:.3f} | {row.median:.3f} | {row.p90:.3f} | {row.worst:.2f} | {row.near_best:.0%} "
        f"| {row.bad:.0%} | {row.spread:.2f} | {row.none:.0%} |"
    )
