"""Endless batches from a DataLoader, a Dataset, a pair of tensors or any re-iterable."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from ..restore.reach import sources_of

DEFAULT_BATCH_SIZE = 32
_FORMS = "a DataLoader, a Dataset, a tuple of two tensors (inputs, targets) or an iterable of batches"


class Batches:
    """The batches of ``data``, over and over; a one-shot iterator ends when it ends.

    Args:
        data: DataLoader, Dataset, tuple of two tensors with one entry a sample, or an iterable of batches.
        dataloader_options: keywords of the DataLoader made for a Dataset or tensors; the default is
            ``{"batch_size": 32, "shuffle": True}`` (no shuffling for an IterableDataset).
        name: what to call the data in an error.

    Raises:
        TypeError: ``data`` is of no known form, or options were given for something that is already loaded.
        ValueError: there is nothing in it, or the tensors differ in length.
    """

    def __init__(
        self, data: Any, dataloader_options: Mapping[str, Any] | None = None, name: str = "train_data"
    ) -> None:
        self.name = name
        self.loader = _loader(data, dataloader_options, name)
        self.is_one_shot = isinstance(self.loader, Iterator)
        self._iterator: Iterator[Any] | None = None
        _refuse_empty(self.loader, name)

    def refuse_one_shot(self, reason: str) -> None:
        """Raise a TypeError where the data cannot start over; ``reason`` says why it must."""
        if self.is_one_shot:
            raise TypeError(
                f"{self.name} is a one-shot iterator ({type(self.loader).__name__}), but {reason}; "
                "give a DataLoader, a list or another iterable that can start over"
            )

    @cached_property
    def sources(self) -> list[Any]:
        """The loader and what it draws from: whatever may hold a generator or a place in the data."""
        return sources_of(self.loader)

    def __iter__(self) -> Iterator[Any]:
        """Yield batches without end, starting over when the data ends; stop where it cannot start over.

        Raises:
            ValueError: a pass over the data gave no batch at all.
        """
        is_first_pass = True
        while True:
            self._iterator, is_empty = iter(self.loader), True
            for batch in self._iterator:
                is_empty = False
                yield batch
            if is_empty and is_first_pass:
                raise ValueError(f"{self.name} yielded no batch; give data with at least one batch")
            if is_empty or self.is_one_shot:
                return
            is_first_pass = False

    def one_pass(self) -> Iterator[Any]:
        """Yield the batches of one pass, as validation wants them."""
        self._iterator = iter(self.loader)
        yield from self._iterator

    def close(self) -> None:
        """Shut worker processes down; a one-shot iterator of the user's stays as it is."""
        iterator, self._iterator = self._iterator, None
        if self.is_one_shot:
            return
        # DataLoader's iterator shuts its workers down when it is collected, which a traceback can put off.
        shut_down = getattr(iterator, "_shutdown_workers", None)
        if shut_down is not None:
            shut_down()


def _loader(data: Any, options: Mapping[str, Any] | None, name: str) -> Iterable[Any]:
    if isinstance(data, DataLoader):
        _refuse_options(options, name, "a DataLoader")
        return _own_workers(data)
    _refuse_arrays(data, name)
    if _is_tensor_tuple(data):
        data = _tensor_dataset(data, name)
    if takes_options(data):
        if len_of(data) == 0:
            raise ValueError(f"{name} is a dataset of length 0; give data with at least one sample")
        default = {"batch_size": DEFAULT_BATCH_SIZE}
        if not isinstance(data, IterableDataset) and not {"sampler", "batch_sampler"} & set(options or ()):
            default |= {"shuffle": True}
        if "batch_sampler" in (options or ()):
            default = {}
        return DataLoader(data, **{**default, **(options or {})})
    if isinstance(data, (torch.Tensor, str, bytes, Mapping)) or not isinstance(data, Iterable):
        raise TypeError(f"{name} must be {_FORMS}, got {type(data).__name__}")
    _refuse_options(options, name, f"an iterable ({type(data).__name__})")
    return data


def _tensor_dataset(tensors: tuple[torch.Tensor, ...], name: str) -> TensorDataset:
    is_pair = len(tensors) == 2 and all(tensor.ndim for tensor in tensors)
    if not is_pair or len(tensors[0]) != len(tensors[1]):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise ValueError(
            f"{name} as tensors must be (inputs, targets) with one entry a sample in each, got shapes {shapes}; "
            "give more than two as torch.utils.data.TensorDataset(...)"
        )
    return TensorDataset(*tensors)


def _refuse_arrays(data: Any, name: str) -> None:
    parts = data if isinstance(data, (tuple, list)) and data else [data]
    if all(isinstance(part, np.ndarray) for part in parts):
        raise TypeError(
            f"{name} must be {_FORMS}, got NumPy arrays; give tensors, as (torch.as_tensor(x), torch.as_tensor(y))"
        )


def takes_options(data: Any) -> bool:
    """Say whether a DataLoader is made for ``data``, so that there is something to set on it."""
    return isinstance(data, Dataset) or _is_tensor_tuple(data) or _is_map_style(data)


def _own_workers(loader: DataLoader[Any]) -> DataLoader[Any]:
    """Return a loader whose persistent workers are its own: asking for the user's would end their running epoch."""
    if not loader.persistent_workers or loader.num_workers == 0:
        return loader
    own = copy.copy(loader)
    own._iterator = None
    return own


def _is_tensor_tuple(data: Any) -> bool:
    return isinstance(data, tuple) and bool(data) and all(isinstance(part, torch.Tensor) for part in data)


def _is_map_style(data: Any) -> bool:
    """Say whether this is a dataset by its methods only, such as a Hugging Face one; sequences hold batches."""
    has_methods = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return has_methods and not isinstance(data, (list, tuple, str, bytes, Mapping, torch.Tensor))


def _refuse_options(options: Mapping[str, Any] | None, name: str, form: str) -> None:
    if options:
        raise TypeError(
            f"dataloader_options are for a Dataset or tensors, but {name} is {form}; leave them out or set them there"
        )


def _refuse_empty(loader: Iterable[Any], name: str) -> None:
    if len_of(loader) == 0:
        raise ValueError(
            f"{name} has no batch; give data with at least one batch (is drop_last dropping the only one?)"
        )


def len_of(data: Any) -> int | None:
    """Return the length, or None where there is none, as for a stream."""
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None
