"""The walk finds owners, modules and optimizers, the parts of loaders, and the state in notes; it leaves the data out."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR
from torch.quasirandom import SobolEngine
from torch.utils.data import DataLoader, Dataset, Sampler

from lr_widget.restore.reach import Reach, walk

from ...no_trace.state import Look
from ..helpers import labelled_samples, sweep

# --- what a training step belongs to and refers to -------------------------------------------------------------------


class Trainer:
    """The owner of the training step, with a teacher, a running mean and a dataset beside it."""

    def __init__(self) -> None:
        self.teacher, self.centre, self.steps = nn.Linear(6, 3), torch.zeros(3), 0
        self.data = labelled_samples()

    def step(self, model: Any, batch: Any, scale: float = 1.0) -> torch.Tensor:
        out = model(batch[0])
        self.steps += 1
        self.centre.add_(out.detach().mean(0))
        with torch.no_grad():
            self.teacher.weight.mul_(0.5)
        return scale * F.cross_entropy(out, batch[1])

    __call__ = step

    def loss(self, out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.step(lambda inputs: out, (None, targets))


@pytest.mark.parametrize("kind", ["method", "partial of a method", "callable", "loss method"])
def test_the_owner_of_a_training_step_is_back(kind: str):
    """The teacher, the mean and the count of the object that the step belongs to are as before."""
    trainer = Trainer()
    weight = trainer.teacher.weight.clone()
    step = {"method": trainer.step, "partial of a method": partial(trainer.step, scale=2.0), "callable": trainer}
    if kind == "loss method":
        sweep(nn.Linear(6, 3), loss_fn=trainer.loss)
    else:
        sweep(nn.Linear(6, 3), train_step=step[kind])
    assert (trainer.steps, trainer.centre.tolist()) == (0, [0.0, 0.0, 0.0])
    assert torch.equal(trainer.teacher.weight, weight)


global_teacher = nn.Linear(6, 3)


def helper(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        global_teacher.weight.mul_(0.5)
    return global_teacher(x)


def step_with_globals(model: Any, batch: Any) -> torch.Tensor:
    return F.mse_loss(model(batch[0]), helper(batch[0]))


def test_modules_that_a_function_refers_to_are_back():
    """A teacher in a helper's globals, one in the closure, one in a default and one in a partial's arguments."""
    closed, default, given = nn.BatchNorm1d(6), nn.BatchNorm1d(6), nn.BatchNorm1d(6)

    def step(own: nn.Module, model: Any, batch: Any, more: nn.Module = default) -> torch.Tensor:
        return step_with_globals(model, [own(more(closed(batch[0])))])

    model = nn.Linear(6, 3)
    look = Look(model, global_teacher, closed, default, given)
    sweep(model, train_step=partial(step, given))
    look.assert_unchanged("after a test with modules of a function's own")


def test_an_optimizer_in_a_closure_is_back():
    """A step that trains a critic by itself leaves no momentum behind."""
    critic = nn.Linear(3, 1)
    own = torch.optim.SGD(critic.parameters(), lr=0.1, momentum=0.9)

    def step(model: Any, batch: Any) -> torch.Tensor:
        out = model(batch[0])
        critic(out.detach()).mean().backward()
        own.step()
        return F.cross_entropy(out, batch[1])

    model = nn.Linear(6, 3)
    look = Look(model, critic, own)
    sweep(model, train_step=step)
    look.assert_unchanged("after a test that trains a critic beside")


# --- loaders ---------------------------------------------------------------------------------------------------------


class Noise:
    """An augmentation with a generator of its own."""

    def __init__(self) -> None:
        self.generator, self.calls = torch.Generator().manual_seed(1), 0

    def __call__(self, batch: Any) -> Any:
        self.calls += 1
        x, y = torch.utils.data.default_collate(batch)
        return x + torch.rand(x.shape, generator=self.generator), y

    method = __call__


class Compose:
    def __init__(self, *steps: Any) -> None:
        self.transforms = list(steps)

    def __call__(self, value: Any) -> Any:
        for transform in self.transforms:
            value = transform(value)
        return value


@dataclass
class Together:
    """Draws from two loaders at once and throws a die that it keeps in a list."""

    loaders: tuple[Any, ...]
    dice: list[Any] = field(default_factory=lambda: [random.Random(1)])

    def __iter__(self) -> Iterator[Any]:
        for (x, y), _ in zip(*self.loaders, strict=True):
            yield x * self.dice[0].random(), y


@pytest.mark.parametrize("collate", [lambda n: n, lambda n: n.method, partial, Compose])
def test_the_generator_of_a_collate_function_is_back(collate: Any):
    """Be it an object, its method, in a partial or one of several: the next batch is the one that was next."""
    noise = Noise()
    state = noise.generator.get_state()
    sweep(nn.Linear(6, 3), DataLoader(labelled_samples(), 4, collate_fn=collate(noise)))
    assert (torch.equal(noise.generator.get_state(), state), noise.calls) == (True, 0)


def test_loaders_and_generators_in_tuples_and_lists_are_back():
    """A wrapper's two shuffling loaders and its die in a list go on as if there had been no test."""
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    together = Together(tuple(DataLoader(labelled_samples(), 4, shuffle=True, generator=g) for g in generators))
    states = [g.get_state().tolist() for g in generators], together.dice[0].getstate()
    sweep(nn.Linear(6, 3), together)
    assert ([g.get_state().tolist() for g in generators], together.dice[0].getstate()) == states


