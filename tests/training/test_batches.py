"""Every form of training data, and its wrong twin; sweeps one after another, with workers and without."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from lr_widget.training.batches import Batches, takes_options


class Squares(Dataset[tuple[float, float]]):
    """Ten numbers and their squares."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[float, float]:
        if index >= 10:
            raise IndexError
        return float(index), float(index) ** 2


class Stream(IterableDataset[tuple[float, float]]):
    """Three samples, one after another."""

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter([(1.0, 1.0), (2.0, 4.0), (3.0, 9.0)])


class DuckDataset:
    """Has the methods of a map-style dataset but not its base class, as Hugging Face's have."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[float, float]:
        return float(index), 0.0


class Graph:
    """A batch with attributes by name, a length and a device, as those of PyTorch Geometric."""

    def keys(self) -> list[str]:
        return ["x"]

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: str) -> torch.Tensor:
        return torch.zeros(3)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return iter([("x", torch.zeros(3))])

    def to(self, device: Any) -> Graph:
        return self


class Named(DuckDataset):
    """A dataset that also knows the names of its samples."""

    def keys(self) -> list[str]:
        return ["a", "b", "c"]


def inputs_of(batches: Batches, count: int) -> list[list[float]]:
    """Return the inputs of the first batches."""
    return [batch[0].tolist() for batch in islice(iter(batches), count)]


def test_a_short_loader_starts_over() -> None:
    """Five batches of a loader of three are its three and the first two again."""
    loader = DataLoader(Squares(), batch_size=4)
    assert inputs_of(Batches(loader), 5) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_dataset_is_loaded_with_the_given_options() -> None:
    """Batches of five in order, as `dataloader_options` say."""
    options = {"batch_size": 5, "shuffle": False}
    assert inputs_of(Batches(Squares(), options), 3) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [0, 1, 2, 3, 4]]


def test_a_dataset_is_shuffled_in_batches_of_32_by_default() -> None:
    """Ten samples are one batch, in another order."""
    torch.manual_seed(0)
    [first] = inputs_of(Batches(Squares()), 1)
    assert first != sorted(first)
    assert sorted(first) == list(range(10))


def test_a_stream_of_samples_is_batched_without_shuffling() -> None:
    """An IterableDataset comes in its own order."""
    assert inputs_of(Batches(Stream(), {"batch_size": 2}), 3) == [[1, 2], [3], [1, 2]]


def test_a_dataset_by_its_methods_is_batched_too() -> None:
    """`__len__` and `__getitem__` do, without the base class, also beside `keys`."""
    for dataset in (DuckDataset(), Named()):
        assert inputs_of(Batches(dataset, {"batch_size": 3, "shuffle": False}), 1) == [[0, 1, 2]]


def test_a_sampler_in_the_options_replaces_shuffling() -> None:
    """DataLoader would refuse both together."""
    assert inputs_of(Batches(Squares(), {"sampler": [3, 1], "batch_size": 2}), 1) == [[3, 1]]
    assert inputs_of(Batches(Squares(), {"batch_sampler": [[3, 1], [2]]}), 2) == [[3, 1], [2]]


def test_a_pair_of_tensors_is_shuffled_and_kept_together() -> None:
    """Each input keeps its target."""
    torch.manual_seed(0)
    x = torch.arange(64.0)
    inputs, targets = next(iter(Batches((x, 2 * x))))
    assert len(inputs) == 32
    assert inputs.tolist() != sorted(inputs.tolist())
    assert (targets == 2 * inputs).all()


def test_a_list_of_batches_is_walked_over_and_over() -> None:
    """Five batches of a list of two."""
    batches = [(torch.zeros(1), 0), (torch.ones(1), 1)]
    assert [label for _, label in islice(iter(Batches(batches)), 5)] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "tensors",
    [
        [torch.zeros(3), torch.ones(4)],
        [torch.zeros(3), torch.ones(3), torch.ones(3)],
        [torch.tensor(0.0), torch.tensor(1.0)],
        [torch.zeros(3), torch.ones(3)],
        DataLoader([torch.zeros(3), torch.ones(3, 2)], batch_size=None),
    ],
)
def test_tensors_that_can_be_nothing_but_batches_are_batches(tensors: Any) -> None:
    """A list of two of unequal length, of three, of scalars or of two alike, and others by the remedy of the error."""
    walked = [batch.flatten()[0].item() for batch in islice(iter(Batches(tensors)), 2)]
    assert walked == [0.0, 1.0]


def test_graphs_in_a_list_are_batches() -> None:
    """A batch that moves itself is given to the train_step as it is."""
    graph = Graph()
    assert next(iter(Batches([graph]))) is graph


def test_a_one_shot_iterator_ends_when_it_ends() -> None:
    """It cannot start over, and says so."""
    batches = Batches(iter([(torch.zeros(1), 0), (torch.ones(1), 1)]))
    assert batches.is_one_shot
    assert [label for _, label in batches] == [0, 1]


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (
            DataLoader(Squares(), batch_size=20, drop_last=True),
            None,
            ValueError,
            "train_data has no batch; .*drop_last",
        ),
        ([], None, ValueError, "train_data has no batch"),
        (TensorDataset(torch.zeros(0, 2), torch.zeros(0)), None, ValueError, "train_data is a dataset of length 0"),
        ((torch.zeros(3), torch.zeros(4)), None, ValueError, r"one entry a sample in each, got shapes \(3,\), \(4,\)"),
        ((torch.zeros(3),), None, ValueError, r"must be \(inputs, targets\) with one entry a sample"),
        (
            (torch.zeros(3),) * 3,
            None,
            ValueError,
            r"got shapes \(3,\), \(3,\), \(3,\); give more .* as .*TensorDataset",
        ),
        (
            (torch.tensor(1.0), torch.tensor(1.0)),
            None,
            ValueError,
            r"one entry a sample in each, got shapes \(\), \(\)",
        ),
        ((np.zeros(3), np.zeros(3)), None, TypeError, r"got NumPy arrays; give tensors, as \(torch.as_tensor\(x\)"),
        ([np.zeros(3), np.zeros(3)], None, TypeError, "got NumPy arrays; give tensors"),
        (np.zeros(3), None, TypeError, "got NumPy arrays; give tensors"),
        ((torch.zeros(3), np.zeros(3)), None, TypeError, "got NumPy arrays; give tensors"),
        (
            pd.DataFrame({"x": [1.0], "y": [2.0]}),
            None,
            TypeError,
            r"got a DataFrame; give tensors, as \(torch.as_tensor\(x.to_numpy\(\)\), torch.as_tensor\(y.to_numpy\(\)\)\), in",
        ),
        ((pd.DataFrame({"x": [1.0]}), pd.Series([2.0])), None, TypeError, "got a DataFrame; give tensors"),
        ([np.zeros(1), pd.Series([2.0])], None, TypeError, "got a Series; give tensors"),
        (
            [torch.zeros(3, 2), torch.zeros(3)],
            None,
            TypeError,
            r"train_data as a list of two tensors could be a pair or two batches; give a tuple \(inputs, targets\), or f",
        ),
        (
            torch.zeros(3),
            None,
            TypeError,
            "train_data must be a DataLoader, a Dataset, a tuple of two tensors.*got Tensor",
        ),
        (None, None, TypeError, "train_data must be .*, got NoneType"),
        (
            {"x": torch.zeros(3)},
            None,
            TypeError,
            r"train_data must be .*, got dict; if this is one batch, give a list of it, \[batch\]",
        ),
        (Graph(), None, TypeError, "train_data must be .*, got Graph; if this is one batch, give a list of it"),
        ("digits", None, TypeError, "train_data must be .*, got str"),
        (DataLoader(Squares()), {"batch_size": 2}, TypeError, "dataloader_options are for a Dataset or tensors"),
        ([(1, 2)], {"batch_size": 2}, TypeError, r"but train_data is an iterable \(list\); leave them out"),
    ],
)
def test_data_of_a_wrong_form_is_refused_with_a_remedy(
    data: Any, options: dict[str, Any] | None, error: type[Exception], message: str
) -> None:
    """The error has the rule, the value and the remedy."""
    with pytest.raises(error, match=message):
        Batches(data, options)


def test_an_iterable_that_turns_out_empty_is_refused_at_its_first_pass() -> None:
    """It has no length to see it by before."""

    class Empty:
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    with pytest.raises(ValueError, match="train_data yielded no batch; give data with at least one batch"):
        next(iter(Batches(Empty())))


def test_options_are_for_data_that_a_loader_is_made_for() -> None:
    """Datasets and tensors take them; loaders and lists of batches are loaded already."""
    assert all(takes_options(data) for data in (Squares(), Stream(), DuckDataset(), (torch.zeros(2), torch.zeros(2))))
    assert not any(takes_options(data) for data in (DataLoader(Squares()), [(1, 2)], iter([(1, 2)])))


def test_only_an_iterator_is_refused_where_data_must_start_over() -> None:
    """The error names the data, its type and the reason."""
    with pytest.raises(
        TypeError, match=r"val_data is a one-shot iterator \(list_iterator\), but it is evaluated twice;"
    ):
        Batches(iter([(1, 2)]), None, "val_data").refuse_one_shot("it is evaluated twice")
    Batches([(1, 2)]).refuse_one_shot("it is evaluated twice")


# --- several sweeps one after another --------------------------------------------------------------------------------

WORKERS: dict[str, Any] = {"batch_size": 4, "num_workers": 2}
IN_ORDER = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def workers() -> int:
    return len(multiprocessing.active_children())


@pytest.fixture
def _no_worker_is_left() -> Iterator[None]:
    assert workers() == 0
    yield
    assert workers() == 0


@pytest.mark.usefixtures("_no_worker_is_left")
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_persistent_workers_are_new_in_every_sweep(is_loaded: bool, persistent: bool) -> None:
    """Sweeps that end in the middle of a pass, at its end and in the next one each begin with the first batch."""
    options = {**WORKERS, "shuffle": False, "persistent_workers": persistent}
    batches = Batches(DataLoader(Squares(), **options)) if is_loaded else Batches(Squares(), options)
    for count in (1, 3, 4, 2):
        steps = iter(batches)
        assert [next(steps)[0].tolist() for _ in range(count)] == (IN_ORDER + IN_ORDER)[:count]
        assert workers() == 2
        batches.close()
        assert workers() == 0  # while the steps are still held, as by a traceback


@pytest.mark.usefixtures("_no_worker_is_left")
def test_validation_with_persistent_workers_goes_on_after_a_sweep() -> None:
    """A pass, a closed sweep and two passes: each has all batches."""
    batches = Batches(DataLoader(Squares(), **WORKERS, persistent_workers=True), None, "val_data")
    for _ in range(2):
        for _ in range(2):
            assert [batch[0].tolist() for batch in batches.one_pass()] == IN_ORDER
        batches.close()
        batches.close()  # once more, as after an interrupt
        assert workers() == 0


@pytest.mark.usefixtures("_no_worker_is_left")
def test_persistent_workers_of_the_user_go_on_between_sweeps() -> None:
    """The user's own epoch is in the middle while two sweeps come and go, and ends with its other batches."""
    loader = DataLoader(Squares(), **WORKERS, persistent_workers=True)
    epoch, batches = iter(loader), Batches(loader)
    seen = [next(epoch)[0].tolist()]
    for _ in range(2):
        assert inputs_of(batches, 2) == IN_ORDER[:2]
        batches.close()
        assert workers() == 2
    assert [*seen, *(batch[0].tolist() for batch in epoch)] == IN_ORDER
    assert [batch[0].tolist() for batch in loader] == IN_ORDER
    loader._iterator._shutdown_workers()


