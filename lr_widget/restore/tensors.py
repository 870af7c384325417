"""Undo for a tensor in place: its class, storage, grad, flags and hooks, its data, and its count of writes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .containers import refill

if TYPE_CHECKING:
    from .containers import Undo

StorageKey = tuple[str, Hashable]  # the device and the identity of a storage


def identity_undo(tensor: torch.Tensor) -> Undo:
    """Return an undo for the tensor's class, storage, grad, flags, hooks and attributes, but not its data."""
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
    """Copy the tensor's storage to `device` (None: beside it) and return an undo that writes the copy back in place.

    Storages are copied whole, so that one copy serves every view of them, and entered into `known`. None for a tensor
    whose storage is known already, or that has no data to copy.
    """
    if tensor.device.type == "meta" or nn.parameter.is_lazy(tensor):
        return None
    if (key := storage_key(tensor)) is None:
        whole = tensor.detach().clone()
        # To copy into tensor.detach() instead would not do: a sparse one shares its values with the original only until
        # it is written to (test_tensors.py, test_a_sparse_tensor_is_copied_whole).
        return lambda: tensor.copy_(whole)
    storage = tensor.untyped_storage()
    if key in known or storage.nbytes() == 0:
        return None
    known.add(key)
    flat = _bytes_of(storage, tensor.device)
    saved = flat.to(device, copy=True) if device is not None else flat.clone()
    return lambda: _restore_bytes(storage, flat, saved)


def storage_key(tensor: torch.Tensor) -> StorageKey | None:
    """Return a key that no other living storage has; None for a tensor without a storage of its own."""
    if not _has_storage(tensor):
        return None
    return str(tensor.device), _storage_identity(tensor.untyped_storage())


def version_undo(tensor: torch.Tensor) -> Undo:
    """Return an undo for the count of in-place writes.

    A loss computed before the test can be backpropagated after it only if autograd sees no write in between; and once
    the bytes are back, there was none.
    """
    # torch documents no other way to set the count. Where this one is gone, only autograd's complaint comes back ("one
    # of the variables needed for gradient computation has been modified by an inplace operation"): test_tensors.py,
    # test_a_loss_from_before_can_be_backpropagated_after and test_without_the_version_counter_only_autograd_complains.
    preserve = getattr(torch.autograd.grad_mode, "_unsafe_preserve_version_counter", None)
    if preserve is None or nn.parameter.is_lazy(tensor) or tensor.is_inference():
        return _nothing
    keeper = preserve(tensor)
    return lambda: keeper.__exit__(None, None, None)


def _lazy_undo(tensor: torch.Tensor) -> Undo:
    """Return an undo that deletes the shape of a lazy parameter or buffer that the test materialised."""
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


# Hooks are registered on a tensor by public methods, but torch lists them only here. Where a version has no such
# attribute, a hook that the test registered stays: test_tensors.py, test_without_the_hook_lists_only_hooks_stay.
_HOOK_LISTS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def _hooks_undo(tensor: torch.Tensor) -> Undo:
    lists: list[tuple[str, Any]] = [(name, getattr(tensor, name)) for name in _HOOK_LISTS if hasattr(tensor, name)]
    saved = [(name, hooks, dict(hooks or {})) for name, hooks in lists]

    def undo() -> None:
        for name, hooks, members in saved:
            present = getattr(tensor, name)
            if present is not hooks:
                # A list that is new must be emptied too: set to None, torch forgets it in Python but still calls the
                # post-accumulate hooks in it (test_tensors.py, test_hooks_that_the_test_registered_are_gone).
                if present is not None:
                    present.clear()
                setattr(tensor, name, hooks)
            if hooks is not None:
                refill(hooks, members)

    return undo


def _storage_identity(storage: torch.UntypedStorage) -> Hashable:
    # untyped_storage() makes a new Python object at each call; the C++ object behind it is the same. Where torch does
    # not tell its address, that of the data serves. All empty storages have the same one, so that a tensor without
    # elements keeps an empty storage of the test: test_tensors.py, test_without_cdata_only_empty_storages_are_mixed_up.
    address: int | None = getattr(storage, "_cdata", None)
    return address if address is not None else (storage.data_ptr(), storage.nbytes())


def _has_storage(tensor: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided:
        return False
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
    # A storage may be a file that is mapped for reading only: to write even the same bytes there kills the process
    # (test_tensors.py, test_a_buffer_in_a_read_only_file_is_not_written_to).
    if flat.device.type != "cpu" or not torch.equal(flat, saved.to(flat.device)):
        flat.copy_(saved)


def _is_same_view(tensor: torch.Tensor, alias: torch.Tensor) -> bool:
    if not _has_storage(tensor) or not _has_storage(alias):
        return True
    return bool(
        _storage_identity(tensor.untyped_storage()) == _storage_identity(alias.untyped_storage())
        and tensor.dtype == alias.dtype
        and tensor.shape == alias.shape
        and tensor.stride() == alias.stride()
        and tensor.storage_offset() == alias.storage_offset()
    )


def _nothing() -> None:
    """Undo nothing."""
