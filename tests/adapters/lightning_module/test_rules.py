"""Modules and trainers that a test cannot follow, and the sentences that say so."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    EarlyStopping,
    GradientAccumulationScheduler,
    LambdaCallback,
    ModelPruning,
)
from lightning.pytorch.plugins import Precision
from lightning.pytorch.strategies import FSDPStrategy

from lr_widget import adapters
from lr_widget.adapters.lightning_module.rules import (
    clipped_norm,
    own_updates,
    refuse_precision,
    updates_by_optimizers,
)

from ..lit import L, gan, loader, losses_of_fit, records_of_test, regression, seeded, steady, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_hooks_with_a_part_in_the_update_are_named() -> None:
    """Those of the module's own class or of one between it and Lightning's."""

    class Child(regression(on_after_backward=lambda self: None)):  # type: ignore[misc]  # made by a function
        def backward(self, loss: Any) -> None:
            """Do nothing."""

    by_value = trainer(gradient_clip_val=1.0, gradient_clip_algorithm="value")
    assert own_updates(L, regression()(), trainer(gradient_clip_val=1.0)) == []
    assert own_updates(L, Child(), None) == ["backward", "on_after_backward"]
    assert own_updates(L, regression()(), by_value) == ["clipping by value"]
    assert own_updates(L, gan()(), None) == ["manual optimization"]
    assert (clipped_norm(trainer(gradient_clip_val=0.5)), clipped_norm(by_value), clipped_norm(None)) == (
        0.5,
        None,
        None,
    )


def test_optimizers_that_lightning_must_step_are_named() -> None:
    """Where the module optimizes manually, it does so anyway."""
    module, clips = steady()(), trainer(gradient_clip_val=1.0)
    whole, head = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (module, module.net[2]))
    assert updates_by_optimizers(module, clips, [whole]) == []
    assert updates_by_optimizers(module, None, [head]) == []
    assert updates_by_optimizers(module, clips, [head]) == ["clipping for a part of its parameters"]
    assert updates_by_optimizers(module, None, [torch.optim.LBFGS(module.parameters())]) == ["the closure of LBFGS"]
    assert updates_by_optimizers(gan()(), None, [torch.optim.LBFGS(module.parameters())]) == []


def test_a_step_that_draws_its_batches_itself_is_refused() -> None:
    """Lightning hands it the iterator."""
    module = regression(training_step=lambda self, dataloader_iter: None)()
    with pytest.raises(ValueError, match="training_step of Regression takes a dataloader_iter, but a range test draws"):
        adapters.lightning(module, loader())


class Halving(L.Callback):  # type: ignore[misc, name-defined]  # imported by its name
    """A callback with a part in the update."""

    def on_after_backward(self, trainer: Any, module: Any) -> None:
        """Halve the gradients."""
        for parameter in module.parameters():
            parameter.grad.mul_(0.5)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (Halving(), "Halving has a part in the update by on_after_backward, but a range test calls no callbacks; do"),
        (
            LambdaCallback(on_before_zero_grad=lambda *_: None),
            "LambdaCallback has a part in the update by on_before_zero_grad, but a range test calls no callbacks",
        ),
        (
            ModelPruning("l1_unstructured", amount=0.5),
            "ModelPruning rewrites parameters in fit, but a range test calls no callbacks; prune the module before",
        ),
        (
            BackboneFinetuning(),
            "BackboneFinetuning freezes a part of the module when fit starts, but a range test calls",
        ),
        (
            GradientAccumulationScheduler({0: 2, 4: 1}),
            "GradientAccumulationScheduler changes the accumulation from epoch",
        ),
        (GradientAccumulationScheduler({3: 2}), "GradientAccumulationScheduler changes the accumulation from epoch"),
    ],
)
def test_callbacks_that_change_the_training_are_refused(callback: Any, message: str) -> None:
    """Those of the trainer and of `configure_callbacks`; others, such as early stopping, are left out without harm."""
    silent = LambdaCallback(on_train_batch_end=lambda *_: None)
    adapters.lightning(regression()(), loader(), trainer(callbacks=[EarlyStopping("train_loss"), silent]))
    with pytest.raises(ValueError, match=message):
        adapters.lightning(regression()(), loader(), trainer(callbacks=[callback]))
    for callbacks in (callback, [callback]):  # both are forms of an answer
        with pytest.raises(ValueError, match=message):
            adapters.lightning(regression(configure_callbacks=lambda self, answer=callbacks: answer)(), loader())


def test_the_callbacks_of_the_module_replace_those_of_the_trainer() -> None:
    """As in `fit`, where they are of the same class; they are asked for once, and nothing of them stays."""
    calls: list[Any] = []

    def configure_callbacks(self: Any) -> Any:
        calls.append(self.trainer.max_epochs)
        return [GradientAccumulationScheduler({0: 5})]

    module = regression(configure_callbacks=configure_callbacks)()
    train = trainer(callbacks=[GradientAccumulationScheduler({0: 2, 4: 1})], max_epochs=7)
    before = [*train.callbacks]
    setup = adapters.lightning(module, loader(), train)
    assert (calls, setup["accumulation_steps"], train.callbacks) == ([7], 5, before)
    assert module._trainer is None
    assert setup["train_step"].trainer.callbacks == []


def test_an_accumulation_that_stays_is_that_of_the_test() -> None:
    """A scheduler of it may have one entry, for all epochs."""
    callbacks = [GradientAccumulationScheduler({0: 4})]
    setup = adapters.lightning(regression()(), loader(), trainer(callbacks=callbacks))
    train = trainer(callbacks=callbacks)
    train.fit(regression()(), loader())
    assert (setup["accumulation_steps"], setup["train_steps"]) == (4, train.global_step) == (4, 6)
    assert setup["train_step"].trainer.accumulate_grad_batches == 4
    records = records_of_test(seeded(steady()), callbacks=callbacks)
    losses = losses_of_fit(seeded(steady()), records.lr[:2], callbacks=callbacks)
    assert records.loss[:2] == pytest.approx([sum(losses[:4]) / 4, sum(losses[4:8]) / 4], rel=1e-5)


def test_a_trainer_that_repeats_a_few_batches_is_refused() -> None:
    """As it would train on other data than the test."""
    with pytest.raises(
        ValueError, match="overfit_batches=3 makes fit replace the sampler to repeat a few batches, but"
    ):
        adapters.lightning(regression()(), loader(), trainer(overfit_batches=3))


def test_a_strategy_that_shards_the_module_is_refused() -> None:
    """It rebuilds the module in `fit`."""
    train = trainer()
    train._accelerator_connector.strategy = FSDPStrategy()  # a Trainer makes one with GPUs only
    with pytest.raises(
        ValueError, match="hands the module to FSDPStrategy, which shards or rebuilds it in fit; give a"
    ):
        adapters.lightning(regression()(), loader(), train)


def test_a_precision_that_replaces_layers_is_refused() -> None:
    """Such as of quantized weights; one that converts them is fine where they are converted."""

    class BitsandbytesPrecision(Precision):
        """Named as Lightning's, whose library is not needed here."""

    with pytest.raises(ValueError, match="BitsandbytesPrecision replaces layers of the module in fit, which a range"):
        refuse_precision(BitsandbytesPrecision(), regression()())
    refuse_precision(Precision(), regression()())
    refuse_precision(trainer(precision="64-true").precision_plugin, regression()().double())


