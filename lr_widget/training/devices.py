"""Devices: the one that is asked for, the one of the models, and batches of any nesting moved to it."""

from __future__ import annotations

import copy
import dataclasses
from collections import UserDict
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import nn


def checked_device(name: str, device: Any) -> torch.device | None:
    """Return the device, or None for None.

    Raises:
        ValueError: torch has no such device on this machine.
    """
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


def common_device(models: Sequence[nn.Module]) -> torch.device | None:
    """Return the device of all parameters and buffers, or None where there are several or none."""
    tensors = (t for model in models for t in (*model.parameters(), *model.buffers()))
    devices = {t.device for t in tensors if t.device.type != "meta"}
    return devices.pop() if len(devices) == 1 else None


def to_device(batch: Any, device: torch.device | None) -> Any:
    """Return the batch with every tensor in it on `device`; None leaves it where it is.

    Tuples, named tuples, lists, mappings and dataclasses are walked and keep their type (a mapping that cannot be
    copied and written to becomes a dict); anything else with a `to` method is asked to move itself.
    """
    if device is None:
        return batch
    if isinstance(batch, torch.Tensor):
        if batch.device == device:
            return batch
        return batch.to(device, non_blocking=batch.device.type == "cpu" and batch.is_pinned())
    if type(batch) in (tuple, list):
        return type(batch)([to_device(item, device) for item in batch])
    if isinstance(batch, type):
        return batch
    if hasattr(batch, "to"):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return _moved_mapping(batch, device)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(item, device) for item in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to_device(item, device) for item in batch)
    return _moved_dataclass(batch, device) if dataclasses.is_dataclass(batch) else batch


def _moved_mapping(batch: Mapping[Any, Any], device: torch.device) -> Mapping[Any, Any]:
    # A copy of any other class may share its items with the batch itself.
    can_copy = isinstance(batch, (dict, UserDict)) or hasattr(batch, "__copy__")
    moved = copy.copy(batch) if isinstance(batch, MutableMapping) and can_copy else dict(batch)
    for key, value in batch.items():
        moved[key] = to_device(value, device)
    return moved


def _moved_dataclass(batch: Any, device: torch.device) -> Any:
    moved = copy.copy(batch)  # not dataclasses.replace, which would run __post_init__ again
    for field in dataclasses.fields(batch):
        if hasattr(batch, field.name):
            object.__setattr__(moved, field.name, to_device(getattr(batch, field.name), device))
    return moved
