"""Data in a range test: streams that end, workers that are shut down, loaders with a place, seeds."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from lr_widget import iter_range_test, range_test
from lr_widget.errors import RestoreError

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-2, "num_steps": 6, "diverge_factor": None}


class Recorder(nn.Module):
    """A weight whose loss is the mean of the batch times it; outside the model it keeps the batches that it saw."""

    def __init__(self, seen: list[list[float]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.see = lambda batch: seen.append(batch.flatten().tolist())

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.see(batch)
        return self.weight * batch.float().mean()


def train_on(data: Any, **options: Any) -> tuple[Any, list[list[float]], int]:
    """Return the records of a range test on the data, the batches that the model saw, and the number of updates."""
    seen: list[list[float]] = []
    updates: list[float] = []
    model = Recorder(seen)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.register_step_pre_hook(lambda optimizer, args, keywords: updates.append(optimizer.param_groups[0]["lr"]))
    records = range_test(
        model,
        optimizer,
        None,
        data,
        train_step=lambda model, batch: model(batch),
        progress=False,
        **(SWEEP | options),
    )
    assert records.lr.tolist() == updates
    return records, seen, len(updates)


def sweep_on(data: Any, loss: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss, **options: Any) -> Any:
    model = Recorder([])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return iter_range_test(
        model, optimizer, None, data, train_step=lambda model, batch: loss(model(batch)), **(SWEEP | options)
    )


def numbers(count: int) -> Iterator[torch.Tensor]:
    for index in range(count):
        yield torch.tensor([float(index)])


class Numbers(Dataset[torch.Tensor]):
    """The numbers 0 … length - 1."""

    def __init__(self, length: int = 32) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor(float(index))


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [numbers, lambda count: iter(list(numbers(count)))], ids=["generator", "iterator"])
@pytest.mark.parametrize(
    ("length", "accumulation_steps", "steps"), [(4, 1, 4), (7, 3, 2), (6, 3, 2), (2, 3, 0), (0, 1, 0)]
)
def test_a_one_shot_iterator_ends_the_test_as_exhausted(
    make: Callable[[int], Any], length: int, accumulation_steps: int, steps: int
) -> None:
    """All whole steps are on record, and a last step that would lack micro-batches is not taken."""
    if length == 0:
        with pytest.raises(ValueError, match="train_data yielded no batch; give data with at least one batch"):
            train_on(make(length))
        return
    records, seen, updates = train_on(make(length), accumulation_steps=accumulation_steps)
    assert (len(records), updates, records.stop_reason) == (steps, steps, "exhausted")
    assert seen == [[float(index)] for index in range(steps * accumulation_steps)]
    if steps:
        assert records.loss[0] == pytest.approx(np.mean(range(accumulation_steps)))
        assert len(records.to_pandas()) == steps


def test_data_that_lasts_exactly_is_completed_and_not_exhausted() -> None:
    """Six batches for six steps: the test has all it asked for."""
    records, _, _ = train_on(numbers(6))
    assert (len(records), records.stop_reason) == (6, "completed")


def test_no_more_is_taken_from_an_iterator_than_the_steps_need() -> None:
    """After a test of six steps the user's iterator goes on with its seventh batch."""
    stream = numbers(10)
    train_on(stream)
    assert next(stream).item() == 6.0
    halted = numbers(10)
    sweep = sweep_on(halted)
    next(sweep)
    next(sweep)
    sweep.close()
    assert next(halted).item() == 2.0


class Restarting:
    """Starts over at every `iter`: its `__iter__` is a generator function."""

    def __iter__(self) -> Iterator[torch.Tensor]:
        yield from numbers(4)


def test_an_object_that_makes_generators_starts_over() -> None:
    """Four batches a pass fill six steps, where the generator itself is exhausted after four."""
    records, seen, _ = train_on(Restarting())
    assert (records.stop_reason, [number for [number] in seen]) == ("completed", [0, 1, 2, 3, 0, 1])


def test_a_generator_function_itself_is_no_data() -> None:
    """The function that makes the generator, given without a call, is refused with the remedy."""
    with pytest.raises(TypeError, match=r"train_data must be a DataLoader, .* or an iterable of batches, got function"):
        sweep_on(numbers)


class Stream(IterableDataset[torch.Tensor]):
    """A stream of samples that starts over, or, with `once`, one that is used up after its first pass."""

    def __init__(self, once: bool = False) -> None:
        self.rest = numbers(8) if once else None

    def __iter__(self) -> Iterator[torch.Tensor]:
        return numbers(8) if self.rest is None else self.rest


