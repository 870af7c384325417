"""Options for gradients: clipping their norm, scaling them for half precision."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

from ..checks import as_float, describe, shown
from .parameters import is_fsdp1

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import nn

_SCALER_METHODS = ("scale", "unscale_", "step", "update", "get_scale", "state_dict", "load_state_dict")


def checked_norm(max_grad_norm: Any, models: Sequence[nn.Module] = ()) -> float | None:
    """Return the norm as a float, or None for None; raise a TypeError or a ValueError where there is none such."""
    if max_grad_norm is None:
        return None
    if isinstance(max_grad_norm, bool) or not isinstance(max_grad_norm, Real):
        raise TypeError(f"max_grad_norm must be a number or None for no clipping, got {describe(max_grad_norm)}")
    norm = as_float(max_grad_norm)
    if not norm > 0:
        raise ValueError(f"max_grad_norm must be positive or None for no clipping, got {shown(max_grad_norm)}")
    if len(models) > 1 and any(map(is_fsdp1, models)):
        raise ValueError(
            "max_grad_norm needs one norm over all models, but FullyShardedDataParallel knows only its own; "
            "use fully_shard, or leave max_grad_norm out"
        )
    return norm


def checked_scaler(grad_scaler: Any) -> Any:
    """Return the gradient scaler, or None for None.

    Raises:
        TypeError: it lacks a method of a scaler, or is a class.
    """
    missing = [name for name in _SCALER_METHODS if not hasattr(grad_scaler, name)]
    if grad_scaler is not None and (missing or isinstance(grad_scaler, type)):
        raise TypeError(
            f"grad_scaler must be a gradient scaler or None, got {describe(grad_scaler)}; "
            "make one with torch.amp.GradScaler()"
        )
    return grad_scaler


def refuse_beside_own_update(grad_scaler: Any, max_grad_norm: Any) -> None:
    """Refuse options for gradients beside a `train_step` with a true `makes_update`, for they would do nothing.

    Raises:
        ValueError: there are some.
    """
    for name, value in (("grad_scaler", grad_scaler), ("max_grad_norm", max_grad_norm)):
        if value is not None:
            raise ValueError(
                f"{name} must be left out where the train_step makes the update itself, got {shown(value)}; scale and "
                "clip in the train_step"
            )


def closure_with_scaler(optimizer: torch.optim.Optimizer) -> ValueError:
    """Make the error for an optimizer that needs a closure beside a gradient scaler."""
    name = type(optimizer).__name__
    return ValueError(f"{name} needs a closure, which a grad_scaler cannot serve; leave grad_scaler out")
