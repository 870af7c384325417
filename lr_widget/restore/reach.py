"""What a loader draws from: the loaders, samplers and datasets in it, and what collates or transforms its samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from .objects import DATA, attributes, function_parts, is_machinery, is_plain

_HELPERS = ("collate", "transform", "augment")  # in the names of attributes that work on samples


def sources_of(loader: Any) -> list[Any]:
    """Return the loader and whatever in it may hold a random generator or a place in the data, but no data itself."""
    found: dict[int, Any] = {}
    waiting = deque([(loader, False)])
    while waiting:
        source, is_helper = waiting.popleft()
        if id(source) not in found:
            found[id(source)] = source
            waiting += _parts(source, is_helper)
    return list(found.values())


def _parts(source: Any, is_helper: bool) -> Iterator[tuple[Any, bool]]:
    """Yield what the source is made of, and for each whether it works on samples."""
    if isinstance(source, (type, torch.Tensor, nn.Module)):
        return
    for part in function_parts(source) or ():
        if _is_helper(part):
            yield part, True
    for name, value in attributes(source).items():
        helps = is_helper or any(word in name for word in _HELPERS)
        for part in (value, *_members(value)):
            if isinstance(part, DATA):
                yield part, False
            elif helps and _is_helper(part):
                yield part, True
    for name in ("sampler", "batch_sampler", "dataset"):  # of a wrapper that hands them through
        if (part := getattr(source, name, None)) is not None:
            yield part, False


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, (list, tuple)):
        yield from value


def _is_helper(part: Any) -> bool:
    if isinstance(part, torch.Tensor):
        return False
    return function_parts(part) is not None or (is_plain(part) and not is_machinery(part))
