"""Take and put back, bit for bit, everything that a range test touches.

A snapshot holds two kinds of things. The *structure*: for every object (module, optimizer, loader, sampler …) its
``__dict__``, the containers in it and who is in them, by reference. The *contents*: a copy of the bytes of every
tensor storage met on the way, once however many tensors share it, so that views, tied weights, quantised and bfloat16
weights and NaN payloads come back as they were. Restoring writes both back in place, so identity, storage and views
survive. Parts are restored independently: one that fails is reported, and keeps none of the others from coming back.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from .containers import CONTAINERS, Undo, container_undo, copy_state, refill
from .errors import RestoreError
from .rng import rng_states, rng_undo
from .tensors import StorageKey, contents_undo, identity_undo, version_undo

_Undos = list[tuple[str, Undo]]


class Snapshot:
    """The state of some objects at one moment; `restore` puts it back, as often as it is called.

    Args:
        modules: the models; every submodule is included.
        optimizers: torch optimizers; state that does not exist yet will be gone again.
        stateful: objects with ``state_dict()`` and ``load_state_dict()``: scalers, schedulers, averaged models.
        sources: loaders, samplers and the like, whose own attributes and random generators are kept.
        device: where the copies of the tensors are kept; None for beside the originals.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module] = (),
        optimizers: Iterable[torch.optim.Optimizer] = (),
        stateful: Iterable[Any] = (),
        sources: Iterable[Any] = (),
        device: torch.device | str | None = None,
    ) -> None:
        self._loads: _Undos = []
        self._structure: _Undos = []
        self._contents: _Undos = []
        self._versions: _Undos = []
        self._seen: dict[int, Any] = {}  # id → object; holding the object keeps its id from being used again
        self._storages: set[StorageKey] = set()
        self._device = torch.device(device) if device is not None else None
        for root in modules:
            self._keep_module(root)
        for optimizer in optimizers:
            self._keep_object(optimizer, f"optimizer {type(optimizer).__name__}")
        for source in sources:
            self._keep_source(source, type(source).__name__)
        for thing in stateful:
            self._keep_stateful(thing)
        self._rngs: _Undos = list(rng_states())

    def restore(self) -> None:
        """Put everything back; what cannot be put back is named in one `RestoreError` after the rest is done."""
        failures: list[tuple[str, Exception]] = []
        grad_enabled = torch.is_grad_enabled()
        try:
            torch.set_grad_enabled(False)
            # A load_state_dict may write anywhere and draw random numbers, so it comes first. Structure comes before
            # contents: it brings back the tensor objects that are written to.
            for what, undo in [*self._loads, *self._structure, *self._contents, *self._versions, *self._rngs]:
                try:
                    undo()
                except Exception as error:  # noqa: PERF203  # one lost part must not cost the others
                    failures.append((what, error))
            torch.clear_autocast_cache()  # inside a user's autocast it may hold casts of the test's weights
        finally:  # and not a `with`: leaving one takes lines of Python that a Ctrl-C can cut off
            torch.set_grad_enabled(grad_enabled)
        if failures:
            names = "; ".join(f"{what} ({type(error).__name__}: {error})" for what, error in failures)
            raise RestoreError(f"could not put back after the range test: {names}") from failures[0][1]

    # --- objects -----------------------------------------------------------------------------------------------

    def _keep_module(self, root: nn.Module) -> None:
        for name, module in root.named_modules():
            what = f"module {name!r}" if name else type(root).__name__
            if id(module) not in self._seen:
                self._keep_object(module, what)
                if isinstance(module, torch.jit.ScriptModule):
                    self._keep_script_module(module, what)

    def _keep_script_module(self, module: nn.Module, what: str) -> None:
        """Keep what a scripted module holds outside Python."""
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            self._keep_value(tensor, f"{what}.{name}")
        was_training = module.training
        self._structure.append((what, lambda: setattr(module, "training", was_training)))

    def _keep_object(self, thing: Any, what: str) -> None:
        """Keep class and attributes of ``thing``, and all that its attributes hold."""
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        for name, value in self._keep_attributes(thing, what).items():
            self._keep_value(value, f"{what}.{name}")

    def _keep_stateful(self, thing: Any) -> None:
        """Keep an object through its own ``state_dict``, and through its attributes, which also keep identity."""
        if isinstance(thing, nn.Module):
            self._keep_module(thing)
            return
        what = type(thing).__name__
        if not isinstance(thing, torch.optim.Optimizer):
            state = copy_state(thing.state_dict())
            # load_state_dict may change the dict that it is given, and restore may be called again.
            self._loads.append((f"{what}.state_dict()", lambda: thing.load_state_dict(copy_state(state))))
        self._keep_object(thing, what)

    def _keep_source(self, source: Any, what: str) -> None:
        """Keep a loader, sampler, dataset or the like: its attributes and generators, but none of its data."""
        if not _is_plain(source):
            return
        for name, value in self._keep_attributes(source, what).items():
            self._keep_source_value(source, value, f"{what}.{name}")

    def _keep_source_value(self, owner: Any, value: Any, what: str) -> None:
        holds_data = isinstance(owner, torch.utils.data.Dataset)
        is_order = isinstance(owner, torch.utils.data.Sampler) and getattr(value, "ndim", None) == 1
        if (undo := rng_undo(value)) is not None:
            self._structure.append((what, undo))
        elif type(value) in (list, dict, deque, set) and not holds_data:
            self._structure.append((what, container_undo(value)))
        elif is_order and isinstance(value, (np.ndarray, torch.Tensor)):
            self._keep_value(value, what)

    def _keep_attributes(self, thing: Any, what: str) -> dict[str, Any]:
        if not hasattr(thing, "__dict__"):
            return {}
        attributes, cls = dict(vars(thing)), type(thing)

        def undo() -> None:
            if type(thing) is not cls:
                thing.__class__ = cls  # a lazy module turns into another class when it first runs
            refill(vars(thing), attributes)

        self._structure.append((what, undo))
        return attributes

    # --- what the objects hold ---------------------------------------------------------------------------------

    def _keep_value(self, value: Any, what: str) -> None:
        if isinstance(value, tuple):  # a tuple may be a temporary: its id says nothing
            for index, item in enumerate(value):
                self._keep_value(item, f"{what}[{index}]")
        elif id(value) in self._seen:
            return
        elif isinstance(value, nn.Module):
            self._keep_module(value)
        elif isinstance(value, torch.optim.Optimizer):  # wrappers such as Lookahead hold another optimizer
            self._keep_object(value, what)
        else:
            self._keep_leaf(value, what)

    def _keep_leaf(self, value: Any, what: str) -> None:
        if isinstance(value, torch.Tensor):
            self._keep_tensor(value, what)
        elif isinstance(value, np.ndarray):
            saved = value.copy()
            self._keep_seen(value, what, lambda: np.copyto(value, saved))
        elif type(value) in CONTAINERS:
            self._keep_seen(value, what, container_undo(value))
            for name, item in _members(value):
                self._keep_value(item, f"{what}{name}")
        elif (undo := rng_undo(value)) is not None:
            self._keep_seen(value, what, undo)
        elif _is_plain(value):  # a counter, a meter, a sampler: its own attributes, but not what those hold
            self._seen[id(value)] = value
            self._keep_source(value, what)

    def _keep_seen(self, value: Any, what: str, undo: Undo) -> None:
        self._seen[id(value)] = value
        self._structure.append((what, undo))

    def _keep_tensor(self, tensor: torch.Tensor, what: str) -> None:
        self._keep_seen(tensor, what, identity_undo(tensor))
        if tensor.is_leaf and tensor.grad is not None:
            self._keep_value(tensor.grad, f"{what}.grad")
        if (undo := contents_undo(tensor, self._device, self._storages)) is not None:
            self._contents.append((what, undo))
        self._versions.append((what, version_undo(tensor)))


def _members(container: Any) -> Iterator[tuple[str, Any]]:
    """Yield what the container holds, keys and all, each with what to call it."""
    if isinstance(container, dict):
        for key, item in container.items():
            yield "", key
            yield ("" if isinstance(key, torch.Tensor) else f"[{key!r:.60}]"), item
    else:
        for index, item in enumerate(container):
            yield f"[{index}]", item


def _is_plain(thing: Any) -> bool:
    """Say whether the attributes of ``thing`` are its state, and all of its state, so that they may be put back.

    Not so for classes and functions, for the standard library's threads, queues and files, and for an iterator over
    another one, which has gone on and cannot go back.
    """
    if isinstance(thing, (type, FunctionType)) or not hasattr(thing, "__dict__"):
        return False
    is_standard = type(thing).__module__.partition(".")[0] in sys.stdlib_module_names
    if is_standard and not isinstance(thing, SimpleNamespace):
        return False
    return not (isinstance(thing, Iterator) and any(isinstance(value, Iterator) for value in vars(thing).values()))
