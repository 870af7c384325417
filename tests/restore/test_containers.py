"""Dicts, lists, deques and sets get their members back in place, by the methods of their base class."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lr_widget.restore.containers import container_undo, first, is_order, length, members, values_in


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
    """An optimizer's state has tensors for keys; their values are named after the kind of key."""
    key, value = torch.ones(1), torch.ones(1)
    found = list(members({key: value, "name": value}))
    assert [place for place, _ in found] == ["", "[<Tensor>]", "['name']"]
    assert [part is key for _, part in found] == [True, False, False]


def test_the_values_of_a_container():
    """Those of a dict, the members of any other container, subclasses included."""
    given = ({"a": 1}, [1, 2], (1,), {1}, deque([3]), Loud([4]))
    assert [list(values_in(value)) for value in given] == [[1], [1, 2], [1], [1], [3], [4]]


def test_the_length_and_the_first_member_of_a_container():
    """By the methods of the base class; an empty one has no first member."""
    assert [length(value) for value in ({"a": 1}, Loud([1, 2]), (), OrderedDict(a=1))] == [1, 2, 0, 1]
    assert [first(value) for value in ({"a": 1}, Loud([3, 2]), (), OrderedDict(a=5))] == [1, 3, None, 5]


def test_an_order_is_a_list_of_indices():
    """Told by its first member; True is no index."""
    assert [is_order(value) for value in ([1, 2], deque([1]), [], [True], ["a"], (1,))] == [True, True, *[False] * 4]


A, B = object(), object()
NOTED: dict[str, tuple[Any, Any]] = {
    "a longer list": ([A], [A, 2]),
    "a longer dict": ({"a": A}, {"a": A, "b": B}),
    "a larger set": ({1}, {1, 2}),
    "a longer deque": (deque([1]), deque([1, 2])),
    "a counter in a list": ([0], [7]),
    "a counter in a dict": ({"calls": 0, "state": A}, {"calls": 7, "state": A}),
    "the last losses": (deque([1.0, 2.0], maxlen=2), deque([2.0, 3.0], maxlen=2)),
}
STATE: dict[str, tuple[Any, Any]] = {
    "another object": ([A], [B]),
    "a number for an object": ([A], [1]),
    "an object in a dict": ({"a": A}, {"a": B}),
    "a shuffled order": ([1, 2, 3], [2, 1, 3]),
    "an order that is used up": ([1, 2, 3], [1, 2]),
    "a smaller set": ({1, 2}, {1}),
    "a new tensor in a dict": ({"a": A}, {"a": A, "mean": torch.ones(1)}),
}


def set_to(held: Any, members: Any) -> None:
    held.clear()
    (held.extend if isinstance(held, (list, deque)) else held.update)(members)


@pytest.mark.parametrize("name", NOTED)
def test_notes_may_stay(name: str):
    """With `keeps_notes`, new members and changed numbers stay; without, the container is as before."""
    before, after = NOTED[name]
    for keeps_notes in (True, False):
        held = before.copy()
        undo = container_undo(held, keeps_notes=keeps_notes)
        set_to(held, after)
        undo()
        assert held == (after if keeps_notes else before)


@pytest.mark.parametrize("name", STATE)
def test_state_comes_back_where_notes_stay(name: str):
    """Objects that were replaced, and members in another order or gone."""
    before, after = STATE[name]
    held = before.copy()
    undo = container_undo(held, keeps_notes=True)
    set_to(held, after)
    undo()
    assert held == before


def test_notes_beside_state_stay():
    """The counter stays, the object comes back, and what is new stays behind them."""
    held: dict[str, Any] = {"calls": 0, "state": A}
    undo = container_undo(held, keeps_notes=True)
    held.update(calls=7, state=B, loss=0.5)
    undo()
    assert list(held.items()) == [("calls", 7), ("state", A), ("loss", 0.5)]
