"""Small trainings like those of the other finders' tests, and short ways to test them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRRecords, StepRecord, iter_range_test, range_test

from ..no_trace.state import Look

if TYPE_CHECKING:
    from lr_widget import LRFinderWidget


@dataclass
class Training:
    """A model, its optimizer, its loss and its data."""

    model: Any
    optimizer: Any
    loss_fn: Callable[..., torch.Tensor]
    data: Any

    def test(self, **options: Any) -> LRRecords:
        """Run a range test and assert that it leaves no trace; with a `train_step`, the loss is that one's."""
        before = self.look()
        loss_fn = None if "train_step" in options else self.loss_fn
        records: LRRecords = range_test(self.model, self.optimizer, loss_fn, self.data, progress=False, **options)
        before.assert_unchanged("after a range test")
        return records

    def steps(self, **options: Any) -> Iterator[StepRecord]:
        """Yield the records of a range test step by step; closing this generator ends the test."""
        with iter_range_test(self.model, self.optimizer, self.loss_fn, self.data, **options) as test:
            yield from test

    def look(self) -> Look:
        """Look at all that the training consists of."""
        return Look(self.model, self.optimizer, self.data)

    def train(self, steps: int) -> list[float]:
        """Train in a plain loop for some steps and return their losses."""
        losses: list[float] = []
        while len(losses) < steps:
            for inputs, targets in self.data:
                self.optimizer.zero_grad()
                loss = self.loss_fn(self.model(inputs), targets)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
        return losses[:steps]

    @contextmanager
    def widget(self, **options: Any) -> Iterator[LRFinderWidget]:
        """Show the training in a widget, for as long as the block lasts."""
        from lr_widget import LRFinderWidget  # not in every process that uses this module

        widget = LRFinderWidget(self.model, self.optimizer, self.loss_fn, self.data, **options)
        try:
            yield widget
        finally:
            widget.close()


def parity(batch_size: int = 8, batches: int = 12, rates: tuple[float, ...] = (1e-5,)) -> Training:
    """Learn the parity of eight bits with two linear layers, a param group each where there are two rates."""
    made = torch.Generator().manual_seed(1)
    bits = torch.randint(2, (batch_size * batches, 8), generator=made).float()
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 1))
    parts = [model] if len(rates) == 1 else list(model)
    groups = [{"params": list(part.parameters()), "lr": rate} for part, rate in zip(parts, rates, strict=True)]
    loader = DataLoader(TensorDataset(bits, bits.sum(1, keepdim=True) % 2), batch_size)
    return Training(model, torch.optim.SGD(groups, lr=1e-5), nn.MSELoss(), loader)


def line(lr: float = 1e-3) -> Training:
    """Fit a line through points that lie on it exactly, always on all of them.

    The mean of x² is 1, so the loss has the curvature 2, and SGD diverges at every rate above 1.
    """
    x = torch.linspace(-1, 1, 64).unsqueeze(1)
    x = x / x.square().mean().sqrt()
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return Training(model, torch.optim.SGD(model.parameters(), lr=lr), nn.MSELoss(), [(x, 3 * x)])


def classes(optimizer: Any = torch.optim.SGD, lr: float = 1e-4) -> Training:
    """Tell ten noisy prototypes apart with one linear layer, as on a small set of digits; batches are shuffled."""
    made = torch.Generator().manual_seed(2)
    labels = torch.randint(10, (640,), generator=made)
    inputs = torch.randn(10, 32, generator=made)[labels] + torch.randn(640, 32, generator=made)
    torch.manual_seed(2)
    model = nn.Linear(32, 10)
    loader = DataLoader(TensorDataset(inputs, labels), 64, shuffle=True)
    return Training(model, optimizer(model.parameters(), lr=lr), nn.CrossEntropyLoss(), loader)


def three_groups() -> Training:
    """Three layers with a rate of their own each, on random numbers."""
    made = torch.Generator().manual_seed(3)
    inputs, targets = torch.rand(200, 10, generator=made), torch.rand(200, 10, generator=made)
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 10))
    layers = [(model[0], 4e-1), (model[2], 3e-2), (model[4], 3e-3)]
    optimizer = torch.optim.SGD([{"params": list(layer.parameters()), "lr": rate} for layer, rate in layers])
    return Training(model, optimizer, nn.MSELoss(), DataLoader(TensorDataset(inputs, targets), 2))
