"""A trainer's training step up to its loss."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
    """

    def __init__(self, twin: Any, size: int) -> None:
        data = {name: vars(twin).pop(name) for name in DATA if name in vars(twin)}
        # All that this object holds is copied before a test, but what a function names is not if it is large.
        self._data: Callable[[], dict[str, Any]] = lambda: data
        self._twin = twin
        self._size = size
        self._model: nn.Module | None = None  # as `begun` returns it; as all else, None again after a test

    def __call__(self, model: nn.Module, batch: tuple[Any, Window]) -> torch.Tensor:
        """Return the loss of a batch with its graph.

        Raises:
            RuntimeError: the trainer's own `training_step` has computed the gradients by itself.
        """
        inputs, window = batch
        twin, losses = self._twin, self._twin.accelerator.losses
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
        """Return the loss of a batch of validation data."""
        twin = self._twin
        with self._with_data(), twin.compute_loss_context_manager():
            inputs = twin._prepare_inputs(batch)  # noqa: SLF001  # there is no public name
            loss: torch.Tensor = twin.compute_loss(self._ready(model), inputs)
        return loss

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
