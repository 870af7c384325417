"""The members of dicts, lists, deques and sets, subclasses included: list them, and undo changes in place."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Number
from operator import is_
from typing import Any

import torch

Undo = Callable[[], object]  # a call that restores one thing; the result is ignored

CONTAINERS = (dict, list, deque, set)
ATOMS = frozenset({str, int, float, bool, complex, bytes, type(None)})  # the types of values that cannot change

_STATE = (torch.Tensor, torch.nn.Module)

# An OrderedDict is a dict too, but only its own methods know its order.
_BASES: tuple[Any, ...] = (OrderedDict, *CONTAINERS, tuple)
_EXACT = frozenset(_BASES)


def container_undo(container: Any, *, keeps_notes: bool = False) -> Undo:
    """Return an undo for the members of the container and their order.

    Args:
        container: dict, list, deque or set.
        keeps_notes: leave new members and members that are notes before and after; see `is_note`.
    """
    base = _base(container)
    saved = dict(base.items(container)) if issubclass(base, dict) else list(base.__iter__(container))
    return partial(refill_but_notes if keeps_notes else refill, container, saved)


def is_note(value: Any) -> bool:
    """Return True for a number or a text: where a function writes one down, it counts or records something."""
    return type(value) in ATOMS or issubclass(type(value), Number)


def refill_but_notes(container: Any, saved: Any) -> None:
    """Refill the container with the saved members, but leave new ones and notes as they are.

    A list that was shuffled or used up is no record but an order of samples, say, and comes back.
    """
    base = _base(container)
    if issubclass(base, dict):
        now = dict(base.items(container))
        kept = {key: now[key] if key in now and _stays(now[key], value) else value for key, value in saved.items()}
        # A tensor in a dict is the mean or the momentum of something, and not a record as in a list.
        new = {key: value for key, value in now.items() if key not in kept and not issubclass(type(value), _STATE)}
        refill(container, {**kept, **new})
    elif base is set:
        if not all(base.__contains__(container, item) for item in saved):
            refill(container, saved)
    else:
        members_now = list(base.__iter__(container))
        is_record = len(members_now) >= len(saved) and all(map(_stays, members_now, saved))
        if not is_record or _is_shuffled(members_now, saved):
            refill(container, saved)


def _is_shuffled(now: list[Any], saved: list[Any]) -> bool:
    return len(now) == len(saved) and all(map(is_note, saved)) and Counter(now) == Counter(saved)


def _stays(now: Any, saved: Any) -> bool:
    return now is saved or (is_note(now) and is_note(saved))


def refill(target: Any, saved: Any) -> None:
    """Make the dict, list, deque or set `target` hold the members of the plain dict or list `saved`, in its order.

    The methods of the base class are called: a subclass may count or log in its own, as Counter does in `update`.
    """
    base = _base(target)
    if _holds_the_same(base, target, saved):
        return
    base.clear(target)
    if issubclass(base, dict):
        for key, value in saved.items():
            base.__setitem__(target, key, value)
    else:
        (base.update if base is set else base.extend)(target, saved)


def members(container: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys and members of a container or tuple that are no atoms, each with its place as text, as `[3]`."""
    base = _base(container)
    if issubclass(base, dict):
        for key, item in list(base.items(container)):  # listed at once: another thread may add to it
            if type(key) not in ATOMS:
                yield "", key
            if type(item) not in ATOMS:
                yield f"[{key!r:.60}]" if type(key) in ATOMS else f"[<{type(key).__name__}>]", item
    else:
        for index, item in enumerate(list(base.__iter__(container))):
            if type(item) not in ATOMS:
                yield f"[{index}]", item


def values_in(container: Any) -> Iterator[Any]:
    """Iterate over the values of a dict or the members of another container or tuple."""
    base = _base(container)
    return iter(base.values(container) if issubclass(base, dict) else base.__iter__(container))


def length(container: Any) -> int:
    """Return the number of members of a container or tuple."""
    return int(_base(container).__len__(container))


def first(container: Any) -> Any:
    """Return the first member of a container or tuple, of a dict its first value; None where it is empty."""
    return next(values_in(container), None)


def is_order(value: Any) -> bool:
    """Return True for a list or deque of indices, from its first member."""
    return issubclass(type(value), (list, deque)) and type(first(value)) is int


def is_empty(value: Any) -> bool:
    """Return True for an empty container that has nothing else to it, such as most of those of a module."""
    return type(value) in _EXACT and not value and not getattr(value, "__dict__", None)


def _base(container: Any) -> Any:
    kind = type(container)
    return kind if kind in _EXACT else next(base for base in _BASES if issubclass(kind, base))


def _holds_the_same(base: Any, target: Any, saved: Any) -> bool:
    if base.__len__(target) != len(saved):
        return False
    if not issubclass(base, dict):
        return all(map(is_, base.__iter__(target), saved))
    return all(map(is_, base.keys(target), saved)) and all(map(is_, base.values(target), saved.values()))
