"""A `train_step` with a true `makes_update`: it computes the gradients and steps the optimizers itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler

from lr_widget import probe, range_test
from lr_widget.training.training_step import Training

from ..no_trace.state import Look
from .helpers import SWEEP, batches, mse, net

TEST: dict[str, Any] = {**SWEEP, "progress": False}


class OwnUpdate:
    """Trains a model on a batch `num_updates` times, and then steps its scheduler."""

    makes_update = True

    def __init__(self, optimizer: Any, scheduler: Any = None, num_updates: int = 1) -> None:
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.num_updates = num_updates
        self.num_calls = 0

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        self.num_calls += 1
        losses = []
        for _ in range(self.num_updates):
            self.optimizer.zero_grad()
            loss = mse(model(batch[0]), batch[1])
            loss.backward()
            self.optimizer.step()
            losses.append(loss)
            if self.scheduler is not None:
                self.scheduler.step()
        return losses[0].detach()


def test_the_curve_is_that_of_the_engines_own_updates() -> None:
    """For the same update, to the last bit; everything is put back, what the step holds as well."""
    model, data = net(), batches(4)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = OwnUpdate(optimizer)
    look = Look(model, optimizer, step)
    own = range_test(model, optimizer, None, data, train_step=step, **TEST)
    look.assert_unchanged()
    assert step.num_calls == 0
    assert (own.loss == range_test(model, optimizer, mse, data, **TEST).loss).all()
    assert (own.loss == range_test(model, optimizer, None, data, train_step=step, **TEST).loss).all()
    probe(model, optimizer, None, data, train_step=step, num_steps=6, max_steps=24, progress=False)


def test_the_loss_of_several_batches_is_their_mean_and_each_is_an_update() -> None:
    """With `accumulation_steps`, at the same rate."""
    rates: list[float] = []

    class Noting(OwnUpdate):
        def __call__(self, model: Any, batch: Any) -> torch.Tensor:
            rates.append(self.optimizer.param_groups[0]["lr"])
            return super().__call__(model, batch) * 0 + batch[1].mean()

    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(2, 3, dtype=torch.double), torch.full((2, 1), value).double()) for value in (1.0, 3.0)]
    step = Noting(optimizer, lr_scheduler.ExponentialLR(optimizer, 0.5))
    records = range_test(model, optimizer, None, data, train_step=step, accumulation_steps=2, **TEST)
    assert records.loss.tolist() == [2.0] * 6
    assert rates == [rate for rate in records.lr for _ in range(2)]


def test_a_rate_that_changes_before_an_update_is_refused() -> None:
    """After the last one it does no harm; the rate on record is the rate of every update."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    before = [p.clone() for p in model.parameters()]
    once = range_test(model, optimizer, None, batches(4), train_step=OwnUpdate(optimizer, scheduler), **TEST)
    assert (once.loss == range_test(model, optimizer, mse, batches(4), **TEST).loss).all()
    with pytest.raises(
        RuntimeError, match=r"SGD must step at the swept rate, .*, but its train_step has set .* before"
    ):
        range_test(model, optimizer, None, batches(4), train_step=OwnUpdate(optimizer, scheduler, 2), **TEST)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    assert optimizer._optimizer_step_pre_hooks == {}  # nothing is left behind
    assert scheduler.last_epoch == 0


def test_an_optimizer_that_steps_now_and_then_is_none_that_was_left_out() -> None:
    """As the critic of a GAN: the step knows when."""
    model = nn.ModuleList([net(), net()])
    first, second = (SGD(part.parameters(), lr=0.1) for part in model)

    class Now(OwnUpdate):
        def __call__(self, model: Any, batch: Any) -> torch.Tensor:
            self.optimizer = second if self.num_calls % 3 == 2 else first
            return super().__call__(model[self.num_calls % 3 == 2], batch)

    records = range_test(model, [first, second], None, batches(4), train_step=Now(first), **TEST)
    assert len(records) == 6


def test_validation_needs_a_step_of_its_own() -> None:
    """The step of training would train on the validation data."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    keywords = {"train_step": OwnUpdate(optimizer), "val_data": batches(2), "val_every": 1, **TEST}
    with pytest.raises(
        TypeError, match=r"val_data needs a val_step=callable\(model, batch\) -> loss where the train_s"
    ):
        range_test(model, optimizer, None, batches(4), **keywords)
    val_step = lambda model, batch: mse(model(batch[0]), batch[1])  # noqa: E731  # a keyword
    records = range_test(model, optimizer, None, batches(4), val_step=val_step, **keywords)
    assert records.val_loss[0] > 0


def test_options_for_gradients_are_refused() -> None:
    """The step clips and scales by itself."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="max_grad_norm must be left out where the train_step makes the update itself"):
        Training(model, optimizer, None, train_step=OwnUpdate(optimizer), max_grad_norm=1.0)
    assert Training(model, optimizer, None, train_step=OwnUpdate(optimizer)).updates_itself
    assert not Training(model, optimizer, mse).updates_itself


@pytest.mark.parametrize("moves", [False, True])
def test_a_step_may_move_its_batches_itself(moves: bool) -> None:
    """With a true `moves_batches` it gets them as they come, for validation as well."""
    model = net()
    seen: list[str] = []

    def step(model: Any, batch: Any) -> torch.Tensor:
        seen.append(batch[0].device.type)
        return mse(model(torch.ones(2, 3, dtype=torch.double)), torch.ones(2, 1, dtype=torch.double))

    step.moves_batches = moves  # type: ignore[attr-defined]  # a function may have attributes
    training = Training(model, SGD(model.parameters(), lr=0.1), None, train_step=step, val_step=step, device="meta")
    training.update(batches(1), lambda: None)
    training.evaluate(batches(1))
    assert seen == ["cpu" if moves else "meta"] * 2
