"""Undo by `load_state_dict()`, with a copy of `state_dict()`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .tensors import StorageKey, storage_key

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from .containers import Undo


@dataclass
class _Saved:
    """A copied tensor of a state dict and the device of the original."""

    tensor: torch.Tensor
    device: torch.device


def state_undo(thing: Any, device: torch.device | None, known: Container[StorageKey]) -> Undo:
    """Return an undo that loads the present `state_dict()`.

    Tensors are copied to `device` (None: beside them), except those in the `known` storages, which the snapshot
    already covers and restores before.
    """

    def save(tensor: torch.Tensor) -> _Saved:
        kept = tensor.detach()
        if storage_key(tensor) not in known:
            kept = kept.to(device, copy=True) if device is not None else kept.clone()
        return _Saved(kept, tensor.device)

    saved = _mapped(thing.state_dict(), save)
    # A copy of the copy is loaded, for load_state_dict may keep what it is given and change it, and be called again:
    # test_state_dicts.py, test_a_state_that_is_kept_and_changed_is_loaded_again.
    return lambda: thing.load_state_dict(_mapped(saved, lambda leaf: leaf.tensor.to(leaf.device, copy=True)))


def _mapped(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Copy the containers and arrays in `value`, with `convert` applied to its tensors."""
    if isinstance(value, (torch.Tensor, _Saved)):
        return convert(value)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _mapped(item, convert) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(_mapped(item, convert) for item in value)
    if type(value) is deque:
        return deque((_mapped(item, convert) for item in value), value.maxlen)
    return value
