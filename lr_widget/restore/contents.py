"""The bytes of tensors: copied once for each storage, small storages together, and written back in place."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import nn

from .tensors import identity_of, storage_key, storage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .containers import Undo
    from .tensors import StorageKey

# A storage of up to so many bytes is copied together with others, which is faster than to copy each by itself; and the
# memory of a copy of up to 32 MiB is used again, where a larger one costs fresh pages each time.
SMALL_BYTES = 2**20
TOGETHER_BYTES = 2**24


class _Copy:
    """A copied storage, and the undo that writes the copy back; an object with slots, for there may be very many.

    Attributes:
        name: the name of the first tensor of the storage.
        flat: a uint8 tensor over the whole storage: one copy then serves every dtype, view and stride.
        saved: the copy; None as long as it waits for others.
    """

    __slots__ = ("flat", "name", "saved")

    def __init__(self, name: str, flat: torch.Tensor, saved: torch.Tensor | None) -> None:
        self.name, self.flat, self.saved = name, flat, saved

    def __call__(self) -> None:
        storage, saved = self.flat.untyped_storage(), self.saved
        assert saved is not None
        if storage.nbytes() != saved.numel():
            storage.resize_(saved.numel())  # sharded training frees and refills storages
        # Memory that torch has not allocated itself may be a file that is mapped for reading only: to write even the
        # same bytes there kills the process (test_contents.py, test_a_buffer_in_a_read_only_file_is_not_written_to).
        if self.flat.is_cpu and not storage.resizable() and torch.equal(self.flat, saved.cpu()):
            return
        self.flat.copy_(saved)


class Contents:
    """Copies of the storages of tensors, each storage whole and once, however many tensors share it.

    Add tensors, then call `finish` once. The object is a container of the keys of the storages that it has copied.

    Args:
        device: the device for the copies; None for beside the originals.
    """

    def __init__(self, device: torch.device | None) -> None:
        self._device = device
        self._copies: dict[StorageKey, _Copy] = {}
        self._wholes: dict[int, tuple[str, Undo]] = {}  # by the id of a tensor that has no storage
        self._waiting: dict[torch.device, list[_Copy]] = defaultdict(list)
        self._waiting_bytes = 0

    def __contains__(self, key: object) -> bool:
        return key in self._copies

    def add(self, tensor: torch.Tensor, name: str) -> None:
        """Copy the tensor's storage, unless it is known already or there is no data to copy."""
        if tensor.is_meta or nn.parameter.is_lazy(tensor):
            return
        storage = storage_of(tensor)
        if storage is None:
            # To copy into tensor.detach() instead would not do: a sparse one shares its values with the original only
            # until it is written to (test_contents.py, test_a_sparse_tensor_is_copied_whole).
            self._wholes[id(tensor)] = name, partial(tensor.copy_, tensor.detach().clone())
        elif (key := identity_of(storage)) not in self._copies and (size := storage.nbytes()):
            flat = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
            self._copies[key] = self._copy(name, flat, size)

    def finish(self) -> None:
        """Copy the small storages that wait for more of them."""
        for copies in self._waiting.values():
            sizes = [copy.flat.numel() for copy in copies]
            together = torch.cat([copy.flat for copy in copies])
            if self._device is not None:
                together = together.to(self._device)
            for copy, saved in zip(copies, together.split(sizes), strict=True):
                copy.saved = saved
        self._waiting.clear()
        self._waiting_bytes = 0

    def leave(self, tensors: Iterable[torch.Tensor]) -> None:
        """Drop the copies of these tensors' storages, so that nothing is written there."""
        for tensor in tensors:
            self._copies.pop(storage_key(tensor), None)
            self._wholes.pop(id(tensor), None)

    def undos(self) -> Iterator[tuple[str, Undo]]:
        """Iterate over the undos, each with the name of the first tensor of its storage."""
        return chain(self._wholes.values(), ((copy.name, copy) for copy in self._copies.values()))

    def clear(self) -> None:
        """Drop all copies."""
        self._copies.clear()
        self._wholes.clear()
        self._waiting.clear()

    def _copy(self, name: str, flat: torch.Tensor, size: int) -> _Copy:
        if size > SMALL_BYTES:
            return _Copy(name, flat, flat.to(self._device, copy=True) if self._device is not None else flat.clone())
        copy = _Copy(name, flat, None)
        self._waiting[flat.device].append(copy)
        self._waiting_bytes += size
        if self._waiting_bytes > TOGETHER_BYTES:
            self.finish()
        return copy
