"""Put a tensor back in place: what it is (class, storage, gradient, flags, hooks) and the bytes that it holds."""

from __future__ import annotations

import torch
from torch import nn

from .containers import Undo, refill

StorageKey = tuple[str, int]


def identity_undo(tensor: torch.Tensor) -> Undo:
    """Return what puts back what the tensor is, beside its bytes."""
    if nn.parameter.is_lazy(tensor):
        return _lazy_undo(tensor)
    cls, alias, is_leaf = type(tensor), tensor.data, tensor.is_leaf
    grad = tensor.grad if is_leaf else None
    requires_grad = tensor.requires_grad
    put_hooks_back = _hooks_undo(tensor) if is_leaf else _nothing
    attributes = dict(vars(tensor)) if hasattr(tensor, "__dict__") else {}

    def undo() -> None:
        if not _is_same_view(tensor, alias):
            tensor.data = alias
        if type(tensor) is not cls:
            tensor.__class__ = cls
        if not is_leaf:
            return
        if not tensor.is_leaf:  # written to in place from a graph
            tensor.detach_()
        tensor.grad = grad
        if tensor.requires_grad is not requires_grad:
            tensor.requires_grad_(requires_grad)
        put_hooks_back()
        if hasattr(tensor, "__dict__"):
            refill(vars(tensor), attributes)

    return undo


def contents_undo(tensor: torch.Tensor, device: torch.device | None, known: set[StorageKey]) -> Undo | None:
    """Copy what the tensor holds to ``device`` (None: beside it) and return what writes the copy back in place.

    Storages are copied whole, so that one copy serves every view of them, and entered into ``known``; None for a
    tensor whose storage was in there, or that has nothing to copy.
    """
    if tensor.device.type == "meta" or nn.parameter.is_lazy(tensor):
        return None
    if tensor.layout is not torch.strided or not _has_storage(tensor):
        whole = tensor.detach().clone()
        return lambda: _restore_whole(tensor, whole)
    storage, key = tensor.untyped_storage(), storage_key(tensor)
    if key is None or key in known or storage.nbytes() == 0:
        return None
    known.add(key)
    flat = _bytes_of(storage, tensor.device)
    saved = flat.to(device, copy=True) if device is not None else flat.clone()
    return lambda: _restore_bytes(storage, flat, saved)


def storage_key(tensor: torch.Tensor) -> StorageKey | None:
    """Return what tells the tensor's storage from all others alive; None for a tensor without one."""
    if tensor.layout is not torch.strided or not _has_storage(tensor):
        return None
    return str(tensor.device), tensor.untyped_storage()._cdata


def version_undo(tensor: torch.Tensor) -> Undo:
    """Return what sets the count of in-place writes back.

    A loss computed before the test can be backpropagated after it only if autograd sees no write between; and there
    is none, once the bytes are back.
    """
    if nn.parameter.is_lazy(tensor) or tensor.is_inference():
        return _nothing
    keeper = torch.autograd.grad_mode._unsafe_preserve_version_counter(tensor)
    return lambda: keeper.__exit__(None, None, None)


def _lazy_undo(tensor: torch.Tensor) -> Undo:
    """Return what takes its shape away again from a parameter or buffer that has got one when it first ran."""
    cls, requires_grad, attributes = type(tensor), tensor.requires_grad, dict(vars(tensor))
    nothing = torch.empty(0, dtype=tensor.dtype, device=tensor.device)

    def undo() -> None:
        if type(tensor) is not cls:
            tensor.grad = None
            tensor.data = nothing
            tensor.__class__ = cls
        tensor.requires_grad = requires_grad
        refill(vars(tensor), attributes)

    return undo


def _hooks_undo(tensor: torch.Tensor) -> Undo:
    kinds = ("_backward_hooks", "_post_accumulate_grad_hooks")
    saved = [(kind, hooks, dict(hooks or {})) for kind in kinds for hooks in [getattr(tensor, kind)]]

    def undo() -> None:
        for kind, hooks, members in saved:
            if getattr(tensor, kind) is not hooks:
                setattr(tensor, kind, hooks)
            if hooks is not None:
                refill(hooks, members)

    return undo


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
    # A storage may be a file that is mapped for reading only: to write there, even the same bytes, kills the process.
    if flat.device.type != "cpu" or not torch.equal(flat, saved.to(flat.device)):
        flat.copy_(saved)


def _restore_whole(tensor: torch.Tensor, saved: torch.Tensor) -> None:
    tensor.detach().copy_(saved)


def _is_same_view(tensor: torch.Tensor, alias: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided or not _has_storage(tensor) or not _has_storage(alias):
        return True
    return (
        tensor.untyped_storage()._cdata == alias.untyped_storage()._cdata
        and tensor.dtype == alias.dtype
        and tensor.shape == alias.shape
        and tensor.stride() == alias.stride()
        and tensor.storage_offset() == alias.storage_offset()
    )


def _nothing() -> None:
    """Undo what needs no undoing."""
