"""From batches to an update: the loss or losses, their gradients, clipping, scaling, stepping."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..checks import as_float, describe, shown
from .devices import checked_device, common_device, to_device
from .losses import check_losses, loss_of_batch
from .modes import evaluating, make_autocast
from .parameters import listed, needs_closure, optimized_by, owner_of, parameters_of, writes_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SCALER_METHODS = ("scale", "unscale_", "step", "update", "get_scale", "state_dict", "load_state_dict")


class Training:
    """The models, the optimizers and the loss of a training; makes one update out of the batches of a step.

    Args:
        model: module, or list or mapping of modules.
        optimizer: optimizer, or list of optimizers, stepped in this order.
        loss_fn: `loss_fn(output, targets)` → loss; a module's own parameters are trained as well.
        train_step: `train_step(model, batch)` → loss, in place of `loss_fn`; or a list of losses, one for each
            optimizer, whose gradients then go to the parameters of that optimizer alone.
        device: where batches are moved; None for the models' own device, if they are on one.
        autocast: dtype, context, maker of contexts, or True.
        grad_scaler: a `torch.amp.GradScaler`, or None.
        max_grad_norm: the gradients' total norm is clipped to this; None for no clipping.

    Attributes:
        modules: the models, and the modules that `loss_fn` and `train_step` are or belong to.
        optimizers: the optimizers in their order.
        functions: `loss_fn` and `train_step`, as far as they are given.
        device: where batches are moved, or None.

    Raises:
        TypeError, ValueError: the arguments do not go together; the message has the value and the remedy.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Callable[..., Any] | None,
        *,
        train_step: Callable[[Any, Any], Any] | None = None,
        device: torch.device | str | None = None,
        autocast: Any = None,
        grad_scaler: Any = None,
        max_grad_norm: float | None = None,
    ) -> None:
        self._models: list[nn.Module] = listed(model, nn.Module, "model")
        self.optimizers: list[torch.optim.Optimizer] = listed(optimizer, torch.optim.Optimizer, "optimizer")
        self.functions = [function for function in (loss_fn, train_step) if function is not None]
        owners = [owner_of(function) for function in self.functions]
        self.modules = [*self._models, *(owner for owner in owners if isinstance(owner, nn.Module))]
        given_device = checked_device("device", device)
        self.device = given_device if given_device is not None else common_device(self._models)
        self._loss_of = loss_of_batch(model, loss_fn, train_step)
        self._parameters = parameters_of(self.modules, self.optimizers)
        self._autocast = make_autocast(autocast, self.device)
        self._scaler = checked_scaler(grad_scaler)
        self._max_grad_norm = checked_norm(max_grad_norm)
        self._need_closure = [needs_closure(given) for given in self.optimizers]
        if self._scaler is not None and True in self._need_closure:
            name = type(self.optimizers[self._need_closure.index(True)]).__name__
            raise ValueError(f"{name} needs a closure, which a grad_scaler cannot serve; leave grad_scaler out")

    @property
    def trained(self) -> list[object]:
        """The parameters and the optimizers."""
        return [*self._parameters, *self.optimizers]

    def prepare(self) -> None:
        """Put models that are in eval mode into train mode, except those that are not trained, such as a teacher.

        A model in train mode keeps its frozen submodules.
        """
        optimized = {id(p) for optimizer in self.optimizers for p in optimized_by(optimizer)}
        for model in self._models:
            if not model.training and any(id(p) in optimized for p in model.parameters()):
                model.train()

    def evaluate(self, batches: Iterable[Any]) -> float:
        """Return the mean loss of the batches, in eval mode and without gradients; NaN where there is no batch."""
        with evaluating(self.modules):
            losses = [_sum(self._forward(batch, needs_grad=False)) for batch in batches]
        return float(torch.stack(losses).double().mean()) if losses else math.nan

    def update(
        self, batches: Sequence[Any], before_update: Callable[[], object] = lambda: None
    ) -> tuple[torch.Tensor, bool]:
        """Train on the batches of one step.

        Args:
            batches: the micro-batches, whose losses are averaged: the update equals that of one large batch.
            before_update: called between the gradients and their use.

        Returns:
            The mean loss of the batches before the update, detached, on its device; with a loss for each optimizer
            their sum. Then True where the scaler skipped the update because of infinite gradients.
        """
        with torch.enable_grad():
            losses = self._backward(batches)
            before_update()
            if self._scaler is not None:
                return _sum(losses), self._scaled_update()
            self._clip()
            for index, optimizer in enumerate(self.optimizers):
                if self._need_closure[index]:
                    optimizer.step(self._closure(batches, losses, index))  # type: ignore[arg-type]  # tensors are what torch passes on
                else:
                    optimizer.step()
        return _sum(losses), False

    def _forward(self, batch: Any, *, needs_grad: bool) -> list[torch.Tensor]:
        """Return the losses of a batch, one or one for each optimizer."""
        with self._autocast():
            answer = self._loss_of(to_device(batch, self.device))
            return check_losses(answer, len(self.optimizers), needs_grad=needs_grad)

    def _backward(self, batches: Sequence[Any]) -> list[torch.Tensor]:
        """Compute the gradients anew; return the losses, one or one for each optimizer, as means over the batches."""
        for parameter in self._parameters:
            parameter.grad = None
        totals: list[torch.Tensor] = []
        torch.clear_autocast_cache()  # inside a user's own autocast, the last step's weights would be used again
        for batch in batches:
            losses = self._forward(batch, needs_grad=True)
            shares = [loss / len(batches) if len(batches) > 1 else loss for loss in losses]
            self._backpropagate([share if self._scaler is None else self._scaler.scale(share) for share in shares])
            detached = [share.detach().reshape(()) for share in shares]
            totals = [a + b for a, b in zip(totals, detached, strict=True)] if totals else detached
        return totals

    def _backpropagate(self, losses: list[torch.Tensor]) -> None:
        if len(losses) == 1:
            losses[0].backward()
            return
        for index, (loss, optimizer) in enumerate(zip(losses, self.optimizers, strict=True)):
            inputs = [p for p in optimized_by(optimizer) if p.requires_grad]
            if inputs:  # the losses may share a part of their graph
                loss.backward(inputs=inputs, retain_graph=index < len(losses) - 1)

    def _clip(self) -> None:
        if self._max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)

    def _scaled_update(self) -> bool:
        """Step through the scaler; return True where it skipped a step (its scale is then lower)."""
        scale_before = self._scaler.get_scale()
        if self._max_grad_norm is not None:
            for optimizer in self.optimizers:
                self._scaler.unscale_(optimizer)
            self._clip()
        for optimizer in self.optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()
        return bool(self._scaler.get_scale() < scale_before)

    def _closure(self, batches: Sequence[Any], known: Sequence[torch.Tensor], index: int) -> Callable[[], torch.Tensor]:
        """Make the closure that gives an optimizer its loss and fresh gradients.

        The `known` losses of the pass just made answer its first call, unless weights or gradients have been written
        to meanwhile: LBFGS calls first, sharpness-aware optimizers move the weights first.
        """
        answers = iter([known])
        writes = writes_to(self._parameters)

        def closure() -> torch.Tensor:
            losses = next(answers, None)
            if losses is None or writes_to(self._parameters) != writes:
                with torch.enable_grad():
                    losses = self._backward(batches)
                    self._clip()
            return losses[index if len(losses) > 1 else 0]

        return closure


