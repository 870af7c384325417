"""A trainer's training step up to its loss."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .batches import Weighted
from .begin import begun
from .twin import DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import nn

    from .batches import Window


class TrainerStep:
    """A training step of a trainer up to its loss, and a step of validation.

    Args:
        twin: a copy of the trainer with a `StandIn` for its accelerator.
        size: batches an optimizer step; the trainer divides each loss by it, and the engine will, too.
        num_batches: batches an epoch.
    """

    def __init__(self, twin: Any, size: int, num_batches: int) -> None:
        data = {name: vars(twin).pop(name) for name in DATA if name in vars(twin)}
        # All that this object holds is copied before a test, but what a function names is not if it is large.
        self._data: Callable[[], dict[str, Any]] = lambda: data
        self._twin = twin
        self._size = size
        self._num_batches = num_batches
        self._window: Window | None = None  # of the step that is not counted yet
        self._model: nn.Module | None = None  # as `begun` returns it; as all else, None again after a test

    def __call__(self, model: nn.Module, batch: tuple[Any, Window]) -> torch.Tensor:
        """Return the loss of a batch with its graph.

        Raises:
            RuntimeError: the trainer's own `training_step` has computed the gradients by itself.
        """
        inputs, window = batch
        twin, losses = self._twin, self._twin.accelerator.losses
        self._enter(window)
        with self._with_data():
            ready = self._ready(model)
            twin.current_gradient_accumulation_steps = self._size
            twin.training_step(ready, inputs, window.num_items(twin))
        if len(losses) != 1:
            raise RuntimeError(
                f"training_step of {type(twin).__name__} must call self.accelerator.backward(loss) once, it did "
                f"{len(losses)} times; give train_step=callable(model, batch) -> loss"
            )
        loss: torch.Tensor = losses.pop() * self._size
        return loss

    def validate(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """Return the loss of a batch of validation data, by its weight in `evaluate()` where it has one.

        Raises:
            ValueError: the trainer has no loss of a batch without labels.
        """
        twin = self._twin
        inputs, weight = batch if isinstance(batch, Weighted) else (batch, 1.0)
        self._enter(None)
        with self._with_data():
            loss, *_ = twin.prediction_step(self._ready(model), inputs, prediction_loss_only=True)
        if loss is None:
            raise ValueError(
                f"val_data must have the labels that evaluate() needs for a loss, {twin.label_names}, got {[*inputs]}; "
                "name them in TrainingArguments(label_names=...), or give val_step=callable(model, batch) -> loss"
            )
        weighted: torch.Tensor = loss * weight
        return weighted

    def _enter(self, window: Window | None) -> None:
        """Count the step before where another one begins, or a validation."""
        if self._window is not None and window is not self._window:
            state = self._twin.state
            state.global_step += 1
            epoch, steps = divmod(state.global_step, max(1, self._num_batches // self._size))
            state.epoch = epoch + steps * self._size / self._num_batches
        self._window = window

    def _ready(self, model: nn.Module) -> nn.Module:
        if self._model is None:
            self._model = begun(self._twin, model)
        return self._model

    @contextmanager
    def _with_data(self) -> Iterator[None]:
        """Let the trainer's methods see its datasets."""
        data = self._data()
        vars(self._twin).update(data)
        try:
            yield
        finally:
            for name in data:
                vars(self._twin).pop(name, None)
