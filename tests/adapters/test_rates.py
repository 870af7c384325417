"""A chosen rate in optimizers and schedulers: the next steps are those of ones that were made with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam
from torch.optim import lr_scheduler as schedulers

from lr_widget.adapters.rates import put_rate


def sgd(*rates: float) -> SGD:
    """An optimizer with a group for each rate."""
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def sequence(optimizer: Any, scheduler: Any, steps: int = 12) -> list[list[float]]:
    """Step both and return the rates of all groups before each step."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR uses an argument that torch deprecates
            scheduler.step()
    return rates


def warm_up_and_cosine(optimizer: Any) -> Any:
    parts = [schedulers.LinearLR(optimizer, 0.1, total_iters=4), schedulers.CosineAnnealingLR(optimizer, 8)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schedulers.SequentialLR(optimizer, parts, milestones=[4])


KINDS: dict[str, Callable[[Any], Any]] = {
    "lambda": lambda optimizer: schedulers.LambdaLR(optimizer, lambda step: min(step / 4, 1.0)),
    "steps": lambda optimizer: schedulers.StepLR(optimizer, 3),
    "cosine": lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 12),
    "cosine with a floor": lambda optimizer: schedulers.CosineAnnealingLR(
        optimizer, 12, eta_min=optimizer.param_groups[1]["lr"] / 8
    ),
    "restarts": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 4),
    "one cycle": lambda optimizer: schedulers.OneCycleLR(optimizer, [10 * g["lr"] for g in optimizer.param_groups], 13),
    "cycles": lambda optimizer: schedulers.CyclicLR(
        optimizer, [g["lr"] for g in optimizer.param_groups], [10 * g["lr"] for g in optimizer.param_groups], 3, cycle_momentum=False
    ),
    "sequence": warm_up_and_cosine,
    "chain": lambda optimizer: schedulers.ChainedScheduler([schedulers.LinearLR(optimizer), schedulers.StepLR(optimizer, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_the_next_steps_are_those_of_a_new_scheduler(name: str) -> None:
    """The rate becomes the top of the schedule; the second group keeps its half."""
    make, optimizer, twin = KINDS[name], sgd(0.1, 0.05), sgd(0.02, 0.01)
    put_rate([optimizer], [scheduler := make(optimizer)], 0.2 if name in ("one cycle", "cycles") else 0.02)
    new = make(twin)
    assert scheduler.get_last_lr() == pytest.approx(new.get_last_lr())  # what loggers write down
    rates = sequence(optimizer, scheduler)
    for ours, others in zip(rates, sequence(twin, new), strict=True):
        assert ours == pytest.approx(others)
    assert len({tuple(rate) for rate in rates}) > 2


def test_a_plateau_has_its_least_rates_lowered_too() -> None:
    """One that stays would hold a lower rate up."""
    optimizer = sgd(0.1, 0.05)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, min_lr=[1e-2, 1e-3], patience=0)
    put_rate([optimizer], [scheduler], 0.01)
    for _ in range(4):
        scheduler.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-4])


def test_a_rate_that_has_come_down_stays_at_its_share() -> None:
    """In the middle of a schedule, the current rate keeps its proportion to the top."""
    optimizer = sgd(0.1)
    scheduler = schedulers.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    put_rate([optimizer], [scheduler], 0.4)
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["initial_lr"]) == (0.2, 0.4)


def test_several_optimizers_keep_their_proportions() -> None:
    """The first group of the first one gets the rate itself, to the last bit."""
    first, second = sgd(0.3, 0.1), Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.6)
    put_rate([first, second], [], 0.7)
    assert first.param_groups[0]["lr"] == 0.7
    assert [g["lr"] for g in (*first.param_groups, *second.param_groups)] == pytest.approx([0.7, 0.7 / 3, 1.4])


def test_a_rate_that_is_a_tensor_is_written_to_in_place() -> None:
    """A captured or compiled step reads this very tensor."""
    optimizer = Adam([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.1), capturable=False, foreach=False)
    held = optimizer.param_groups[0]["lr"]
    put_rate([optimizer], [], 0.5)
    assert optimizer.param_groups[0]["lr"] is held
    assert float(held) == 0.5


def test_a_rate_of_0_is_replaced() -> None:
    """Groups that all have none get the same one."""
    optimizer = sgd(0.0, 0.0)
    put_rate([optimizer], [], 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_groups_without_proportions_are_refused() -> None:
    """There is no multiple of 0 to keep; nothing is changed."""
    optimizer = sgd(0.0, 0.1)
    with pytest.raises(ValueError, match=r"first one's rate is 0.* set the rates of the groups yourself"):
        put_rate([optimizer], [], 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.1]
