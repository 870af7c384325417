"""State comes back wherever functions and loaders lead: owners, closures, globals, collate functions, wrappers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lr_widget.restore import sources_of
from lr_widget.restore.reach import trained_by

from ..no_trace.state import Look
from .helpers import labelled_samples, sweep

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


def test_the_sources_of_a_loader_are_its_parts_but_no_data():
    """Loader, samplers, dataset and collate object, each once; the tensors in the dataset are not among them."""
    noise = Noise()
    loader = DataLoader(labelled_samples(), 4, shuffle=True, collate_fn=noise)
    found = sources_of(loader)
    assert len({id(source) for source in found}) == len(found)
    parts = (loader, loader.sampler, loader.batch_sampler, loader.dataset, noise)
    assert all(any(source is part for source in found) for part in parts)
    assert not any(isinstance(source, torch.Tensor) for source in found)


def test_a_loader_within_itself_ends_the_search():
    """A circle of references is walked once."""
    together = Together(())
    together.loaders = (together, [together])
    assert sources_of(together) == [together]


def function_of_another_module(function: Any, **names: Any) -> Any:
    return type(function)(function.__code__, names)


def test_a_function_of_another_module_is_not_looked_into():
    """A library's function may refer to anything; of the user's own, the modules that it names are found."""
    module = nn.Linear(1, 1)

    def inner() -> Any:
        return global_module  # type: ignore[name-defined]  # noqa: F821

    def outer() -> Any:
        return inner_function()  # type: ignore[name-defined]  # noqa: F821

    other = function_of_another_module(inner, global_module=module)
    assert list(trained_by(other)) == [module]
    assert list(trained_by(function_of_another_module(outer, inner_function=other))) == []


def test_a_closure_that_is_not_filled_yet_is_passed_over():
    """A function may be given before the variable that it refers to has a value."""

    def step() -> Any:
        return late

    assert list(trained_by(step)) == []
    late = nn.Linear(1, 1)
    assert list(trained_by(step)) == [late]
