"""Optimizers that ask for the loss and its gradients through a closure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test

from .helpers import (
    BATCH,
    RATES,
    TWO_STEPS,
    assert_same,
    batches,
    mse,
    net,
    one_weight,
    swept,
    weights,
)


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_lbfgs_goes_the_way_of_a_bare_loop_with_a_closure(
    line_search_fn: str | None, accumulation_steps: int, clip: float | None
) -> None:
    """Losses and weights are those of `optimizer.step(closure)` with the closure of torch's documentation."""

    def lbfgs(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=5, line_search_fn=line_search_fn)

    model, bare = net(), net()
    curve = swept(model, lbfgs(model), mse, batches(), accumulation_steps=accumulation_steps, max_grad_norm=clip)

    optimizer, endless = lbfgs(bare), cycle(batches())
    losses, moved = [], []
    for rate in RATES:
        optimizer.param_groups[0]["lr"] = rate
        micro = list(islice(endless, accumulation_steps))
        evaluated = []

        def closure(micro: Sequence[Any] = micro, evaluated: list[float] = evaluated) -> torch.Tensor:
            optimizer.zero_grad()
            loss = sum(mse(bare(inputs), targets) for inputs, targets in micro) / len(micro)
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(bare.parameters(), clip)
            evaluated.append(loss.item())
            return loss

        optimizer.step(closure)
        losses.append(evaluated[0])
        moved.append(weights(bare))
    assert_same(curve, (losses, moved), rel=1e-6)


class SharpnessAware(torch.optim.Optimizer):
    """SAM: up the gradient by rho, then down the gradient found there."""

    def __init__(self, params: Any, lr: float = 1.0) -> None:
        super().__init__(params, {"lr": lr, "rho": 0.5})

    @torch.no_grad()
    def step(self, closure: Any) -> torch.Tensor:  # type: ignore[override]
        [weight] = self.param_groups[0]["params"]
        push = self.param_groups[0]["rho"] * weight.grad.sign()
        weight.add_(push)
        loss: torch.Tensor = closure()
        weight.sub_(push).sub_(self.param_groups[0]["lr"] * weight.grad)
        return loss


def test_a_sharpness_aware_step_uses_the_gradient_of_the_pushed_weight() -> None:
    """Loss 5w²: at w = 1 the push is +0.5, the gradient there is 10·1.5 = 15, so w = 1 - 0.15·15 = -1.25."""
    model = one_weight()
    sweep = iter_range_test(model, SharpnessAware(model.parameters()), mse, [BATCH], **TWO_STEPS)
    record = next(sweep)
    assert (record.loss, model.weight.item()) == (5.0, pytest.approx(-1.25))
    sweep.close()
    assert model.weight.item() == 1.0


def test_the_pass_already_made_answers_lbfgs() -> None:
    """Of two evaluations of LBFGS a step, the first one is the pass that gave the loss on record."""
    model, calls = one_weight(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    next(iter_range_test(model, optimizer, mse, [BATCH], **TWO_STEPS))
    assert len(calls) == 2


def test_a_scaler_with_an_optimizer_that_requires_a_closure_is_refused() -> None:
    """The error names the optimizer, whichever it is."""
    model, scaler = one_weight(), torch.amp.GradScaler("cpu")
    with pytest.raises(ValueError, match="SharpnessAware needs a closure, which a grad_scaler cannot serve; leave"):
        iter_range_test(model, SharpnessAware(model.parameters()), mse, [BATCH], grad_scaler=scaler)
