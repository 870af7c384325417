"""A trainer's batches, each with those that it shares an optimizer step with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

_Pair = TypeVar("_Pair")


class Window:
    """The batches of one optimizer step, whose labels the trainer counts together.

    They are counted in the step and not while they are drawn: several processes exchange their counts, and only a
    forward pass begins on all of them or on none.
    """

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches
        self._num_items: Any = None
        self._is_counted = False

    def num_items(self, trainer: Any) -> Any:
        """Return the number of items as the trainer counts them, over all processes; None where it does not."""
        if not self._is_counted:
            count, batches = trainer.get_batch_samples, self._batches
            takes_device = "device" in inspect.signature(count).parameters  # since transformers 4.50
            more = [trainer.args.device] if takes_device else []
            _, self._num_items = count(iter(batches), len(batches), *more)
            self._is_counted = True
        return self._num_items


class WindowedBatches:
    """Pairs of a batch and its `Window`.

    Args:
        loader: of the trainer, or any re-iterable of batches.
        size: batches an optimizer step; a shorter rest at the end of the data is left out.
    """

    def __init__(self, loader: Iterable[Any], size: int) -> None:
        self.loader = loader
        self._size = size

    def __iter__(self) -> Iterator[tuple[Any, Window]]:
        source = iter(self.loader)
        return _Pass(source, _windowed(source, self._size))


class Weighted(NamedTuple):
    """A batch of validation data and the weight of its loss in the mean over all."""

    batch: Any
    weight: float


class EvaluationBatches:
    """Batches with weights that make their mean that of `evaluate()`: each counts by its samples.

    Args:
        loader: of the trainer.
        full, last: weight of a full batch, and of the last one.
        count: number of batches.
    """

    def __init__(self, loader: Iterable[Any], full: float, last: float, count: int) -> None:
        self.loader = loader
        self._weights = [full] * (count - 1) + [last]

    def __iter__(self) -> Iterator[Weighted]:
        source = iter(self.loader)
        return _Pass(source, (Weighted(*pair) for pair in zip(source, self._weights, strict=True)))


def in_evaluation(loader: Any, size: int, rank: int, num_processes: int) -> Any:
    """Return the batches with their weights, or the loader where `evaluate()` gives all of them the same.

    It repeats each loss as often as a full batch has samples, and of the last round, over all processes, it leaves out
    what is more than there are samples.

    Args:
        loader: of the trainer, for validation.
        size: samples of a full batch of one process.
        rank, num_processes: index of this process, and their number.
    """
    total = size * num_processes
    try:
        rounds, rest = len(loader), len(loader.dataset) % total or total
    except (AttributeError, TypeError, NotImplementedError):  # a stream
        return loader
    if not rounds or getattr(loader, "total_batch_size", None) != total or getattr(loader, "_drop_last", False):
        return loader
    mean = ((rounds - 1) * total + rest) / (rounds * num_processes)
    return EvaluationBatches(loader, size / mean, min(max(rest - rank * size, 0), size) / mean, rounds)


class _Pass(Iterator[_Pair]):
    """One pass over the batches.

    Args:
        source: iterator of the loader.
        pairs: the batches of this iterator, each with what belongs to it.
    """

    def __init__(self, source: Iterator[Any], pairs: Iterator[_Pair]) -> None:
        self._source = source
        self._pairs = pairs

    def __next__(self) -> _Pair:
        return next(self._pairs)

    def _shutdown_workers(self) -> None:
        """End the pass and with it its workers; the engine asks for it by the name that torch has for it."""
        for name in ("close", "_shutdown_workers"):  # of accelerate's loaders, which are generators, and of torch's
            end = getattr(self._source, name, None)
            if end is not None:
                end()


def _windowed(source: Iterator[Any], size: int) -> Iterator[tuple[Any, Window]]:
    while len(batches := list(islice(source, size))) == size:
        window = Window(batches)
        yield from ((batch, window) for batch in batches)
