"""The README's figures of the suggestion rules, computed anew from the stored curves and trainings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from lr_widget.suggest.peers import PEERS

from .benchmarks.rules.probes import probe_around, probe_steps, probed_rate
from .benchmarks.rules.score import Row, load, score
from .benchmarks.rules.table import rules
from .benchmarks.rules.tasks import Task, everything, halves, later, newest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MORE = (ROOT / "tests" / "benchmarks" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[100, 300])
def rows(request: pytest.FixtureRequest) -> tuple[int, dict[str, Row]]:
    stored = [load(task) for task in halves()[1]]
    return request.param, {name: score(stored, rule, request.param) for name, rule in rules().items()}


def test_the_default_rule_beats_every_other_one(rows: tuple[int, dict[str, Row]]):
    """By the margins that are promised: 0.7 of the best other finder's mean regret at 100 steps, 0.5 at 300."""
    num_steps, of = rows
    best_peer = min(of[name].mean for name in PEERS)
    assert of["auto"].mean < {100: 0.7, 300: 0.5}[num_steps] * best_peer
    assert of["auto"].mean < of["habit (0.1 for SGD, 1e-3 for Adam)"].mean / 2
    assert of["auto"].near_best >= 0.6
    assert of["auto"].bad <= 0.1


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ('`"auto"`', "auto"),
        ("valley (fastai)", "valley"),
        ("minimum / 10 (fastai)", "minimum"),
        ("Lightning", "lightning"),
    ],
)
def test_the_readme_has_the_figures_that_come_out(rows: tuple[int, dict[str, Row]], name: str, row: str):
    """To the last digit given, so that a change of the rules cannot leave old figures behind."""
    num_steps, of = rows
    line = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", README, re.MULTILINE)
    assert line is not None
    mean, near, bad = line[1].split(" | ")[:3] if num_steps == 100 else line[1].split(" | ")[3:]
    found = of[row]
    assert (mean, near, bad) == (
        f"{found.mean:.3f}",
        f"{found.near_best:.0%}"[:-1] + " %",
        f"{found.bad:.0%}"[:-1] + " %",
    )


def test_probes_beat_every_rule_and_the_readme_says_by_how_much():
    """Three tenths of the best other finder's mean regret are promised, for no more steps than three sweeps have."""
    stored = [load(task) for task in halves()[1]]
    probed = score(stored, lambda one, lrs, losses, seed: probed_rate(one.task.name, seed), 100)
    steps = probe_steps([one.task.name for one in stored])
    assert max(steps) <= 300
    assert probed.mean < 0.3 * min(score(stored, rules()[name], 100).mean for name in PEERS)
    assert (
        f'| `"auto"`, then probes ({sum(steps) / len(steps):.0f} more steps on average) | {probed.mean:.3f} '
        f"| {probed.near_best * 100:.0f} % | {probed.bad * 100:.0f} % |"
    ) in README


@pytest.mark.parametrize(("group", "row"), [(later, "ten tasks made"), (newest, "twelve tasks that")])
def test_the_benchmarks_readme_has_the_figures_of_the_tasks_that_came_afterwards(
    group: Callable[[], list[Task]], row: str
):
    """The default rule and the best other finder at both lengths, and the probes."""
    stored = [load(task) for task in group()]

    def means(num_steps: int) -> list[float]:
        return [
            score(stored, rules()["auto"], num_steps).mean,
            min(score(stored, rules()[name], num_steps).mean for name in PEERS),
        ]

    probed = score(stored, lambda one, lrs, losses, seed: probed_rate(one.task.name, seed), 100).mean
    figures = means(100) + means(300)
    figures.insert(1, probed)
    line = re.search(rf"^\| {row} .*$", MORE, re.MULTILINE)
    assert line is not None
    assert re.findall(r"\d\.\d{3}", line[0]) == [f"{figure:.3f}" for figure in figures]


def test_the_stored_outcomes_are_those_of_todays_probes():
    """One quick task is probed anew; its losses are smooth enough to come out alike on every machine."""
    [task] = [task for task in everything() if task.name == "six classes linear, momentum"]
    outcome = probe_around(task, 0, *load(task).curves(100)[0])
    assert outcome["lr"] == pytest.approx(probed_rate(task.name, 0), rel=0.1)


def test_both_halves_have_tasks_of_every_kind():
    """A choice on one half can be expected to hold on the other; no task is in both."""
    choosing, reporting = halves()
    assert len(choosing) + len(reporting) >= 20
    assert {task.kind for task in choosing} == {task.kind for task in reporting}
    assert not {task.name for task in choosing} & {task.name for task in reporting}
