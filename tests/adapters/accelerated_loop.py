"""A small training in the form of accelerate's own loops, for the tests of its adapter."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loss_fn = nn.functional.cross_entropy


class Loop(NamedTuple):
    """What a loop works with."""

    accelerator: Accelerator
    model: Any
    optimizer: Any
    loader: Any
    scheduler: Any = None

    @property
    def given(self) -> tuple[Any, ...]:
        """The arguments of the adapter."""
        return (self.accelerator, self.model, self.optimizer, loss_fn, self.loader)


def new_accelerator(**settings: Any) -> Accelerator:
    """Return an accelerator as the first one of a process; accelerate keeps its settings for the process."""
    for state in (PartialState, AcceleratorState, GradientState):
        state._reset_state()
    return Accelerator(cpu=True, **settings)


def parts(rate: float = 0.1, *, batch_size: int = 8) -> tuple[nn.Module, torch.optim.Optimizer, DataLoader[Any]]:
    """Return a model with dropout, an optimizer and a loader that shuffles, always with the same numbers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    data = TensorDataset(torch.randn(52, 6), torch.randint(3, (52,)))
    return model, optimizer, DataLoader(data, batch_size=batch_size, shuffle=True)


def prepared(scheduled: bool = False, **settings: Any) -> Loop:
    """Return a prepared loop; with a cosine schedule over 40 steps if wanted."""
    accelerator = new_accelerator(**settings)
    model, optimizer, loader = parts()
    if not scheduled:
        return Loop(accelerator, *accelerator.prepare(model, optimizer, loader))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    return Loop(accelerator, *accelerator.prepare(model, optimizer, loader, scheduler))


def train(loop: Loop, num_batches: int = 10, first_rates: list[float] | None = None) -> list[float]:
    """Train as the quick tour does, and return the losses."""
    losses: list[float] = []
    while len(losses) < num_batches:
        for inputs, targets in loop.loader:
            with loop.accelerator.accumulate(loop.model):
                loss = loss_fn(loop.model(inputs), targets)
                loop.accelerator.backward(loss)
                if first_rates is not None:
                    first_rates.append(loop.optimizer.param_groups[0]["lr"])
                loop.optimizer.step()
                if loop.scheduler is not None:
                    loop.scheduler.step()
                loop.optimizer.zero_grad()
            losses.append(loss.item())
            if len(losses) == num_batches:
                break
    return losses
