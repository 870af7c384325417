"""Python expressions for the user's objects, in the names that the notebook has for them."""

from __future__ import annotations

import keyword
import sys
from numbers import Integral, Real
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_IPYTHON = ("In", "Out", "exit", "quit", "get_ipython")
_LISTS, _DICTS = (list, tuple), (dict, MappingProxyType)
_MAX_ITEMS = 12  # of a collection that is written out
_MAX_DEPTH = 3


class Names:
    """The names of a notebook's variables, as expressions for what they hold.

    Args:
        namespace: the notebook's variables; empty outside of one.

    Attributes:
        used: the names that the expressions so far have used.
        missing: those among them that stand for an object without a name of its own.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.used: set[str] = set()
        self.missing: list[str] = []
        self._by_id: dict[int, list[str]] = {}
        for name, value in list(namespace.items()):  # at once: a cell may be running
            if is_of_the_user(name):
                self._by_id.setdefault(id(value), []).append(name)

    def of(self, value: object, fallback: str) -> str:
        """Return an expression for an object; `fallback`, a name, where neither it nor its parts have one."""
        found = self.known(value, fallback)
        if found is not None:
            return found
        self.used.add(fallback)
        if fallback not in self.missing:
            self.missing.append(fallback)
        return fallback

    def known(self, value: object, fallback: str = "", depth: int = 0) -> str | None:
        """Return an expression for an object, or None; of several names, `fallback` is preferred."""
        text = literal(value)
        if text is not None:
            return text
        names = self._by_id.get(id(value))
        if names:
            # The first one is older than the variable of a loop, and the usual one needs no explanation.
            name = fallback if fallback in names else names[0]
            self.used.add(name)
            return name
        return _of_torch(value) or self._collection(value, depth)

    def _collection(self, value: Any, depth: int) -> str | None:
        """Write a list, tuple or dict out where all its items have names; none of a class of the user's own."""
        if type(value) not in (*_LISTS, *_DICTS) or not 0 < len(value) <= _MAX_ITEMS or depth == _MAX_DEPTH:
            return None
        is_dict = type(value) in _DICTS
        if is_dict and not all(isinstance(key, str) for key in value):
            return None
        items = [self.known(item, depth=depth + 1) for item in (value.values() if is_dict else value)]
        written = [item for item in items if item is not None]
        if len(written) < len(items):
            return None
        if is_dict:
            pairs = zip(value, written, strict=True)
            return "{" + ", ".join(f"{quoted(key)}: {item}" for key, item in pairs) + "}"
        left, right = "[]" if type(value) is list else "()"
        return f"{left}{', '.join(written)}{',' * (type(value) is tuple and len(written) == 1)}{right}"


def literal(value: Any) -> str | None:
    """Return a number, a text, True, False or None as Python writes it; None for anything else."""
    kind = type(value)  # of an object that may have its own idea of `isinstance`
    if value is None or kind is bool:
        return repr(value)
    if issubclass(kind, str):
        return quoted(value)
    if issubclass(kind, Integral):
        return repr(int(value))
    if issubclass(kind, Real):
        number = repr(float(value))
        return number if number[-1].isdigit() else f'float("{number}")'
    return None


def quoted(text: str) -> str:
    """Write a text as Python reads it, in double quotes where it has none itself."""
    written = str.__repr__(text)
    return written if '"' in written else f'"{written[1:-1]}"'


def is_of_the_user(name: object) -> bool:
    """Return True for the name of a variable that a cell has made, and not IPython."""
    is_name = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    return is_name and not str(name).startswith("_") and name not in _OF_IPYTHON


def _of_torch(value: Any) -> str | None:
    """Return torch's own name of a dtype, a device or a function."""
    kind = type(value)
    if kind is torch.dtype:
        return str(value)
    if kind is torch.device:
        return quoted(str(value))
    if kind not in (FunctionType, BuiltinFunctionType):
        return None
    path = f"{value.__module__}.{value.__qualname__}"
    is_public = path.startswith("torch.") and not any(part.startswith(("_", "<")) for part in path.split("."))
    is_found = getattr(sys.modules.get(str(value.__module__)), value.__name__, None) is value
    return path if is_public and is_found else None
