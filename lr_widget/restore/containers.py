"""The members of dicts, lists, deques and sets, subclasses included: list them, and undo changes in place."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch

Undo = Callable[[], object]  # a call that restores one thing; the result is ignored

CONTAINERS = (dict, list, deque, set)
ATOMS = frozenset({str, int, float, bool, complex, bytes, type(None)})  # the types of values that cannot change

# An OrderedDict is a dict too, but only its own methods know its order.
_BASES: tuple[Any, ...] = (OrderedDict, *CONTAINERS)


def container_undo(container: Any) -> Undo:
    """Return an undo for the members of the container and their order."""
    base = _base(container)
    saved = dict(base.items(container)) if issubclass(base, dict) else list(base.__iter__(container))
    return lambda: refill(container, saved)


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
    """Yield the keys and members of the container that are no atoms, each with its place as text, such as `[3]`."""
    base = _base(container)
    if issubclass(base, dict):
        for key, item in base.items(container):
            if type(key) not in ATOMS:
                yield "", key
            if type(item) not in ATOMS:
                yield ("" if isinstance(key, torch.Tensor) else f"[{key!r:.60}]"), item
    else:
        yield from indexed(base.__iter__(container))


def indexed(values: Iterator[Any] | Collection[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values that are no atoms, each with its place as text: a vocabulary has very many that are."""
    return ((f"[{index}]", item) for index, item in enumerate(values) if type(item) not in ATOMS)


def values_in(value: Any) -> Collection[Any]:
    """Return the values of a dict or the items of a list or tuple; nothing for anything else."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def _base(container: Any) -> Any:
    return next(base for base in _BASES if isinstance(container, base))


def _holds_the_same(base: Any, target: Any, saved: Any) -> bool:
    if base.__len__(target) != len(saved):
        return False
    if not issubclass(base, dict):
        return all(a is b for a, b in zip(base.__iter__(target), saved, strict=True))
    pairs = zip(base.items(target), saved.items(), strict=True)
    return all(a is b and one is other for (a, one), (b, other) in pairs)
