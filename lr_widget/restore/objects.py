"""The attributes and slots of a Python object: list them, and undo changes in place."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import UserDict, UserList
from collections.abc import Iterator
from enum import Enum
from types import MemberDescriptorType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from .containers import refill

if TYPE_CHECKING:
    from .containers import Undo

DATA_HOLDERS: tuple[Any, ...] = (DataLoader, Dataset, Sampler)  # classes that lead to the data, which is never copied
TRAINABLE = (nn.Module, torch.optim.Optimizer)

# Classes of the standard library whose attributes are all of their state.
PLAIN_STANDARD = (SimpleNamespace, Namespace, UserDict, UserList)
_HEAP_TYPE = 1 << 9  # the flag of classes that are made by Python code
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
    if not has_attributes(thing) or not _is_plain_class(cls):
        return False
    if not issubclass(cls, Iterator):
        return True
    return not any(issubclass(type(part), Iterator) for part in attributes(thing).values())


def holds_data(kind: type) -> bool:
    """Return True for a class that leads to the data, also for one in the manner of Lightning's data modules."""
    is_data_module = hasattr(kind, "train_dataloader") and hasattr(kind, "prepare_data")  # a Trainer lacks the second
    return issubclass(kind, DATA_HOLDERS) or is_data_module


def has_attributes(thing: Any) -> bool:
    """Return True if `thing` has a `__dict__` or slots."""
    return _dict_of(thing) is not None or bool(_slots(type(thing)))


def is_machinery(thing: Any) -> bool:
    """Return True for an internal part of torch: its attributes are kept, but nothing that they lead to."""
    return f"{type(thing).__module__}.".startswith(_MACHINERY) and not issubclass(type(thing), TRAINABLE)


def attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes that `thing` itself holds, in its `__dict__` or in slots."""
    in_slots = {name: slot.__get__(thing) for name, slot in _slots(type(thing)).items() if _is_filled(slot, thing)}
    return {**in_slots, **(_dict_of(thing) or {})}


def attributes_undo(thing: Any) -> Undo:
    """Return an undo for the class and the attributes of `thing`."""
    return _Attributes(thing)


class _Attributes:
    """The undo for the attributes of an object; one with slots, for a model may have very many modules."""

    __slots__ = ("cls", "in_dict", "in_slots", "thing")

    def __init__(self, thing: Any) -> None:
        self.thing, self.cls, names = thing, type(thing), _dict_of(thing)
        self.in_dict = dict(names) if names is not None else None
        slots = _slots(self.cls).values()
        self.in_slots = [(slot, _is_filled(slot, thing) and [slot.__get__(thing)]) for slot in slots] or ()

    def __call__(self) -> None:
        thing = self.thing
        if type(thing) is not self.cls:
            thing.__class__ = self.cls  # a lazy module turns into another class when it first runs
        if self.in_dict is not None:
            refill(_dict_of(thing), self.in_dict)
        for slot, saved in self.in_slots:
            if saved:
                slot.__set__(thing, saved[0])
            elif _is_filled(slot, thing):
                slot.__delete__(thing)


def _dict_of(thing: Any) -> dict[str, Any] | None:
    """Return the `__dict__` past a `__getattr__` of the user's; None where there is none."""
    try:
        names: dict[str, Any] = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return None
    return names


_KNOWN: WeakKeyDictionary[type, bool] = WeakKeyDictionary()  # for a model may have very many modules of one class


def _is_plain_class(cls: type) -> bool:
    is_known = _KNOWN.get(cls) if type(cls) is type else None  # a metaclass may have a hash of its own
    if is_known is not None:
        return is_known
    found = not issubclass(cls, (type, Enum)) and (
        issubclass(cls, PLAIN_STANDARD) or not (_is_standard(cls) or any(map(_has_hidden_state, cls.__mro__)))
    )
    if type(cls) is type:
        _KNOWN[cls] = found
    return found


def _is_standard(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in sys.stdlib_module_names


def _has_hidden_state(cls: type) -> bool:
    if _is_standard(cls):
        return cls.__module__ not in _STATELESS_MODULES
    is_static = not cls.__flags__ & _HEAP_TYPE
    return is_static and not cls.__module__.startswith("torch")  # in C, such as a compiled function of numba


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
