"""A step of a LightningModule: its hooks, its answers, and the trainer that it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchmetrics
from torch.nn import functional
from torch.optim import SGD

from lr_widget import adapters, range_test

from ...no_trace.state import Look
from ..lit import (
    TEST,
    assert_no_trace,
    curve,
    loader,
    loss_of,
    regression,
    seeded,
    trainer,
)

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


# --- answers ------------------------------------------------------------------------------------------------------------

ANSWERS = {
    "without an index": loss_of,
    "with another name": lambda self, batch, i: loss_of(self, batch),
    "a dict": lambda self, batch, batch_idx: {"loss": loss_of(self, batch), "size": len(batch[0])},
}


@pytest.mark.parametrize("form", ANSWERS)
def test_every_form_of_training_step(form: str) -> None:
    """With or without an index, a tensor or a dict: the same curve."""
    module = seeded(regression(training_step=ANSWERS[form]))
    assert (curve(module) == curve(seeded(regression()))).all()


@pytest.mark.parametrize("methods", [{}, {"on_before_zero_grad": lambda self, optimizer: None}])
def test_a_batch_without_a_loss_is_refused(methods: dict[str, Any]) -> None:
    """`fit` skips a batch whose training_step returns None; a test has a loss for each step."""

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        return None if batch_idx == 2 else loss_of(self, batch)

    module = seeded(regression(training_step=training_step, **methods))
    look = Look(module)
    setup = adapters.lightning(module, loader())
    with pytest.raises(ValueError, match=r"training_step gave no loss, but each step .* records one; return one for"):
        range_test(**setup, **TEST)
    look.assert_unchanged()


# --- the trainer that a step sees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"accumulate_grad_batches": 2}])
@pytest.mark.parametrize("methods", [{}, {"on_before_zero_grad": lambda self, optimizer: None}])
def test_a_step_sees_a_trainer_of_the_same_training(methods: dict[str, Any], settings: dict[str, Any]) -> None:
    """Its length, its counters, its loggers and its optimizers; the steps count up as in `fit`."""
    seen: list[Any] = []

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        self.logger.experiment.add_scalar("loss", 1.0)
        self.logger.log_metrics({"loss": 1.0})
        assert self.trainer.optimizers[0] is self.optimizers().optimizer
        counters = (batch_idx, self.global_step, self.current_epoch, self.trainer.is_last_batch)
        lengths = (self.trainer.num_training_batches, self.trainer.max_epochs, len(self.trainer.train_dataloader))
        seen.append((*counters, *lengths, self.trainer.world_size, self.trainer.training))
        return loss_of(self, batch)

    module = regression(training_step=training_step, **methods)()
    setup = adapters.lightning(module, loader(), trainer(max_epochs=7, **settings))
    every = settings.get("accumulate_grad_batches", 1)
    for _ in range(2):
        seen.clear()
        range_test(**setup, **TEST)
        assert seen == [(i, i // every, 0, False, 10, 7, 10, 1, True) for i in range(12 * every)]


def test_metrics_and_outputs_of_a_step_come_back(tmp_path: Path) -> None:
    """The state of a torchmetrics metric, and a list that a module keeps its outputs in."""

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        answer = self.net(batch[0])
        self.error(answer, batch[1])
        self.log("error", self.error, on_step=False, on_epoch=True)
        self.outputs.append(answer.detach().mean())
        return functional.mse_loss(answer, batch[1])

    def make() -> Any:
        module = regression(training_step=training_step)()
        module.error, module.outputs = torchmetrics.MeanSquaredError(), []
        return module

    assert_no_trace(make, folder=tmp_path)
    module = make()
    setup = adapters.lightning(module, loader())
    range_test(**setup, **TEST)
    assert module.outputs == []
    assert (int(module.error.total), module.error._update_count) == (0, 0)  # its only count


def test_a_module_within_the_module_has_the_trainer_too() -> None:
    """As a nested LightningModule that logs for itself does."""
    inner = regression(forward=lambda self, x: (self.log("inner", 1.0), self.net(x), self.trainer.max_epochs)[1])

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        return functional.mse_loss(self.inner(batch[0]), batch[1])

    module = regression(training_step=training_step)()
    module.inner = inner()
    assert len(curve(module, trainer())) == 12
    assert module.inner._trainer is None  # the property raises without one


# --- endings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("mine")])
@pytest.mark.parametrize("methods", [{}, {"on_before_zero_grad": lambda self, optimizer: None}])
def test_a_test_that_is_cut_short_leaves_no_trace(error: Any, methods: dict[str, Any]) -> None:
    """Ctrl-C or an exception in the middle of training_step; the module's trainer and `log` are its own again."""
    ends = [3]

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        if batch_idx in ends:
            raise error
        return loss_of(self, batch)

    module = seeded(regression(training_step=training_step, **methods))
    look, batches = Look(module), loader()
    setup = adapters.lightning(module, batches)
    if error is KeyboardInterrupt:
        assert range_test(**setup, **TEST, seed=1).stop_reason == "interrupted"
    else:
        with pytest.raises(ValueError, match="mine"):
            range_test(**setup, **TEST, seed=1)
    look.assert_unchanged()
    ends.clear()
    assert (range_test(**setup, **TEST, seed=1).loss == curve(seeded(regression()))).all()


def test_a_loss_that_is_nan_ends_a_test_and_leaves_no_trace() -> None:
    """It stays on record."""

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        return loss_of(self, batch) * (float("nan") if batch_idx == 4 else 1.0)

    module = seeded(regression(training_step=training_step))
    look = Look(module)
    records = range_test(**adapters.lightning(module, loader()), **TEST)
    assert (records.stop_reason, len(records)) == ("non_finite", 5)
    look.assert_unchanged()


@pytest.mark.parametrize("methods", [{}, {"on_before_zero_grad": lambda self, optimizer: None}])
@pytest.mark.parametrize("has_test", [False, True])
def test_an_optimizer_of_the_modules_own_keeps_no_hooks(methods: dict[str, Any], has_test: bool) -> None:
    """Neither after tests nor where an adapter is made for nothing."""
    module = regression(configure_optimizers=lambda self: self.own, **methods)()
    module.own = SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        setup = adapters.lightning(module, loader())
        if has_test:
            range_test(**setup, **TEST)
        assert (module.own._optimizer_step_pre_hooks, module.own._optimizer_step_post_hooks) == ({}, {})


# --- validation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [True, False])
def test_validation_data_that_the_adapter_was_not_given_count_as_no_batch_either(mode: bool) -> None:
    """A module may train in eval mode, so the absence of gradients tells the two apart."""
    seen: list[Any] = []

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        self.train(mode and self.training)
        seen.append((batch_idx, torch.is_grad_enabled()))
        return loss_of(self, batch)

    def on_train_batch_start(self: Any, batch: Any, batch_idx: int) -> None:
        seen.append(batch_idx)

    module = regression(training_step=training_step, on_train_batch_start=on_train_batch_start)()
    records = range_test(
        **adapters.lightning(module, loader()), num_steps=3, val_data=loader(12), val_every=1, progress=False
    )
    assert [each for each in seen if each not in {(0, False)}] == [0, (0, True), 1, (1, True), 2, (2, True)]
    assert seen.count((0, False)) == 6
    assert (records.val_loss > 0).all()
