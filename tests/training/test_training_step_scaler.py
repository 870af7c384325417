"""Updates through a gradient scaler: as in the recipe for it, and skipped where gradients are infinite."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle, islice, pairwise
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test, range_test

from ..no_trace.state import Look
from .helpers import (
    RATES,
    SWEEP,
    assert_same,
    bare_loop,
    batches,
    mse,
    net,
    spy_on,
    supervised,
    swept,
    weights,
)


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_a_scaler_trains_as_the_recipe_for_it_does(clip: float | None, accumulation_steps: int) -> None:
    """Scale, backward, unscale, clip, step, update: the losses and weights of torch's own recipe, written out."""
    model, bare, unscaled = net(), net(), net()
    options: dict[str, Any] = {"accumulation_steps": accumulation_steps}
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    curve = swept(model, optimizer, mse, batches(), grad_scaler=scaler, max_grad_norm=clip, **options)

    losses, moved, endless = [], [], cycle(batches())
    scaler, optimizer = (
        torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2),
        torch.optim.SGD(bare.parameters(), lr=0.1),
    )
    for rate in RATES:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        total = 0.0
        for inputs, targets in islice(endless, accumulation_steps):
            loss = mse(bare(inputs), targets) / accumulation_steps
            scaler.scale(loss).backward()
            total += loss.item()
        if clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(bare.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        losses.append(total)
        moved.append(weights(bare))
    assert_same(curve, (losses, moved))

    sgd = torch.optim.SGD(unscaled.parameters(), lr=0.1)
    assert_same(curve, bare_loop(unscaled, sgd, supervised(unscaled), batches(), clip=clip, **options), rel=1e-6)


class InfiniteGradient(torch.autograd.Function):
    """The identity, with an infinite gradient, as fp16 gives where it overflows."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * float("inf")


def overflowing(at: set[int]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss function whose gradient is infinite at the calls of these numbers, from 1."""
    calls = count(1)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mse(InfiniteGradient.apply(output) if next(calls) in at else output, targets)

    return loss_fn


@pytest.mark.parametrize("max_grad_norm", [None, 0.1])
def test_a_scaler_that_skips_is_on_record_and_applies_no_rate_in_these_steps(max_grad_norm: float | None) -> None:
    """Steps 1, 3 and 4 overflow: they are marked, the optimizer is not stepped and the weights stay."""
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}], 0.2)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
    scaler.scale(mse(*batches(1)[0][:1], torch.zeros(4, 3)))  # in use: it has its tensors
    applied, before = spy_on(optimizer), Look(model, optimizer, scaler)
    sweep = iter_range_test(
        model, optimizer, overflowing({1, 3, 4}), batches(), grad_scaler=scaler, max_grad_norm=max_grad_norm, **SWEEP
    )
    records, weights, scales = [], [model[0].weight.tolist()], []
    for record in sweep:
        records.append(record)
        weights.append(model[0].weight.tolist())
        scales.append(scaler.get_scale())
    assert [record.step for record in records if record.skipped] == [1, 3, 4]
    assert applied == [list(record.group_lrs) for record in records if not record.skipped]
    assert [record.group_lrs for record in records] == [pytest.approx((rate, rate / 2)) for rate in RATES]
    assert [new == old for old, new in pairwise(weights)] == [True, False, True, True, False, False]
    assert scales == [512.0, 1024.0, 512.0, 256.0, 512.0, 1024.0]
    assert scaler.get_scale() == 1024.0
    before.assert_unchanged("after a test whose scaler skipped steps")


def test_a_scaler_that_was_never_used_is_unused_again() -> None:
    """A fresh scaler makes its tensors during the test and has none after it."""
    model = net()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=64.0)
    list(iter_range_test(model, optimizer, overflowing({2}), batches(), grad_scaler=scaler, **SWEEP))
    assert scaler._scale is None
    assert scaler.state_dict()["scale"] == 64.0
    assert scaler.state_dict()["_growth_tracker"] == 0


def test_with_accumulation_one_infinite_micro_batch_skips_the_whole_step() -> None:
    """The fourth of eight micro-batches overflows, so the second of four steps is left out."""
    model = net()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=64.0)
    applied = spy_on(optimizer)
    records = range_test(
        model,
        optimizer,
        overflowing({4}),
        batches(),
        grad_scaler=scaler,
        accumulation_steps=2,
        progress=False,
        **(SWEEP | {"num_steps": 4}),
    )
    assert records.skipped is not None
    assert records.skipped.tolist() == [False, True, False, False]
    assert [rate for [rate] in applied] == records.lr[[0, 2, 3]].tolist()
    assert records.to_pandas()["skipped"].tolist() == [False, True, False, False]


def test_one_of_two_optimizers_that_overflows_marks_the_step() -> None:
    """Only the first model overflows in step 2: the second optimizer moves, and the step is marked as skipped."""
    models, calls = [net(), net()], count(1)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    first, second = spy_on(optimizers[0]), spy_on(optimizers[1])

    def train_step(models: Any, batch: Any) -> torch.Tensor:
        output = models[0](batch[0])
        return mse(InfiniteGradient.apply(output) if next(calls) == 2 else output, batch[1]) + mse(
            models[1](batch[0]), batch[1]
        )

    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    records = list(
        iter_range_test(models, optimizers, None, batches(), train_step=train_step, grad_scaler=scaler, **SWEEP)
    )
    assert [record.step for record in records if record.skipped] == [2]
    assert [len(first), len(second)] == [5, 6]


def test_lbfgs_with_a_scaler_is_refused_at_once() -> None:
    """A closure cannot be unscaled half-way; the error says to leave the scaler out."""
    model = net()
    with pytest.raises(ValueError, match="LBFGS needs a closure, which a grad_scaler cannot serve; leave grad_scaler"):
        iter_range_test(
            model,
            torch.optim.LBFGS(model.parameters()),
            mse,
            batches(),
            grad_scaler=torch.amp.GradScaler("cpu"),
        )