# --- plain state of a function's own ---------------------------------------------------------------------------------

COUNT = 0
STEPS: dict[str, int] = {"taken": 0}


class Kinds:
    """Counts on the class."""

    seen = 0


def test_plain_state_that_a_function_changes_is_back():
    """The attributes of an object, a tensor and an array; a variable and a dict that hold a tensor."""
    held, mean, ages, latest = SimpleNamespace(steps=0), torch.zeros(3), np.zeros(2), torch.zeros(3)
    first, means = latest, {"first": latest}

    def step(model: Any, batch: Any) -> torch.Tensor:
        nonlocal latest
        held.steps += 1
        out = model(batch[0])
        latest = means["first"] = out.detach().mean(0)
        mean.add_(latest)
        ages[0] += 1
        return F.cross_entropy(out, batch[1])

    sweep(nn.Linear(6, 3), train_step=step)
    assert (held.steps, mean.tolist(), ages.tolist()) == (0, [0.0, 0.0, 0.0], [0.0, 0.0])
    assert latest is means["first"] is first


def test_notes_that_a_function_takes_stay():
    """Numbers in a global, the closure, the function, a class, a list and a dict, and new members of all of them."""
    losses: list[float] = [1.0]
    by_step: dict[int, float] = {}
    kinds: set[str] = set()
    last, count = [0.0], 0

    def step(model: Any, batch: Any) -> torch.Tensor:
        global COUNT  # the case of this test
        nonlocal count
        COUNT, count = COUNT + 1, count + 1
        STEPS["taken"] += 1
        Kinds.seen += 1
        step.calls += 1  # type: ignore[attr-defined]
        loss = F.cross_entropy(model(batch[0]), batch[1])
        losses.append(loss.item())
        by_step[len(losses)] = last[0] = loss.item()
        kinds.add(type(loss).__name__)
        return loss

    step.calls = 0  # type: ignore[attr-defined]
    before = COUNT, STEPS["taken"], Kinds.seen
    sweep(nn.Linear(6, 3), train_step=step)
    assert (len(losses), len(by_step), kinds) == (5, 4, {"Tensor"})
    assert (last[0], count, step.calls) == (losses[-1], 4, 4)  # type: ignore[attr-defined]
    assert (COUNT, STEPS["taken"], Kinds.seen) == tuple(number + 4 for number in before)


