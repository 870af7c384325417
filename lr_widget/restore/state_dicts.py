"""Copy what ``state_dict()`` returns, and give it back to ``load_state_dict()``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .containers import Undo
from .tensors import StorageKey, storage_key


@dataclass
class _Saved:
    """A tensor of a state dict, and the device that it belongs on."""

    tensor: torch.Tensor
    device: torch.device


def state_undo(thing: Any, device: torch.device | None, known: Container[StorageKey]) -> Undo:
    """Return what loads the present ``state_dict()`` again, as often as it is called.

    Tensors are copied to ``device`` (None: beside them), but for those in the ``known`` storages, whose contents
    somebody else keeps and puts back before.
    """

    def save(tensor: torch.Tensor) -> _Saved:
        kept = tensor.detach()
        if storage_key(tensor) not in known:
            kept = kept.to(device, copy=True) if device is not None else kept.clone()
        return _Saved(kept, tensor.device)

    saved = _mapped(thing.state_dict(), save)
    # A copy, too: load_state_dict may keep what it is given, or change it.
    return lambda: thing.load_state_dict(_mapped(saved, lambda leaf: leaf.tensor.to(leaf.device, copy=True)))


def _mapped(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Copy the containers and arrays in ``value``, with the tensors in it converted."""
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
