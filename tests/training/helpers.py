"""Small models and their data, a training loop by hand to compare with, and a spy on the applied rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from itertools import cycle, islice
from types import MethodType
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.results import StepRecord

from ..no_trace.state import Look

mse = nn.functional.mse_loss

NUM_STEPS = 6
SWEEP: dict[str, Any] = {"start_lr": 1e-3, "end_lr": 0.3, "num_steps": NUM_STEPS, "diverge_factor": None}
RATES = [1e-3 * (0.3 / 1e-3) ** (k / NUM_STEPS) for k in range(1, NUM_STEPS)] + [0.3]

# For a model of one weight, whose steps are computed by hand.
BATCH = (torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
TWO_STEPS: dict[str, Any] = {
    "num_steps": 2,
    "start_lr": 0.1,
    "end_lr": 0.2,
    "schedule": "linear",
    "diverge_factor": None,
}

Curve = tuple[list[float], list[list[float]]]  # the losses, and all weights after each step


def net() -> nn.Sequential:
    """Three inputs, eight hidden units and one output, the same weights every time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def batches(number: int = 8, size: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of inputs and targets, the same numbers every time."""
    made = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, 3, generator=made).double(), 3 * torch.randn(size, 1, generator=made).double())
        for _ in range(number)
    ]


def named_batches() -> list[dict[str, torch.Tensor]]:
    """The same batches as mappings."""
    return [{"inputs": inputs, "labels": labels} for inputs, labels in batches()]


def weights(*models: nn.Module) -> list[float]:
    """Return the numbers in all parameters of the models."""
    return [value for model in models for p in model.parameters() for value in p.detach().flatten().tolist()]


def swept(model: Any, optimizer: Any, loss_fn: Any, data: Any, **options: Any) -> Curve:
    """Return the losses and weights of a range test step by step; assert that it leaves no trace."""
    models = [model] if isinstance(model, nn.Module) else list(model.values())
    losses, moved, before = [], [], Look(model, optimizer)
    for record in iter_range_test(model, optimizer, loss_fn, data, **SWEEP, **options):
        losses.append(record.loss)
        moved.append(weights(*models))
    before.assert_unchanged("after a range test")
    return losses, moved


def bare_loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Any], torch.Tensor],
    data: Iterable[Any],
    *,
    accumulation_steps: int = 1,
    clip: float | None = None,
    context: Callable[[], Any] = nullcontext,
) -> Curve:
    """Train as a person would by hand, at the rates of the sweep, starting over with the data when it ends."""
    losses, moved, endless = [], [], cycle(data)
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        total = 0.0
        for batch in islice(endless, accumulation_steps):
            with context():
                loss = loss_of(batch) / accumulation_steps
            loss.backward()
            total += loss.item()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(total)
        moved.append(weights(model))
    return losses, moved


def assert_same(curve: Curve, expected: Curve, rel: float = 1e-12) -> None:
    """Assert that losses and weights agree in every step."""
    assert curve[0] == pytest.approx(expected[0], rel=rel)
    assert len(curve[1]) == len(expected[1]) == NUM_STEPS
    for values, wanted in zip(curve[1], expected[1]):
        assert values == pytest.approx(wanted, rel=rel, abs=rel)


def assert_different(curve: Curve, other: Curve) -> None:
    """Assert that the weights differ at the end."""
    assert curve[1][-1] != pytest.approx(other[1][-1], rel=1e-3)


def supervised(model: nn.Module) -> Callable[[Any], torch.Tensor]:
    """Return the loss of a pair, as a person would write it."""
    return lambda batch: mse(model(batch[0]), batch[1])


def spy_on(*optimizers: torch.optim.Optimizer) -> list[list[float]]:
    """Return the list that fills with the rates of all groups of the optimizers, one entry a step of the last one."""
    applied: list[list[float]] = []

    def spy_in_step(optimizer: torch.optim.Optimizer, is_first: bool) -> None:
        own_step = optimizer.step

        def step(self: torch.optim.Optimizer, *args: Any, **keywords: Any) -> Any:
            if is_first:
                applied.append([])
            applied[-1].extend(float(group["lr"]) for group in self.param_groups)
            return own_step(*args, **keywords)

        optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

    for index, optimizer in enumerate(optimizers):
        spy_in_step(optimizer, index == 0)
    return applied


def rates_on_record(sweep: Iterable[StepRecord]) -> list[list[float]]:
    """Return the rates of all groups on record, step by step."""
    records = list(sweep)
    assert [record.lr for record in records] == [record.group_lrs[0] for record in records]
    return [list(record.group_lrs) for record in records]


def one_weight(start: float = 1.0) -> nn.Linear:
    """One weight w: the output for the input x is w·x."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, start)
    return model


def sgd(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0, **options)
