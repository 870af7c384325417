"""Objects that a model, an optimizer or a function holds are back: attributes, slots, and whatever they lead to."""

from __future__ import annotations

import queue
import random
import threading
from argparse import Namespace
from collections import Counter, OrderedDict, UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lr_widget import iter_range_test
from lr_widget.restore.objects import attributes, attributes_undo, is_machinery, is_plain

from .helpers import SHORT_SWEEP, labelled_samples, sweep

# --- objects that a model holds --------------------------------------------------------------------------------------


class Queue:
    """MoCo's queue: a bank of features and a place in it."""

    def __init__(self) -> None:
        self.bank, self.place, self.log = torch.zeros(8, 3), 0, [0]

    def see(self, features: torch.Tensor) -> None:
        self.bank[self.place] = features[0]
        self.place = (self.place + 1) % 8
        self.log.append(self.place)


class Teacher:
    """A moving average that is no part of the model's parameters."""

    def __init__(self) -> None:
        self.net = nn.Linear(6, 3)

    def see(self, features: torch.Tensor) -> None:
        with torch.no_grad():
            self.net.weight.mul_(0.5)


class Slotted:
    __slots__ = ("late", "mean", "seen")

    def __init__(self) -> None:
        self.seen, self.mean = 0, torch.zeros(3)

    def see(self, features: torch.Tensor) -> None:
        self.seen += 1
        self.mean.add_(features[0])
        self.late = True


class Named(dict):  # type: ignore[type-arg]
    """A dict with attributes of its own that counts its writes."""

    writes = 0

    def __setitem__(self, key: str, value: Any) -> None:
        self.writes += 1
        super().__setitem__(key, value)

    def see(self, features: torch.Tensor) -> None:
        self["seen"] = self.get("seen", 0) + 1


class Ordered(OrderedDict):  # type: ignore[type-arg]
    def see(self, features: torch.Tensor) -> None:
        self["seen"] = self.get("seen", 0) + 1
        self.move_to_end(next(iter(self)))


class Counting(Counter):  # type: ignore[type-arg]
    def see(self, features: torch.Tensor) -> None:
        self["seen"] += 1


class Boxed(UserDict):  # type: ignore[type-arg]
    def see(self, features: torch.Tensor) -> None:
        self["seen"] = self.get("seen", 0) + 1


class Lucky:
    """Has random generators of every kind, one of them in a list, and one without a state."""

    def __init__(self) -> None:
        self.torch, self.numpy = torch.Generator().manual_seed(1), np.random.default_rng(1)
        self.more, self.system = [random.Random(1)], random.SystemRandom()

    def see(self, features: torch.Tensor) -> None:
        torch.rand(1, generator=self.torch)
        self.numpy.random()
        self.more[0].random()
        self.system.random()


@dataclass
class Chain:
    """A long chain of objects; the last one changes."""

    seen: int = 0
    next: Chain | None = None

    def see(self, features: torch.Tensor) -> None:
        last = self
        while last.next is not None:
            last = last.next
        last.seen += 1


def chain() -> Chain:
    made = Chain()
    for _ in range(3000):
        made = Chain(next=made)
    return made


def facts(holder: Any) -> Any:
    """Return the state of a holder, read by hand."""
    if isinstance(holder, Queue):
        return holder.bank.tolist(), holder.place, list(holder.log)
    if isinstance(holder, Teacher):
        return holder.net.weight.tolist()
    if isinstance(holder, Slotted):
        return holder.seen, holder.mean.tolist(), hasattr(holder, "late")
    if isinstance(holder, Lucky):
        return holder.torch.get_state().tolist(), str(holder.numpy.bit_generator.state), holder.more[0].getstate()
    if isinstance(holder, Chain):
        last = holder
        while last.next is not None:
            last = last.next
        return last.seen
    return list(holder.items()), getattr(holder, "writes", 0)


class Holding(nn.Module):
    """A model that shows its output to an object that it holds."""

    def __init__(self, holder: Any) -> None:
        super().__init__()
        self.net, self.holder = nn.Linear(6, 3), holder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(x)
        self.holder.see(out.detach())
        return out


