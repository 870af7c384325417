"""A trainer's batches, each with those that it shares an optimizer step with."""

from __future__ import annotations

import inspect
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
        return _Pass(self.loader, self._size)


class _Pass:
    """One pass over the batches."""

    def __init__(self, loader: Iterable[Any], size: int) -> None:
        self._source = iter(loader)
        self._pairs = _windowed(self._source, size)

    def __iter__(self) -> _Pass:
        return self

    def __next__(self) -> tuple[Any, Window]:
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