@pytest.mark.parametrize("given", ["dataset", "loader"])
def test_an_iterable_dataset_starts_over(given: str) -> None:
    """Eight samples in batches of three, 3 + 3 + 2, are walked over and over."""
    if given == "dataset":
        records, seen, _ = train_on(Stream(), dataloader_options={"batch_size": 3})
    else:
        records, seen, _ = train_on(DataLoader(Stream(), batch_size=3))
    assert records.stop_reason == "completed"
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7]] * 2


@pytest.mark.parametrize(("accumulation_steps", "steps"), [(1, 3), (2, 1)])
def test_a_stream_that_is_used_up_ends_as_exhausted(accumulation_steps: int, steps: int) -> None:
    """An IterableDataset that has nothing more at its second pass ends the test with its records."""
    records, seen, updates = train_on(
        DataLoader(Stream(once=True), batch_size=3), accumulation_steps=accumulation_steps
    )
    assert (len(records), updates, records.stop_reason) == (steps, steps, "exhausted")
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7]][: steps * accumulation_steps]


def test_repeats_refuse_data_that_cannot_start_over() -> None:
    """Two sweeps over a generator would leave the second without data; refused before the first."""
    stream = numbers(100)
    with pytest.raises(TypeError, match=r"train_data is a one-shot iterator \(generator\), but repeats start over"):
        train_on(stream, repeats=2)
    assert next(stream).item() == 0.0


# --- workers ---------------------------------------------------------------------------------------------------------


def workers() -> int:
    return len(multiprocessing.active_children())


@pytest.fixture(autouse=True)
def _no_worker_from_before() -> Iterator[None]:
    assert workers() == 0
    yield
    assert workers() == 0


def with_workers(**options: Any) -> DataLoader[Any]:
    return DataLoader(Numbers(), batch_size=2, num_workers=2, **options)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_are_gone_after_the_end(persistent: bool) -> None:
    """After a test that stops in the middle of an epoch there is no worker left, while the sweep is still held."""
    sweep = sweep_on(with_workers(persistent_workers=persistent))
    next(sweep)
    assert workers() == 2
    assert len(list(sweep)) == 5
    assert workers() == 0


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_are_gone_after_an_exception(persistent: bool) -> None:
    """After the user's exception there is none left either, though its traceback still holds the frames."""

    def fail(loss: torch.Tensor) -> torch.Tensor:
        assert workers() == 2
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        next(sweep_on(with_workers(persistent_workers=persistent), fail))
    assert caught.tb is not None
    assert workers() == 0


