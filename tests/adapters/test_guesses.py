"""Guesses that beginners make with the objects of five frameworks: each error names the call that takes them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRFinderWidget, iter_range_test, probe, range_test

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their imports use much that others have deprecated
    import accelerate
    import fastai.learner
    import lightning
    import skorch
    from fastai.data.core import DataLoaders

INPUTS = torch.randn(32, 4)
TARGETS = (INPUTS.sum(1) > 0).long()
LOADER = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=8)
LOSS = nn.functional.cross_entropy


class Lit(lightning.LightningModule):
    """A module of the first tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, inputs: Any) -> Any:
        return self.layer(inputs)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return LOSS(self(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=0.1)]


class Trainer:
    """A Hugging Face trainer, told by its names, as its import takes long."""

    def training_step(self, model: Any, inputs: Any) -> Any:
        """Compute gradients."""

    def compute_loss(self, model: Any, inputs: Any) -> Any:
        return LOSS(model(inputs[0]), inputs[1])


Trainer.__module__ = "transformers.trainer"
MODEL = nn.Linear(4, 2)
SGD = torch.optim.SGD(MODEL.parameters(), lr=0.1)
NET = skorch.NeuralNetClassifier(nn.Linear)
LEARNER = fastai.learner.Learner(DataLoaders(LOADER, LOADER), nn.Linear(4, 2), loss_func=LOSS)
ACCELERATOR = accelerate.Accelerator(cpu=True)


@pytest.mark.parametrize("function", [range_test, iter_range_test, probe, LRFinderWidget])
@pytest.mark.parametrize(
    ("arguments", "adapter"),
    [
        ((Lit(),), "lightning"),
        ((Lit(), LOADER), "lightning"),
        ((Trainer(),), "transformers"),
        ((ACCELERATOR,), "accelerate"),
        ((LEARNER,), "fastai"),
        ((NET, INPUTS, TARGETS), "skorch"),
    ],
)
def test_a_trainer_alone_is_told(function: Callable[..., Any], arguments: tuple[Any, ...], adapter: str) -> None:
    """By any of the four functions, and by name, too."""
    rule = rf"{function.__name__} takes model, optimizer, loss_fn and train_data; for an? \w+ give "
    with pytest.raises(TypeError, match=rf"^{rule}\*\*lr_widget\.adapters\.{adapter}\("):
        function(*arguments)
    with pytest.raises(TypeError, match=rf"or open LRFinderWidget\.from_{adapter}\("):
        function(model=arguments[0])


@pytest.mark.parametrize("function", [range_test, probe, iter_range_test, LRFinderWidget])
def test_keywords_without_their_stars_are_told(function: Callable[..., Any]) -> None:
    """A quick reader forgets the stars before the setup."""
    setup = {"model": None, "optimizer": None, "loss_fn": None, "train_data": None, "num_steps": 3}
    name = function.__name__
    with pytest.raises(
        TypeError, match=rf"^{name} takes the keywords of an adapter one by one; write {name}\(\*\*setup\)$"
    ):
        function(setup)


def test_what_is_missing_otherwise_is_told_by_python() -> None:
    """As for any function."""
    with pytest.raises(TypeError, match="missing 2 required positional arguments: 'loss_fn' and 'train_data'"):
        range_test(MODEL, SGD)  # type: ignore[call-overload]  # a mistake


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (
            (Lit(), Lit().configure_optimizers(), None, LOADER),
            {"train_step": Lit().training_step},
            "train_step must return the loss of (model, batch), which training_step of Lit does not; for a LightningM",
        ),
        (
            (MODEL, SGD, None, LOADER),
            {"train_step": Trainer().training_step},
            "train_step must return the loss of (model, batch), which training_step of Trainer does not; for a Train",
        ),
        (
            (Trainer(), SGD, None, LOADER),
            {},
            " of type Trainer; for a Trainer give **lr_widget.adapters.transformers(t",
        ),
        (
            (NET, SGD, LOSS, LOADER),
            {},
            " of type NeuralNetClassifier; for a NeuralNet give **lr_widget.adapters.skorch",
        ),
        (
            (ACCELERATOR, SGD, LOSS, LOADER),
            {},
            " of type Accelerator; for an Accelerator give **lr_widget.adapters.acc",
        ),
        ((LEARNER, SGD, LOSS, LOADER), {}, " of type Learner; for a Learner give **lr_widget.adapters.fastai(learner)"),
        (
            (MODEL, None, LOSS, LOADER),
            {},
            ", or where a trainer makes it when it starts, give **lr_widget.adapters.tra",
        ),
        (
            (MODEL, Trainer(), LOSS, LOADER),
            {},
            " of type Trainer; for a Trainer give **lr_widget.adapters.transformers",
        ),
        ((MODEL, SGD, LOSS, LEARNER.dls), {}, "got DataLoaders; for a DataLoaders give **lr_widget.adapters.fastai("),
        (
            (MODEL, SGD, LOSS, lightning.LightningDataModule()),
            {},
            "got LightningDataModule; for a LightningDataModule give **lr_widget.adapters.lightning(",
        ),
    ],
)
def test_a_trainers_part_in_a_wrong_place_is_told(
    arguments: tuple[Any, ...], keywords: dict[str, Any], message: str
) -> None:
    """Before anything is trained, by the engine and by the widget."""
    for function in (range_test, LRFinderWidget):
        with pytest.raises(TypeError, match=re.escape(message)):
            function(*arguments, **keywords)


def test_a_lightning_module_without_a_loss_is_told() -> None:
    """With the first batch: one that is a mapping could have the model's own loss."""
    module = Lit()
    with pytest.raises(
        TypeError, match=r"loss_fn is None, .* for a LightningModule give \*\*lr_widget\.adapters\.light"
    ):
        range_test(module, module.configure_optimizers(), None, LOADER, progress=False)


def test_a_lightning_module_with_a_loss_is_a_model_as_any() -> None:
    """Nothing is refused that works."""
    module = Lit()
    optimizer = module.configure_optimizers()
    assert len(range_test(module, optimizer, LOSS, LOADER, num_steps=5, progress=False)) == 5
    widget = LRFinderWidget(module, optimizer, None, LOADER, "best", train_step=Trainer().compute_loss, num_steps=5)
    assert len(widget.run()) == 5
    widget.close()


def test_an_optimizer_without_lasting_groups_is_refused() -> None:
    """Fastai's makes new ones at each look: every rate would be lost and the curve be that of one rate."""
    LEARNER.create_opt()
    with pytest.raises(
        TypeError, match=r"must keep its param_groups, but fastai\.optimizer\.Optimizer .*adapters\.fastai"
    ):
        range_test(LEARNER.model, LEARNER.opt, LOSS, LOADER, progress=False)
