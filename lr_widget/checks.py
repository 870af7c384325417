"""Arguments of a range test that are checked before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import torch

from .training.losses import describe

_SCALER_METHODS = ("scale", "unscale_", "step", "update", "get_scale", "state_dict", "load_state_dict")
_SEEDS = 2**63


def at_least_one(name: str, value: Any) -> int:
    """Return the count as an int, or raise a ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def checked_device(name: str, device: Any) -> torch.device | None:
    """Return the device, or None for None; raise a ValueError where there is no such device here."""
    if device is None:
        return None
    try:
        return torch.empty(0, device=torch.device(device)).device
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f'{name} must be a device that torch has here, such as "cpu" or "cuda:0", got {device!r} ({reason:.80}); '
            "leave it out for the model's own"
        ) from error


def checked_norm(max_grad_norm: Any) -> float | None:
    """Return the norm as a float, or None for None; raise a TypeError or ValueError."""
    if max_grad_norm is None:
        return None
    if isinstance(max_grad_norm, bool) or not isinstance(max_grad_norm, Real):
        raise TypeError(f"max_grad_norm must be a number or None for no clipping, got {describe(max_grad_norm)}")
    if not float(max_grad_norm) > 0:
        raise ValueError(f"max_grad_norm must be positive or None for no clipping, got {max_grad_norm!r}")
    return float(max_grad_norm)


def checked_scaler(grad_scaler: Any) -> Any:
    """Return the scaler; raise a TypeError where it lacks a method of one."""
    missing = [name for name in _SCALER_METHODS if not hasattr(grad_scaler, name)]
    if grad_scaler is not None and (missing or isinstance(grad_scaler, type)):
        raise TypeError(
            f"grad_scaler must be a gradient scaler or None, got {describe(grad_scaler)}; "
            "make one with torch.amp.GradScaler()"
        )
    return grad_scaler


def checked_seed(seed: Any) -> int | None:
    """Return the seed as an int, or None for None; raise a TypeError or ValueError."""
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed must be an integer or None, got {describe(seed)}; 0 is as good as any")
    if not 0 <= int(seed) < _SEEDS:
        raise ValueError(f"seed must be at least 0 and below 2**63, got {seed!r}; 0 is as good as any")
    return int(seed)


def checked_stop(stop: Any) -> Any:
    """Return the function that is asked after each step, or None; raise a TypeError."""
    if stop is not None and not callable(stop):
        raise TypeError(f"stop must be a function of a record or None, got {describe(stop)}; see StepRecord")
    return stop


def stateful(also_restore: Any, grad_scaler: Any) -> list[Any]:
    """Return the objects to put back by their ``state_dict()``; raise a TypeError where one has none."""
    if hasattr(also_restore, "load_state_dict"):
        also_restore = (also_restore,)  # one alone; walking over an nn.Sequential would give its layers
    rule = "also_restore takes objects with state_dict() and load_state_dict()"
    if not isinstance(also_restore, Iterable):
        raise TypeError(f"{rule}, got {describe(also_restore)}; leave it out where there are none")
    things = [*also_restore, *([grad_scaler] if grad_scaler is not None else [])]
    for thing in things:
        if not (hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")):
            raise TypeError(f"{rule}, got {thing!r:.80}; what the model and the train_step hold comes back without it")
    return things


def refuse_inference_mode() -> None:
    """Raise a RuntimeError where torch can compute no gradients at all."""
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "a range test trains, which torch.inference_mode() rules out; run it outside of that block "
            "(torch.no_grad() does no harm)"
        )
