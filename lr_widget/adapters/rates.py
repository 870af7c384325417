"""A chosen rate in optimizers and schedulers that exist already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The entries of a param group that are rates; the first one that a group has is the top of its schedule.
_RATES = ("max_lr", "initial_lr", "lr", "min_lr")


def put_rate(optimizers: Sequence[torch.optim.Optimizer], schedulers: Iterable[Any], lr: float) -> None:
    """Make `lr` the top rate of the first param group; all other rates keep their proportions to it.

    Args:
        optimizers: their groups are counted through in this order.
        schedulers: those that step these optimizers; their base rates follow.
        lr: the rate.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    top = next(float(groups[0][name]) for name in _RATES if name in groups[0])
    for group in groups:
        for name in _RATES:
            if name in group:
                _scale(group, name, top, lr)
    for scheduler in schedulers:
        if hasattr(scheduler, "base_lrs"):
            scheduler.base_lrs = [_scaled(float(base), top, lr) for base in scheduler.base_lrs]


def _scale(group: dict[str, Any], name: str, top: float, lr: float) -> None:
    held = group[name]
    if isinstance(held, torch.Tensor):
        held.fill_(_scaled(float(held), top, lr))  # in place: a captured or compiled step reads this very tensor
    else:
        group[name] = _scaled(float(held), top, lr)


def _scaled(rate: float, top: float, lr: float) -> float:
    return lr if rate == top else rate / top * lr
