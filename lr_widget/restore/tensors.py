"""Undo for a tensor in place: its class, storage, grad, flags and hooks, and its count of writes; not its data."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount

import torch
from torch import nn

from .containers import refill

if TYPE_CHECKING:
    from .containers import Undo

StorageKey = Hashable  # the identity of a storage


def identity_undo(tensor: torch.Tensor, left: Container[int] = ()) -> Undo:
    """Return an undo for the tensor's class, storage, grad, flags, hooks and attributes, but not its data.

    A tensor whose id is in `left` at the time of the undo keeps the storage that it has then.
    """
    return _lazy_undo(tensor) if nn.parameter.is_lazy(tensor) else _Identity(tensor, left)


class _Identity:
    """The undo of a tensor that has a shape; an object with slots, for a model may have very many."""

    __slots__ = ("alias", "attributes", "cls", "grad", "hooks", "left", "requires_grad", "tensor", "was_leaf")

    def __init__(self, tensor: torch.Tensor, left: Container[int]) -> None:
        self.tensor, self.left = tensor, left
        self.cls, self.alias, self.requires_grad = type(tensor), tensor.data, tensor.requires_grad
        self.was_leaf = is_leaf(tensor)
        self.grad = tensor.grad if self.was_leaf else None
        self.hooks = _hooks_of(tensor) if self.was_leaf else None
        self.attributes = dict(vars(tensor)) if hasattr(tensor, "__dict__") else None

    def __call__(self) -> None:
        tensor = self.tensor
        if not _is_same_view(tensor, self.alias) and id(tensor) not in self.left:
            tensor.data = self.alias
        if type(tensor) is not self.cls:
            tensor.__class__ = self.cls
        if self.attributes is not None and (self.attributes or vars(tensor)):
            refill(vars(tensor), self.attributes)
        if not self.was_leaf:
            return
        if not is_leaf(tensor, unknown=True):  # written to in place from a graph
            tensor.detach_()
        if tensor.grad is not self.grad:
            tensor.grad = self.grad
        if tensor.requires_grad is not self.requires_grad:
            tensor.requires_grad_(self.requires_grad)
        _put_hooks_back(tensor, self.hooks or {})


def storage_key(tensor: torch.Tensor) -> StorageKey | None:
    """Return a key that no other living storage has; None for a tensor without a storage of its own."""
    storage = storage_of(tensor)
    return identity_of(storage) if storage is not None else None


def unshared_gradients(tensors: Iterable[torch.Tensor]) -> dict[int, torch.Tensor]:
    """Return the gradients that nobody can reach but by the `.grad` of these tensors, by their id.

    While such a gradient is off its tensor nobody can change it, so it needs no copy.
    """
    try:
        alone = _references(_with_gradient())
        found = {id(grad): grad for t in tensors if _references(t) == alone and (grad := t.grad) is not None}
        devices = {grad.device.type for grad in found.values()}
        return found if devices <= {"cpu"} or (devices <= {"cpu", "cuda"} and not _has_cuda_graphs()) else {}
    # torch counts references by private means. Where they are gone, gradients are copied: test_snapshot.py,
    # test_without_the_counts_of_references_gradients_are_copied. RuntimeError: an allocator without a list of segments.
    except (AttributeError, RuntimeError):
        return {}


def _references(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """Count the references to the tensor's gradient and its storage, those of Python, of C++ and weak ones."""
    grad: Any = tensor.grad  # not all versions of torch have types for the counts
    storage = storage_of(grad) if grad is not None else None
    if grad is None or storage is None:
        return None
    in_torch: Any = torch._C  # noqa: SLF001  # torch counts references by private means only
    counts = (grad._use_count(), in_torch._storage_Use_Count(storage._cdata))  # noqa: SLF001  # likewise
    return getrefcount(grad), getrefcount(storage), getweakrefcount(grad), *counts


def _has_cuda_graphs() -> bool:
    """Return True if a CUDA graph has memory of its own: to replay it may write to gradients without a reference."""
    return any(segment.get("segment_pool_id") != (0, 0) for segment in torch.cuda.memory_snapshot())


