"""From a batch to a loss and from losses to an update: supervised and mapping batches, the user's own step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .batches import to_device
from .modes import evaluating, make_autocast

LossOfBatch = Callable[[Any], Any]  # whatever the user returns: check_loss looks at it


def supervised_step(model: Any, loss_fn: Callable[..., Any] | None) -> LossOfBatch:
    """Return the default training step: a batch of ``model``'s inputs and targets → its loss.

    ============================  ==================================================================
    batch                         loss
    ============================  ==================================================================
    ``(inputs, targets)``         ``loss_fn(model(inputs), targets)``
    ``(a, b, …, targets)``        ``loss_fn(model(a, b, …), targets)``
    mapping, no ``loss_fn``       ``model(**batch).loss``, as Hugging Face models answer
    mapping, with ``loss_fn``     ``loss_fn(model(**batch), batch)``
    ============================  ==================================================================
    """

    def step(batch: Any) -> Any:
        if isinstance(batch, Mapping):
            output = model(**batch)
            return _own_loss(output) if loss_fn is None else loss_fn(output, batch)
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise TypeError(
                f"a batch must be a pair (inputs, targets) or a mapping, got {_describe(batch)}; "
                "for other batches give train_step=callable(model, batch) -> loss"
            )
        if loss_fn is None:
            raise TypeError("loss_fn is None, but the batches are (inputs, targets); give a loss_fn or a train_step")
        *inputs, targets = batch
        return loss_fn(model(*inputs), targets)

    return step


def _loss_of_batch(
    model: Any, loss_fn: Callable[..., Any] | None, train_step: Callable[[Any, Any], torch.Tensor] | None
) -> LossOfBatch:
    for name, function in (("loss_fn", loss_fn), ("train_step", train_step)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable, got {_describe(function)}")
    if train_step is not None:
        if loss_fn is not None:
            raise TypeError("give loss_fn or train_step, not both; train_step(model, batch) computes the whole loss")
        return lambda batch: train_step(model, batch)
    if not isinstance(model, nn.Module):
        raise TypeError("several models need a train_step=callable(model, batch) -> loss; loss_fn serves one model")
    return supervised_step(model, loss_fn)


def check_loss(loss: Any, *, needs_grad: bool = True) -> torch.Tensor:
    """Return the loss if it can be trained on.

    Raises:
        TypeError: it is no tensor.
        ValueError: it is no single real number, or has no gradient.
    """
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"the loss must be a scalar tensor, got {_describe(loss)}; return the loss of the batch")
    if loss.numel() != 1 or loss.is_complex():
        raise ValueError(
            f"the loss must be one real number, got a {loss.dtype} tensor of shape {tuple(loss.shape)}; "
            'reduce it, as with reduction="mean"'
        )
    if needs_grad and not loss.requires_grad:
        raise ValueError(
            "the loss has no gradient, so nothing can be learnt from it; "
            "compute it from the model's output, with parameters that require grad and without detach() or no_grad()"
        )
    return loss


class Training:
    """What is trained and how: makes one optimizer update out of the batches of a step.

    Args:
        model: module, or list or mapping of modules.
        optimizer: optimizer, or list of optimizers, stepped in this order.
        loss_fn: ``loss_fn(output, targets)`` → loss; a module's own parameters and state are taken care of as well.
        train_step: ``train_step(model, batch)`` → loss, in place of ``loss_fn``.
        device: where batches are moved; None for the models' own device, if they are on one.
        autocast: dtype, context, maker of contexts, or True.
        grad_scaler: a ``torch.amp.GradScaler``, or None.
        max_grad_norm: the gradients' total norm is clipped to this; None for no clipping.

    Raises:
        TypeError, ValueError: they do not go together; the message has the value and the remedy.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Callable[..., Any] | None,
        *,
        train_step: Callable[[Any, Any], torch.Tensor] | None = None,
        device: torch.device | str | None = None,
        autocast: Any = None,
        grad_scaler: Any = None,
        max_grad_norm: float | None = None,
    ) -> None:
        self.models = _listed(model, nn.Module, "model")
        self.optimizers: list[torch.optim.Optimizer] = _listed(optimizer, torch.optim.Optimizer, "optimizer")
        owners = [getattr(function, "__self__", function) for function in (loss_fn, train_step)]
        self.modules = [*self.models, *(owner for owner in owners if isinstance(owner, nn.Module))]
        self.callables = [owner for owner in owners if owner is not None and not isinstance(owner, nn.Module)]
        self.device = torch.device(device) if device is not None else _common_device(self.models)
        self.loss_of = _loss_of_batch(model, loss_fn, train_step)
        self._parameters = _parameters(self.modules, self.optimizers)
        self._autocast = make_autocast(autocast, self.device)
        self._scaler = grad_scaler
        self._max_grad_norm = _checked_norm(max_grad_norm)
        if grad_scaler is not None and any(needs_closure(optimizer) for optimizer in self.optimizers):
            raise ValueError("LBFGS needs a closure, which a grad_scaler cannot serve; leave grad_scaler out")

    def prepare(self) -> None:
        """Put models that are in eval mode into train mode; one in train mode keeps its frozen submodules."""
        for model in self.models:
            if not model.training:
                model.train()

    def evaluate(self, batches: Iterable[Any]) -> float:
        """Return the mean loss of the batches, in eval mode and without gradients; NaN where there is none."""
        losses: list[torch.Tensor] = []
        with evaluating(self.modules):
            for batch in batches:
                with self._autocast():
                    loss = self.loss_of(to_device(batch, self.device))
                losses.append(check_loss(loss, needs_grad=False).detach().reshape(()))
        return float(torch.stack(losses).double().mean()) if losses else math.nan

    def update(
        self, batches: Sequence[Any], before_update: Callable[[], object] = lambda: None
    ) -> tuple[torch.Tensor, bool]:
        """Train on the batches of one step; ``before_update`` is called between the gradients and their use.

        Returns:
            The mean loss of the batches before the update, detached, on its device; and whether the scaler left the
            update out because of infinite gradients.
        """
        with torch.enable_grad():
            loss = self._backward(batches)
            before_update()
            if self._scaler is not None:
                return loss, self._scaled_update()
            self._clip()
            for optimizer in self.optimizers:
                if needs_closure(optimizer):
                    optimizer.step(self._closure(batches, loss))  # type: ignore[arg-type]  # a tensor is what torch passes on
                else:
                    optimizer.step()
        return loss, False

    def _backward(self, batches: Sequence[Any]) -> torch.Tensor:
        for parameter in self._parameters:
            parameter.grad = None
        total: torch.Tensor | None = None
        torch.clear_autocast_cache()  # inside a user's own autocast, the last step's weights would be used again
        for batch in batches:
            with self._autocast():
                loss = check_loss(self.loss_of(to_device(batch, self.device)))
            # mean over the micro-batches: the update equals that of one large batch
            share = loss / len(batches) if len(batches) > 1 else loss
            (share if self._scaler is None else self._scaler.scale(share)).backward()
            total = share.detach() if total is None else total + share.detach()
        assert total is not None, "a step has at least one batch"
        return total.reshape(())

    def _clip(self) -> None:
        if self._max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)

    def _scaled_update(self) -> bool:
        scale_before = self._scaler.get_scale()
        if self._max_grad_norm is not None:
            for optimizer in self.optimizers:
                self._scaler.unscale_(optimizer)
            self._clip()
        for optimizer in self.optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()
        return bool(self._scaler.get_scale() < scale_before)

    def _closure(self, batches: Sequence[Any], first_loss: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Return what LBFGS-like optimizers call; the first call is answered by the pass already made."""
        answers = iter([first_loss])

        def closure() -> torch.Tensor:
            with torch.enable_grad():
                known = next(answers, None)
                if known is not None:
                    return known
                loss = self._backward(batches)
                self._clip()
                return loss

        return closure


def needs_closure(optimizer: Any) -> bool:
    """Say whether ``optimizer.step`` cannot do without a closure, as with LBFGS."""
    return isinstance(optimizer, torch.optim.LBFGS)


def _listed(given: Any, kind: type, name: str) -> list[Any]:
    """Return what was given, one or several, as a list of ``kind``."""
    is_several = isinstance(given, (list, tuple, Mapping)) and not isinstance(given, kind)
    parts = list(given.values() if isinstance(given, Mapping) else given) if is_several else [given]
    for part in parts:
        if not isinstance(part, kind):
            raise TypeError(f"{name} must be a {kind.__module__}.{kind.__name__} or several, got {_describe(part)}")
    if not parts:
        raise ValueError(f"{name} is empty; give at least one")
    return parts


def _parameters(modules: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer]) -> list[torch.Tensor]:
    """Return all parameters of models and optimizers, each once.

    Raises:
        ValueError: an optimizer has no parameters, or none of these models.
    """
    found = {id(p): p for module in modules for p in module.parameters()}
    optimized: dict[int, torch.Tensor] = {}
    for optimizer in optimizers:
        own = {id(p): p for group in optimizer.param_groups for p in group["params"]}
        name = type(optimizer).__name__
        if not own:
            raise ValueError(f"the optimizer {name} has no parameters; make it with model.parameters()")
        if not own.keys() & found.keys():
            raise ValueError(
                f"the optimizer {name} has none of the model's parameters, as if made for another model (or before "
                "the model was replaced); make it with this model's parameters()"
            )
        optimized |= own
    return list((found | optimized).values())


def _common_device(models: Sequence[nn.Module]) -> torch.device | None:
    """Return the device of all parameters and buffers, or None where there are several or none."""
    tensors = (t for model in models for t in (*model.parameters(), *model.buffers()))
    devices = {t.device for t in tensors if t.device.type != "meta"}
    return devices.pop() if len(devices) == 1 else None


def _checked_norm(max_grad_norm: float | None) -> float | None:
    if max_grad_norm is not None and not max_grad_norm > 0:
        raise ValueError(f"max_grad_norm must be positive or None for no clipping, got {max_grad_norm!r}")
    return max_grad_norm


def _own_loss(output: Any) -> Any:
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if loss is None:
        raise TypeError(
            f"the model's output ({type(output).__name__}) has no loss, and loss_fn is None; "
            "put the labels into the batch, or give a loss_fn(output, batch)"
        )
    return loss


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of length {len(value)}"
    return f"{value!r:.60} of type {type(value).__name__}"
