"""The benchmark of rates for a training: stacked trainings are those of torch, and the scores are right by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from lr_widget.schedule import cosine_decay

from .benchmarks.trainings.others import decades
from .benchmarks.trainings.probes import BUDGETS, _of_seed, probed
from .benchmarks.trainings.score import Stored, load, mean_and_error
from .benchmarks.trainings.stacked import Stack
from .benchmarks.trainings.table import regrets, report, short
from .benchmarks.trainings.tasks import OPTIMIZERS, Task, dense, halves, mse, tasks
from .benchmarks.trainings.truth import RATES, SCHEDULES

BENCHMARKS = Path(__file__).parent / "benchmarks"


def table() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """A small regression, its first part held out."""
    x = torch.randn(96, 4, generator=torch.Generator().manual_seed(3))
    y = x[:, :1] - 0.5 * x[:, 1:2]
    return (x[64:], y[64:]), (x[:64], y[:64])


def small(optimizer: str) -> Task:
    """A task whose first layer is frozen, as in fine-tuning."""

    def build() -> torch.nn.Module:
        model = dense(4, 6, 6, 1)()
        model[0].requires_grad_(False)
        return model

    return Task("small", "tabular", table, build, mse, optimizer, 16)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stack_trains_as_torch_does(optimizer: str) -> None:
    """Losses of every step, rate and seed, and the held-out losses, in a schedule, to a few units in the last place."""
    task, rates, steps = small(optimizer), torch.tensor([1e-3, 1e-2]), 12
    share = cosine_decay(1.0, steps)
    losses, ends = Stack(task, rates, seeds=2).train(steps, share, at=(steps,))
    for seed, (place, rate) in [(seed, each) for seed in (0, 1) for each in enumerate(rates.tolist())]:
        model, torchs, batches = task.start(seed)
        expected = []
        for step, batch in enumerate(islice(batches, steps), 1):
            torchs.param_groups[0]["lr"] = rate * share(step)
            loss = task.step_loss(model, batch)
            torchs.zero_grad()
            loss.backward()
            torchs.step()
            expected.append(loss.item())
        assert losses[:, seed, place].tolist() == pytest.approx(expected, rel=1e-4)
        assert ends[steps][seed, place].item() == pytest.approx(task.held_out_loss(model), rel=1e-4)


def test_the_halves_have_one_of_each_kind() -> None:
    """Pairs of one kind, all of them stored, and names that tell them apart."""
    choosing, reporting = halves()
    assert [task.kind for task in choosing] == [task.kind for task in reporting]
    assert len({task.name for task in tasks()}) == len(tasks())
    assert all(load(task).end.shape[0] == len(SCHEDULES) for task in tasks())
    assert sum(task.longest == 6400 for task in reporting) >= 6


def stored_by_hand() -> Stored:
    """Two lengths, two seeds; the end is lowest, 1, at the middle rate, and one seed of the highest rate is NaN."""
    end = np.full((3, 2, 2, 25), 3.0)
    end[:, :, :, 12] = 1.0
    end[:, :, :, 13] = 2.0
    end[:, :, 1, 24] = np.nan
    early = np.full((16, 2, 25), 2.0)
    early[1:3, 0, 8] = 1.0
    return Stored(replace(small("SGD")), 5.0, end, early, {})


def test_the_regret_by_hand() -> None:
    """0 at the best rate, 1/4 beside it, half-way between two in log rate, and 1 for no answer."""
    one = stored_by_hand()
    assert one.regret(float(RATES[12]), (100, "cosine")) == 0.0
    assert one.regret(float(RATES[13]), (100, "cosine")) == pytest.approx(0.25)
    assert one.regret(math.sqrt(RATES[12] * RATES[13]), (400, "constant")) == pytest.approx(0.125)
    assert one.regret(10.0, (100, "constant")) == pytest.approx(((3 + 5) / 2 - 1) / 4)
    assert one.regret(None, (100, "constant")) == 1.0
    assert one.regret_of_loss(0.6, (100, "constant")) == pytest.approx(-0.1)
    assert one.regret_of_loss(math.inf, (100, "constant")) == 1.0
    assert not one.has((1600, "constant"))


def test_a_range_holds_a_near_best_rate_or_not() -> None:
    """Only the middle rate is within a regret of 0.05, and a fifth of a step around it."""
    one = stored_by_hand()
    assert one.holds_near_best(RATES[11], RATES[13], (100, "constant"))
    assert not one.holds_near_best(RATES[13], RATES[16], (100, "constant"))


def test_the_grid_of_decades_takes_the_lowest_early_loss() -> None:
    """Of the places 0, 4, 8, 12 and 16; the other seed sees no difference and takes the first."""
    assert decades(stored_by_hand(), 0) == pytest.approx(1e-3)
    assert decades(stored_by_hand(), 1) == pytest.approx(1e-5)


def test_means_come_with_their_standard_error() -> None:
    """1, 2 and 6: mean 3, variance 7."""
    assert mean_and_error(np.array([1.0, 2.0, 6.0])) == pytest.approx((3.0, math.sqrt(7 / 3)))


def test_the_table_is_made_of_what_is_stored() -> None:
    """A line for each method, with a figure in each column but where no loss is stored."""
    long = [task for task in halves()[1] if task.longest == 6400 and "Adam" in task.optimizer]
    lines = regrets([load(task) for task in long[:2]]).splitlines()
    assert [line.split(" | ")[0][2:] for line in lines[2:]][:3] == [
        "auto (100 steps)",
        "auto (300 steps)",
        "auto and probes (300 steps)",
    ]
    assert all(line.count("±") >= 6 for line in lines[2:7])


def test_the_readme_and_the_results_have_the_figures_that_come_out() -> None:
    """To the last digit given, so that a change of the rules cannot leave old figures behind."""
    assert short([load(task) for task in halves()[1]]) in (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert (BENCHMARKS / "trainings" / "RESULTS.md").read_text(encoding="utf-8") == report()


def test_the_stored_outcomes_are_those_of_todays_probes() -> None:
    """One quick task is probed anew; its losses are smooth enough to come out alike on every machine."""
    [task] = [task for task in tasks() if task.name == "teacher, SGD"]
    for training, answer in _of_seed(task, 0, BUDGETS[0]).items():
        steps, schedule = training.split()
        stored = probed(task, BUDGETS[0], 0, (int(steps), schedule))
        assert answer["lr"] == pytest.approx(stored["lr"], rel=0.1)
