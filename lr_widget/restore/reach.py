"""Follow references from functions and loaders to the modules, generators and samplers that they lead to."""

from __future__ import annotations

from collections import deque
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .containers import values_in
from .objects import DATA_HOLDERS, TRAINABLE, attributes, is_machinery, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CellType

_HELPERS = ("collate", "transform", "augment")  # in the names of attributes that work on samples


def function_parts(function: Any) -> list[Any] | None:
    """Return the function and arguments of a partial or the owner of a bound method; None for anything else."""
    if isinstance(function, partial):
        return [function.func, *function.args, *function.keywords.values()]
    return [function.__self__] if isinstance(function, MethodType) else None


def trained_by(function: Any) -> Iterator[Any]:
    """Yield the modules and optimizers that a function refers to by its closure, its defaults and its globals.

    A notebook's train_step often uses a teacher or a second optimizer of another cell. Functions of the same module
    that it may call are looked into as well.
    """
    seen: set[int] = set()
    waiting = deque([function])
    while waiting:
        value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, TRAINABLE):
            yield value
        elif isinstance(value, FunctionType):
            waiting += _referred(value)
        elif isinstance(value, MethodType):
            waiting.append(value.__func__)
        elif isinstance(value, partial):
            waiting.append(value.func)
        elif type(value) in (list, tuple, dict):
            waiting += [item for item in values_in(value) if isinstance(item, TRAINABLE)]


def sources_of(loader: Any) -> list[Any]:
    """Return the loader and its samplers, datasets, collate functions and transforms, but no data itself.

    Each of them may hold a random generator or a place in the data.
    """
    found: dict[int, Any] = {}
    waiting = deque([(loader, False)])
    while waiting:
        source, is_helper = waiting.popleft()
        if id(source) not in found:
            found[id(source)] = source
            waiting += _source_parts(source, is_helper)
    return list(found.values())


def _referred(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        yield from _contents(cell)
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if not isinstance(value, FunctionType) or value.__globals__ is function.__globals__:
            yield value


def _contents(cell: CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not filled yet
        return []


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names of globals and attributes in the code and in the functions defined within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _source_parts(source: Any, is_helper: bool) -> Iterator[tuple[Any, bool]]:
    """Yield the parts of a source, each with a flag: True for a helper that works on samples."""
    if isinstance(source, (type, torch.Tensor, nn.Module)):
        return
    for part in function_parts(source) or ():
        if _may_hold_state(part):
            yield part, True
    for name, value in attributes(source).items():
        helps = is_helper or any(word in name for word in _HELPERS)
        for part in (value, *values_in(value)):
            if isinstance(part, DATA_HOLDERS):
                yield part, False
            elif helps and _may_hold_state(part):
                yield part, True
    for name in ("sampler", "batch_sampler", "dataset"):  # of a wrapper that hands them through
        if (part := getattr(source, name, None)) is not None:
            yield part, False


def _may_hold_state(part: Any) -> bool:
    if isinstance(part, torch.Tensor):
        return False
    return function_parts(part) is not None or (is_plain(part) and not is_machinery(part))
