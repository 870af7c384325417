"""From batches to an update: the loss or losses, their gradients, clipping, scaling, stepping."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import add_note
from .devices import checked_device, common_device, to_device
from .gradients import checked_norm, checked_scaler, closure_with_scaler, refuse_beside_own_update
from .losses import check_losses, loss_of_batch, val_loss_of_batch
from .modes import evaluating, make_autocast
from .optimizers import asks_for_closure, needs_closure, put_into_train_mode, unpacked
from .parameters import is_fsdp1, models_in, optimized_by, owner_of, parameters_of, writes_to
from .rates import refusing_other_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .losses import LossOfBatch

_IN_VALIDATION = (
    "this was with val_data, in eval mode; where the model has a loss in train mode only, "
    "give val_step=callable(model, batch) -> loss"
)


class Training:
    """The models, the optimizers and the loss of a training; makes one update out of the batches of a step.

    Args:
        model: module, or list or mapping of modules.
        optimizer: optimizer, or several, stepped in this order; see `unpacked` for the forms.
        loss_fn: `loss_fn(output, targets)` → loss; a module's own parameters are trained as well.
        train_step: `train_step(model, batch)` → loss, in place of `loss_fn`; or a list of losses, one for each
            optimizer, whose gradients then go to the parameters of that optimizer alone.
        val_step: `val_step(model, batch)` → loss of a batch of the validation data; None for that of training.
        device: where batches are moved; None for the models' own device, if they are on one. A step with a true
            `moves_batches` gets them as they come and moves them itself.
        autocast: dtype, context, maker of contexts, or True.
        grad_scaler: a `torch.amp.GradScaler`, or None.
        max_grad_norm: the gradients' total norm is clipped to this; None for no clipping.

    Attributes:
        modules: the models, and the modules that `loss_fn`, `train_step` and `val_step` are or belong to.
        optimizers: the optimizers in their order.
        schedulers: the schedulers that were given with them.
        parameters: all parameters of modules and optimizers, each once.
        functions: `loss_fn`, `train_step` and `val_step`, as far as they are given, and the maker of autocast contexts.
        device: where batches are moved, or None.
        updates_itself: the `train_step` has a true `makes_update`: it computes gradients and steps the optimizers.

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
        val_step: Callable[[Any, Any], Any] | None = None,
        device: torch.device | str | None = None,
        autocast: Any = None,
        grad_scaler: Any = None,
        max_grad_norm: float | None = None,
    ) -> None:
        self._models: list[nn.Module] = models_in(model)
        self.optimizers, self.schedulers = unpacked(optimizer)
        self.functions: list[Callable[..., Any]] = [f for f in (loss_fn, train_step, val_step) if f is not None]
        owners = [owner_of(function) for function in self.functions]
        self.modules = [*self._models, *(owner for owner in owners if isinstance(owner, nn.Module))]
        given_device = checked_device("device", device)
        self.device = given_device if given_device is not None else common_device(self._models)
        self._loss_of = loss_of_batch(model, loss_fn, train_step)
        self._val_loss_of = val_loss_of_batch(model, val_step, self._loss_of)
        self._unmoved = [
            loss_of
            for loss_of, function in ((self._loss_of, train_step), (self._val_loss_of, val_step))
            if getattr(owner_of(function), "moves_batches", False)
        ]
        self.updates_itself = bool(getattr(train_step, "makes_update", False))
        self.parameters = parameters_of(self.modules, self.optimizers)
        self._autocast = make_autocast(autocast, self.device)
        self.functions.append(self._autocast)
        self._scaler = checked_scaler(grad_scaler)
        self._max_grad_norm = checked_norm(max_grad_norm, self._models)
        if self.updates_itself:
            refuse_beside_own_update(grad_scaler, max_grad_norm)
        # None for one that does not say so; its first step will show.
        self._need_closure: list[bool | None] = [needs_closure(given) or None for given in self.optimizers]
        if self._scaler is not None and True in self._need_closure:
            raise closure_with_scaler(self.optimizers[self._need_closure.index(True)])

    @property
    def trained(self) -> list[object]:
        """The parameters and the optimizers."""
        return [*self.parameters, *self.optimizers]

    @property
    def steps_together(self) -> bool:
        """True where the step of an optimizer waits for other processes, in passes of a closure or in its own way."""
        is_sharing = any(type(optimizer).__module__.startswith("torch.distributed.") for optimizer in self.optimizers)
        return is_sharing or True in self._need_closure

    def prepare(self) -> None:
        """Put models that are in eval mode into train mode, except those that are not trained, such as a teacher.

        A model in train mode keeps its frozen submodules. Optimizers with modes of their own are put into train mode.
        """
        optimized = {id(p) for optimizer in self.optimizers for p in optimized_by(optimizer)}
        for model in self._models:
            if not model.training and any(id(p) in optimized for p in model.parameters()):
                model.train()
        put_into_train_mode(self.optimizers)

    def evaluate(self, batches: Iterable[Any]) -> float:
        """Return the mean loss of the batches, in eval mode and without gradients; NaN where there is no batch.

        Raises:
            TypeError: the `train_step` would train on them.
        """
        if self.updates_itself and self._val_loss_of is self._loss_of:
            raise TypeError(
                "val_data needs a val_step=callable(model, batch) -> loss where the train_step makes its updates; "
                "give it, or leave val_data out"
            )
        try:
            with evaluating(self.modules, self.optimizers, keeps_buffers=self._val_loss_of is not self._loss_of):
                losses = [_sum(self._forward(batch, self._val_loss_of, needs_grad=False)).detach() for batch in batches]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if self._val_loss_of is self._loss_of:
                add_note(error, _IN_VALIDATION)
            raise
        return float(torch.stack(losses).double().mean()) if losses else math.nan

    def update(
        self,
        batches: Sequence[Any],
        before_update: Callable[[], object],
        before_backward: Callable[[Sequence[torch.Tensor]], object] | None = None,
    ) -> tuple[torch.Tensor, bool]:
        """Train on the batches of one step; gradients must be enabled.

        Args:
            batches: the micro-batches, whose losses are averaged: the update equals that of one large batch.
            before_update: called between the gradients and their use.
            before_backward: called with the losses of each batch between the forward and the backward pass.

        Returns:
            The mean loss of the batches before the update, detached, on its device; with a loss for each optimizer
            their sum. Then True where the scaler skipped the update because of infinite gradients.
        """
        if self.updates_itself:
            return self._own_update(batches, before_update), False
        losses = self._backward(batches, before_backward)
        before_update()
        if self._scaler is not None:
            return _sum(losses), self._scaled_update()
        self._clip()
        for index, optimizer in enumerate(self.optimizers):
            if self._need_closure[index] is False:
                optimizer.step()
            elif self._need_closure[index] or not self._stepped_alone(index):
                optimizer.step(self._closure(batches, losses, index))  # type: ignore[arg-type]  # tensors are what torch passes on
        return _sum(losses), False

    def _own_update(self, batches: Sequence[Any], before_update: Callable[[], object]) -> torch.Tensor:
        """Let the `train_step` make the update, and return the mean loss of the batches."""
        self._clear_gradients()
        losses = []
        for batch in batches:
            before_update()  # each time: a step may have called a scheduler at its end
            with refusing_other_rates(self.optimizers):
                losses.append(_sum(self._forward(batch, self._loss_of, needs_grad=False)).detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).mean()

    def _stepped_alone(self, index: int) -> bool:
        """Step an optimizer without a closure; return False where it asks for one before it has written anything."""
        writes = writes_to(self.parameters)
        try:
            self.optimizers[index].step()
        except Exception as error:
            if not asks_for_closure(error) or writes_to(self.parameters) != writes:
                raise
            self._need_closure[index] = True
        else:
            self._need_closure[index] = False
        return not self._need_closure[index]

    def _forward(self, batch: Any, loss_of: LossOfBatch, *, needs_grad: bool) -> list[torch.Tensor]:
        """Return the losses of a batch, one or one for each optimizer."""
        batch = batch if loss_of in self._unmoved else to_device(batch, self.device)
        if self._autocast is nullcontext:
            answer = loss_of(batch)
        else:
            with self._autocast():
                answer = loss_of(batch)
        return check_losses(answer, len(self.optimizers), needs_grad=needs_grad)

    def _backward(
        self, batches: Sequence[Any], before_backward: Callable[[Sequence[torch.Tensor]], object] | None = None
    ) -> list[torch.Tensor]:
        """Compute the gradients anew; return the losses, one or one for each optimizer, as means over the batches."""
        self._clear_gradients()
        totals: list[torch.Tensor] = []
        torch.clear_autocast_cache()  # inside a user's own autocast, the last step's weights would be used again
        for batch in batches:
            losses = self._forward(batch, self._loss_of, needs_grad=True)
            if before_backward is not None:
                before_backward(losses)
            if len(batches) > 1:
                losses = [loss / len(batches) for loss in losses]
            self._backpropagate(losses if self._scaler is None else [self._scaler.scale(loss) for loss in losses])
            detached = [loss.detach() for loss in losses]
            totals = [a + b for a, b in zip(totals, detached, strict=True)] if totals else detached
        return totals

    def _clear_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _backpropagate(self, losses: list[torch.Tensor]) -> None:
        if len(losses) == 1:
            losses[0].backward()
            return
        for index, (loss, optimizer) in enumerate(zip(losses, self.optimizers, strict=True)):
            inputs = [p for p in optimized_by(optimizer) if p.requires_grad]
            if inputs:  # the losses may share a part of their graph
                loss.backward(inputs=inputs, retain_graph=index < len(losses) - 1)

    def _clip(self) -> None:
        if self._max_grad_norm is None:
            return
        if is_fsdp1(self._models[0]):  # its parameters are this process's shares of them
            self._models[0].clip_grad_norm_(self._max_grad_norm)  # type: ignore[operator]  # FSDP's method
        else:
            nn.utils.clip_grad_norm_(self.parameters, self._max_grad_norm)

    def _scaled_update(self) -> bool:
        """Step through the scaler; return True where it skipped a step (its scale is then lower)."""
        scale_before = self._scaler.get_scale()
        if self._max_grad_norm is not None:
            for optimizer in self.optimizers:
                self._scaler.unscale_(optimizer)
            self._clip()
        for optimizer in self.optimizers:
            self._scaled_step(optimizer)
        self._scaler.update()
        scale = self._scaler.get_scale()
        return bool(scale < scale_before or scale == 0)

    def _scaled_step(self, optimizer: torch.optim.Optimizer) -> None:
        try:
            self._scaler.step(optimizer)
        except Exception as error:
            if asks_for_closure(error):
                raise closure_with_scaler(optimizer) from error
            raise

    def _closure(self, batches: Sequence[Any], known: Sequence[torch.Tensor], index: int) -> Callable[[], torch.Tensor]:
        """Make the closure that gives an optimizer its loss and fresh gradients.

        The `known` losses of the pass just made answer its first call, unless weights or gradients have been written
        to meanwhile: LBFGS calls first, sharpness-aware optimizers move the weights first.
        """
        answers = iter([known])
        writes = writes_to(self.parameters)

        def closure() -> torch.Tensor:
            losses = next(answers, None)
            if losses is None or writes_to(self.parameters) != writes:
                with torch.enable_grad():
                    losses = self._backward(batches)
                    self._clip()
            return losses[index if len(losses) > 1 else 0]

        return closure


def _sum(losses: Sequence[torch.Tensor]) -> torch.Tensor:
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total