def _with_gradient() -> torch.Tensor:
    tensor = torch.zeros(1, requires_grad=True)
    tensor.grad = torch.zeros(1)
    return tensor


def versions_undo(tensors: Iterable[torch.Tensor]) -> Undo:
    """Return an undo for the tensors' counts of in-place writes.

    A loss computed before the test can be backpropagated after it only if autograd sees no write in between; and once
    the bytes are back, there was none.
    """
    # torch documents no other way to set the count. Where this one is gone, only autograd's complaint comes back ("one
    # of the variables needed for gradient computation has been modified by an inplace operation"): test_tensors.py,
    # test_a_loss_from_before_can_be_backpropagated_after and test_without_the_version_counter_only_autograd_complains.
    preserve = getattr(torch.autograd.grad_mode, "_unsafe_preserve_version_counter", None)
    counted = tuple(t for t in tensors if not nn.parameter.is_lazy(t) and not t.is_inference())
    if preserve is None or not counted:
        return _nothing
    try:
        keepers = [preserve(counted)]
    except AttributeError:  # an older torch keeps one tensor
        keepers = [preserve(tensor) for tensor in counted]

    def undo() -> None:
        for keeper in keepers:
            keeper.__exit__(None, None, None)

    return undo


def is_leaf(tensor: torch.Tensor, *, unknown: bool = False) -> bool:
    """Return True for a leaf of autograd's graph, or `unknown` for a view that autograd has given up.

    It gives up the views of `unbind`, `split` and `chunk`, and views made under `no_grad`, when their base is written
    to, and then refuses to tell. The base's count of writes, once back, makes them valid again.
    """
    try:
        return tensor.is_leaf
    except RuntimeError:
        return unknown


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
HOOK_LISTS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def _hooks_of(tensor: torch.Tensor) -> dict[str, tuple[Any, dict[Any, Any]]] | None:
    """Return the hook lists that the tensor has by their name, each with a copy; None where there is none."""
    found = {}
    for name in HOOK_LISTS:
        if (hooks := getattr(tensor, name, None)) is not None:
            found[name] = hooks, dict(hooks)
    return found or None


def _put_hooks_back(tensor: torch.Tensor, saved: dict[str, tuple[Any, dict[Any, Any]]]) -> None:
    for name in HOOK_LISTS:
        present = getattr(tensor, name, None)
        hooks, members = saved.get(name, (None, {}))
        if present is not hooks:
            # A list that is new must be emptied too: set to None, torch forgets it in Python but still calls the
            # post-accumulate hooks in it (test_tensors.py, test_hooks_that_the_test_registered_are_gone).
            if present is not None:
                present.clear()
            setattr(tensor, name, hooks)
        if hooks is not None:
            refill(hooks, members)


def storage_of(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    """Return the tensor's storage; None for one without a storage of its own."""
    if tensor.layout is not torch.strided:
        return None
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # mkldnn, wrapper subclasses such as DTensor
        return None
    is_wrapper = type(tensor) not in (torch.Tensor, nn.Parameter) and hasattr(tensor, "__tensor_flatten__")
    return None if is_wrapper else storage


def identity_of(storage: torch.UntypedStorage) -> StorageKey:
    """Return a key that no other living storage has."""
    # untyped_storage() makes a new Python object at each call; the C++ object behind it is the same. Where torch does
    # not tell its address, that of the data serves. All empty storages have the same one, so that a tensor without
    # elements keeps an empty storage of the test: test_tensors.py, test_without_cdata_only_empty_storages_are_mixed_up.
    address: int | None = getattr(storage, "_cdata", None)
    return address if address is not None else (storage.device, storage.data_ptr(), storage.nbytes())


def _is_same_view(tensor: torch.Tensor, alias: torch.Tensor) -> bool:
    present, saved = storage_of(tensor), storage_of(alias)
    if present is None or saved is None:
        return True
    return bool(
        identity_of(present) == identity_of(saved)
        and tensor.dtype == alias.dtype
        and tensor.shape == alias.shape
        and tensor.stride() == alias.stride()
        and tensor.storage_offset() == alias.storage_offset()
    )


def _nothing() -> None:
    """Undo nothing."""
