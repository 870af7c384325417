"""A chosen rate in optimizers and schedulers that exist already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# The entries of a param group that are rates; the first one that a group has is the top of its schedule.
_RATES = ("max_lr", "initial_lr", "lr", "min_lr")
_LISTS = ("base_lrs", "max_lrs", "min_lrs", "_last_lr")  # of schedulers; the last is what loggers ask for
_FLOOR = "eta_min"  # of a scheduler


def put_rate(optimizers: Sequence[torch.optim.Optimizer], schedulers: Iterable[Any], lr: float) -> None:
    """Make `lr` the top rate of the first param group; all other rates keep their proportions to it.

    Args:
        optimizers: their groups are counted through in this order.
        schedulers: those that step these optimizers; their own rates follow.
        lr: the rate.

    Raises:
        ValueError: the first group's rate is 0 and another one's is not.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    steppers = [*_all(schedulers)]
    top = top_rate(groups[0], steppers)
    if top == 0 and any(float(group[name]) != 0 for group in groups for name in _RATES if name in group):
        raise ValueError(
            f"the param groups have no proportions to keep, for the first one's rate is 0; set the rates of the groups "
            f"yourself, {lr:g} for the first one"
        )
    for group in groups:
        for name in _RATES:
            if name in group:
                _scale(group, name, top, lr)
    for scheduler in steppers:
        for name in _LISTS:
            if hasattr(scheduler, name):
                setattr(scheduler, name, [scaled(float(rate), top, lr) for rate in getattr(scheduler, name)])
        if top > 0 and hasattr(scheduler, _FLOOR):
            setattr(scheduler, _FLOOR, scaled(float(getattr(scheduler, _FLOOR)), top, lr))


def _all(schedulers: Iterable[Any]) -> Iterator[Any]:
    """Yield schedulers and those inside of sequences and chains."""
    for scheduler in schedulers:
        yield scheduler
        yield from _all(getattr(scheduler, "_schedulers", ()))


def top_rate(group: Mapping[str, Any], schedulers: Iterable[Any] = ()) -> float:
    """Return the top of a param group's schedule, of the first group's where a scheduler alone knows it."""
    tops = [float(scheduler.max_lrs[0]) for scheduler in schedulers if getattr(scheduler, "max_lrs", None)]
    return tops[0] if tops else next(float(group[name]) for name in _RATES if name in group)


def _scale(group: dict[str, Any], name: str, top: float, lr: float) -> None:
    held = group[name]
    if isinstance(held, torch.Tensor):
        held.fill_(scaled(float(held), top, lr))  # in place: a captured or compiled step reads this very tensor
    else:
        group[name] = scaled(float(held), top, lr)


def scaled(rate: float, top: float, lr: float) -> float:
    """Return a rate in its proportion to the top once that is `lr`, which itself comes back with all its digits."""
    return lr if rate == top else rate / top * lr
