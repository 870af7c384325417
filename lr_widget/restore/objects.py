"""The attributes and slots of a Python object: list them, and undo changes in place."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import UserDict, UserList
from collections.abc import Iterator
from enum import Enum
from types import MemberDescriptorType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from .containers import refill

if TYPE_CHECKING:
    from .containers import Undo

DATA_HOLDERS: tuple[Any, ...] = (DataLoader, Dataset, Sampler)  # classes that lead to the data, which is never copied
TRAINABLE = (nn.Module, torch.optim.Optimizer)

# Classes of the standard library whose attributes are all of their state.
_PLAIN_STANDARD = (SimpleNamespace, Namespace, UserDict, UserList)
# Modules of the standard library whose base classes have no state of their own.
_STATELESS_MODULES = {"builtins", "abc", "typing", "collections", "collections.abc", "contextlib", "numbers", "types"}
# The compiler's caches, graphs and process groups of torch.
_MACHINERY = ("torch._", "torch.fx.", "torch.jit.", "torch.distributed.")


def is_plain(thing: Any) -> bool:
    """Return True if the attributes of `thing` are all of its state, so that putting them back restores it.

    False for classes, modules and functions; for threads, queues and files of the standard library and classes made
    from them; and for an iterator over another iterator, which has moved on and cannot go back.
    """
    cls = type(thing)
    if isinstance(thing, (type, Enum)) or not (hasattr(thing, "__dict__") or _slots(cls)):
        return False
    if not isinstance(thing, _PLAIN_STANDARD) and (_is_standard(cls) or any(map(_has_hidden_state, cls.__mro__))):
        return False
    return not isinstance(thing, Iterator) or not any(isinstance(part, Iterator) for part in attributes(thing).values())


def is_machinery(thing: Any) -> bool:
    """Return True for an internal part of torch: its attributes are kept, but nothing that they lead to."""
    return f"{type(thing).__module__}.".startswith(_MACHINERY) and not isinstance(thing, TRAINABLE)


def attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes that `thing` itself holds, in its `__dict__` or in slots."""
    in_slots = {name: slot.__get__(thing) for name, slot in _slots(type(thing)).items() if _is_filled(slot, thing)}
    return {**in_slots, **getattr(thing, "__dict__", {})}


def attributes_undo(thing: Any) -> Undo:
    """Return an undo for the class and the attributes of `thing`."""
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