def test_a_schedule_and_a_moving_average_of_a_function_are_back():
    """A scheduler, a scaler and an average that only the closure holds go on as if there had been no test."""
    model = nn.Linear(6, 3)
    other = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule, scaler = StepLR(other, 1), torch.amp.GradScaler("cpu")
    averages = {name: p.detach().clone() for name, p in model.named_parameters()}

    def step(model: Any, batch: Any) -> torch.Tensor:
        loss = F.cross_entropy(model(batch[0]), batch[1])
        scaler.scale(loss)
        other.step()
        schedule.step()
        for name, p in model.named_parameters():
            averages[name].lerp_(p.detach(), 0.5)
        return loss

    look = Look(model, other, schedule, scaler.state_dict(), averages)
    sweep(model, train_step=step)
    look.assert_unchanged("after a test with a schedule of the function's own")


# --- the data --------------------------------------------------------------------------------------------------------


class Counted(list):  # type: ignore[type-arg]
    """A list that nobody may walk over."""

    def __iter__(self) -> Any:
        raise AssertionError("walked over")


class Samples(Dataset[Any]):
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        return 12


def found(*sources: Any) -> list[Any]:
    return [value for _, value in Reach(sources=sources).things]


@pytest.mark.parametrize(
    "data",
    [
        Counted(["path"] * 200_000),
        {"x": torch.ones(2), "y": np.ones(2)},
        torch.ones(3),
        np.ones(3),
        [(torch.ones(1), 1)] * 50,
        {index: torch.ones(1) for index in range(500)},
    ],
    ids=["paths", "dict of tensors", "tensor", "array", "pairs", "many tensors"],
)
def test_the_data_of_a_dataset_is_neither_walked_nor_kept(data: Any):
    """Of a dataset, its own attributes are kept, the data in them is not."""
    dataset = Samples(data=data)
    assert [value for value in found(dataset) if not isinstance(value, type) and not callable(value)] == [dataset]


class Split:
    """A data module in the manner of Lightning."""

    def __init__(self) -> None:
        self.samples = torch.zeros(5, 2)
        self.seen: list[int] = []

    def prepare_data(self) -> None:
        self.seen.append(0)

    def train_dataloader(self) -> list[torch.Tensor]:
        return [self.samples]


class StepOn:
    """A training step that holds its data module."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __call__(self, model: Any, batch: Any) -> Any:
        return model(batch)


def test_the_data_of_a_data_module_is_not_kept_but_its_notes_are():
    """Its matrices are samples, however small, also below a step of which everything else is kept."""
    data = Split()
    kept = {id(value) for _, value in Reach(functions=[StepOn(data)]).things}
    assert [id(value) in kept for value in (data, data.seen, data.samples)] == [True, True, False]


def test_batches_in_a_list_are_not_kept_even_where_a_function_names_them():
    """The list that is the training data is no note of the function."""
    batches = [(torch.ones(2, 6), torch.zeros(2))]
    reach = Reach(functions=[lambda: batches], sources=[batches])
    kept = [id(value) for _, value in reach.things]
    assert id(batches) not in kept


def test_large_tensors_and_long_containers_that_functions_name_are_data():
    """A table of a million numbers and a list of 2,000 things are left out; small ones are kept."""
    large, small = torch.zeros(walk.MAX_BYTES // 4 + 1), torch.zeros(10)
    long, short = [[]] * 2000, [[]] * 2  # type: ignore[var-annotated]
    kept = {id(value) for _, value in Reach(functions=[lambda: (large, small, long, short)]).things}
    assert [id(value) in kept for value in (large, small, long, short)] == [False, True, False, True]


def test_together_they_are_limited_too(monkeypatch: pytest.MonkeyPatch):
    """Of three tensors of 40 bytes, two are kept where 100 bytes are allowed; a model as large allows them all."""
    monkeypatch.setattr(walk, "MAX_BYTES_TOGETHER", 100)
    held = [torch.zeros(10) for _ in range(3)]
    assert len([v for _, v in Reach(functions=[lambda: held]).things if isinstance(v, torch.Tensor)]) == 2
    model = nn.Linear(10, 10)
    reach = Reach([model], [lambda: held])
    assert len([v for _, v in reach.things if isinstance(v, torch.Tensor)]) == 2 + 3


def test_a_walk_that_leads_too_far_ends_with_a_warning(monkeypatch: pytest.MonkeyPatch):
    """The nearest things are kept; the warning says what to do for the others."""
    monkeypatch.setattr(walk, "MAX_VISITS", 10)
    near, far = random.Random(1), random.Random(2)
    chain: Any = [far]
    for _ in range(20):
        chain = [chain]
    with pytest.warns(UserWarning, match="more than 10 objects; .* give them as also_restore"):
        assert Reach(functions=[lambda: (near, chain)]).generators == [near]


def test_the_order_of_a_sampler_is_kept():
    """Indices that a sampler or a loader shuffles in place, in a list of any length, an array, or in buckets."""

    class Ordered(Sampler[int]):
        def __init__(self) -> None:
            self.indices, self.array = list(range(5000)), np.arange(5)
            self.buckets = [[1, 2], [3, 4]]

    sampler = Ordered()
    kept = {id(value) for value in found(sampler)}
    assert {id(part) for part in (sampler.indices, sampler.array, sampler.buckets, *sampler.buckets)} <= kept


# --- limits of the walk ----------------------------------------------------------------------------------------------


class Trap:
    """Runs code of the user's when it is looked at in any but the plainest way."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    __len__ = __iter__ = __bool__ = __eq__ = __hash__ = __getattr__ = __getattribute__  # type: ignore[assignment]

    @property
    def noise(self) -> Any:
        raise AssertionError("a property was computed")