def test_other_things_than_a_module_are_refused() -> None:
    """A torch module has no optimizer of its own; a compiled one hides the LightningModule."""
    with pytest.raises(
        TypeError, match=r"must be a LightningModule, got a? ?Linear.*; for a torch.nn.Module call range_te"
    ):
        adapters.lightning(torch.nn.Linear(1, 1), loader())
    compiled = torch.compile(regression()(), backend="eager")
    with pytest.raises(
        TypeError, match="must be a LightningModule itself, got Regression compiled; give the module that"
    ):
        adapters.lightning(compiled, loader())


def test_arguments_in_the_wrong_place_or_of_the_other_package_are_refused() -> None:
    """A trainer as data, anything else as a trainer, and objects of two packages together."""
    other = import_module("pytorch_lightning")
    with pytest.raises(
        TypeError, match="data must be a loader or a LightningDataModule, got a Trainer; give it as trai"
    ):
        adapters.lightning(regression()(), trainer())
    with pytest.raises(
        TypeError, match="trainer must be a Trainer or None, got 'cpu' of type str; give the one that will"
    ):
        adapters.lightning(regression()(), loader(), "cpu")
    with pytest.raises(
        TypeError, match=r"trainer must be a Trainer of lightning.pytorch, .* got one of pytorch_lightning"
    ):
        adapters.lightning(regression()(), loader(), trainer(other))
    with pytest.raises(
        TypeError, match=r"data must be a LightningDataModule of pytorch_lightning, .* got one of lightning"
    ):
        adapters.lightning(regression(other)(), L.LightningDataModule())


def test_a_module_without_an_optimizer_is_refused() -> None:
    """`fit` would run and train nothing."""
    module = regression(configure_optimizers=lambda self: None)()
    with pytest.raises(
        ValueError, match="configure_optimizers must return an optimizer, got None, with which fit trains"
    ):
        adapters.lightning(module, loader())


def test_a_name_that_is_none_is_refused_before_the_data_are_missed() -> None:
    """With the one that is meant."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'datamodule'; did you mean data=…"):
        adapters.lightning(regression()(), datamodule=L.LightningDataModule())
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_step'; did you mean 'num_steps'"):
        adapters.lightning(regression()(), num_step=3)
