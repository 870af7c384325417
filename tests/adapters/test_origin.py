"""The adapter's call is found again in keywords that are no `Adapted` any more, and a test never walks to it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import LRRecords, range_test
from lr_widget.adapters import Origin, origin_of
from lr_widget.adapters.origin import mark_of, unmarked
from lr_widget.restore import Snapshot


class Holder:
    """An object that can be weakly referred to."""


def origin(adapter: str = "transformers", **arguments: Any) -> Origin:
    """An origin whose rate goes nowhere."""
    return Origin(adapter, arguments or {"trainer": Holder()}, {}, {}, lambda lr: ["args.learning_rate"])


def test_the_latest_mark_leads_to_the_origin() -> None:
    """Keywords of an adapter that were given to another one are then the other's."""
    first, second = origin("lightning"), origin()
    also = [object(), mark_of(first), mark_of(second)]
    assert origin_of(also) is second
    assert origin_of(also[:1]) is None
    assert unmarked(also) == also[:1]


def test_records_are_no_rate() -> None:
    """A rule has to be chosen, and `suggest` names the usual one."""
    records = LRRecords([1e-3, 1e-2], [1.0, 0.5])
    with pytest.raises(TypeError, match=r"^apply takes a rate or a suggestion, got records; give records.suggest\(\)$"):
        origin().apply(records)  # type: ignore[arg-type]  # as users do


def test_the_origin_goes_with_its_mark() -> None:
    """Nothing keeps the framework's objects after the keywords are gone."""
    holder = Holder()
    gone = weakref.ref(holder)
    mark = mark_of(origin(trainer=holder))
    del holder
    gc.collect()
    assert gone() is not None
    del mark
    gc.collect()
    assert gone() is None


def test_a_test_does_not_keep_the_objects_of_the_framework() -> None:
    """Its data would be copied: a change that is made meanwhile stays."""
    holder = Holder()
    holder.data = torch.zeros(3)  # type: ignore[attr-defined]  # any attribute
    snapshot = Snapshot(also_restore=[mark_of(origin(trainer=holder))])
    snapshot.keep_state_dicts()
    holder.data += 1  # type: ignore[attr-defined]  # likewise
    snapshot.restore()
    assert holder.data.tolist() == [1.0, 1.0, 1.0]  # type: ignore[attr-defined]  # likewise


def test_a_mark_is_nothing_to_a_range_test() -> None:
    """It has a state dict without entries."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(2, 1), torch.zeros(2, 1))]
    both = [
        range_test(model, optimizer, nn.functional.mse_loss, data, num_steps=5, progress=False, also_restore=also)
        for also in ([], [mark_of(origin())])
    ]
    assert both[0].loss.tolist() == both[1].loss.tolist()


@pytest.mark.parametrize(
    ("arguments", "receiver", "place", "in_full"),
    [
        ({"trainer": 1}, "trainer", "args.learning_rate", "trainer.args.learning_rate"),
        ({"module": 1, "data": 2}, "module", "hparams.lr", "module.hparams.lr"),
        ({"accelerator": 1, "model": 2, "optimizer": 3}, "optimizer", "optimizer", "optimizer"),
        ({"trainer": 1}, "trainer", "the scheduler", "the scheduler"),
    ],
)
def test_places_are_told_with_the_object_that_they_belong_to(
    arguments: dict[str, Any], receiver: str, place: str, in_full: str
) -> None:
    """A place that is an argument itself, or no attribute, stands alone."""
    rates: list[float] = []

    def put(lr: float) -> list[str]:
        rates.append(lr)
        return [place]

    source = Origin("any", arguments, {}, {}, put)
    assert source.receiver == receiver
    assert (source.apply(0.5), source.apply_to_places(0.25), rates) == ([place], [in_full], [0.5, 0.25])


def test_a_rate_that_is_none_is_refused() -> None:
    """Before anything is put anywhere."""
    with pytest.raises(ValueError, match=r"lr must be .*, got -1"):
        origin().apply(-1.0)
