"""Small skorch nets on the digits, for the tests of their adapter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it has no types
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import uses much that others have deprecated
    import skorch
    import skorch.hf

_X, _Y = load_digits(return_X_y=True)
X = (_X[:300] / 16).astype("float32")
Y = _Y[:300].astype("int64")


class Net(nn.Module):
    """A classifier with dropout, and with probabilities as the output."""

    def __init__(self, width: int = 16, inputs: int = 64, outputs: int = 10) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, width)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(width, outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of the classes."""
        return torch.softmax(self.last(self.dropout(torch.relu(self.hidden(X)))), -1)


class Halves(Net):
    """A classifier of pictures in two parts."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # its batches are mappings
        """Return the probabilities of the classes."""
        return super().forward(torch.cat([left, right], -1))


class Columns(Net):
    """A classifier of the columns of a frame."""

    def forward(self, **columns: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # its batches are mappings
        """Return the probabilities of the classes."""
        return super().forward(torch.stack([*columns.values()], -1).float().reshape(-1, 64))


class Plain(nn.Sequential):
    """A classifier without dropout."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(64, 10), nn.Softmax(-1))


class Noted(skorch.callbacks.Callback):  # type: ignore[misc]  # skorch has no types
    """The losses and rates of a fit, a batch each."""

    def on_train_begin(self, net: Any, **more: Any) -> None:
        """Begin anew."""
        self.losses: list[float] = []
        self.rates: list[list[float]] = []

    def on_batch_end(self, net: Any, *given: Any, training: bool = False, **more: Any) -> None:
        """Note a batch of the training."""
        if training:
            self.losses.append(net.history[-1, "batches", -1, "train_loss"])
            self.rates.append([float(group["lr"]) for group in net.optimizer_.param_groups])


def seed_everything(seed: int = 0) -> None:
    """Seed the generators of NumPy and torch."""
    np.random.seed(seed)
    torch.manual_seed(seed)


def classifier(cls: Any = skorch.NeuralNetClassifier, module: Any = Net, **settings: Any) -> Any:
    """Return a classifier of the digits that shuffles, two epochs long, with Noted among its callbacks."""
    seed_everything()
    callbacks = [("noted", Noted), *settings.pop("callbacks", [])]
    defaults = {"max_epochs": 2, "lr": 0.1, "batch_size": 32, "iterator_train__shuffle": True, "verbose": 0}
    return cls(module, **{**defaults, **settings}, callbacks=callbacks)


def noted(net: Any) -> Noted:
    """Return what was noted in the net's last fit."""
    found: Noted = dict(net.callbacks_)["noted"]
    return found


class Careful(skorch.NeuralNetClassifier):  # type: ignore[misc]  # likewise
    """A classifier with a regularized loss, while it trains."""

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> torch.Tensor:
        """Return the loss with the sum of the first layer's weights."""
        loss: torch.Tensor = super().get_loss(y_pred, y_true, X=X, training=training)
        return loss + 0.05 * self.module_.hidden.weight.abs().sum() if training else loss


class Halved(skorch.NeuralNetClassifier):  # type: ignore[misc]  # likewise
    """A classifier that halves the gradients of its first layer."""

    def on_grad_computed(self, net: Any, named_parameters: Any, **more: Any) -> None:
        """Halve them."""
        for name, parameter in named_parameters:
            if name.startswith("hidden"):
                parameter.grad /= 2


class Pair(skorch.NeuralNetClassifier):  # type: ignore[misc]  # likewise
    """A classifier whose step makes two updates, with an optimizer for each layer."""

    def initialize_optimizer(self) -> Any:
        """Make an optimizer of each layer."""
        for name, layer in (("optimizer", self.module_.hidden), ("optimizer2", self.module_.last)):
            args, kwargs = self.get_params_for_optimizer(name, layer.named_parameters())
            setattr(self, f"{name}_", self.optimizer(*args, **kwargs))
        return self
