"""From a batch to its loss: supervised and mapping batches, the user's own train_step, and checks of a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..checks import describe

LossOfBatch = Callable[[Any], Any]  # the answer is the user's; check_losses looks at it


def loss_of_batch(
    model: Any, loss_fn: Callable[..., Any] | None, train_step: Callable[[Any, Any], Any] | None
) -> LossOfBatch:
    """Return the function from a batch to its loss: the user's `train_step`, or the supervised step.

    Raises:
        TypeError: `loss_fn` or `train_step` is no function, or they do not go together.
    """
    for name, function in (("loss_fn", loss_fn), ("train_step", train_step)):
        if isinstance(function, type):
            raise TypeError(
                f"{name} must be a function or an object that is called, got the class {function.__name__}; "
                f"make one of it: {function.__name__}()"
            )
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable, got {describe(function)}")
    if train_step is not None:
        if loss_fn is not None:
            raise TypeError("give loss_fn or train_step, not both; train_step(model, batch) computes the whole loss")
        return lambda batch: train_step(model, batch)
    if not isinstance(model, nn.Module):
        raise TypeError("several models need a train_step=callable(model, batch) -> loss; loss_fn serves one model")
    return _supervised_step(model, loss_fn)


def _supervised_step(model: nn.Module, loss_fn: Callable[..., Any] | None) -> LossOfBatch:
    """Return the default training step: a batch of the model's inputs and targets → its loss.

    ============================  ==================================================================
    batch                         loss
    ============================  ==================================================================
    `(inputs, targets)`           `loss_fn(model(inputs), targets)`
    `(a, b, …, targets)`          `loss_fn(model(a, b, …), targets)`
    mapping, no `loss_fn`         `model(**batch).loss`, as Hugging Face models answer
    mapping, with `loss_fn`       `loss_fn(model(**batch), batch)`
    ============================  ==================================================================
    """

    def step(batch: Any) -> Any:
        if isinstance(batch, Mapping):
            output = model(**batch)
            return _own_loss(output) if loss_fn is None else loss_fn(output, batch)
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise TypeError(
                f"a batch must be a pair (inputs, targets) or a mapping, got {describe(batch)}; "
                "for other batches give train_step=callable(model, batch) -> loss"
            )
        if loss_fn is None:
            raise TypeError("loss_fn is None, but the batches are (inputs, targets); give a loss_fn or a train_step")
        *inputs, targets = batch
        return loss_fn(model(*inputs), targets)

    return step


def _own_loss(output: Any) -> Any:
    """Return the loss that the model has computed itself, as an attribute or a key of its output."""
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if loss is None:
        raise TypeError(
            f"the model's output ({type(output).__name__}) has no loss, and loss_fn is None; "
            "put the labels into the batch, or give a loss_fn(output, batch)"
        )
    return loss


def check_losses(answer: Any, num_optimizers: int, *, needs_grad: bool = True) -> list[torch.Tensor]:
    """Return the losses if they can be trained on: one, or one for each of several optimizers.

    Raises:
        TypeError: a loss is no tensor.
        ValueError: the number of losses is not that of the optimizers, or a loss is no single real number or has no
            gradient.
    """
    if num_optimizers == 1 or not isinstance(answer, (list, tuple)):
        return [_check_loss(answer, needs_grad)]
    if len(answer) != num_optimizers:
        raise ValueError(
            f"the train_step must return one loss, or one for each of the {num_optimizers} optimizers in their order, "
            f"got {describe(answer)}; add up those that belong to one optimizer"
        )
    return [_check_loss(loss, needs_grad) for loss in answer]


def _check_loss(loss: Any, needs_grad: bool) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"the loss must be a scalar tensor, got {describe(loss)}; return the loss of the batch")
    if loss.numel() != 1 or loss.is_complex():
        raise ValueError(f'the loss must be one real number, got {describe(loss)}; reduce it, as with reduction="mean"')
    if needs_grad and not loss.requires_grad:
        raise ValueError(
            "the loss has no gradient, so nothing can be learnt from it; "
            "compute it from the model's output, with parameters that require grad and without detach() or no_grad()"
        )
    return loss
