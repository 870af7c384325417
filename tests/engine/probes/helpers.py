"""Trainings whose losses are known, for probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Bowl(nn.Module):
    """A weight that should be 0; gradient descent multiplies it by (1 - lr) at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return 0.5 * self.weight**2


def bowl_options() -> dict[str, Any]:
    """The arguments of a probe in a bowl."""
    model = Bowl()
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.5),
        "loss_fn": None,
        "train_data": [torch.zeros(1)],
        "train_step": lambda model, batch: model(batch),
        "progress": False,
    }


class Scripted(nn.Module):
    """A model that trains to nothing and counts the steps of each training, as it is put back after each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()).double())
        self.register_buffer("step", torch.tensor(0))


def scripted(loss_of: Callable[[int, int], float], **more: Any) -> tuple[dict[str, Any], list[float]]:
    """Make a probe whose losses are told beforehand; its first trainings have 8 steps and begin at the rate 0.1.

    Args:
        loss_of: takes the index of the training, counted from 0, and the step in it, from 1 on, and returns the loss.
        **more: keywords of `probe`.

    Returns:
        Its arguments, and a list that gets the rate of each step as it is in the optimizer.
    """
    model, number, rates = Scripted(), -1, list[float]()
    optimizer = torch.optim.SGD([model.weight], lr=0.5)

    def train_step(model: Any, batch: Any) -> Any:
        nonlocal number
        number += int(model.step == 0)  # a number and a list of numbers are the user's notes, and stay
        rates.append(optimizer.param_groups[0]["lr"])
        model.step += 1
        return 0 * model.weight + loss_of(number, int(model.step))

    given = {"model": model, "optimizer": optimizer, "loss_fn": None, "train_data": [torch.zeros(1)]}
    options = {**given, "train_step": train_step, "around": 0.1, "probe_steps": 8, "progress": False}
    return {**options, **more}, rates


def ends(*losses: float) -> Callable[[int, int], float]:
    """Losses for `scripted`: 10 in the first step of each training, from then on its own end; 9 of all others."""
    return lambda number, step: 10.0 if step == 1 else losses[number] if number < len(losses) else 9.0
