"""Copy everything that a range test may touch, and restore it bit for bit.

A snapshot holds two kinds of things. The *structure*: the attributes of every object (module, optimizer, loader,
sampler …) and the members of its containers, by reference. The *contents*: a copy of the bytes of every tensor storage
met on the way, once however many tensors share it, so that views, tied weights, quantised and bfloat16 weights and NaN
payloads come back as they were. Both are restored in place, so identity, storage and views survive. Each part is
restored independently: one that fails is reported and costs no other.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..checks import text_of, type_name
from ..errors import RestoreError
from .containers import CONTAINERS, Undo, container_undo
from .contents import Contents
from .objects import TRAINABLE, attributes_undo
from .reach import Reach, class_undo, function_undo
from .rng import GENERATORS, global_rng_undos, rng_undo
from .state_dicts import state_undo
from .tensors import identity_undo, unshared_gradients, versions_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Undos = list[tuple[str, Undo]]  # each with a name for the error message, such as "Linear._parameters['weight']"


class Snapshot:
    """A copy of the state of some objects at one moment; `restore` puts it back as often as it is called.

    Args:
        modules: the models; every submodule is included.
        optimizers: torch optimizers; state created after the snapshot is removed by `restore`.
        also_restore: objects with `state_dict()` and `load_state_dict()`: scalers, schedulers, averaged models; what
            only their state dicts have is kept by `keep_state_dicts`.
        sources: loaders, samplers and the like; their attributes and random generators are kept, their data is not.
        functions: the functions that compute the loss; their owners are kept, and the state that they lead to.
        device: the device for the copies of the tensors; None for beside the originals.
        called: other functions that a test calls.
        observers: functions that only look at a test; what they take down stays, and only their random generators are
            kept.
        cleared: tensors whose gradients `clear_gradients` takes away until `restore`. Those of them that nobody else
            holds are not copied: nobody can change them meanwhile, and after `restore` they are no longer kept.

    Attributes:
        generators: the random generators that were found; see `Reach`.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module] = (),
        optimizers: Iterable[torch.optim.Optimizer] = (),
        also_restore: Iterable[Any] = (),
        sources: Iterable[Any] = (),
        functions: Iterable[Callable[..., Any]] = (),
        device: torch.device | str | None = None,
        called: Iterable[Any] = (),
        observers: Iterable[Any] = (),
        cleared: Iterable[torch.Tensor] = (),
    ) -> None:
        self._cleared = [tensor for tensor in cleared if not nn.parameter.is_lazy(tensor) and tensor.grad is not None]
        unshared = unshared_gradients(self._cleared)  # first of all, for the walk holds what it has found
        self._loads: _Undos = []
        self._structure: _Undos = []
        self._tensors: list[torch.Tensor] = []
        self._left: dict[int, torch.Tensor] = {}  # id → tensor whose data `restore` leaves as it is
        self._rngs: _Undos = list(global_rng_undos())
        self._device = torch.device(device) if device is not None else None
        self._contents = Contents(self._device)
        self._also_restore = list(also_restore)
        reach = Reach(chain(modules, optimizers, self._also_restore), functions, sources, called)
        known = {id(generator) for generator in reach.generators}
        watched = [rng for rng in Reach(called=observers).generators if id(rng) not in known]
        self.generators = [*reach.generators, *watched]
        for name, thing in (*reach.things, *(("stop", generator) for generator in watched)):
            if id(thing) in unshared:
                continue
            self._keep(thing, name, keeps_notes=id(thing) in reach.notes)
        self._structure.append(("empty containers", partial(_empty, reach.empty)))
        self._contents.finish()
        self._put_versions_back = versions_undo(self._tensors)

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
        try:
            if failures:
                raise _restore_error(failures)
        finally:
            failures.clear()  # their tracebacks lead to this frame, and it to the model

    def keep_state_dicts(self) -> None:
        """Keep the state dicts of the objects to restore.

        A call of `state_dict()` may draw random numbers or start a loader's epoch. So these calls come last, when
        somebody has the snapshot who can restore it: tests/restore/test_guard.py,
        test_an_interrupt_while_the_state_dicts_are_kept_leaves_no_trace.
        """
        for thing in self._also_restore:
            if not isinstance(thing, (*TRAINABLE, *GENERATORS)):  # of those, everything is kept already
                undo = state_undo(thing, self._device, self._contents)
                self._loads.append((f"{type(thing).__name__}.state_dict()", undo))

    def clear_gradients(self) -> None:
        """Take the gradients off the tensors given as `cleared`."""
        for tensor in self._cleared:
            tensor.grad = None

    def leave(self, tensors: Iterable[torch.Tensor]) -> None:
        """Let a later `restore` leave the data of these tensors as it is then; everything else still comes back.

        For weights that somebody else has written meanwhile. Data is left by the storage, with all that shares it.
        """
        tensors = list(tensors)
        self._left |= {id(tensor): tensor for tensor in tensors}
        self._contents.leave(tensors)

    def forget(self) -> None:
        """Drop all copies, so that a traceback that somebody keeps does not keep them alive."""
        parts = (self._loads, self._structure, self._contents, self._rngs, self._tensors, self._left, self._cleared)
        for part in (*parts, self._also_restore):
            part.clear()
        self._put_versions_back = versions_undo(())

    def _in_order(self) -> Iterator[tuple[str, Undo]]:
        # A load_state_dict may write anywhere and draw random numbers, so it comes before the rest, but after the
        # contents of the tensors that it is given (test_state_dicts.py, test_a_load_sees_the_weights_of_before).
        # Structure comes before contents: it brings back the storages.
        before = self._contents.undos() if self._loads else []
        versions = [("counts of writes", self._restore_versions)]
        return chain(before, self._loads, self._structure, self._contents.undos(), versions, self._rngs)

    def _restore_versions(self) -> None:
        put_new_ones_back = versions_undo(self._left.values())
        self._put_versions_back()
        put_new_ones_back()

    # --- one thing each -------------------------------------------------------------------------------------------

    def _keep(self, value: Any, name: str, *, keeps_notes: bool) -> None:
        """Keep `value` itself; its parts are things of their own."""
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            self._keep_tensor(value, name)
        elif issubclass(kind, np.ndarray):
            self._keep_array(value, name)
        elif issubclass(kind, CONTAINERS):
            self._structure.append((name, container_undo(value, keeps_notes=keeps_notes)))
            if kind not in CONTAINERS:
                self._structure.append((name, attributes_undo(value)))
        elif issubclass(kind, (FunctionType, type)):
            self._structure.append((name, function_undo(value) if kind is FunctionType else class_undo(value)))
        elif not issubclass(kind, GENERATORS):
            self._keep_object(value, name)
        elif (undo := rng_undo(value)) is not None:
            self._structure.append((name, undo))

    def _keep_tensor(self, tensor: torch.Tensor, name: str) -> None:
        self._structure.append((name, identity_undo(tensor, self._left)))
        self._contents.add(tensor, name)
        self._tensors.append(tensor)

    def _keep_array(self, array: np.ndarray[Any, Any], name: str) -> None:
        if array.flags.writeable:
            self._structure.append((name, partial(_restore_array, array, array.copy(), array.shape)))

    def _keep_object(self, thing: Any, name: str) -> None:
        self._structure.append((name, attributes_undo(thing)))
        if isinstance(thing, torch.jit.ScriptModule):  # its mode is not among its attributes
            was_training = thing.training
            self._structure.append((name, lambda: setattr(thing, "training", was_training)))


def _empty(containers: Iterable[Any]) -> None:
    for container in containers:
        if container:
            container.clear()


def _restore_error(failures: list[tuple[str, BaseException]]) -> RestoreError:
    names = "; ".join(f"{name} ({type_name(error)}: {text_of(error)})" for name, error in failures)
    errors = [error for _, error in failures]
    interrupts = [error for error in errors if not isinstance(error, Exception)]
    error = RestoreError(f"could not put back after the range test: {names}")
    error.__cause__ = [*interrupts, *errors][0]
    return error


def _restore_array(array: np.ndarray[Any, Any], saved: np.ndarray[Any, Any], shape: tuple[int, ...]) -> None:
    if not array.flags.writeable:
        array.flags.writeable = True
    if array.shape != shape:
        array.shape = shape
    np.copyto(array, saved)
