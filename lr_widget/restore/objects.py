"""What the state of a Python object is: its attributes and slots, and what a function refers to."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import UserDict, UserList, deque
from collections.abc import Iterator
from enum import Enum
from functools import partial
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from .containers import Undo, refill

DATA: tuple[Any, ...] = (DataLoader, Dataset, Sampler)
"""What holds data, which is never copied."""

_TRAINED = (nn.Module, torch.optim.Optimizer)
_STATE_ONLY = (SimpleNamespace, Namespace, UserDict, UserList)
# Base classes of the standard library that have no state of their own.
_STATELESS_MODULES = {"builtins", "abc", "typing", "collections", "collections.abc", "contextlib", "numbers", "types"}
# torch's own machinery: the compiler's caches, graphs, process groups.
_MACHINERY = ("torch._", "torch.fx.", "torch.jit.", "torch.distributed.")


def is_plain(thing: Any) -> bool:
    """Say whether the attributes of ``thing`` are its state, and all of its state, so that they may be put back.

    Not so for classes, modules and functions, for the standard library's threads, queues and files and what is made
    from them, and for an iterator over another one, which has gone on and cannot go back.
    """
    cls = type(thing)
    if isinstance(thing, (type, Enum)) or not (hasattr(thing, "__dict__") or _slots(cls)):
        return False
    if not isinstance(thing, _STATE_ONLY) and (_is_standard(cls) or any(map(_has_hidden_state, cls.__mro__))):
        return False
    return not isinstance(thing, Iterator) or not any(isinstance(part, Iterator) for part in attributes(thing).values())


def is_machinery(thing: Any) -> bool:
    """Say whether this is a part of torch that looks after itself; its attributes are kept, but not what they hold."""
    return f"{type(thing).__module__}.".startswith(_MACHINERY) and not isinstance(thing, _TRAINED)


def attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes that ``thing`` itself holds, in its ``__dict__`` or in slots."""
    in_slots = {name: slot.__get__(thing) for name, slot in _slots(type(thing)).items() if _is_filled(slot, thing)}
    return {**in_slots, **getattr(thing, "__dict__", {})}


def attributes_undo(thing: Any) -> Undo:
    """Return what gives ``thing`` its present class and attributes back."""
    cls, has_dict = type(thing), hasattr(thing, "__dict__")
    in_dict = dict(vars(thing)) if has_dict else {}
    slots = [(slot, _is_filled(slot, thing) and [slot.__get__(thing)]) for slot in _slots(cls).values()]

    def undo() -> None:
        if type(thing) is not cls:
            thing.__class__ = cls  # a lazy module turns into another class when it first runs
        if has_dict:
            refill(vars(thing), in_dict)
        for slot, saved in slots:
            if saved:
                slot.__set__(thing, saved[0])
            elif _is_filled(slot, thing):
                slot.__delete__(thing)

    return undo


def function_parts(function: Any) -> list[Any] | None:
    """Return what a partial or a bound method is made of; None for anything else."""
    if isinstance(function, partial):
        return [function.func, *function.args, *function.keywords.values()]
    return [function.__self__] if isinstance(function, MethodType) else None


def owner_of(function: Any) -> Any:
    """Return the object that is called in the end: the owner of a bound method, the function in a partial."""
    while isinstance(function, partial):
        function = function.func
    return function.__self__ if isinstance(function, MethodType) else function


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
        if isinstance(value, _TRAINED):
            yield value
        elif isinstance(value, FunctionType):
            waiting += _referred(value)
        elif isinstance(value, MethodType):
            waiting.append(value.__func__)
        elif isinstance(value, partial):
            waiting.append(value.func)
        elif type(value) in (list, tuple, dict):
            things = value.values() if isinstance(value, dict) else value
            waiting += [thing for thing in things if isinstance(thing, _TRAINED)]


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
    """Yield the names of globals and attributes in the code, that of functions within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_standard(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in sys.stdlib_module_names


def _has_hidden_state(cls: type) -> bool:
    return _is_standard(cls) and cls.__module__ not in _STATELESS_MODULES


def _slots(cls: type) -> dict[str, MemberDescriptorType]:
    return {
        name: slot
        for base in reversed(cls.__mro__)
        if "__slots__" in vars(base)
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    }


def _is_filled(slot: MemberDescriptorType, thing: Any) -> bool:
    try:
        slot.__get__(thing)
    except AttributeError:
        return False
    return True
