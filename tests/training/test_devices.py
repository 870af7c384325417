"""Batches of every nesting move to the device; devices that torch does not have are refused."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict, namedtuple
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.training.devices import checked_device, common_device, to_device

from .helpers import (
    SWEEP,
    batches,
    named_batches,
    net,
)


def test_batches_of_every_nesting_move_to_the_device() -> None:
    """Tensors in tuples, lists, named tuples and mappings are moved, anything else stays as it is."""
    pair = namedtuple("pair", "inputs targets")
    batch = {"a": [torch.zeros(1), (torch.ones(1), "text")], "b": pair(torch.zeros(2), 3)}
    moved = to_device(batch, torch.device("meta"))
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == moved["b"].inputs.device.type == "meta"
    assert (moved["a"][1][1], moved["b"].targets, type(moved["b"])) == ("text", 3, pair)


def test_without_a_device_the_batch_itself_comes_back() -> None:
    """None moves nothing and copies nothing."""
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
    """Its tensors are on the device; the batch itself is as it was, for the next epoch."""
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


def test_inputs_and_targets_go_to_the_device_asked_for() -> None:
    """With device="meta" the tensors of a pair and those of a mapping are there when the step gets them."""
    seen, pair = set(), batches(1)[0]

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        seen.add(
            (type(batch), *(value.device.type for value in (batch.values() if isinstance(batch, dict) else batch)))
        )
        return model(pair[0]).sum()

    model = net()
    for data in ([pair], named_batches()):
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        sweep = iter_range_test(model, sgd, None, data, train_step=train_step, device="meta", **SWEEP)
        next(sweep)
        sweep.close()
    assert seen == {(tuple, "meta", "meta"), (dict, "meta", "meta")}


# --- the device itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "meta"])
def test_a_device_by_name_or_as_it_is_is_taken(device: Any) -> None:
    """A name and a `torch.device` both give the device."""
    assert checked_device("device", device) == torch.device(device)


def test_no_device_is_taken_for_none() -> None:
    """None is for the caller to fill in."""
    assert checked_device("device", None) is None


@pytest.mark.parametrize("device", ["gpu", "cpu:x", 3.5, "cuda:99"])
def test_a_device_that_torch_does_not_have_is_refused(device: Any) -> None:
    """The error names the argument, the value and torch's own reason, in one line."""
    with pytest.raises(
        ValueError, match=f"^snapshot_device must be a device .*, got {device!r} .*; leave it out"
    ) as caught:
        checked_device("snapshot_device", device)
    assert "\n" not in str(caught.value)


def test_the_device_of_the_models_is_the_one_that_all_their_tensors_share() -> None:
    """Buffers count as parameters do, tensors on "meta" do not; without any tensor there is no device."""
    on_cpu, on_meta = nn.BatchNorm1d(2, affine=False), nn.Linear(2, 1, device="meta")
    assert common_device([on_cpu, on_meta]) == torch.device("cpu")
    assert common_device([on_meta]) is None
    assert common_device([nn.Tanh()]) is None
