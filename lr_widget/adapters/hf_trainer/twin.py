"""A copy of a trainer that computes losses and tells nobody of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

DATA = ("train_dataset", "eval_dataset")  # of a trainer


def twin_of(trainer: Any) -> Any:
    """Return a copy of the trainer with a `StandIn` for its accelerator, no callbacks, and a state of its own.

    Its state is as `train()` begins with it.
    """
    twin = copy.copy(trainer)
    twin.accelerator = StandIn(trainer.accelerator)
    twin.state, twin.control = copy.deepcopy(trainer.state), copy.deepcopy(trainer.control)
    twin.state.global_step, twin.state.epoch = 0, 0.0
    twin.callback_handler = copy.copy(trainer.callback_handler)
    twin.callback_handler.callbacks = []
    twin.is_in_train = True
    if getattr(trainer, "optimizer_cls_and_kwargs", None) is not None:
        kind, kwargs = trainer.optimizer_cls_and_kwargs
        twin.optimizer_cls_and_kwargs = (kind, with_own_groups(kwargs))
    if hasattr(trainer, "_eval_dataloaders"):  # evaluate() keeps loaders with persistent workers there
        twin._eval_dataloaders = dict(trainer._eval_dataloaders)  # noqa: SLF001  # there is no public name
    return twin


def with_own_groups(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Copy keywords of an optimizer: its maker takes "params" out of them, and torch completes param groups in place.

    A generator of parameters becomes a list in the original, too, for it serves only once, and `train()` needs it.
    """
    if isinstance(kwargs.get("params"), Iterator):
        kwargs["params"] = [*kwargs["params"]]
    own = dict(kwargs)
    if isinstance(own.get("params"), (list, tuple)):
        own["params"] = [with_own_groups(each) if isinstance(each, dict) else each for each in own["params"]]
    return own


class StandIn:
    """Stand in for a trainer's accelerator: keep the loss for the engine, leave models and optimizers as they are.

    Args:
        accelerator: of the trainer; everything else is asked of it.

    Attributes:
        losses: the losses whose gradients the trainer has asked for.
    """

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self.losses: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def prepare(self, *things: Any, **_: Any) -> Any:
        """Return the things unchanged, but for loaders."""
        prepared = [self.prepare_data_loader(each) if isinstance(each, DataLoader) else each for each in things]
        return prepared[0] if len(prepared) == 1 else tuple(prepared)

    def prepare_data_loader(self, loader: Any, **options: Any) -> Any:
        """Return a loader of this process's share of the data, in the accelerator's order; it keeps no list of it."""
        prepared = self._accelerator.prepare_data_loader(loader, **options)
        loaders = self._accelerator._dataloaders  # noqa: SLF001  # there is no public list
        loaders[:] = [each for each in loaders if each is not prepared]
        return prepared

    def backward(self, loss: Any, **_: Any) -> None:
        """Keep the loss, scaled as the accelerator does."""
        self.losses.append(loss / self._accelerator.gradient_accumulation_steps)
