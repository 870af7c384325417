"""Copy everything that a range test may touch, and restore it bit for bit.

A snapshot holds two kinds of things. The *structure*: the attributes of every object (module, optimizer, loader,
sampler …) and the members of its containers, by reference. The *contents*: a copy of the bytes of every tensor storage
met on the way, once however many tensors share it, so that views, tied weights, quantised and bfloat16 weights and NaN
payloads come back as they were. Both are restored in place, so identity, storage and views survive. Each part is
restored independently: one that fails is reported and costs no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..errors import RestoreError
from .containers import ATOMS, CONTAINERS, Undo, container_undo, indexed, members
from .objects import DATA_HOLDERS, TRAINABLE, attributes, attributes_undo, is_machinery, is_plain
from .reach import function_parts, trained_by
from .rng import generators_in, global_rng_undos, rng_undo
from .state_dicts import state_undo
from .tensors import contents_undo, identity_undo, version_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tensors import StorageKey

_Undos = list[tuple[str, Undo]]  # each with a name for the error message, such as "Linear._parameters['weight']"
_Parts = Iterable[tuple[str, Any]]  # the parts of a value, each with its place in it, such as ".grad" or "[3]"


class Snapshot:
    """A copy of the state of some objects at one moment; `restore` puts it back as often as it is called.

    Args:
        modules: the models; every submodule is included.
        optimizers: torch optimizers; state created after the snapshot is removed by `restore`.
        also_restore: objects with `state_dict()` and `load_state_dict()`: scalers, schedulers, averaged models.
        sources: loaders, samplers and the like; their attributes and random generators are kept, their data is not.
        functions: the functions that training calls; the owners of bound methods among them are kept, and the modules
            and optimizers that they refer to.
        device: the device for the copies of the tensors; None for beside the originals.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module] = (),
        optimizers: Iterable[torch.optim.Optimizer] = (),
        also_restore: Iterable[Any] = (),
        sources: Iterable[Any] = (),
        functions: Iterable[Callable[..., Any]] = (),
        device: torch.device | str | None = None,
    ) -> None:
        self._loads: _Undos = []
        self._structure: _Undos = []
        self._contents: _Undos = []
        self._versions: _Undos = []
        self._rngs: _Undos = list(global_rng_undos())
        self._seen: dict[int, Any] = {}  # id → object, which is held so that its id is not used again
        self._storages: set[StorageKey] = set()
        self._device = torch.device(device) if device is not None else None
        also_restore, sources = list(also_restore), list(sources)
        self._seen |= {id(data): data for data in sources if isinstance(data, (*CONTAINERS, tuple))}  # data: no copy
        called = (part for function in functions for part in (function, *trained_by(function)))
        for thing in chain(modules, optimizers, called, also_restore):
            self._keep(thing, type(thing).__name__)
        for source in sources:
            self._keep_source(source, type(source).__name__)
        self._keep_state_dicts(also_restore)

    def restore(self) -> None:
        """Put everything back in place.

        Raises:
            RestoreError: some parts could not be put back; the message names them, and the rest is back. Its cause is
                the interrupt that came in between, after which to try again, or else the first failure.
        """
        failures: list[tuple[str, BaseException]] = []
        grad_enabled = torch.is_grad_enabled()
        try:
            torch.set_grad_enabled(False)
            for name, undo in self._in_order():
                try:
                    undo()
                except BaseException as error:  # noqa: BLE001, PERF203  # one lost part must not cost the others
                    failures.append((name, error))
            # Inside a user's autocast the cache may hold casts of the test's weights: test_snapshot.py,
            # test_casts_of_the_tests_weights_are_not_used_after_it.
            torch.clear_autocast_cache()
        finally:  # not a `with torch.no_grad()`: a Ctrl-C can come between the lines of Python that leave one
            torch.set_grad_enabled(grad_enabled)
        if failures:
            names = "; ".join(f"{name} ({type(error).__name__}: {error})" for name, error in failures)
            errors = [error for _, error in failures]
            interrupts = [error for error in errors if not isinstance(error, Exception)]
            raise RestoreError(f"could not put back after the range test: {names}") from [*interrupts, *errors][0]

    def forget(self) -> None:
        """Drop all copies, so that a traceback that somebody keeps does not keep them alive."""
        for undos in (self._loads, self._structure, self._contents, self._versions, self._rngs):
            undos.clear()
        self._seen.clear()
        self._storages.clear()

    def _in_order(self) -> Iterator[tuple[str, Undo]]:
        # A load_state_dict may write anywhere and draw random numbers, so it comes before the rest, but after the
        # contents of the tensors that it is given (test_state_dicts.py, test_a_load_sees_the_weights_of_before).
        # Structure comes before contents: it brings back the storages.
        before = self._contents if self._loads else []
        return chain(before, self._loads, self._structure, self._contents, self._versions, self._rngs)

    def _keep_state_dicts(self, also_restore: Iterable[Any]) -> None:
        """Keep the state dicts, last: a call of `state_dict()` may draw random numbers or start a loader's epoch."""
        try:
            for thing in also_restore:
                if not isinstance(thing, TRAINABLE):  # of those, everything is kept already
                    undo = state_undo(thing, self._device, self._storages)
                    self._loads.append((f"{type(thing).__name__}.state_dict()", undo))
        except BaseException:  # nobody has the snapshot yet that could restore it
            self.restore()
            raise

    # --- everything: models, optimizers and what they hold ------------------------------------------------------

    def _keep(self, root: Any, name: str) -> None:
        """Keep `root` and everything that it leads to; a loop, for that may be a chain too long for recursion."""
        waiting = deque([(name, root)])
        while waiting:
            name, value = waiting.popleft()
            if type(value) not in ATOMS and id(value) not in self._seen:
                self._seen[id(value)] = value
                waiting.extend((f"{name}{place}", part) for place, part in self._keep_one(value, name))

    def _keep_one(self, value: Any, name: str) -> _Parts:
        """Keep `value` itself, and return its parts."""
        if isinstance(value, torch.Tensor):
            return self._keep_tensor(value, name)
        if isinstance(value, nn.Module):
            return self._keep_module(value, name)
        if isinstance(value, np.ndarray):
            self._keep_array(value, name)
        elif (undo := rng_undo(value)) is not None:
            self._structure.append((name, undo))
        elif isinstance(value, DATA_HOLDERS) or is_machinery(value):
            self._keep_attributes(value, name)
        elif isinstance(value, CONTAINERS):
            return self._keep_container(value, name)
        elif isinstance(value, tuple):
            return indexed(value)
        elif (parts := function_parts(value)) is not None:
            return (("", part) for part in parts)
        elif is_plain(value):  # an optimizer, or an object of a class of the user's
            return self._keep_object(value, name)
        return ()

    def _keep_tensor(self, tensor: torch.Tensor, name: str) -> _Parts:
        self._structure.append((name, identity_undo(tensor)))
        if (undo := contents_undo(tensor, self._device, self._storages)) is not None:
            self._contents.append((name, undo))
        self._versions.append((name, version_undo(tensor)))
        return [(".grad", tensor.grad)] if tensor.is_leaf else []

    def _keep_array(self, array: np.ndarray[Any, Any], name: str) -> None:
        if array.flags.writeable:
            saved = array.copy()
            self._structure.append((name, lambda: np.copyto(array, saved)))

    def _keep_container(self, container: Any, name: str) -> _Parts:
        own = self._keep_object(container, name) if type(container) not in CONTAINERS else ()
        self._structure.append((name, container_undo(container)))
        return chain(own, members(container))

    def _keep_object(self, thing: Any, name: str) -> _Parts:
        self._structure.append((name, attributes_undo(thing)))
        return ((f".{attribute}", value) for attribute, value in attributes(thing).items())

    def _keep_module(self, root: nn.Module, name: str) -> _Parts:
        for path, module in root.named_modules():
            if module is root or id(module) not in self._seen:
                self._seen[id(module)] = module
                place = f".{path}" if path else ""
                for own, part in (*self._keep_object(module, f"{name}{place}"), *self._keep_script(module, name)):
                    yield f"{place}{own}", part

    def _keep_script(self, module: nn.Module, name: str) -> _Parts:
        """Keep the mode and the tensors of a scripted module; they are not among its attributes."""
        if not isinstance(module, torch.jit.ScriptModule):
            return ()
        was_training = module.training
        self._structure.append((name, lambda: setattr(module, "training", was_training)))
        tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        return [(f".{path}", tensor) for path, tensor in tensors]

    # --- loaders, samplers and datasets: attributes, generators and orders, but no copy of the data ---------------

    def _keep_source(self, source: Any, name: str) -> None:
        if isinstance(source, nn.Module):  # a transform
            self._keep(source, name)
        elif id(source) not in self._seen:
            self._seen[id(source)] = source
            self._keep_attributes(source, name)

    def _keep_attributes(self, source: Any, name: str) -> None:
        if not is_plain(source):
            return
        for place, value in self._keep_object(source, name):
            self._keep_attribute(source, value, f"{name}{place}")

    def _keep_attribute(self, owner: Any, value: Any, name: str) -> None:
        holds_data = isinstance(owner, torch.utils.data.Dataset)
        is_order = isinstance(owner, torch.utils.data.Sampler) and getattr(value, "ndim", None) == 1
        self._structure += [(name, undo) for rng in generators_in(value) if (undo := rng_undo(rng)) is not None]
        if isinstance(value, CONTAINERS) and not holds_data:
            self._structure.append((name, container_undo(value)))
        elif is_order and isinstance(value, (np.ndarray, torch.Tensor)):
            self._keep(value, name)