class Wrapper:
    """Hands out the iterator of a loader, as a user's own class around one may."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader)


@pytest.mark.usefixtures("_no_worker_is_left")
def test_persistent_workers_behind_a_wrapper_are_the_users() -> None:
    """Shut down, they would leave the user's loader with an iterator that yields nothing any more."""
    wrapper = Wrapper(DataLoader(Squares(), **WORKERS, persistent_workers=True))
    assert [batch[0].tolist() for batch in wrapper] == IN_ORDER
    batches = Batches(wrapper)
    for _ in range(2):
        assert inputs_of(batches, 2) == IN_ORDER[:2]
        batches.close()
    assert [batch[0].tolist() for batch in wrapper] == IN_ORDER
    wrapper.loader._iterator._shutdown_workers()


@pytest.mark.usefixtures("_no_worker_is_left")
def test_other_workers_behind_a_wrapper_end_with_the_sweep() -> None:
    """Nobody else has their iterator."""
    batches = Batches(Wrapper(DataLoader(Squares(), **WORKERS)))
    for _ in range(2):
        steps = iter(batches)
        assert next(steps)[0].tolist() == IN_ORDER[0]
        assert workers() == 2
        batches.close()
        assert workers() == 0


@pytest.mark.parametrize(
    ("make", "rest"),
    [(list, [[0.0], [1.0]]), (lambda items: (item for item in items), [[2.0], [3.0]])],
    ids=["list", "generator"],
)
def test_a_sweep_after_another_starts_over_and_a_generator_goes_on(make: Any, rest: list[list[float]]) -> None:
    """A list begins anew; a generator of the user's is not closed with the sweep and goes on at its place."""
    data: Iterable[Any] = make([(torch.tensor([float(index)]), 0) for index in range(4)])
    batches = Batches(data)
    assert inputs_of(batches, 2) == [[0.0], [1.0]]
    batches.close()
    assert inputs_of(batches, 2) == rest