def test_workers_are_gone_after_closing_and_after_ctrl_c() -> None:
    """A closed test and an interrupted one leave no worker."""
    sweep = sweep_on(with_workers())
    next(sweep)
    sweep.close()
    assert workers() == 0

    def interrupt(loss: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt("by the user")

    with pytest.raises(KeyboardInterrupt, match="by the user") as caught:
        next(sweep_on(with_workers(), interrupt))
    assert caught.tb is not None
    assert workers() == 0


def test_workers_are_gone_where_something_cannot_be_put_back() -> None:
    """A RestoreError does not leave the workers running."""

    class Broken:
        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            raise ZeroDivisionError("cannot load")

    sweep = sweep_on(with_workers(), also_restore=[Broken()])
    next(sweep)
    with pytest.raises(RestoreError, match="Broken") as caught:
        list(sweep)
    assert caught.tb is not None
    assert workers() == 0


def test_workers_of_a_loader_made_for_a_dataset_are_gone_too() -> None:
    """A Dataset with num_workers in dataloader_options is loaded by workers that end with the test."""
    sweep = sweep_on(Numbers(), dataloader_options={"num_workers": 2, "batch_size": 2, "persistent_workers": True})
    next(sweep)
    assert workers() == 2
    sweep.close()
    assert workers() == 0


@pytest.mark.parametrize("persistent", [False, True])
def test_the_users_epoch_goes_on_with_every_sample(persistent: bool) -> None:
    """A loader with workers in the middle of an epoch still yields every sample once, from its own workers."""
    loader = with_workers(persistent_workers=persistent, shuffle=True)
    torch.manual_seed(0)
    epoch = iter(loader)
    seen = [next(epoch) for _ in range(3)]
    records, _, _ = train_on(loader)
    assert records.stop_reason == "completed"
    assert workers() == 2
    seen += list(epoch)
    assert sorted(torch.cat(seen).tolist()) == list(range(32))
    assert sorted(torch.cat(list(loader)).tolist()) == list(range(32))
    if persistent:
        loader._iterator._shutdown_workers()


def test_an_iterator_of_the_users_keeps_its_workers_and_goes_on() -> None:
    """The iterator of a loader, given as data, is not shut down: after six steps its other ten batches come."""
    epoch = iter(with_workers())
    _, seen, _ = train_on(epoch)
    assert seen == [[2 * index, 2 * index + 1] for index in range(6)]
    assert workers() == 2
    assert torch.cat(list(epoch)).tolist() == list(range(12, 32))


# --- loaders with a place --------------------------------------------------------------------------------------------


class StatefulLoader:
    """Keeps its place as torchdata's StatefulDataLoader does.

    The place is in the iterator made last. `state_dict` makes one where there is none, and the next `iter` then takes
    that; after `load_state_dict` the next `iter` starts at the place loaded, and the ones after it at the beginning.
    """

    def __init__(self) -> None:
        self.batches = list(numbers(8))
        self.latest: Epoch | None = None
        self.loaded: dict[str, int] | None = None
        self.is_made_for_its_state = False

    def __iter__(self) -> Epoch:
        if not self.is_made_for_its_state or self.latest is None:
            self._make()
        self.is_made_for_its_state = False
        assert self.latest is not None
        return self.latest

    def _make(self) -> None:
        self.latest, self.loaded = Epoch(self.batches, **(self.loaded or {"place": 0})), None

    def state_dict(self) -> dict[str, int]:
        if self.latest is None:
            self._make()
            self.is_made_for_its_state = True
        assert self.latest is not None
        return {"place": self.latest.place}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.latest, self.loaded, self.is_made_for_its_state = None, state, False


class Epoch(Iterator[torch.Tensor]):
    """One epoch from some place on."""

    __slots__ = ("batches", "place")

    def __init__(self, batches: list[torch.Tensor], place: int) -> None:
        self.batches, self.place = batches, place

    def __next__(self) -> torch.Tensor:
        if self.place == len(self.batches):
            raise StopIteration
        self.place += 1
        return self.batches[self.place - 1]


def in_the_middle(loader: StatefulLoader) -> Iterator[torch.Tensor] | None:
    """Take three batches of an epoch and return its iterator; the user goes on with it."""
    epoch = iter(loader)
    assert [number.item() for number in islice(epoch, 3)] == [0, 1, 2]
    return epoch


def resumed(loader: StatefulLoader) -> Iterator[torch.Tensor] | None:
    """Load a place from a checkpoint; the user's next `iter` goes on from there."""
    loader.load_state_dict({"place": 3})
    return None


def resumed_and_asked(loader: StatefulLoader) -> Iterator[torch.Tensor] | None:
    """Load a place and ask for it, as saving a checkpoint before the first batch does."""
    loader.load_state_dict({"place": 3})
    assert loader.state_dict() == {"place": 3}
    return None


def new(loader: StatefulLoader) -> Iterator[torch.Tensor] | None:
    """Leave it as it is: the user's next `iter` begins the first epoch."""
    return None


@pytest.mark.parametrize(
    ("start", "given"),
    [
        (start, given)
        for start in (in_the_middle, resumed, resumed_and_asked, new)
        for given in ("loader and also_restore", "loader alone", "also_restore alone")
        if (start, given) != (resumed_and_asked, "loader alone")  # its place is then within an iterator
    ],
)
@pytest.mark.parametrize("steps", [1, 11])
def test_a_loader_with_a_place_goes_on_at_its_place(
    start: Callable[[StatefulLoader], Iterator[torch.Tensor] | None], given: str, steps: int
) -> None:
    """After the test the same batches come, in this epoch and the next, and the same state, as without the test."""

    def went_on(is_tested: bool) -> tuple[Any, ...]:
        loader = StatefulLoader()
        epoch = start(loader)
        if is_tested:
            also_restore = [] if given == "loader alone" else [loader]
            data = Hiding(loader) if given == "also_restore alone" else loader
            train_on(data, also_restore=also_restore, num_steps=12, stop=lambda record: record.step == steps)
        epoch = iter(loader) if epoch is None else epoch
        first = [number.item() for number in islice(epoch, 2)]
        state = dict(loader.state_dict())
        rest = [number.item() for number in epoch]
        return first, state, rest, [number.item() for number in loader]

    expected = went_on(is_tested=False)
    place = 0 if start is new else 3
    assert expected == ([place, place + 1], {"place": place + 2}, list(range(place + 2, 8)), list(range(8)))
    assert went_on(is_tested=True) == expected


class Hiding:
    """Data that draws from a hidden loader."""

    def __init__(self, loader: StatefulLoader) -> None:
        self.draw = lambda: iter(loader)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return self.draw()


class SelfPlaced:
    """Keeps its place on itself, shared by all its iterators."""

    def __init__(self) -> None:
        self.place = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        while self.place < 8:
            self.place += 1
            yield torch.tensor([float(self.place)])
        self.place = 0

    def state_dict(self) -> dict[str, int]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.place = state["place"]


@pytest.mark.parametrize("data_of", [lambda loader: loader, Hiding], ids=["seen", "hidden"])
def test_a_place_that_all_iterators_share_is_put_back(data_of: Callable[[Any], Any]) -> None:
    """The test goes on in the middle of the epoch, and afterwards so does the user's iterator, at its own place."""
    loader = SelfPlaced()
    epoch = iter(loader)
    assert [number.item() for number in islice(epoch, 3)] == [1, 2, 3]
    _, seen, _ = train_on(data_of(loader), also_restore=[loader])
    assert seen == [[4], [5], [6], [7], [8], [1]]
    assert loader.state_dict() == {"place": 3}
    assert [number.item() for number in epoch] == [4, 5, 6, 7, 8]
    assert [number.item() for number in loader] == [1, 2, 3, 4, 5, 6, 7, 8]


# --- seeds -----------------------------------------------------------------------------------------------------------


class Augmented(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Samples with noise from torch, NumPy and Python, in the main process or in a worker."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        noise = float(torch.rand(())) + random.random() + (0.0 if get_worker_info() else float(np.random.rand()))
        return torch.full((3,), index / 24) + noise, torch.ones(1)


LOADERS: dict[str, Callable[[], dict[str, Any]]] = {
    "dataset": lambda: {},
    "workers": lambda: {"num_workers": 2},
    "own generator": lambda: {"generator": torch.Generator()},
    "workers, own generator": lambda: {"num_workers": 2, "generator": torch.Generator()},
}


def curves(options: dict[str, Any], **more: Any) -> list[list[float]]:
    """Return the losses of every sweep and the validation losses, after drawing from every generator."""
    torch.rand(3), np.random.rand(3), random.random()
    if "generator" in options:
        options["generator"].seed()
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
    model.load_state_dict(START)
    records = range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        nn.functional.mse_loss,
        DataLoader(Augmented(), batch_size=4, shuffle=True, **options),
        progress=False,
        **(SWEEP | more),
    )
    losses = [repeat.loss.tolist() for repeat in records.repeats or [records]]
    return losses + ([] if records.val_loss is None else [records.val_loss[1::2].tolist()])


START = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1)).state_dict()


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_seed_makes_two_tests_identical(kind: str, repeats: int) -> None:
    """With a seed, all losses of all repeats and the validation losses come again, whatever was drawn between."""
    options, val_data = LOADERS[kind](), DataLoader(Augmented(), batch_size=8, shuffle=True)
    more = {"repeats": repeats, "val_data": val_data, "val_every": 2}
    first, again = curves(options, seed=11, **more), curves(options, seed=11, **more)
    assert first == again
    assert len(first) == repeats + 1
    assert len({tuple(curve) for curve in first}) == repeats + 1
    assert curves(options, seed=12, **more) != first


@pytest.mark.parametrize("kind", ["dataset", "own generator"])
def test_without_a_seed_two_tests_and_the_repeats_of_one_differ(kind: str) -> None:
    """Every sweep of a test has another order and other noise, and so has the next test after more was drawn."""
    options = LOADERS[kind]()
    first, again = curves(options, repeats=3), curves(options, repeats=3)
    assert len({tuple(curve) for curve in first}) == 3
    assert first[0] != again[0]


def test_the_repeats_use_the_seeds_that_follow() -> None:
    """The repeats of seed 11 are the tests of the seeds 11, 12 and 13."""
    together = curves({}, seed=11, repeats=3)
    assert together == [curve for seed in (11, 12, 13) for curve in curves({}, seed=seed)]
