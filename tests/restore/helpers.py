"""Models and data in the midst of training, for the tests of this room."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test

from ..no_trace.state import Look, tensor_bytes

SWEEP: dict[str, Any] = {"start_lr": 1e-3, "end_lr": 1e-1, "num_steps": 8, "diverge_factor": None}
SHORT_SWEEP: dict[str, Any] = {**SWEEP, "num_steps": 4}
mse = F.mse_loss


def labelled_samples() -> TensorDataset:
    made = torch.Generator().manual_seed(1)
    return TensorDataset(torch.randn(12, 6, generator=made), torch.randint(3, (12,), generator=made))


def sweep(model: nn.Module, data: Any = None, loss_fn: Any = F.cross_entropy, **options: Any) -> None:
    """Run a whole range test of the model with SGD."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(labelled_samples(), 4) if data is None else data
    list(
        iter_range_test(
            model, optimizer, None if "train_step" in options else loss_fn, loader, **SHORT_SWEEP, **options
        )
    )


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


def samples(number: int = 40) -> TensorDataset:
    made = torch.Generator().manual_seed(1)
    return TensorDataset(torch.randn(number, 3, generator=made), torch.randn(number, 1, generator=made))


class Training:
    """A user in the middle of training: model, Adam with state, a shuffling loader, and something beside."""

    def __init__(self, make_beside: Callable[[Training], Any] = lambda training: None) -> None:
        self.model = net()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.loader = DataLoader(samples(), batch_size=8, shuffle=True)
        self.beside = make_beside(self)
        self.train(3)

    def loss(self, batch: Any) -> torch.Tensor:
        return mse(self.model(batch[0]), batch[1])

    def train(self, steps: int) -> list[float]:
        losses: list[float] = []
        while len(losses) < steps:
            for batch in self.loader:
                self.optimizer.zero_grad()
                loss = self.loss(batch)
                loss.backward()
                self.optimizer.step()
                self.after_step(loss)
                losses.append(loss.item())
        return losses

    def after_step(self, loss: torch.Tensor) -> None:
        """Update the thing beside, as the user does after every step."""
        if isinstance(self.beside, Averages | AveragedModel):
            (self.beside.update if isinstance(self.beside, Averages) else self.beside.update_parameters)(self.model)
        elif isinstance(self.beside, ReduceLROnPlateau):
            self.beside.step(loss.item())
        elif self.beside is not None:
            self.beside.step()

    def sweep(self, **options: Any) -> Any:
        """Return a range test whose step updates the thing beside, as training does."""

        def train_step(model: Any, batch: Any) -> torch.Tensor:
            loss = self.loss(batch)
            self.after_step(loss)
            return loss

        options = {"also_restore": [] if self.beside is None else [self.beside], **SWEEP, **options}
        return iter_range_test(self.model, self.optimizer, None, self.loader, train_step=train_step, **options)

    def look(self, *more: Any) -> Look:
        """Look at everything that the training consists of, and at `more`."""
        return Look(self.model, self.optimizer, self.loader, self.beside, *more)


class Averages:
    """An exponential moving average of a model as people write it, updated in place, out of reach of the model."""

    def __init__(self, model: nn.Module) -> None:
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.updates = 0

    def update(self, model: nn.Module) -> None:
        self.updates += 1
        for name, p in model.named_parameters():
            self.shadow[name].lerp_(p.detach(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"shadow": self.shadow, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, p in state["shadow"].items():
            self.shadow[name].copy_(p)


BESIDE: dict[str, Callable[[Training], Any]] = {
    "moving average": lambda training: Averages(training.model),
    "AveragedModel": lambda training: AveragedModel(training.model),
    "AveragedModel, ema": lambda training: AveragedModel(
        training.model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True
    ),
    "OneCycleLR": lambda training: OneCycleLR(training.optimizer, max_lr=0.1, total_steps=200),
    "CosineAnnealingLR": lambda training: CosineAnnealingLR(training.optimizer, T_max=50),
    "ReduceLROnPlateau": lambda training: ReduceLROnPlateau(training.optimizer, patience=0),
}


def state_bytes(value: Any) -> Any:
    """Return a copy of a state dict that compares bit for bit."""
    if isinstance(value, torch.Tensor):
        return value.dtype, tuple(value.shape), tensor_bytes(value)
    if isinstance(value, dict):
        return {key: state_bytes(item) for key, item in value.items()}
    return [state_bytes(item) for item in value] if isinstance(value, list | tuple) else repr(value)


class Broken:
    """Gives a state and cannot take it back."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise ZeroDivisionError("cannot load")


def copies_of(size: int) -> int:
    """Return the number of living storages of `size` bytes."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, nn.Parameter)]
    alive = [t.untyped_storage() for t in tensors if t.layout is torch.strided and t.device.type == "cpu"]
    return len({storage.data_ptr() for storage in alive if storage.nbytes() == size})
