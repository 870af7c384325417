"""Endless batches from a DataLoader, a Dataset, a pair of tensors or any re-iterable."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from ..checks import adapter_hint

_BATCH_SIZE = 32  # of a DataLoader made here, unless the options say another
_FORMS = "a DataLoader, a Dataset, a tuple of two tensors (inputs, targets) or an iterable of batches"


class Batches:
    """The batches of some data, over and over; a one-shot iterator ends when it ends.

    Serves any number of sweeps one after another: iterate, close, iterate again.

    Args:
        data: DataLoader, Dataset, tuple of two tensors with one entry a sample, or an iterable of batches.
        dataloader_options: keywords of the DataLoader made for a Dataset or tensors; the default is
            `{"batch_size": 32, "shuffle": True}` (no shuffling for an IterableDataset).
        name: the data's name in error messages.

    Raises:
        TypeError: `data` is of no known form, or there are options for data that comes in batches already.
        ValueError: the data is empty, or the tensors differ in length.
    """

    def __init__(
        self, data: Any, dataloader_options: Mapping[str, Any] | None = None, name: str = "train_data"
    ) -> None:
        self.name = name
        self.loader = _loader(data, dataloader_options or {}, name)
        self.is_one_shot = isinstance(self.loader, Iterator)
        self._iterator: Iterator[Any] | None = None
        if _length(self.loader) == 0:
            raise ValueError(
                f"{name} has no batch; give data with at least one batch (is drop_last dropping the only one?)"
            )

    def refuse_one_shot(self, reason: str) -> None:
        """Raise a TypeError where the data cannot start over; `reason` says why it must."""
        if self.is_one_shot:
            raise TypeError(
                f"{self.name} is a one-shot iterator ({type(self.loader).__name__}), but {reason}; "
                "give a DataLoader, a list or another iterable that can start over"
            )

    def __iter__(self) -> Iterator[Any]:
        """Yield batches without end, starting over when the data ends; stop where it cannot start over.

        Raises:
            ValueError: a pass over the data gave no batch at all.
        """
        is_first_pass = True
        while True:
            self._iterator, is_empty = iter(self.loader), True
            for batch in self._iterator:  # not `yield from`, which would close a user's generator with this one
                is_empty = False
                yield batch
            if is_empty and is_first_pass:
                raise ValueError(f"{self.name} yielded no batch; give data with at least one batch")
            if is_empty or self.is_one_shot:
                return
            is_first_pass = False

    def one_pass(self) -> Iterator[Any]:
        """Yield the batches of one pass over the data, for validation."""
        self._iterator = iter(self.loader)
        yield from self._iterator

    def close(self) -> None:
        """Shut down the worker processes of the pass that is running; the next pass starts new ones."""
        iterator, self._iterator = self._iterator, None
        if iterator is not None and not self.is_one_shot:  # a one-shot iterator is the user's and goes on
            _shut_workers_down(self.loader, iterator)


def takes_options(data: Any) -> bool:
    """Tell data that a DataLoader is made for, with options to set, from data that comes in batches already."""
    return isinstance(data, Dataset) or _is_tensor_tuple(data) or _is_map_style(data)


def _loader(data: Any, options: Mapping[str, Any], name: str) -> Iterable[Any]:
    if isinstance(data, DataLoader):
        _refuse_options(options, name, "a DataLoader")
        return _with_own_workers(data)
    if hint := adapter_hint(data):
        raise TypeError(f"{name} must be {_FORMS}, got {type(data).__name__}{hint}")
    _refuse_arrays(data, name)
    _refuse_one_batch(data, name)
    _refuse_listed_pair(data, name)
    if takes_options(data):
        return _loader_of_dataset(_tensor_dataset(data, name) if _is_tensor_tuple(data) else data, options, name)
    if isinstance(data, (torch.Tensor, str, bytes)) or not isinstance(data, Iterable):
        raise TypeError(f"{name} must be {_FORMS}, got {type(data).__name__}")
    _refuse_options(options, name, f"an iterable ({type(data).__name__})")
    return data


def _loader_of_dataset(dataset: Any, options: Mapping[str, Any], name: str) -> DataLoader[Any]:
    if _length(dataset) == 0:
        raise ValueError(f"{name} is a dataset of length 0; give data with at least one sample")
    default: dict[str, Any] = {"batch_size": _BATCH_SIZE, "shuffle": True}
    if "batch_sampler" in options:
        default = {}
    elif "sampler" in options or isinstance(dataset, IterableDataset):
        default = {"batch_size": _BATCH_SIZE}
    return DataLoader(dataset, **{**default, **options})


def _tensor_dataset(tensors: tuple[torch.Tensor, ...], name: str) -> TensorDataset:
    is_pair = len(tensors) == 2 and all(tensor.ndim for tensor in tensors)
    if not is_pair or len(tensors[0]) != len(tensors[1]):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise ValueError(
            f"{name} as tensors must be (inputs, targets) with one entry a sample in each, got shapes {shapes}; "
            "give more than two as torch.utils.data.TensorDataset(...)"
        )
    return TensorDataset(*tensors)


def _is_tensor_tuple(data: Any) -> bool:
    return isinstance(data, tuple) and bool(data) and all(isinstance(part, torch.Tensor) for part in data)


def _is_map_style(data: Any) -> bool:
    """Tell a dataset by its methods, such as a Hugging Face one, from a sequence of batches."""
    has_methods = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return has_methods and not isinstance(data, (list, tuple, str, bytes, Mapping, torch.Tensor))


def _length(data: Any) -> int | None:
    """Return the length, or None where there is none, as for a stream."""
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None


def _refuse_arrays(data: Any, name: str) -> None:
    """Refuse arrays and tables, also beside tensors: their dtype is rarely the model's."""
    parts = data if isinstance(data, (tuple, list)) and data else [data]
    if not all(isinstance(part, (torch.Tensor, np.ndarray)) or _is_table(part) for part in parts):
        return
    table = next((part for part in parts if _is_table(part)), None)
    if table is not None or any(isinstance(part, np.ndarray) for part in parts):
        got = "NumPy arrays" if table is None else f"a {type(table).__name__}"
        x, y = ("x", "y") if table is None else ("x.to_numpy()", "y.to_numpy()")
        raise TypeError(
            f"{name} must be {_FORMS}, got {got}; give tensors, as (torch.as_tensor({x}), torch.as_tensor({y})), "
            "in the model's dtype"
        )


