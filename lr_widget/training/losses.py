"""From a batch to its loss: supervised and mapping batches, the user's own train_step, and checks of a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..checks import adapter_hint, describe
from .parameters import owner_of

Step = Callable[[Any, Any], Any]  # the user's, with the model and a batch
LossOfBatch = Callable[[Any], Any]  # the answer is the user's; check_losses looks at it


def loss_of_batch(model: Any, loss_fn: Callable[..., Any] | None, train_step: Step | None) -> LossOfBatch:
    """Return the function from a batch to its loss: the user's `train_step`, or the supervised step.

    Raises:
        TypeError: `loss_fn` or `train_step` is no function, or they do not go together.
    """
    _check_function("loss_fn", loss_fn)
    _check_function("train_step", train_step)
    _refuse_step_of_trainer(train_step)
    if train_step is not None:
        if loss_fn is not None:
            raise TypeError("give loss_fn or train_step, not both; train_step(model, batch) computes the whole loss")
        return lambda batch: train_step(model, batch)
    if not isinstance(model, nn.Module):
        raise TypeError(
            "several models need a train_step=callable(model, batch) -> loss, as loss_fn serves one model; layers of "
            "one model go into torch.nn.Sequential(*layers)"
        )
    if getattr(model.forward, "__name__", "") == "_forward_unimplemented":  # of torch's containers, as of ModuleList
        raise TypeError(
            f"the model must be called with the inputs, but {type(model).__name__} has no forward(); put its parts "
            "into a module that has one, or give train_step=callable(model, batch) -> loss"
        )
    return _supervised_step(model, loss_fn)


def _refuse_step_of_trainer(train_step: Any) -> None:
    """Raise a TypeError for the `training_step` of a framework: its arguments or its answer are others."""
    hint = adapter_hint(owner := owner_of(train_step))
    if hint and getattr(train_step, "__name__", "") == "training_step":
        raise TypeError(
            f"train_step must return the loss of (model, batch), which training_step of {type(owner).__name__} does "
            f"not{hint}"
        )


def val_loss_of_batch(model: Any, val_step: Step | None, loss_of: LossOfBatch) -> LossOfBatch:
    """Return the function from a batch of the validation data to its loss: the user's `val_step`, or that of training.

    Raises:
        TypeError: `val_step` is no function.
    """
    _check_function("val_step", val_step)
    return loss_of if val_step is None else lambda batch: val_step(model, batch)


def _check_function(name: str, function: Any) -> None:
    if isinstance(function, type):
        raise TypeError(
            f"{name} must be a function or an object that is called, got the class {function.__name__}; "
            f"make one of it: {function.__name__}()"
        )
    if function is not None and not callable(function):
        is_data = hasattr(function, "__iter__") and not isinstance(function, str)
        hint = "; the data come after it, as train_data" if is_data and name == "loss_fn" else ""
        raise TypeError(f"{name} must be callable, got {describe(function)}{hint}")


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
        is_tuple = isinstance(batch, (tuple, list))  # asked first, for it costs less
        if not is_tuple and isinstance(batch, Mapping):
            output = model(**batch)
            return _own_loss(output) if loss_fn is None else loss_fn(output, batch)
        if not is_tuple or len(batch) < 2:
            is_tensor = isinstance(batch, torch.Tensor)
            raise TypeError(
                f"a batch must be a pair (inputs, targets) or a mapping, got {describe(batch)}; "
                "for other batches give train_step=callable(model, batch) -> loss"
                + (", and for tensors of all inputs and all targets a tuple (x, y)" if is_tensor else "")
            )
        if loss_fn is None:
            raise TypeError(
                "loss_fn is None, but the batches are (inputs, targets)"
                f"{adapter_hint(model) or '; give a loss_fn or a train_step'}"
            )
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
    """Return the losses, each of shape (), if they can be trained on: one, or one for each of several optimizers.

    Args:
        answer: a loss, or a list or tuple of losses; each a tensor, a mapping with the key "loss", or an object with
            a `.loss`.
        num_optimizers: so many losses a list must have.
        needs_grad: a loss without a gradient is refused.

    Raises:
        TypeError: a loss is no tensor.
        ValueError: the number of losses is not that of the optimizers, or a loss is no single real number or has no
            gradient.
    """
    if isinstance(answer, torch.Tensor):
        return [_check_loss(answer, needs_grad)]
    answer = _loss_in(answer)
    if num_optimizers == 1 or not isinstance(answer, (list, tuple)):
        return [_check_loss(answer, needs_grad)]
    if len(answer) != num_optimizers:
        raise ValueError(
            f"the train_step must return one loss, or one for each of the {num_optimizers} optimizers in their order, "
            f"got {describe(answer)}; add up those that belong to one optimizer"
        )
    return [_check_loss(_loss_in(loss), needs_grad) for loss in answer]


def _loss_in(answer: Any) -> Any:
    """Return the loss that an answer holds under that name, or the answer itself."""
    if isinstance(answer, torch.Tensor):
        return answer
    if not isinstance(answer, Mapping):
        return getattr(answer, "loss", answer)
    if "loss" not in answer:
        raise TypeError(
            f'a mapping of losses must have the key "loss", which is trained, got the keys {[*answer]!r:.80}; '
            "return the loss itself, such as the sum of these"
        )
    return answer["loss"]


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
    return loss if loss.ndim == 0 else loss.reshape(())
