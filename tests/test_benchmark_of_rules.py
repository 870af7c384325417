"""What the README says of the suggestion rules, computed anew from the stored curves and trainings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from benchmarks.rules.score import Row, load, score
from benchmarks.rules.table import rules
from benchmarks.rules.tasks import halves

from lr_widget.rules import PEERS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


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


def test_both_halves_have_tasks_of_every_kind():
    """What is chosen on one half can be expected of the other; no task is in both."""
    choosing, reporting = halves()
    assert len(choosing) + len(reporting) >= 20
    assert {task.kind for task in choosing} == {task.kind for task in reporting}
    assert not {task.name for task in choosing} & {task.name for task in reporting}