class Pair(tuple):  # type: ignore[type-arg]
    """A tuple that nobody may walk over."""

    __iter__ = Counted.__iter__


def test_no_code_of_the_users_runs():
    """Neither properties nor special methods are called, and the generator within is found all the same."""
    trap = object.__new__(Trap)
    object.__getattribute__(trap, "__dict__")["rng"] = rng = random.Random(1)
    pair = Pair((trap,))
    assert Reach(functions=[lambda: pair]).generators == [rng]


class Bar:
    """Stands for a progress bar of an installed package."""

    __module__ = "torch.bar"

    def __init__(self, *held: Any) -> None:
        self.held = held


def test_objects_of_packages_that_are_no_part_of_a_training_are_left_out():
    """A bar, a lock, a file and a logger stay as they are; a package's object that holds a module is followed."""
    bar, lock, module, sobol = Bar(), threading.Lock(), nn.Linear(1, 1), SobolEngine(1)
    holder, own = Bar(module), type("Own", (Bar,), {"__module__": "lr_widget.widget"})(module)
    kept = [id(value) for _, value in Reach(functions=[lambda: (bar, lock, own, holder, sobol)]).things]
    assert [id(thing) in kept for thing in (bar, lock, own)] == [False] * 3
    assert [id(thing) in kept for thing in (holder, module, sobol)] == [True] * 3


def test_a_loader_within_itself_ends_the_search():
    """A circle of references is walked once."""
    together = Together(())
    together.loaders = (together, [together])
    assert [value for value in found(together) if isinstance(value, Together)] == [together]


def test_generators_are_found_once_and_without_the_global_ones():
    """A generator that three holders share is one; the one behind `random.random` is kept as a global one."""
    rng = torch.Generator()
    draw = random.random
    reach = Reach([SimpleNamespace(rng=rng)], [lambda: (rng, draw)], [SimpleNamespace(rng=rng)])
    assert reach.generators == [rng]


def test_two_walks_find_the_same_in_the_same_order():
    """So that a seed gives each generator the same numbers every time."""
    rngs = {name: random.Random(seed) for seed, name in enumerate("abc")}
    walks = [Reach(functions=[lambda: (rngs, itertools)]).generators for _ in range(2)]
    assert walks[0] == walks[1] == [*rngs.values()]
