"""The walk from all that a test calls to the state that it may change."""

from __future__ import annotations

import warnings
from collections import deque
from enum import IntEnum
from itertools import chain
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.quasirandom import SobolEngine
from torch.utils.data import Dataset, Sampler

from ..containers import ATOMS, CONTAINERS, first, is_empty, is_order, length, members, values_in
from ..objects import DATA_HOLDERS, PLAIN_STANDARD, TRAINABLE, attributes, holds_data, is_machinery, is_plain
from ..rng import GENERATORS, is_global
from ..tensors import HOOK_LISTS, is_leaf
from .functions import class_references, hooks_of_all, is_library, is_own, module_of, parts, references

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

# Beyond these, functions lead to data rather than to state. What a model or an optimizer holds has no limit.
MAX_VISITS = 20_000
MAX_MEMBERS = 1_000  # of a container, unless the training has as many tensors
MAX_LOOKED_INTO = 100  # members of a container on the way to the data
MAX_BYTES = 2**24  # of a tensor or an array, unless one that is trained is as large
MAX_BYTES_TOGETHER = 2**26  # of all of them, unless those that are trained are as large


class _How(IntEnum):
    """The share of a thing that is kept; things of a lower number are walked first."""

    WHOLE = 0  # all: models, optimizers, the owners of training steps
    HELD = 1  # by an object that a function names: no long containers, no large tensors and arrays
    NAMED = 2  # by a function: likewise, and new members of containers stay
    DATA = 3  # loaders, samplers, transforms: no tensors and arrays but orders
    SAMPLES = 4  # within a dataset: no containers either


