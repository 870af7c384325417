"""Dicts, lists, deques and sets get their members back in place, by the methods of their base class."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lr_widget.restore.containers import container_undo, members, values_in


def test_a_large_vocabulary_costs_next_to_nothing():
    """Of 250,000 entries that are numbers and texts, none is walked into: no names are made for them."""
    assert list(members({f"word{index}": index for index in range(250_000)})) == []
    tensor = torch.ones(1)
    assert list(members([1, tensor, "a"])) == [("[1]", tensor)]


class Loud(list):  # type: ignore[type-arg]
    """A list whose own methods must not be called."""

    def extend(self, values: Any) -> None:
        raise AssertionError("called")

    clear = __iter__ = __len__ = extend  # type: ignore[assignment]


CHANGES: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "dict": ({"a": 1, "b": 2}, lambda held: (held.pop("a"), held.update(a=3))),
    "order of a dict": ({"a": 1, "b": 2}, lambda held: held.update(a=held.pop("a"))),
    "order of an ordered dict": (OrderedDict(a=1, b=2), lambda held: held.move_to_end("a")),
    "default dict": (defaultdict(list, a=[1]), lambda held: held["b"]),
    "counter": (Counter("aab"), lambda held: held.update("b")),
    "list": ([1, 2], lambda held: held.insert(0, 3)),
    "deque": (deque([1, 2], maxlen=2), lambda held: held.append(3)),
    "set": ({1, 2}, lambda held: held.add(3)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_members_and_their_order_come_back(name: str):
    """The same container holds the same members in the same order."""
    held, change = CHANGES[name]
    before = list(held.items()) if isinstance(held, dict) else list(held)
    undo = container_undo(held)
    change(held)
    assert (list(held.items()) if isinstance(held, dict) else list(held)) != before
    undo()
    assert (list(held.items()) if isinstance(held, dict) else list(held)) == before


def test_a_member_that_equals_the_old_one_is_replaced_by_the_old_one():
    """Identity counts: 1 for True, or an equal list, is another member."""
    inner = [1]
    held: list[Any] = [inner, True]
    undo = container_undo(held)
    held[:] = [[1], 1]
    undo()
    assert held[0] is inner
    assert held[1] is True


def test_the_methods_of_a_subclass_are_not_called():
    """They may count, log or refuse; only those of list are called."""
    held = Loud([1, 2])
    undo = container_undo(held)
    list.append(held, 3)
    undo()
    assert list.__eq__(held, [1, 2])


def test_keys_are_members_too():
    """An optimizer's state has tensors for keys; their values have no name of their own."""
    key, value = torch.ones(1), torch.ones(1)
    found = list(members({key: value, "name": value}))
    assert [place for place, _ in found] == ["", "", "['name']"]
    assert [part is key for _, part in found] == [True, False, False]


def test_values_in_dicts_lists_and_tuples():
    """Of anything else there are none, sets included: they hold no modules or loaders in an order."""
    assert [list(values_in(value)) for value in ({"a": 1}, [1, 2], (1,), {1}, "text", 1)] == [
        [1],
        [1, 2],
        [1],
        [],
        [],
        [],
    ]