def checked_norm(max_grad_norm: Any) -> float | None:
    """Return the norm as a float, or None for None.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive.
    """
    if max_grad_norm is None:
        return None
    if isinstance(max_grad_norm, bool) or not isinstance(max_grad_norm, Real):
        raise TypeError(f"max_grad_norm must be a number or None for no clipping, got {describe(max_grad_norm)}")
    norm = as_float(max_grad_norm)
    if not norm > 0:
        raise ValueError(f"max_grad_norm must be positive or None for no clipping, got {shown(max_grad_norm)}")
    return norm


def checked_scaler(grad_scaler: Any) -> Any:
    """Return the gradient scaler, or None for None.

    Raises:
        TypeError: it lacks a method of a scaler, or is a class.
    """
    missing = [name for name in _SCALER_METHODS if not hasattr(grad_scaler, name)]
    if grad_scaler is not None and (missing or isinstance(grad_scaler, type)):
        raise TypeError(
            f"grad_scaler must be a gradient scaler or None, got {describe(grad_scaler)}; "
            "make one with torch.amp.GradScaler()"
        )
    return grad_scaler


def _sum(losses: Sequence[torch.Tensor]) -> torch.Tensor:
    total = losses[0].detach().reshape(())
    for loss in losses[1:]:
        total = total + loss.detach().reshape(())
    return total
