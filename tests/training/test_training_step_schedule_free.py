"""Schedule-free optimizers train other weights than they test, and switch between them with modes of their own."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
import pytorch_optimizer
import schedulefree
import torch
from torch import nn

from lr_widget import iter_range_test, range_test

from ..no_trace.state import Look
from .helpers import BATCH, RATES, SWEEP, TWO_STEPS, assert_same, batches, mse, net, one_weight, swept, weights

SCHEDULE_FREE: dict[str, Any] = {
    "SGD": lambda parameters: schedulefree.SGDScheduleFree(parameters, lr=1.0),
    "AdamW": lambda parameters: schedulefree.AdamWScheduleFree(parameters, lr=1.0),
    "RAdam": lambda parameters: schedulefree.RAdamScheduleFree(parameters, lr=1.0),
    "a wrapper": lambda parameters: schedulefree.ScheduleFreeWrapper(torch.optim.SGD(parameters, lr=1.0)),
    "pytorch_optimizer's AdamW": lambda parameters: pytorch_optimizer.ScheduleFreeAdamW(parameters, lr=1.0),
    "pytorch_optimizer's wrapper": lambda parameters: pytorch_optimizer.ScheduleFreeWrapper(
        torch.optim.SGD(parameters, lr=1.0)
    ),
}


def train_a_little(model: nn.Module, optimizer: Any) -> None:
    """Make two steps, after which the weights of training and of testing differ."""
    optimizer.train()
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    for inputs, targets in batches(2):
        optimizer.zero_grad()
        mse(model(inputs), targets).backward()
        optimizer.step()


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", SCHEDULE_FREE)
def test_a_test_goes_the_way_of_a_bare_loop_in_train_mode(name: str, mode: str) -> None:
    """From either mode, and afterwards the weights, the state and the mode are bit for bit as before."""
    model, bare = net(), net()
    optimizer, bare_optimizer = SCHEDULE_FREE[name](model.parameters()), SCHEDULE_FREE[name](bare.parameters())
    for each, its in ((model, optimizer), (bare, bare_optimizer)):
        train_a_little(each, its)
        getattr(its, mode)()
    curve = swept(model, optimizer, mse, batches())

    bare_optimizer.train()
    losses, moved = [], []
    for rate, (inputs, targets) in zip(RATES, cycle(batches())):
        bare_optimizer.param_groups[0]["lr"] = rate
        bare_optimizer.zero_grad()
        loss = mse(bare(inputs), targets)
        loss.backward()
        bare_optimizer.step()
        losses.append(loss.item())
        moved.append(weights(bare))
    assert_same(curve, (losses, moved))


def test_two_steps_by_hand() -> None:
    """Loss 5w² at the rates 0.15 and 0.2, with the momentum 0.9: w = 1 → -0.5 → 0.176, the losses are 5 and 1.25.

    The first step moves all of w by 0.15·10. In the second the average counts 0.2² / (0.15² + 0.2²) = 0.64, so that w
    moves by 0.2·5·(1 - 0.9·0.36) = 0.676.
    """
    model = one_weight()
    optimizer = schedulefree.SGDScheduleFree(model.parameters(), lr=1.0, momentum=0.9)
    steps = [
        (record.lr, record.loss, model.weight.item())
        for record in iter_range_test(model, optimizer, mse, [BATCH], **TWO_STEPS)
    ]
    assert steps == [
        pytest.approx((0.15, 5.0, -0.5), rel=1e-6),
        pytest.approx((0.2, 1.25, 0.176), rel=1e-5),
    ]


@pytest.mark.parametrize("name", SCHEDULE_FREE)
def test_validation_sees_the_averaged_weights(name: str) -> None:
    """The validation loss is that in the optimizer's eval mode; the training goes on in its train mode."""
    model, bare = net(), net()
    optimizer, bare_optimizer = SCHEDULE_FREE[name](model.parameters()), SCHEDULE_FREE[name](bare.parameters())
    val = batches(3)
    before = Look(model, optimizer)
    records = range_test(model, optimizer, mse, batches(), val_data=val, val_every=2, progress=False, **SWEEP)
    before.assert_unchanged("after a test with validation")

    expected, plain = [], []
    for step, (rate, (inputs, targets)) in enumerate(zip(RATES, cycle(batches())), start=1):
        bare_optimizer.param_groups[0]["lr"] = rate
        bare_optimizer.train()
        bare_optimizer.zero_grad()
        mse(bare(inputs), targets).backward()
        bare_optimizer.step()
        if step % 2 == 0:
            plain.append(sum(mse(bare(x), y).item() for x, y in val) / 3)
            bare_optimizer.eval()
            expected.append(sum(mse(bare(x), y).item() for x, y in val) / 3)
    assert records.val_loss[1::2].tolist() == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize(
    "make", [schedulefree.SGDScheduleFree, schedulefree.AdamWScheduleFree, pytorch_optimizer.ScheduleFreeSGD]
)
def test_a_warm_up_of_the_optimizers_own_does_not_scale_the_swept_rate(make: Any) -> None:
    """A warm-up of 100 steps would step at a hundredth of the first rate on record; afterwards it is there again."""
    model, bare = net(), net()
    warming, plain = make(model.parameters(), lr=1.0, warmup_steps=100), make(bare.parameters(), lr=1.0)
    assert_same(swept(model, warming, mse, batches()), swept(bare, plain, mse, batches()))
    assert warming.param_groups[0]["warmup_steps"] == 100


class Modal(torch.optim.SGD):
    """Notes its modes, and steps in train mode only."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=1.0)
        self.mode = "eval"
        self.seen: list[str] = []

    def train(self) -> None:
        self.mode = "train"

    def eval(self) -> None:
        self.mode = "eval"

    def step(self, closure: Any = None) -> None:
        assert self.mode == "train", "call train() first"
        super().step(closure)


def test_any_optimizer_with_both_modes_is_switched_around_validation() -> None:
    """Eval mode for the validation, train mode for the steps; its own mode comes back with its other attributes."""
    model, seen = one_weight(), []
    optimizer = Modal(model.parameters())

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append((torch.is_grad_enabled(), optimizer.mode))
        return mse(output, targets)

    options = {"val_data": [BATCH], "val_every": 1, "progress": False, **TWO_STEPS}
    range_test(model, optimizer, loss_fn, [BATCH], **options)
    assert seen == [(True, "train"), (False, "eval")] * 2
    assert optimizer.mode == "eval"
