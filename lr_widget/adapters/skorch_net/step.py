"""The training step of a net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..adapted import framework

if TYPE_CHECKING:
    import torch


class NetStep:
    """A training step of a net up to its loss, or with its update.

    Args:
        net: a copy of the net, with copies of the callbacks that take part.
        data: of the training, for the callbacks.

    Attributes:
        makes_update: the net computes the gradients and steps its optimizers.
    """

    def __init__(self, net: Any, data: Any) -> None:
        self.makes_update = False
        self._net = net
        self._data = data  # a dataset, which is not copied as X and y would be
        self._has_begun = False

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch, with its graph where it makes no update."""
        net = self._net
        if not self._has_begun:
            self._has_begun = True
            net.notify("on_train_begin", X=self._data, y=None)
            net.notify("on_epoch_begin", dataset_train=self._data, dataset_valid=None)
        if self.makes_update:
            made: torch.Tensor = net.train_step(batch)["loss"]
            return made
        return self.loss(model, batch)

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch, of training or validation data as the mode of the model says."""
        net, (inputs, targets) = self._net, batch
        is_training = (model[0] if isinstance(model, list) else model).training
        net._set_training(is_training)  # noqa: SLF001  # skorch does so before every batch
        predicted = net.infer(inputs)
        if getattr(net, "accelerator", None) is not None:
            predicted = framework("accelerate.utils", "accelerate").convert_to_fp32(predicted)
        loss: torch.Tensor = net.get_loss(predicted, targets, X=inputs, training=is_training)
        return loss
