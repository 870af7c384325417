"""Put the members of dicts, lists, deques and sets back in place; copy state dicts."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Undo = Callable[[], None]

CONTAINERS = (dict, OrderedDict, defaultdict, list, deque, set)


def container_undo(container: Any) -> Undo:
    """Return what gives the container its present members back, in their order."""
    members = container.copy()
    return lambda: refill(container, members)


def refill(target: Any, saved: Any) -> None:
    """Make the dict, list, deque or set ``target`` hold what ``saved`` holds, in its order."""
    if _holds_the_same(target, saved):
        return
    target.clear()
    (target.extend if isinstance(target, (list, deque)) else target.update)(saved)


def _holds_the_same(target: Any, saved: Any) -> bool:
    if len(target) != len(saved):
        return False
    pairs = zip(target, saved, strict=True)
    if isinstance(target, dict):
        return all(a is b and target[a] is saved[b] for a, b in pairs)
    return all(a is b for a, b in pairs)


def copy_state(value: Any) -> Any:
    """Copy a state dict: tensors and arrays by their contents, containers by their structure, the rest as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: copy_state(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(copy_state(item) for item in value)
    if type(value) is deque:
        return deque((copy_state(item) for item in value), value.maxlen)
    return value
