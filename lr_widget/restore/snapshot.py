"""Take and put back, bit for bit, everything that a range test touches.

A snapshot holds two kinds of things. The *structure*: for every object (module, optimizer, loader, sampler …) its
attributes, the containers in it and who is in them, by reference. The *contents*: a copy of the bytes of every tensor
storage met on the way, once however many tensors share it, so that views, tied weights, quantised and bfloat16 weights
and NaN payloads come back as they were. Restoring writes both back in place, so identity, storage and views survive.
Parts are restored independently: one that fails is reported, and keeps none of the others from coming back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import RestoreError
from .containers import ATOMS, CONTAINERS, Undo, container_undo, items, members
from .objects import DATA, attributes, attributes_undo, function_parts, is_machinery, is_plain, trained_by
from .rng import generators_in, rng_states, rng_undo
from .state_dicts import state_undo
from .tensors import StorageKey, contents_undo, identity_undo, version_undo

_Undos = list[tuple[str, Undo]]
_Parts = Iterable[tuple[str, Any]]  # what something is made of, and what each is called in it


class Snapshot:
    """The state of some objects at one moment; `restore` puts it back, as often as it is called.

    Args:
        modules: the models; every submodule is included.
        optimizers: torch optimizers; state that does not exist yet will be gone again.
        stateful: objects with ``state_dict()`` and ``load_state_dict()``: scalers, schedulers, averaged models.
        sources: loaders, samplers and the like, whose own attributes and random generators are kept.
        functions: what the training calls; the objects that they belong to and the modules that they refer to are kept.
        device: where the copies of the tensors are kept; None for beside the originals.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module] = (),
        optimizers: Iterable[torch.optim.Optimizer] = (),
        stateful: Iterable[Any] = (),
        sources: Iterable[Any] = (),
        functions: Iterable[Callable[..., Any]] = (),
        device: torch.device | str | None = None,
    ) -> None:
        self._loads: _Undos = []
        self._structure: _Undos = []
        self._contents: _Undos = []
        self._versions: _Undos = []
        self._rngs: _Undos = list(rng_states())
        self._seen: dict[int, Any] = {}  # id → object; holding the object keeps its id from being used again
        self._storages: set[StorageKey] = set()
        self._device = torch.device(device) if device is not None else None
        stateful, sources = list(stateful), list(sources)
        self._seen |= {id(data): data for data in sources if isinstance(data, (*CONTAINERS, tuple))}  # data: no copy
        called = (part for function in functions for part in (function, *trained_by(function)))
        for thing in chain(modules, optimizers, called, stateful):
            self._keep(thing, type(thing).__name__)
        for source in sources:
            self._keep_source(source, type(source).__name__)
        self._keep_state_dicts(stateful)

    def restore(self) -> None:
        """Put everything back; what cannot be put back is named in one `RestoreError` after the rest is done.

        Its cause is the first failure, or the interrupt that came in between, after which to try again.
        """
        failures: list[tuple[str, BaseException]] = []
        grad_enabled = torch.is_grad_enabled()
        try:
            torch.set_grad_enabled(False)
            for what, undo in self._in_order():
                try:
                    undo()
                except BaseException as error:  # noqa: PERF203, RUF100  # one lost part must not cost the others
                    failures.append((what, error))
            torch.clear_autocast_cache()  # inside a user's autocast it may hold casts of the test's weights
        finally:  # and not a `with`: leaving one takes lines of Python that a Ctrl-C can cut off
            torch.set_grad_enabled(grad_enabled)
        if failures:
            names = "; ".join(f"{what} ({type(error).__name__}: {error})" for what, error in failures)
            errors = [error for _, error in failures]
            interrupts = [error for error in errors if not isinstance(error, Exception)]
            raise RestoreError(f"could not put back after the range test: {names}") from [*interrupts, *errors][0]

    def forget(self) -> None:
        """Let go of everything, so that a traceback that is kept does not keep the copies, too."""
        for undos in (self._loads, self._structure, self._contents, self._versions, self._rngs):
            undos.clear()
        self._seen.clear()
        self._storages.clear()

    def _in_order(self) -> Iterator[tuple[str, Undo]]:
        # A load_state_dict may write anywhere and draw random numbers, so it comes before the rest, and after the
        # contents of the tensors that it is given. Structure comes before contents: it brings the tensors themselves.
        before = self._contents if self._loads else []
        return chain(before, self._loads, self._structure, self._contents, self._versions, self._rngs)

    def _keep_state_dicts(self, stateful: Iterable[Any]) -> None:
        """Keep what these say their state is, last: to ask may draw random numbers and start a loader's epoch."""
        try:
            for thing in stateful:
                if not isinstance(thing, (nn.Module, torch.optim.Optimizer)):  # of those, everything is kept already
                    undo = state_undo(thing, self._device, self._storages)
                    self._loads.append((f"{type(thing).__name__}.state_dict()", undo))
        except BaseException:
            self.restore()
            raise

    # --- everything: models, optimizers and what they hold ------------------------------------------------------

    def _keep(self, root: Any, name: str) -> None:
        """Keep what ``root`` is and all that it holds; a loop, for what is held may be a long chain."""
        waiting = deque([(name, root)])
        while waiting:
            what, value = waiting.popleft()
            if type(value) not in ATOMS and id(value) not in self._seen:
                self._seen[id(value)] = value
                waiting.extend((f"{what}{place}", part) for place, part in self._keep_one(value, what))

    def _keep_one(self, value: Any, what: str) -> _Parts:
        """Keep what ``value`` itself is, and return its parts."""
        if isinstance(value, torch.Tensor):
            return self._keep_tensor(value, what)
        if isinstance(value, nn.Module):
            return self._keep_module(value, what)
        if isinstance(value, np.ndarray):
            self._keep_array(value, what)
        elif (undo := rng_undo(value)) is not None:
            self._structure.append((what, undo))
        elif isinstance(value, DATA) or is_machinery(value):
            self._keep_attributes(value, what)
        elif isinstance(value, CONTAINERS):
            return self._keep_container(value, what)
        elif isinstance(value, tuple):
            return items(value)
        elif (parts := function_parts(value)) is not None:
            return (("", part) for part in parts)
        elif is_plain(value):  # an optimizer, a counter, a queue, whatever else the user made
            return self._keep_object(value, what)
        return ()

    def _keep_tensor(self, tensor: torch.Tensor, what: str) -> _Parts:
        self._structure.append((what, identity_undo(tensor)))
        if (undo := contents_undo(tensor, self._device, self._storages)) is not None:
            self._contents.append((what, undo))
        self._versions.append((what, version_undo(tensor)))
        return [(".grad", tensor.grad)] if tensor.is_leaf else []

    def _keep_array(self, array: np.ndarray[Any, Any], what: str) -> None:
        if array.flags.writeable:
            saved = array.copy()
            self._structure.append((what, lambda: np.copyto(array, saved)))

    def _keep_container(self, container: Any, what: str) -> _Parts:
        own = self._keep_object(container, what) if type(container) not in CONTAINERS else ()
        self._structure.append((what, container_undo(container)))
        return chain(own, members(container))

    def _keep_object(self, thing: Any, what: str) -> _Parts:
        self._structure.append((what, attributes_undo(thing)))
        return ((f".{name}", value) for name, value in attributes(thing).items())

    def _keep_module(self, root: nn.Module, what: str) -> _Parts:
        for path, module in root.named_modules():
            if module is root or id(module) not in self._seen:
                self._seen[id(module)] = module
                name = f".{path}" if path else ""
                for own, part in (*self._keep_object(module, f"{what}{name}"), *self._keep_script(module, what)):
                    yield f"{name}{own}", part

    def _keep_script(self, module: nn.Module, what: str) -> _Parts:
        """Keep what a scripted module holds outside Python."""
        if not isinstance(module, torch.jit.ScriptModule):
            return ()
        was_training = module.training
        self._structure.append((what, lambda: setattr(module, "training", was_training)))
        tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        return [(f".{name}", tensor) for name, tensor in tensors]

    # --- what holds data: attributes, generators and places, but no copy of the data -----------------------------

    def _keep_source(self, source: Any, what: str) -> None:
        if isinstance(source, nn.Module):  # a transform
            self._keep(source, what)
        elif id(source) not in self._seen:
            self._seen[id(source)] = source
            self._keep_attributes(source, what)

    def _keep_attributes(self, source: Any, what: str) -> None:
        if not is_plain(source):
            return
        for name, value in self._keep_object(source, what):
            self._keep_attribute(source, value, f"{what}{name}")

    def _keep_attribute(self, owner: Any, value: Any, what: str) -> None:
        holds_data = isinstance(owner, torch.utils.data.Dataset)
        is_order = isinstance(owner, torch.utils.data.Sampler) and getattr(value, "ndim", None) == 1
        self._structure += [(what, undo) for rng in generators_in(value) if (undo := rng_undo(rng)) is not None]
        if isinstance(value, CONTAINERS) and not holds_data:
            self._structure.append((what, container_undo(value)))
        elif is_order and isinstance(value, (np.ndarray, torch.Tensor)):
            self._keep(value, what)