class Reach:
    """All that a test may change, found by one walk; no code of the user's runs, and the data is left out.

    From functions, the walk goes on to their closures, defaults, attributes and the globals that they name; from
    objects, to their attributes and, where their class is the user's, to its methods; from modules, tensors and
    optimizers, to their hooks as well. It does not look at the globals of installed packages, nor at objects of theirs
    that are no part of a training, such as progress bars.

    Args:
        trained: models, optimizers and objects to restore; they are walked whole.
        functions: those that compute the loss; their owners are walked whole.
        sources: the loaders.
        called: other functions that a test calls.

    Attributes:
        things: everything to keep, each with its name for error messages.
        notes: the ids of the containers that functions and their objects hold; what is noted in them stays.
        generators: the random generators among the things.
        empty: the containers of modules that have no members; there may be very many.
    """

    def __init__(
        self,
        trained: Iterable[Any] = (),
        functions: Iterable[Callable[..., Any]] = (),
        sources: Iterable[Any] = (),
        called: Iterable[Any] = (),
    ) -> None:
        self.things: list[tuple[str, Any]] = []
        self.notes: set[int] = set()
        self.generators: list[Any] = []
        self.empty: list[Any] = []
        self._queues: list[deque[tuple[str, Any]]] = [deque() for _ in _How]
        self._seen: dict[int, Any] = {}  # id → object, which is held so that its id is not used again
        self._num_named = self._num_trained = 0
        self._bytes_named = self._bytes_trained = self._largest = 0
        functions = list(functions)
        # A training step of an installed package sees its globals, too, but torch has only losses.
        self._seeing = {module_of(f).partition(".")[0] for f in functions if type(f) is FunctionType} - {"torch"}
        self._roots: set[int] = set()
        for root in chain(trained, functions):
            self._add(type(root).__name__, root, _How.WHOLE)
        for root in chain(called, hooks_of_all()):
            self._add(type(root).__name__, root, _How.NAMED)
        for root in sources:
            self._add_source(type(root).__name__, root)
        self._walk()

    def _add(self, name: str, value: Any, how: _How) -> None:
        if type(value) not in ATOMS:
            self._queues[how].append((name, value))

    def _add_source(self, name: str, root: Any) -> None:
        if issubclass(type(root), (*CONTAINERS, tuple)):  # of batches, which a function may name, too
            self._seen[id(root)] = root
            self._add_members(name, root, _How.SAMPLES)
        else:
            self._roots.add(id(root))
            self._add(name, root, _How.DATA)

    def _walk(self) -> None:
        queues = [*zip(_How, self._queues, strict=True)]
        while any(self._queues):
            how, queue = next(pair for pair in queues if pair[1])
            name, value = queue.popleft()
            if id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            if how is not _How.WHOLE:
                self._num_named += 1
            if self._num_named > MAX_VISITS:
                warnings.warn(
                    f"the functions and the data of this range test lead to more than {MAX_VISITS:,} objects; random "
                    "generators and other state beyond those nearest will not come back, so give them as also_restore",
                    stacklevel=2,
                )
                return
            self._visit(name, value, how)

    def _visit(self, name: str, value: Any, how: _How) -> None:  # noqa: PLR0912  # a branch for each kind of thing
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            self._visit_tensor(name, value, how)
        elif issubclass(kind, nn.Module):
            self._visit_module(name, value)
        elif issubclass(kind, np.ndarray):
            if how is _How.WHOLE or (how < _How.DATA and self._is_state(value.nbytes)):
                self.things.append((name, value))
        elif issubclass(kind, GENERATORS):
            if not is_global(value):
                self.things.append((name, value))
                self.generators.append(value)
        elif issubclass(kind, CONTAINERS):
            self._visit_container(name, value, how)
        elif issubclass(kind, tuple):
            self._add_members(name, value, how)
        elif kind is FunctionType:
            self._visit_function(name, value, how)
        elif issubclass(kind, type):
            self._visit_class(name, value, how)
        elif (found := parts(value)) is not None:
            for part in found:
                self._add(name, part, how)
        else:
            self._visit_object(name, value, how)

    # --- tensors and modules --------------------------------------------------------------------------------------

    def _visit_tensor(self, name: str, tensor: torch.Tensor, how: _How) -> None:
        size = 0 if nn.parameter.is_lazy(tensor) else tensor.numel() * tensor.element_size()
        if how is _How.WHOLE:
            self._num_trained += 1
            self._bytes_trained += size
            self._largest = max(self._largest, size)
        elif how >= _How.DATA or not self._is_state(size):
            return
        self.things.append((name, tensor))
        if is_leaf(tensor):
            if (grad := tensor.grad) is not None:
                self._add(f"{name}.grad", grad, how)
            for hooks in HOOK_LISTS:
                for hook in (getattr(tensor, hooks, None) or {}).values():
                    self._add(f"{name}.{hooks}", hook, _How.NAMED)

    def _is_state(self, size: int) -> bool:
        """Return True if a tensor or an array of so many bytes may be state of the training rather than data."""
        is_small = size <= max(MAX_BYTES, self._largest)
        self._bytes_named += size if is_small else 0
        return is_small and self._bytes_named <= max(MAX_BYTES_TOGETHER, self._bytes_trained)

    def _visit_module(self, name: str, root: nn.Module) -> None:
        for path, module in root.named_modules():
            if module is root or id(module) not in self._seen:
                self._seen[id(module)] = module
                self._visit_object(f"{name}.{path}" if path else name, module, _How.WHOLE)
                if isinstance(module, torch.jit.ScriptModule):  # its tensors are not among its attributes
                    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
                    for own, tensor in tensors:
                        self._add(f"{name}.{own}", tensor, _How.WHOLE)

    # --- containers -----------------------------------------------------------------------------------------------

    def _visit_container(self, name: str, container: Any, how: _How) -> None:
        is_data = how is not _How.WHOLE and length(container) > self._max_members
        if is_data and not (how is _How.DATA and (is_order(container) or is_order(first(container)))):
            return
        if how in (_How.NAMED, _How.HELD):
            self.notes.add(id(container))
        if how is not _How.SAMPLES:
            self.things.append((name, container))
        self._add_members(name, container, how)
        if type(container) not in CONTAINERS and how is not _How.SAMPLES:
            for attribute, value in attributes(container).items():
                self._add(f"{name}.{attribute}", value, how)

    def _add_members(self, name: str, container: Any, how: _How) -> None:
        size = length(container)
        if how >= _How.DATA and size > MAX_LOOKED_INTO and not _leads_on(container, how):
            return
        if how is not _How.WHOLE and size > self._max_members:
            return
        for place, item in members(container):
            self._queues[how].append((f"{name}{place}", item))

    @property
    def _max_members(self) -> int:
        return max(MAX_MEMBERS, 2 * self._num_trained)

    # --- functions, classes and objects ---------------------------------------------------------------------------

    def _visit_function(self, name: str, function: FunctionType, how: _How) -> None:
        self.things.append((name, function))
        module = module_of(function)
        sees_globals = not is_library(module) or module.partition(".")[0] in self._seeing
        for place, value in references(function, sees_globals=sees_globals):
            self._add(f"{name}{place}", value, _How.SAMPLES if how is _How.SAMPLES else _How.NAMED)

    def _visit_class(self, name: str, cls: type, how: _How) -> None:
        if is_library(str(cls.__module__)):
            return
        self.things.append((name, cls))
        for place, value in class_references(cls):
            self._add(f"{name}{place}", value, max(how, _How.HELD))
        for base in cls.__bases__:
            self._add(base.__name__, base, how)

    def _visit_object(self, name: str, thing: Any, how: _How) -> None:
        kind = type(thing)
        is_source = id(thing) in self._roots or holds_data(kind)
        if issubclass(kind, TRAINABLE):
            how = _How.WHOLE
        elif is_source:
            how = _How.DATA
        held = attributes(thing)
        if not is_plain(thing):
            for attribute, value in held.items():
                if issubclass(type(value), GENERATORS):  # one beside an iterator, say
                    self._add(f"{name}.{attribute}", value, how)
            return
        is_users = issubclass(kind, PLAIN_STANDARD) or not is_library(str(kind.__module__))
        is_part = how is _How.WHOLE or is_source or is_users or _is_of_a_training(kind, held.values())
        if is_part:
            self.things.append((name, thing))
        elif how < _How.DATA or not _has_method(kind, ("__getitem__", "__iter__")):
            return
        if is_machinery(thing):
            self.things += [(name, value) for value in held.values() if issubclass(type(value), CONTAINERS)]
            return
        is_dataset = issubclass(kind, Dataset)
        if is_users:
            self._add(kind.__name__, kind, _How.SAMPLES if is_dataset else how)
        for attribute, value in held.items():
            if type(value) in ATOMS:
                continue
            if how is _How.WHOLE and is_empty(value):
                self.empty.append(value)
                continue
            self._add(f"{name}.{attribute}", value, _how_held(thing, value, how, is_dataset))


