"""Take and put back, bit for bit, everything that a range test touches.

A snapshot holds two kinds of things. The *structure*: for every object (module, optimizer, loader, sampler …) its
``__dict__``, the containers in it and who is in them, by reference. The *contents*: a copy of the bytes of every
tensor storage met on the way, once however many tensors share it, so that views, tied weights, quantised and bfloat16
weights and NaN payloads come back as they were. Restoring writes both back in place, so identity, storage and views
survive. Parts are restored independently: one that fails is reported, and keeps none of the others from coming back.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from .errors import RestoreError
from .rng import rng_states, rng_undo

Undo = Callable[[], None]

_CONTAINERS = (dict, OrderedDict, defaultdict, list, deque, set)


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
        self._undo: list[tuple[str, Undo]] = []
        self._seen: dict[int, Any] = {}  # id → object; holding the object keeps its id from being used again
        self._storages: set[tuple[str, int]] = set()
        self._tensors_undo: list[tuple[str, Undo]] = []
        self._device = torch.device(device) if device is not None else None
        self._take(modules, optimizers, stateful, sources)

    def _take(
        self,
        modules: Iterable[nn.Module],
        optimizers: Iterable[torch.optim.Optimizer],
        stateful: Iterable[Any],
        sources: Iterable[Any],
    ) -> None:
        for root in modules:
            self._keep_module(root)
        for optimizer in optimizers:
            self._keep_object(optimizer, f"optimizer {type(optimizer).__name__}")
        for source in sources:
            self._keep_source(source, type(source).__name__)
        for thing in stateful:
            self._keep_stateful(thing)
        for what, undo in rng_states():
            self._undo.append((what, undo))

    def restore(self) -> None:
        """Put everything back; what cannot be put back is named in one `RestoreError` after the rest is done."""
        failures: list[tuple[str, Exception]] = []
        with torch.no_grad():
            # Structure first: it brings back the tensor objects whose contents come next. The RNGs are last of
            # the structure, and copying tensors draws no random numbers.
            for what, undo in [*self._undo, *self._tensors_undo]:
                try:
                    undo()
                except Exception as error:  # noqa: PERF203  # one lost part must not cost the others
                    failures.append((what, error))
        if failures:
            names = "; ".join(f"{what} ({type(error).__name__}: {error})" for what, error in failures)
            raise RestoreError(f"could not put back after the range test: {names}") from failures[0][1]

    # --- structure ---------------------------------------------------------------------------------------------

    def _keep_module(self, root: nn.Module) -> None:
        for name, module in root.named_modules():
            self._keep_object(module, f"module {name!r}" if name else type(root).__name__)

    def _keep_source(self, source: Any, what: str) -> None:
        """Keep a loader, sampler or dataset: its attributes and generators, but none of its data."""
        self._keep_attributes(source, what)
        for name, value in vars(source).items() if hasattr(source, "__dict__") else ():
            holds_data = isinstance(source, torch.utils.data.Dataset)
            if (undo := rng_undo(value)) is not None:
                self._undo.append((f"{what}.{name}", undo))
            elif type(value) in (list, dict, deque, set) and not holds_data:
                self._undo.append((f"{what}.{name}", _container_undo(value)))

    def _keep_object(self, thing: Any, what: str) -> None:
        """Keep class and attributes of ``thing``, and all that its attributes hold."""
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        for name, value in self._keep_attributes(thing, what).items():
            self._keep_value(value, f"{what}.{name}")

    def _keep_attributes(self, thing: Any, what: str) -> dict[str, Any]:
        if not hasattr(thing, "__dict__"):
            return {}
        attributes, cls = dict(vars(thing)), type(thing)

        def undo() -> None:
            if type(thing) is not cls:
                thing.__class__ = cls  # a lazy module turns into another class when it first runs
            _refill(vars(thing), attributes)

        self._undo.append((what, undo))
        return attributes

    def _keep_value(self, value: Any, what: str) -> None:
        if isinstance(value, tuple):  # a tuple may be a temporary: its id says nothing
            for index, item in enumerate(value):
                self._keep_value(item, f"{what}[{index}]")
        elif isinstance(value, nn.Module):
            self._keep_module(value)
        elif isinstance(value, torch.optim.Optimizer):  # wrappers such as Lookahead hold another optimizer
            self._keep_object(value, what)
        elif id(value) not in self._seen:
            self._keep_leaf(value, what)

    def _keep_leaf(self, value: Any, what: str) -> None:
        if isinstance(value, torch.Tensor):
            self._seen[id(value)] = value
            self._keep_tensor(value, what)
        elif type(value) in _CONTAINERS:
            self._seen[id(value)] = value
            self._undo.append((what, _container_undo(value)))
            for key, item in list(value.items()) if isinstance(value, dict) else enumerate(value):
                self._keep_value(key, what)
                self._keep_value(item, what if isinstance(key, torch.Tensor) else f"{what}[{key!r}]")
        elif (undo := rng_undo(value)) is not None:
            self._seen[id(value)] = value
            self._undo.append((what, undo))

    def _keep_stateful(self, thing: Any) -> None:
        """Keep an object through its own ``state_dict``, and through its attributes, which also keep identity."""
        if isinstance(thing, nn.Module):
            self._keep_module(thing)
            return
        what = type(thing).__name__
        if isinstance(thing, torch.optim.Optimizer):
            self._keep_object(thing, what)
            return
        state = _copy_state(thing.state_dict())
        # load_state_dict may change the dict that it is given, and restore may be called again.
        self._undo.append((f"{what}.state_dict()", lambda: thing.load_state_dict(_copy_state(state))))
        self._keep_object(thing, what)

    # --- contents ----------------------------------------------------------------------------------------------

    def _keep_tensor(self, tensor: torch.Tensor, what: str) -> None:
        self._keep_tensor_object(tensor, what)
        if tensor.device.type == "meta" or torch.nn.parameter.is_lazy(tensor):
            return
        if tensor.is_leaf and tensor.grad is not None:
            self._keep_value(tensor.grad, f"{what}.grad")
        if tensor.layout is not torch.strided or not _has_storage(tensor):
            saved = tensor.detach().clone()
            self._tensors_undo.append((what, lambda: _restore_whole(tensor, saved)))
            return
        storage = tensor.untyped_storage()
        key = (str(tensor.device), storage._cdata)
        if key in self._storages or storage.nbytes() == 0:
            return
        self._storages.add(key)
        flat = _bytes_of(storage, tensor.device)
        saved = flat.to(self._device, copy=True) if self._device is not None else flat.clone()
        self._tensors_undo.append((what, lambda: _restore_bytes(storage, flat, saved)))

    def _keep_tensor_object(self, tensor: torch.Tensor, what: str) -> None:
        """Keep what a tensor is, beside its bytes: class, storage, gradient, flags, Python attributes."""
        cls, alias, is_leaf = type(tensor), tensor.data, tensor.is_leaf
        grad = tensor.grad if is_leaf else None
        requires_grad = tensor.requires_grad
        attributes = dict(vars(tensor)) if hasattr(tensor, "__dict__") else {}

        def undo() -> None:
            if type(tensor) is not cls:
                tensor.__class__ = cls
            if not _same_view(tensor, alias):
                tensor.data = alias
            if not is_leaf:
                return
            tensor.grad = grad
            if tensor.requires_grad is not requires_grad:
                tensor.requires_grad_(requires_grad)
            if hasattr(tensor, "__dict__"):
                _refill(vars(tensor), attributes)

        self._undo.append((what, undo))


def _has_storage(tensor: torch.Tensor) -> bool:
    try:
        tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # mkldnn, wrapper subclasses such as DTensor
        return False
    return type(tensor) in (torch.Tensor, nn.Parameter) or not hasattr(tensor, "__tensor_flatten__")


def _bytes_of(storage: torch.UntypedStorage, device: torch.device) -> torch.Tensor:
    """Return a uint8 tensor over the whole storage: one copy then serves every dtype, view and stride."""
    return torch.empty(0, dtype=torch.uint8, device=device).set_(storage)


def _restore_bytes(storage: torch.UntypedStorage, flat: torch.Tensor, saved: torch.Tensor) -> None:
    if storage.nbytes() != saved.numel():
        storage.resize_(saved.numel())  # sharded training frees and refills storages
    flat.copy_(saved)


def _restore_whole(tensor: torch.Tensor, saved: torch.Tensor) -> None:
    tensor.detach().copy_(saved)


def _same_view(tensor: torch.Tensor, alias: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided or not _has_storage(tensor) or not _has_storage(alias):
        return True
    return (
        tensor.untyped_storage()._cdata == alias.untyped_storage()._cdata
        and tensor.dtype == alias.dtype
        and tensor.shape == alias.shape
        and tensor.stride() == alias.stride()
        and tensor.storage_offset() == alias.storage_offset()
    )


def _container_undo(container: Any) -> Undo:
    items = container.copy()
    return lambda: _refill(container, items)


def _refill(target: Any, saved: Any) -> None:
    """Make the dict, list, deque or set ``target`` hold what ``saved`` holds, in its order."""
    if _holds_the_same(target, saved):
        return
    target.clear()
    (target.extend if isinstance(target, (list, deque)) else target.update)(saved)


def _holds_the_same(target: Any, saved: Any) -> bool:
    if len(target) != len(saved):
        return False
    pairs = zip(target, saved, strict=True)
    if isinstance(target, dict):
        return all(a is b and target[a] is saved[b] for a, b in pairs)
    return all(a is b for a, b in pairs)


def _copy_state(value: Any) -> Any:
    """Copy a state dict: tensors by their contents, containers by their structure, the rest as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copy_state(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(_copy_state(item) for item in value)
    return value
