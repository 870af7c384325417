"""Optimizers as users give them: their forms, and those that need a closure or have a train mode of their own."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ..checks import adapter_hint, describe, text_of, type_name

# Entries beside the optimizer and the scheduler in what Lightning's configure_optimizers returns.
_SETTINGS = ("monitor", "interval", "frequency", "strict", "name", "reduce_on_plateau")

_MAKE_ONE = "; make one first, as torch.optim.SGD(model.parameters(), lr=0.1)"
_MADE_LATE = ", or where a trainer makes it when it starts, give **lr_widget.adapters.transformers(trainer) or the like"


def unpacked(given: Any) -> tuple[list[torch.optim.Optimizer], list[Any]]:
    """Return the optimizers in their order, and the schedulers that were given with them.

    Args:
        given: an optimizer; several in a list, tuple or mapping; or what Lightning's `configure_optimizers` returns:
            `(optimizers, schedulers)`, `{"optimizer": …, "lr_scheduler": …}`, or several such mappings. An object
            around an optimizer that has its `param_groups` and a `step` serves as one.

    Raises:
        TypeError: there is something else among them, or an optimizer in whose groups no rate can be set.
        ValueError: there is no optimizer.
    """
    optimizers: list[torch.optim.Optimizer] = []
    schedulers: list[Any] = []
    waiting = [given]
    while waiting:
        part = waiting.pop(0)
        if _is_like_optimizer(part):
            _refuse_fleeting_groups(part)
            optimizers.append(part)
        elif isinstance(part, Mapping):
            waiting[:0] = [value for key, value in part.items() if key not in _SETTINGS]
        elif isinstance(part, (list, tuple)):
            waiting[:0] = part
        elif _is_like_scheduler(part):
            schedulers.append(part)
        else:
            raise TypeError(
                f"optimizer must be a torch.optim.optimizer.Optimizer or several, got {describe(part)}"
                f"{adapter_hint(part) or _MAKE_ONE + (_MADE_LATE if part is None else '')}"
            )
    if not optimizers:
        raise ValueError("optimizer is empty; give at least one")
    return optimizers, schedulers


def _refuse_fleeting_groups(optimizer: Any) -> None:
    """Raise a TypeError for an optimizer that makes its param groups anew at each look: a rate set there is lost."""
    groups, again = optimizer.param_groups, optimizer.param_groups
    if len(groups) and groups[0] is not again[0]:
        raise TypeError(
            f"optimizer must keep its param_groups, but {type(optimizer).__module__}.{type(optimizer).__name__} makes "
            "new ones at each look, so that no rate can be set in them"
            f"{adapter_hint(optimizer) or '; give the optimizer of torch that it works with'}"
        )


def _is_like_optimizer(part: Any) -> bool:
    return hasattr(part, "param_groups") and hasattr(part, "step") and not isinstance(part, type)


def _is_like_scheduler(part: Any) -> bool:
    has_methods = hasattr(part, "step") and hasattr(part, "load_state_dict")
    is_scaler = hasattr(part, "unscale_")
    return has_methods and not is_scaler and not isinstance(part, (type, nn.Module))


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Tell optimizers whose `step` requires a closure (LBFGS, and by its signature any other) from the rest."""
    if isinstance(optimizer, torch.optim.LBFGS):
        return True
    try:
        closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    except (TypeError, ValueError):  # a step without a signature, as of an extension in C
        return False
    return closure is not None and closure.default is closure.empty and closure.kind is not closure.VAR_POSITIONAL


def asks_for_closure(error: Exception) -> bool:
    """Tell an exception of a `step` that was called without a closure and has no use for None.

    Its words or its class name the closure, it is an assertion without words, or None was called.
    """
    words = text_of(error)
    if "closure" in f"{type_name(error)} {words}".lower():
        return True
    if isinstance(error, AssertionError):
        return not words
    return isinstance(error, TypeError) and "'NoneType' object is not callable" in words


def put_into_train_mode(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Put optimizers with modes into train mode, and end their warm-up: it would multiply the swept rate."""
    for optimizer in optimizers:
        if has_modes(optimizer):
            optimizer.train()  # type: ignore[attr-defined]
            for group in optimizer.param_groups:
                if "warmup_steps" in group:
                    group["warmup_steps"] = 0


def has_modes(optimizer: torch.optim.Optimizer) -> bool:
    """Tell optimizers that have to be put into train mode and eval mode as a module is, such as schedule-free ones."""
    return all(callable(getattr(optimizer, mode, None)) for mode in ("train", "eval"))