HOLDERS: dict[str, Callable[[], Any]] = {
    "object": Queue,
    "hidden module": Teacher,
    "slots": Slotted,
    "dict subclass": lambda: Named(a=1),
    "ordered dict": lambda: Ordered(a=1, b=2, c=3),
    "counter": lambda: Counting(seen=5),
    "user dict": lambda: Boxed(seen=5),
    "generators": Lucky,
    "long chain": chain,
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_a_model_holds_is_back(name: str):
    """The holder changes in every step, and after the test it is as before."""
    model = Holding(HOLDERS[name]())
    before = facts(model.holder)
    model(torch.ones(4, 6))
    assert facts(model.holder) != before, "the check can fail"
    before = facts(model.holder)
    sweep(model)
    assert facts(model.holder) == before


def test_an_object_in_the_optimizers_state_is_back():
    """An optimizer that keeps its average in an object of its own goes on as if there had been no test."""

    class Average:
        def __init__(self, p: torch.Tensor) -> None:
            self.buffer, self.steps = torch.zeros_like(p), 0

    class Own(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for p in self.param_groups[0]["params"]:
                average = self.state[p].setdefault("average", Average(p))
                average.steps += 1
                p.sub_(average.buffer.mul_(0.9).add_(p.grad), alpha=self.param_groups[0]["lr"])

    model = nn.Linear(6, 3)
    optimizer = Own(model.parameters(), {"lr": 0.1})
    F.cross_entropy(model(torch.ones(2, 6)), torch.tensor([0, 1])).backward()
    optimizer.step()
    average = optimizer.state[model.weight]["average"]
    buffer = average.buffer.clone()
    list(iter_range_test(model, optimizer, F.cross_entropy, DataLoader(labelled_samples(), 4), **SHORT_SWEEP))
    assert optimizer.state[model.weight]["average"] is average
    assert (average.steps, torch.equal(average.buffer, buffer)) == (1, True)


# --- attributes one by one -------------------------------------------------------------------------------------------


class Point:
    __slots__ = ("x", "y")


class Weighted(Point):
    """Has slots of its base class and a `__dict__`."""


class Worker(threading.Thread):
    """Has the hidden state of a thread."""


class Colour(Enum):
    RED = 1


PLAIN = [Queue(), Slotted(), Named(), Boxed(), Chain(), SimpleNamespace(), Namespace(), nn.Linear(1, 1)]
NOT_PLAIN = [1, "text", object(), Queue, random, facts, threading.Lock(), queue.Queue(), Worker(), Colour.RED, Point]


@pytest.mark.parametrize("thing", PLAIN, ids=lambda thing: type(thing).__name__)
def test_an_object_of_the_users_is_plain(thing: Any):
    """Its attributes are all of its state, so they are put back."""
    assert is_plain(thing)


@pytest.mark.parametrize("thing", NOT_PLAIN, ids=lambda thing: type(thing).__name__)
def test_an_object_with_hidden_state_is_not_plain(thing: Any):
    """Old attributes beside new hidden state would make a broken thread or queue, so nothing is put back."""
    assert not is_plain(thing)


def test_an_iterator_over_another_iterator_is_not_plain():
    """The inner one has moved on and cannot go back; a counter that is an iterator by itself can."""

    class Counting(Iterator[int]):
        def __init__(self, *inner: Any) -> None:
            self.inner, self.place = inner[0] if inner else None, 0

        def __next__(self) -> int:
            self.place += 1
            return self.place

    assert is_plain(Counting())
    assert not is_plain(Counting(iter([1])))


def test_attributes_are_those_of_slots_and_of_the_dict():
    """A slot that is not filled is no attribute."""
    thing = Weighted()
    thing.x, thing.weight = 1, 2.0  # type: ignore[attr-defined]
    assert attributes(thing) == {"x": 1, "weight": 2.0}


def test_class_slots_and_attributes_come_back():
    """A filled slot is emptied, an emptied one filled, a new attribute deleted, and a changed class changed back."""

    class Other(Weighted):
        pass

    thing = Weighted()
    thing.x, thing.weight = 1, 2.0  # type: ignore[attr-defined]
    undo = attributes_undo(thing)
    thing.__class__ = Other
    del thing.x
    thing.y, thing.weight, thing.late = 3, 4.0, True  # type: ignore[attr-defined]
    undo()
    assert type(thing) is Weighted
    assert attributes(thing) == {"x": 1, "weight": 2.0}


def test_a_module_or_optimizer_is_no_machinery_wherever_it_is_from():
    """A compiled module, whose class is in torch._dynamo, is walked into; a plain object of torch's insides is not."""
    compiled = torch.compile(nn.Linear(1, 1), backend="eager")
    assert type(compiled).__module__.startswith("torch._")
    assert not is_machinery(compiled)
    assert is_machinery(torch.fx.Graph())
