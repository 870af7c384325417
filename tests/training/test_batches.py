"""Every form of training data, and its wrong twin."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict, namedtuple
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from lr_widget.training.batches import Batches
from lr_widget.training.devices import to_device


class Squares(Dataset[tuple[float, float]]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[float, float]:
        if index >= 10:
            raise IndexError
        return float(index), float(index) ** 2


class Stream(IterableDataset[tuple[float, float]]):
    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter([(1.0, 1.0), (2.0, 4.0), (3.0, 9.0)])


class DuckDataset:
    """Has the methods of a map-style dataset but not its base class, as Hugging Face's have."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[float, float]:
        return float(index), 0.0


def inputs_of(batches: Batches, count: int) -> list[list[float]]:
    return [batch[0].tolist() for batch in islice(iter(batches), count)]


def test_a_short_loader_starts_over() -> None:
    loader = DataLoader(Squares(), batch_size=4)
    assert inputs_of(Batches(loader), 5) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_dataset_is_loaded_with_the_given_options() -> None:
    options = {"batch_size": 5, "shuffle": False}
    assert inputs_of(Batches(Squares(), options), 3) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [0, 1, 2, 3, 4]]


def test_a_dataset_is_shuffled_in_batches_of_32_by_default() -> None:
    torch.manual_seed(0)
    [first] = inputs_of(Batches(Squares()), 1)
    assert first != sorted(first)
    assert sorted(first) == list(range(10))


def test_a_stream_of_samples_is_batched_without_shuffling() -> None:
    assert inputs_of(Batches(Stream(), {"batch_size": 2}), 3) == [[1, 2], [3], [1, 2]]


def test_a_dataset_by_its_methods_is_batched_too() -> None:
    assert inputs_of(Batches(DuckDataset(), {"batch_size": 3, "shuffle": False}), 1) == [[0, 1, 2]]


def test_a_sampler_in_the_options_replaces_shuffling() -> None:
    assert inputs_of(Batches(Squares(), {"sampler": [3, 1], "batch_size": 2}), 1) == [[3, 1]]
    assert inputs_of(Batches(Squares(), {"batch_sampler": [[3, 1], [2]]}), 2) == [[3, 1], [2]]


def test_a_pair_of_tensors_is_shuffled_and_kept_together() -> None:
    torch.manual_seed(0)
    x = torch.arange(64.0)
    inputs, targets = next(iter(Batches((x, 2 * x))))
    assert len(inputs) == 32
    assert inputs.tolist() != sorted(inputs.tolist())
    assert (targets == 2 * inputs).all()


def test_a_list_of_batches_is_walked_over_and_over() -> None:
    batches = [(torch.zeros(1), 0), (torch.ones(1), 1)]
    assert [label for _, label in islice(iter(Batches(batches)), 5)] == [0, 1, 0, 1, 0]


def test_a_one_shot_iterator_ends_when_it_ends() -> None:
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
        (
            torch.zeros(3),
            None,
            TypeError,
            "train_data must be a DataLoader, a Dataset, a tuple of two tensors.*got Tensor",
        ),
        (None, None, TypeError, "train_data must be .*, got NoneType"),
        ({"x": torch.zeros(3)}, None, TypeError, "train_data must be .*, got dict"),
        ("digits", None, TypeError, "train_data must be .*, got str"),
        (DataLoader(Squares()), {"batch_size": 2}, TypeError, "dataloader_options are for a Dataset or tensors"),
        ([(1, 2)], {"batch_size": 2}, TypeError, r"but train_data is an iterable \(list\); leave them out"),
    ],
)
def test_data_of_a_wrong_form_is_refused_with_a_remedy(
    data: Any, options: dict[str, Any] | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Batches(data, options)


def test_an_iterable_that_turns_out_empty_is_refused_at_its_first_pass() -> None:
    class Empty:
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    with pytest.raises(ValueError, match="train_data yielded no batch; give data with at least one batch"):
        next(iter(Batches(Empty())))


def test_batches_of_every_nesting_move_to_the_device() -> None:
    pair = namedtuple("pair", "inputs targets")
    batch = {"a": [torch.zeros(1), (torch.ones(1), "text")], "b": pair(torch.zeros(2), 3)}
    moved = to_device(batch, torch.device("meta"))
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == moved["b"].inputs.device.type == "meta"
    assert (moved["a"][1][1], moved["b"].targets, type(moved["b"])) == ("text", 3, pair)


def test_without_a_device_the_batch_itself_comes_back() -> None:
    batch = (torch.zeros(1), np.zeros(1))
    assert to_device(batch, None) is batch


class Named(UserDict):  # type: ignore[type-arg]
    pass


class Frozen(Mapping[str, Any]):
    """A mapping that nothing can be written to."""

    def __init__(self, **items: Any) -> None:
        self.items_of_it = items

    def __getitem__(self, key: str) -> Any:
        return self.items_of_it[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_of_it)

    def __len__(self) -> int:
        return len(self.items_of_it)


class Sharing(Frozen, MutableMapping[str, Any]):
    """A mapping whose plain copy shares its items with the original."""

    def __setitem__(self, key: str, value: Any) -> None:
        self.items_of_it[key] = value

    def __delitem__(self, key: str) -> None:
        del self.items_of_it[key]


@dataclass(frozen=True)
class Sample:
    x: torch.Tensor
    name: str
    doubled: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "doubled", 2 * self.x)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (dict, dict),
        (OrderedDict, OrderedDict),
        (lambda **items: defaultdict(list, items), defaultdict),
        (Named, Named),
        (Frozen, dict),
        (Sharing, dict),
    ],
)
def test_a_mapping_moves_keeps_its_type_and_is_not_changed(make: Any, kind: type) -> None:
    """Its tensors are on the device; the batch itself, which the next epoch may use again, is as it was."""
    batch = make(a=torch.zeros(1), b="text")
    moved = to_device(batch, torch.device("meta"))
    assert (type(moved), moved["a"].device.type, moved["b"]) == (kind, "meta", "text")
    assert batch["a"].device.type == "cpu"
    assert getattr(moved, "default_factory", list) is list


def test_a_dataclass_moves_with_all_its_fields() -> None:
    """Frozen or not, with fields that it computes by itself."""
    sample = Sample(torch.ones(1), "one")
    moved = to_device([sample, Sample], torch.device("meta"))
    assert (moved[0].x.device.type, moved[0].doubled.device.type, moved[0].name) == ("meta", "meta", "one")
    assert moved[1] is Sample
    assert sample.x.device.type == "cpu"
