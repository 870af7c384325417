"""The data that `fit` takes, as batches for a range test and as their number for a trainer of ours."""

from __future__ import annotations

import math
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data.distributed import DistributedSampler

from ...distributed import is_alone
from ...training import Batches, takes_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType


class Together:
    """Batches of several loaders as `fit` joins them: collections of a batch of each.

    Args:
        combined: Lightning's `CombinedLoader`.
    """

    def __init__(self, combined: Any) -> None:
        self.combined = combined

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of one pass."""
        for batch, _, _ in self.combined:
            yield batch

    def __len__(self) -> int:
        """Return the number of batches, as far as the loaders know theirs."""
        stand_in = counted(self)  # the length is known once there are iterators, which draw from random generators
        iter(stand_in)
        return len(stand_in)


class Counted:
    """A stand-in for a loader, with its attributes and its length but without its batches.

    A trainer that works out the length of a training starts a pass over the data, which would draw from the loader's
    random generators and start its workers.

    Args:
        loader: the loader.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the loader."""
        return getattr(self.__dict__["_loader"], name)

    def __iter__(self) -> Iterator[Any]:
        """Yield nothing."""
        return iter(())

    def __len__(self) -> int:
        """Return the number of batches; the loader may not know it."""
        return len(self._loader)


class Limited:
    """Batches whose passes end early, as those of a trainer with `limit_train_batches` do.

    Args:
        data: as `batches_of` returns them.
        num_batches: of a pass.

    Attributes:
        batch_size: that of the data, or None.
    """

    def __init__(self, data: Any, num_batches: int) -> None:
        self.batch_size = getattr(data, "batch_size", None)
        self._batches = Batches(data)
        self._num_batches = num_batches

    def __iter__(self) -> Iterator[Any]:
        """Return one pass."""
        return _Pass(self._batches, self._num_batches)

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._num_batches


class _Pass:
    """One pass over a part of the batches."""

    def __init__(self, batches: Batches, num_batches: int) -> None:
        self._batches = batches
        self._part = islice(batches.one_pass(), num_batches)

    def __iter__(self) -> _Pass:
        return self

    def __next__(self) -> Any:
        return next(self._part)

    def _shutdown_workers(self) -> None:
        """End the workers of the pass; the engine asks for it by the name that torch has for it."""
        self._batches.close()


def batches_of(library: ModuleType, given: Any, options: Mapping[str, Any] | None) -> Any:
    """Return data as `range_test` takes it: several loaders are joined, a dataset becomes a loader."""
    combined_loader = import_module(f"{library.__name__}.utilities.combined_loader").CombinedLoader
    if isinstance(given, combined_loader):
        return Together(given)
    if isinstance(given, (dict, list, tuple)) and any(isinstance(leaf, DataLoader) for leaf in tree_leaves(given)):
        return Together(combined_loader(given, "max_size_cycle"))
    return Batches(given, options).loader if takes_options(given) else given


def counted(batches: Any) -> Any:
    """Return stand-ins for the loaders, in the collection that they are in."""
    if not isinstance(batches, Together):
        return Counted(batches)
    combined = batches.combined
    return type(combined)(tree_map(Counted, combined.iterables), combined._mode)  # noqa: SLF001  # nowhere else


def limited(batches: Any, num_batches: float) -> Any:
    """Return batches whose passes end after a number of them; the batches themselves where they end by then."""
    try:
        is_whole = num_batches >= len(batches)
    except (TypeError, NotImplementedError):  # a stream
        is_whole = num_batches == math.inf
    return batches if is_whole else Limited(batches, int(num_batches))


def shared(library: ModuleType, batches: Any, rank: int, size: int) -> Any:
    """Return this process's part of the batches, drawn as `fit` draws them.

    Args:
        library: the package of Lightning.
        batches: as `batches_of` returns them.
        rank, size: of this process, and the number of all.
    """
    if is_alone():
        return batches
    if isinstance(batches, Together):
        combined = batches.combined
        parts = tree_map(lambda loader: _part(library, loader, rank, size), combined.iterables)
        return Together(type(combined)(parts, combined._mode))  # noqa: SLF001  # nowhere else
    return _part(library, batches, rank, size)


def _part(library: ModuleType, loader: Any, rank: int, size: int) -> Any:
    is_ready = not isinstance(loader, DataLoader) or isinstance(loader.sampler, DistributedSampler)
    if is_ready or isinstance(loader.dataset, IterableDataset):
        return loader
    connector = import_module(f"{library.__name__}.trainer.connectors.data_connector")
    stage = import_module(f"{library.__name__}.trainer.states").RunningStage.TRAINING
    sampler = connector._get_distributed_sampler(  # noqa: SLF001  # as fit, with its seed
        loader, shuffle=True, overfit_batches=0, mode=stage, num_replicas=size, rank=rank
    )
    return connector._update_dataloader(loader, sampler, mode=stage)  # noqa: SLF001  # it knows subclasses of loaders
