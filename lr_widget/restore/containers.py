"""Put the members of dicts, lists, deques and sets back in place, those of subclasses too."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch

Undo = Callable[[], None]

# An OrderedDict is also a dict, but has an order of its own, which only its own methods know.
_BASES: tuple[Any, ...] = (OrderedDict, dict, list, deque, set)
CONTAINERS = (dict, list, deque, set)


def container_undo(container: Any) -> Undo:
    """Return what gives the container its present members back, in their order."""
    base = _base(container)
    saved = dict(base.items(container)) if issubclass(base, dict) else list(base.__iter__(container))
    return lambda: refill(container, saved)


def refill(target: Any, saved: Any) -> None:
    """Make the dict, list, deque or set ``target`` hold what the plain dict or list ``saved`` holds, in its order.

    A subclass may count or log in its own methods, as Counter does in ``update``: those of the base are called.
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
    """Yield what the container holds, keys and all, each with what to call it; numbers and texts are left out."""
    base = _base(container)
    if issubclass(base, dict):
        for key, item in base.items(container):
            if type(key) not in ATOMS:
                yield "", key
            if type(item) not in ATOMS:
                yield ("" if isinstance(key, torch.Tensor) else f"[{key!r:.60}]"), item
    else:
        yield from items(base.__iter__(container))


def items(values: Iterator[Any] | Collection[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the items with their places; numbers and texts are left out: a vocabulary has very many."""
    return ((f"[{index}]", item) for index, item in enumerate(values) if type(item) not in ATOMS)


ATOMS = frozenset({str, int, float, bool, complex, bytes, type(None)})
"""What has nothing to keep, whoever holds it."""


def _base(container: Any) -> Any:
    return next(base for base in _BASES if isinstance(container, base))


def _holds_the_same(base: Any, target: Any, saved: Any) -> bool:
    if base.__len__(target) != len(saved):
        return False
    if not issubclass(base, dict):
        return all(a is b for a, b in zip(base.__iter__(target), saved, strict=True))
    pairs = zip(base.items(target), saved.items(), strict=True)
    return all(a is b and one is other for (a, one), (b, other) in pairs)