def _is_table(data: Any) -> bool:
    """Tell a table of pandas or polars, or a column of one."""
    return hasattr(data, "to_numpy") and not isinstance(data, (Dataset, type))


def _refuse_one_batch(data: Any, name: str) -> None:
    """Refuse a mapping, and an object like the graphs of PyTorch Geometric: it has keys and moves to a device."""
    is_like_one = hasattr(data, "keys") and hasattr(data, "to") and not isinstance(data, (Dataset, type))
    if isinstance(data, Mapping) or is_like_one:
        raise TypeError(
            f"{name} must be {_FORMS}, got {type(data).__name__}; if this is one batch, give a list of it, [batch]"
        )


def _refuse_listed_pair(data: Any, name: str) -> None:
    """Refuse a list of two tensors that are as long but unlike: two batches by the rule for lists, but not meant so."""
    if not isinstance(data, list) or len(data) != 2 or not all(isinstance(part, torch.Tensor) for part in data):
        return
    first, second = data
    are_alike = first.shape == second.shape and first.dtype == second.dtype
    if first.ndim and second.ndim and len(first) == len(second) and not are_alike:
        raise TypeError(
            f"{name} as a list of two tensors could be a pair or two batches; give a tuple (inputs, targets), or for "
            "two batches a DataLoader([first, second], batch_size=None)"
        )


def _refuse_options(options: Mapping[str, Any], name: str, form: str) -> None:
    if options:
        raise TypeError(
            f"dataloader_options are for a Dataset or tensors, but {name} is {form}; leave them out or set them there"
        )


def _with_own_workers(loader: DataLoader[Any]) -> DataLoader[Any]:
    """Return a loader whose persistent workers are its own: a pass over the user's would end their running epoch.

    Held by test_the_users_epoch_goes_on_with_every_sample.
    """
    if not loader.persistent_workers:
        return loader
    own = copy.copy(loader)
    _forget_iterator(own)
    return own


def _shut_workers_down(loader: Iterable[Any], iterator: Iterator[Any]) -> None:
    """End the worker processes of a pass, if it has any.

    An iterator of DataLoader does so itself when it is collected, but a traceback can hold it for long: see
    test_workers_are_gone_after_an_exception. There is no public call for it.
    """
    if isinstance(loader, DataLoader):
        if getattr(loader, "_iterator", None) is iterator:
            _forget_iterator(loader)
    elif getattr(iterator, "_persistent_workers", False):
        return  # they belong to the loader behind a wrapper of the user's, which goes on with them
    shut_down = getattr(iterator, "_shutdown_workers", None)
    if shut_down is not None:
        shut_down()


def _forget_iterator(loader: DataLoader[Any]) -> None:
    """Let a loader make a new iterator for its next pass.

    With persistent workers it would hand out the one it has, whose workers are the user's or were shut down: see
    test_persistent_workers_are_new_in_every_sweep. There is no public call for it.
    """
    loader._iterator = None  # noqa: SLF001  # a version of DataLoader without it ignores it
