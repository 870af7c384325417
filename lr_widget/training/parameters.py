"""Models as users give them, one or several, and the parameters that they and the optimizers train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

from torch import nn

from ..checks import adapter_hint, describe

if TYPE_CHECKING:
    import torch


def models_in(given: Any) -> list[nn.Module]:
    """Return one module or several, given as a list, tuple or mapping, as a list.

    Raises:
        TypeError: one of them is no module.
        ValueError: there is none.
    """
    is_several = isinstance(given, (list, tuple, Mapping)) and not isinstance(given, nn.Module)
    parts = list(given.values() if isinstance(given, Mapping) else given) if is_several else [given]
    for part in parts:
        if not isinstance(part, nn.Module):
            rule = "model must be a torch.nn.modules.module.Module or several"
            raise TypeError(f"{rule}, got {describe(part)}{adapter_hint(part)}")
    if not parts:
        raise ValueError("model is empty; give at least one")
    return parts


def owner_of(function: Any) -> Any:
    """Return the object behind a function: the owner of a bound method, also in a partial, or the function itself."""
    while isinstance(function, partial):
        function = function.func
    return function.__self__ if isinstance(function, MethodType) else function


def parameters_of(modules: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer]) -> list[torch.Tensor]:
    """Return all parameters of models and optimizers, each once.

    Raises:
        ValueError: an optimizer is given twice, has no parameters or none of these models; or all are frozen.
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


def writes_to(parameters: Sequence[torch.Tensor]) -> list[tuple[object, ...]]:
    """Return the counts of writes to parameters and gradients, and the gradients' identities, to be compared later."""
    grads = [p.grad for p in parameters]
    return [(version_of(p), id(grad), version_of(grad)) for p, grad in zip(parameters, grads, strict=True)]


def version_of(tensor: torch.Tensor | None) -> object:
    """Return the count of writes to a tensor, as autograd keeps it; torch has no public name for it.

    Without it, test_a_sharpness_aware_step_uses_the_gradient_of_the_pushed_weight would get the gradient of before the
    push. Where torch lacks it, a new object each time says "written to", and the gradient is computed again.
    """
    return None if tensor is None else getattr(tensor, "_version", object())


def is_fsdp1(model: nn.Module) -> bool:
    """Tell torch's FullyShardedDataParallel, whose module takes long to import."""
    return any(base.__name__ == "FullyShardedDataParallel" for base in type(model).__mro__)
