"""Optimizers that ask for the loss and its gradients through a closure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import nn

from lr_widget import iter_range_test, range_test

from ..no_trace.state import Look
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


# --- optimizers that require a closure without saying so in the signature of their step -------------------------------

SGD = torch.optim.SGD
SHARPNESS_AWARE: dict[str, Any] = {
    "SAM": lambda model: pytorch_optimizer.SAM(model.parameters(), SGD, rho=0.5, lr=1.0),
    "SAM with a base of momentum": lambda model: pytorch_optimizer.SAM(
        model.parameters(), SGD, rho=0.5, lr=1.0, momentum=0.9
    ),
    "LookSAM": lambda model: pytorch_optimizer.LookSAM(model.parameters(), SGD, rho=0.5, k=2, lr=1.0),
    "FriendlySAM": lambda model: pytorch_optimizer.FriendlySAM(model.parameters(), SGD, rho=0.5, lr=1.0),
    "WSAM": lambda model: pytorch_optimizer.WSAM(model, model.parameters(), SGD, rho=0.5, lr=1.0),
    "BSAM": lambda model: pytorch_optimizer.BSAM(model.parameters(), num_data=32),
}


@pytest.mark.parametrize("name", SHARPNESS_AWARE)
def test_sharpness_aware_optimizers_go_the_way_of_a_bare_loop_with_a_closure(name: str) -> None:
    """Losses and weights are those of `closure(); optimizer.step(closure)`, as pytorch_optimizer documents it."""
    model, bare = net(), net()
    torch.manual_seed(3)  # BSAM draws noise
    curve = swept(model, SHARPNESS_AWARE[name](model), mse, batches())

    optimizer, endless = SHARPNESS_AWARE[name](bare), cycle(batches())
    torch.manual_seed(3)
    losses, moved = [], []
    for rate in RATES:
        optimizer.param_groups[0]["lr"] = rate
        inputs, targets = next(endless)

        def closure(inputs: Any = inputs, targets: Any = targets) -> torch.Tensor:
            optimizer.zero_grad()
            loss = mse(bare(inputs), targets)
            loss.backward()
            return loss

        losses.append(closure().item())
        optimizer.step(closure)
        moved.append(weights(bare))
    assert_same(curve, (losses, moved))


class Demanding(SharpnessAware):
    """Asks for a closure in its own way, unless `demand` is taken away."""

    demand: Any

    @torch.no_grad()
    def step(self, closure: Any = None) -> torch.Tensor:
        if closure is None:
            self.demand(self)
        return super().step(closure)


def raise_words(optimizer: Any) -> None:
    raise RuntimeError("SAM requires closure")


def assert_closure(optimizer: Any) -> None:
    if optimizer is not None:
        raise AssertionError  # as `assert closure is not None` does


def go_on(optimizer: Any) -> None:
    closure: Any = None
    closure()


@pytest.mark.parametrize("demand", [raise_words, assert_closure, go_on])
@pytest.mark.parametrize("sweeps", [1, 2])
def test_a_demand_for_a_closure_is_met(demand: Any, sweeps: int) -> None:
    """However it is raised: loss 5w², the push from 1 to 1.5, the gradient 15 there, so w = 1 - 0.1·15 = -0.5."""
    model = one_weight()
    optimizer = Demanding(model.parameters())
    optimizer.demand = demand
    before = Look(model, optimizer)
    for _ in range(sweeps):
        sweep = iter_range_test(model, optimizer, mse, [BATCH], **(TWO_STEPS | {"start_lr": 0.05, "end_lr": 0.15}))
        record = next(sweep)
        assert (record.lr, record.loss, model.weight.item()) == (0.1, 5.0, pytest.approx(-0.5))
        sweep.close()
        before.assert_unchanged("after a test with a closure")


def test_an_optimizer_that_asks_for_a_closure_is_asked_once() -> None:
    """It is tried without one in the very first step only, and not again in a second test."""
    model, tried = one_weight(), []

    def demand(optimizer: Any) -> None:
        tried.append(1)
        raise_words(optimizer)

    optimizer = Demanding(model.parameters())
    optimizer.demand = demand
    records = range_test(model, optimizer, mse, [BATCH], repeats=2, progress=False, **TWO_STEPS)
    assert (len(records.repeats), len(tried)) == (2, 1)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda optimizer: optimizer.param_groups[0]["params"][0].add_(1), RuntimeError, "SAM requires closure"),
        (lambda optimizer: optimizer.param_groups[0]["params"][0].grad.mul_(2), RuntimeError, "SAM requires closure"),
        (lambda optimizer: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
    ids=["a weight written to", "a gradient written to", "another error"],
)
def test_a_step_that_has_begun_is_not_taken_twice(spoil: Any, error: type[Exception], message: str) -> None:
    """Where weights or gradients have been written to, and where the error is another one, it is the user's."""

    def demand(optimizer: Any) -> None:
        spoil(optimizer)
        raise_words(optimizer)

    model = one_weight()
    optimizer = Demanding(model.parameters())
    optimizer.demand = demand
    before = Look(model, optimizer)
    with pytest.raises(error, match=message):
        next(iter_range_test(model, optimizer, mse, [BATCH], **TWO_STEPS))
    before.assert_unchanged("after a step that failed half-way")


def test_an_error_in_the_closure_is_the_users_alone() -> None:
    """It does not come as one that happened while the demand for the closure was handled."""
    model, passes = one_weight(), []

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        if len(passes) == 2:
            raise ZeroDivisionError("in the second pass")
        return mse(output, targets)

    optimizer = Demanding(model.parameters())
    optimizer.demand = raise_words
    with pytest.raises(ZeroDivisionError, match="in the second pass") as caught:
        next(iter_range_test(model, optimizer, loss_fn, [BATCH], **TWO_STEPS))
    assert caught.value.__context__ is None


def test_a_scaler_with_an_optimizer_that_asks_for_a_closure_is_refused_at_the_first_step() -> None:
    """With the same sentence; nothing in its signature said so before."""
    model, scaler = one_weight(), torch.amp.GradScaler("cpu")
    optimizer = Demanding(model.parameters())
    optimizer.demand = raise_words
    before = Look(model, optimizer)
    with pytest.raises(ValueError, match="Demanding needs a closure, which a grad_scaler cannot serve; leave"):
        next(iter_range_test(model, optimizer, mse, [BATCH], grad_scaler=scaler))
    before.assert_unchanged("after a refusal")