def _how_held(owner: Any, value: Any, how: _How, is_dataset: bool) -> _How:
    """Return the share to keep of an attribute of an object."""
    if how < _How.DATA:
        return min(how, _How.HELD)
    if is_dataset:
        return _How.DATA if callable(value) else _How.SAMPLES
    is_array = issubclass(type(value), (np.ndarray, torch.Tensor)) and value.ndim == 1
    if is_array and (issubclass(type(owner), Sampler) or value.nbytes <= MAX_BYTES):
        return _How.WHOLE  # the order of the samples
    return _How.DATA


def _is_of_a_training(kind: type, held: Collection[Any]) -> bool:
    """Return True for an object of an installed package that is part of a training, from its methods and attributes."""
    if is_own(kind.__module__):  # such as a widget
        return False
    if _has_method(kind, ("__call__", "state_dict")) or issubclass(kind, SobolEngine):
        return True
    found = [*held]
    for value in held:
        if issubclass(type(value), (*CONTAINERS, tuple)) and length(value) <= MAX_LOOKED_INTO:
            found += values_in(value)
    return any(issubclass(type(value), (*TRAINABLE, *GENERATORS)) for value in found)


def _has_method(kind: type, names: tuple[str, ...]) -> bool:
    return any(name in vars(base) for base in kind.__mro__ for name in names)


def _leads_on(container: Any, how: _How) -> bool:
    """Return True for a container of datasets, modules or orders of samples, from its first member."""
    item = first(container)
    return issubclass(type(item), (*DATA_HOLDERS, *TRAINABLE)) or (how is _How.DATA and is_order(item))
