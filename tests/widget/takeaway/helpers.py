"""A line to fit, and the script of a test on it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lr_widget.schedule import Sweep
from lr_widget.training import RateSetter
from lr_widget.widget.takeaway import Choice, script

mse = nn.functional.mse_loss
A_SWEEP = Sweep(1e-4, 1e-2, 12)
PICKED = Choice(0.02)


def linear() -> nn.Linear:
    """Make a model whose weights do not depend on the test before."""
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Make one batch that a line fits."""
    return [(torch.tensor([[0.0, 1.0], [1.0, 0.5], [2.0, 1.0]]), torch.tensor([[1.0], [2.0], [4.0]]))]


def rates(*optimizers: torch.optim.Optimizer) -> list[Any]:
    """Return the rates of all groups."""
    return [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]


def script_of(
    optimizer: Any,
    *,
    model: Any,
    loss_fn: Any = mse,
    mode: str = "ratio",
    choice: Choice = PICKED,
    sweep: Sweep = A_SWEEP,
    variable: str = "lr",
    **keywords: Any,
) -> str:
    """Write the script of a widget outside of a notebook, with 0.02 picked."""
    several = optimizer.values() if hasattr(optimizer, "values") else optimizer
    optimizers = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else [*several]
    keywords |= {"group_lrs": mode} if mode != "ratio" else {}
    given = ((model, optimizer, loss_fn, batches()), keywords, sweep, 1, choice)
    return script(*given, variable=variable, shares=RateSetter(optimizers, mode).shares)
