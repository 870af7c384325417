"""What is trained: the models and optimizers as they were given, their parameters and their device."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .losses import describe


def listed(given: Any, kind: type, name: str) -> list[Any]:
    """Return what was given, one or several, as a list of ``kind``."""
    is_several = isinstance(given, (list, tuple, Mapping)) and not isinstance(given, kind)
    parts = list(given.values() if isinstance(given, Mapping) else given) if is_several else [given]
    for part in parts:
        if not isinstance(part, kind):
            raise TypeError(f"{name} must be a {kind.__module__}.{kind.__name__} or several, got {describe(part)}")
    if not parts:
        raise ValueError(f"{name} is empty; give at least one")
    return parts


def parameters_of(modules: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer]) -> list[torch.Tensor]:
    """Return all parameters of models and optimizers, each once.

    Raises:
        ValueError: an optimizer is there twice, or has no parameters, or none of these models; or all are frozen.
    """
    found = {id(p): p for module in modules for p in module.parameters()}
    optimized: dict[int, torch.Tensor] = {}
    for index, optimizer in enumerate(optimizers):
        own = {id(p): p for p in optimized_by(optimizer)}
        name = type(optimizer).__name__
        if any(optimizer is other for other in optimizers[:index]):
            raise ValueError(f"each optimizer must be given once, got the same {name} twice; leave the second one out")
        if not own:
            raise ValueError(f"the optimizer {name} has no parameters; make it with model.parameters()")
        if not own.keys() & found.keys():
            raise ValueError(
                f"the optimizer {name} has none of the model's parameters, as if made for another model (or before "
                "the model was replaced); make it with this model's parameters()"
            )
        optimized |= own
    if not any(p.requires_grad for p in optimized.values()):
        raise ValueError(
            f"at least one optimized parameter must require grad, but all {len(optimized)} are frozen; "
            "call requires_grad_(True) on what is to be trained"
        )
    return list((found | optimized).values())


def optimized_by(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the parameters of all groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Say whether ``step`` cannot do without a closure: LBFGS, and whatever requires one by its signature."""
    if isinstance(optimizer, torch.optim.LBFGS):
        return True
    try:
        closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    except (TypeError, ValueError):  # a step without a signature, as of an extension in C
        return False
    return closure is not None and closure.default is closure.empty and closure.kind is not closure.VAR_POSITIONAL


def common_device(models: Sequence[nn.Module]) -> torch.device | None:
    """Return the device of all parameters and buffers, or None where there are several or none."""
    tensors = (t for model in models for t in (*model.parameters(), *model.buffers()))
    devices = {t.device for t in tensors if t.device.type != "meta"}
    return devices.pop() if len(devices) == 1 else None
