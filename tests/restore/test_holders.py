"""Random generators come back, and are seeded, wherever the code that a test calls holds them: one rule for all holders."""

from __future__ import annotations

import contextvars
import functools
import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from types import MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    Subset,
    TensorDataset,
    default_collate,
)

from lr_widget import range_test

from .helpers import labelled_samples

Arguments = dict[str, Any]
HOLDERS: dict[str, Callable[[Any], Arguments]] = {}


def holder(function: Callable[[Any], Arguments]) -> Callable[[Any], Arguments]:
    """Enter a function that makes the arguments of a test whose random numbers come from the generator given."""
    HOLDERS[function.__name__] = function
    return function


def draw(rng: Any) -> float:
    """Return a random number, of whatever kind the generator is."""
    if isinstance(rng, torch.Generator):
        return torch.rand((), generator=rng).item()
    return float(rng.random())


def state(rng: Any) -> str:
    if isinstance(rng, torch.Generator):
        return str(rng.get_state().tolist())
    if isinstance(rng, random.Random):
        return str(rng.getstate())
    return str(rng.get_state() if isinstance(rng, np.random.RandomState) else rng.bit_generator.state)


def noisy(rng: Any, x: torch.Tensor) -> torch.Tensor:
    return x + 0.1 * draw(rng)


def training(**changes: Any) -> Arguments:
    torch.manual_seed(0)
    model = changes.get("model", nn.Linear(6, 3))
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loss_fn": None if "train_step" in changes else F.cross_entropy,
        "train_data": DataLoader(labelled_samples(), 4),
        **changes,
    }


def with_step(train_step: Callable[..., Any]) -> Arguments:
    return training(train_step=train_step)


def plain_loss(model: Any, batch: Any, x: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(x), batch[1])


# --- a function's own references -------------------------------------------------------------------------------------


@holder
def closure(rng: Any) -> Arguments:
    return with_step(lambda model, batch: plain_loss(model, batch, noisy(rng, batch[0])))


GLOBAL: Any = None
SETTINGS = SimpleNamespace(rng=None, more={"rng": None})
TABLE: dict[str, Any] = {}
VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("VARIABLE")
LOCAL = threading.local()


def set_global(rng: Any) -> None:
    globals()["GLOBAL"] = rng


def step_with_a_global(model: Any, batch: Any) -> torch.Tensor:
    return plain_loss(model, batch, noisy(GLOBAL, batch[0]))


@holder
def a_global(rng: Any) -> Arguments:
    set_global(rng)
    return with_step(step_with_a_global)


@holder
def global_of_a_function_that_is_called(rng: Any) -> Arguments:
    set_global(rng)

    def step(model: Any, batch: Any) -> torch.Tensor:
        return step_with_a_global(model, batch)

    return with_step(step)


@holder
def global_in_nested_code(rng: Any) -> Arguments:
    set_global(rng)

    def step(model: Any, batch: Any) -> torch.Tensor:
        def noise() -> float:
            return sum((lambda: draw(GLOBAL), lambda: 0.0)[index]() for index in range(2))

        return plain_loss(model, batch, batch[0] + noise())

    return with_step(step)


@holder
def attribute_of_a_global_object(rng: Any) -> Arguments:
    SETTINGS.rng = rng

    def step(model: Any, batch: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(SETTINGS.rng, batch[0]))

    return with_step(step)


@holder
def dict_in_a_global_object(rng: Any) -> Arguments:
    SETTINGS.more["rng"] = rng

    def step(model: Any, batch: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(SETTINGS.more["rng"], batch[0]))

    return with_step(step)


@holder
def nested_global_dict(rng: Any) -> Arguments:
    TABLE["noise"] = {"of": [(rng,)]}

    def step(model: Any, batch: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(TABLE["noise"]["of"][0][0], batch[0]))

    return with_step(step)


def module_of_the_users(name: str, **names: Any) -> ModuleType:
    """Return a module as if imported from a file beside the notebook."""
    made = sys.modules[name] = ModuleType(name)
    vars(made).update(names, draw=draw)
    exec("def noise():\n    return draw(rng)\n", vars(made))
    return made


@holder
def global_of_another_module(rng: Any) -> Arguments:
    noise = module_of_the_users("lr_holders_one", rng=rng).noise
    return with_step(lambda model, batch: plain_loss(model, batch, batch[0] + noise()))


@holder
def attribute_of_an_imported_module(rng: Any) -> Arguments:
    made = module_of_the_users("lr_holders_two", rng=rng)
    return with_step(lambda model, batch: plain_loss(model, batch, noisy(made.rng, batch[0])))


@holder
def module_imported_in_the_function(rng: Any) -> Arguments:
    module_of_the_users("lr_holders_three", rng=rng)

    def step(model: Any, batch: Any) -> torch.Tensor:
        import lr_holders_three as three  # type: ignore[import-not-found]  # the case of this test

        return plain_loss(model, batch, noisy(three.rng, batch[0]))

    return with_step(step)


@holder
def default(rng: Any) -> Arguments:
    def step(model: Any, batch: Any, rng: Any = rng) -> torch.Tensor:
        return plain_loss(model, batch, noisy(rng, batch[0]))

    return with_step(step)


@holder
def keyword_default(rng: Any) -> Arguments:
    def step(model: Any, batch: Any, *, rng: Any = rng) -> torch.Tensor:
        return plain_loss(model, batch, noisy(rng, batch[0]))

    return with_step(step)


def step_given_a_generator(rng: Any, model: Any, batch: Any) -> torch.Tensor:
    return plain_loss(model, batch, noisy(rng, batch[0]))


@holder
def argument_of_a_partial(rng: Any) -> Arguments:
    return with_step(functools.partial(step_given_a_generator, rng))


@holder
def keyword_of_a_partial(rng: Any) -> Arguments:
    def step(model: Any, batch: Any, rngs: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(rngs["x"], batch[0]))

    return with_step(functools.partial(step, rngs={"x": rng}))


@holder
def attribute_of_the_function(rng: Any) -> Arguments:
    def step(model: Any, batch: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(step.rng, batch[0]))  # type: ignore[attr-defined]

    step.rng = rng  # type: ignore[attr-defined]
    return with_step(step)


@holder
def decorated_function(rng: Any) -> Arguments:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    return with_step(decorate(functools.partial(step_given_a_generator, rng)))


@holder
def cached_function(rng: Any) -> Arguments:
    @functools.lru_cache(maxsize=1)
    def noise(_: int) -> float:
        return draw(rng)

    counter = SimpleNamespace(calls=0)

    def step(model: Any, batch: Any) -> torch.Tensor:
        counter.calls += 1
        noise.cache_clear()
        return plain_loss(model, batch, batch[0] + noise(counter.calls))

    return with_step(step)


@holder
def method_of_the_generator(rng: Any) -> Arguments:
    own = rng.random if hasattr(rng, "random") else functools.partial(draw, rng)
    return with_step(lambda model, batch: plain_loss(model, batch, batch[0] + own()))


@holder
def context_variable(rng: Any) -> Arguments:
    VARIABLE.set(rng)
    return with_step(lambda model, batch: plain_loss(model, batch, noisy(VARIABLE.get(), batch[0])))


@holder
def attribute_of_a_thread_local(rng: Any) -> Arguments:
    LOCAL.rng = rng
    return with_step(lambda model, batch: plain_loss(model, batch, noisy(LOCAL.rng, batch[0])))


# --- objects that are called -----------------------------------------------------------------------------------------


class Trainer:
    """An object of the user's with a training step and a generator."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def step(self, model: Any, batch: Any) -> torch.Tensor:
        return plain_loss(model, batch, noisy(self.rng, batch[0]))

    __call__ = step


@holder
def owner_of_a_method(rng: Any) -> Arguments:
    return with_step(Trainer(rng).step)


@holder
def callable_object(rng: Any) -> Arguments:
    return with_step(Trainer(rng))


@holder
def lambda_that_calls_a_trainer(rng: Any) -> Arguments:
    trainer = Trainer(rng)
    return with_step(lambda model, batch: 1.0 * trainer.step(model, batch))


@holder
def attribute_of_a_class(rng: Any) -> Arguments:
    class Step:
        shared = rng

        def __call__(self, model: Any, batch: Any) -> torch.Tensor:
            return plain_loss(model, batch, noisy(self.shared, batch[0]))

    return with_step(Step())


@holder
def method_of_a_class(rng: Any) -> Arguments:
    class Steps:
        shared = [rng]  # noqa: RUF012  # the case of this test

        @classmethod
        def step(cls, model: Any, batch: Any) -> torch.Tensor:
            return plain_loss(model, batch, noisy(cls.shared[0], batch[0]))

    return with_step(Steps.step)


@holder
def global_that_a_method_names(rng: Any) -> Arguments:
    set_global(rng)

    class Step:
        def __call__(self, model: Any, batch: Any) -> torch.Tensor:
            return plain_loss(model, batch, batch[0] + self.noise)

        @property
        def noise(self) -> float:
            return draw(GLOBAL)

    return with_step(Step())


class Slotted:
    __slots__ = ("rng",)

    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def __call__(self, x: Any) -> Any:
        return noisy(self.rng, x)


@holder
def slot_of_an_object(rng: Any) -> Arguments:
    slotted = Slotted(rng)
    return with_step(lambda model, batch: plain_loss(model, batch, slotted(batch[0])))


@dataclass
class Data:
    parts: dict[str, Any] = field(default_factory=dict)


@holder
def dict_in_a_dataclass(rng: Any) -> Arguments:
    data = Data({"noise": [rng]})
    return with_step(lambda model, batch: plain_loss(model, batch, noisy(data.parts["noise"][0], batch[0])))


# --- other functions of a test ---------------------------------------------------------------------------------------


@holder
def loss_function(rng: Any) -> Arguments:
    return {**training(), "loss_fn": lambda out, targets: F.cross_entropy(noisy(rng, out) * (1 + draw(rng)), targets)}


class NoisyLoss(nn.Module):
    def __init__(self, rng: Any) -> None:
        super().__init__()
        self.rng = rng

    def forward(self, out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(out * (1 + draw(self.rng)), targets)


@holder
def loss_module(rng: Any) -> Arguments:
    return {**training(), "loss_fn": NoisyLoss(rng)}


@holder
def stop_function(rng: Any) -> Arguments:
    return training(stop=lambda record: record.step > 2 and draw(rng) < 0.3)


@holder
def schedule_function(rng: Any) -> Arguments:
    return training(schedule=lambda step: 0.1 * (1 + draw(rng)))


@holder
def autocast_maker(rng: Any) -> Arguments:
    def make() -> Any:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=draw(rng) < 0.5)

    return training(autocast=make)


class Averages:
    """An object with a state dict that is not all of its state."""

    def __init__(self, rng: Any) -> None:
        self.rng, self.value = rng, 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


@holder
def also_restored_object(rng: Any) -> Arguments:
    averages = Averages(rng)
    step = with_step(lambda model, batch: plain_loss(model, batch, noisy(averages.rng, batch[0])))
    return {**step, "also_restore": [averages]}


@holder
def also_restored_generator(rng: Any) -> Arguments:
    hidden = iter(lambda: rng, None)  # an iterator, into which nobody looks
    step = with_step(lambda model, batch: plain_loss(model, batch, noisy(next(hidden), batch[0])))
    return {**step, "also_restore": rng}


@holder
def also_restored_generator_in_a_list(rng: Any) -> Arguments:
    return {**also_restored_generator(rng), "also_restore": [rng]}


# --- data ------------------------------------------------------------------------------------------------------------


def loader_with(**options: Any) -> Arguments:
    return training(train_data=DataLoader(options.pop("dataset", labelled_samples()), **{"batch_size": 4, **options}))


@holder
def collate_function(rng: Any) -> Arguments:
    def collate(samples: Any) -> Any:
        x, y = default_collate(samples)
        return noisy(rng, x), y

    return loader_with(collate_fn=collate)


@holder
def worker_init_function(rng: Any) -> Arguments:
    def start(_: int) -> None:
        torch.manual_seed(int(1000 * draw(rng)))

    def collate(samples: Any) -> Any:
        x, y = default_collate(samples)
        return x + torch.rand(()), y

    return loader_with(num_workers=1, worker_init_fn=start, collate_fn=collate)


@holder
def loaders_generator(rng: Any) -> Arguments:
    return loader_with(shuffle=True, generator=rng)


class Shuffled(Sampler[int]):
    def __init__(self, rng: Any) -> None:
        self.source = SimpleNamespace(of=[rng])

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(range(12), key=lambda _: draw(self.source.of[0])))

    def __len__(self) -> int:
        return 12


@holder
def sampler(rng: Any) -> Arguments:
    return loader_with(sampler=Shuffled(rng))


class Wrapping(Sampler[int]):
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __iter__(self) -> Iterator[int]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


@holder
def sampler_in_a_sampler(rng: Any) -> Arguments:
    return loader_with(sampler=Wrapping(Shuffled(rng)))


@holder
def batch_sampler(rng: Any) -> Arguments:
    return loader_with(batch_size=1, batch_sampler=BatchSampler(Shuffled(rng), 4, drop_last=False))


class Transformed(Dataset[Any]):
    """Samples with a transform in an attribute of any name."""

    def __init__(self, name: str, transform: Any) -> None:
        self.samples, self.name = labelled_samples(), name
        setattr(self, name, transform)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        x, y = self.samples[index]
        transform = getattr(self, self.name)
        for step in transform if isinstance(transform, list) else [transform]:
            x = step(x)
        return x, y


def transform_in(name: str, make: Callable[[Any], Any]) -> None:
    def made(rng: Any) -> Arguments:
        return loader_with(dataset=Transformed(name, make(rng)))

    HOLDERS[f"dataset_attribute_{name}"] = made


class Compose:
    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    def __call__(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x


class NoiseModule(nn.Module):
    def __init__(self, rng: Any) -> None:
        super().__init__()
        self.rng = rng

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return noisy(self.rng, x)


transform_in("transform", Slotted)
transform_in("tfms", lambda rng: lambda x: noisy(rng, x))
transform_in("aug", lambda rng: functools.partial(noisy, rng))
transform_in("pipeline", lambda rng: [Slotted(rng)])
transform_in("composed", lambda rng: Compose(lambda x: x, Compose(Slotted(rng))))
transform_in("augmenter", NoiseModule)
transform_in("sequential", lambda rng: nn.Sequential(nn.Identity(), NoiseModule(rng)))
transform_in("method", lambda rng: Slotted(rng).__call__)


@holder
def closure_of_getitem(rng: Any) -> Arguments:
    class Samples(Dataset[Any]):
        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> Any:
            x, y = labelled_samples()[index]
            return noisy(rng, x), y

    return loader_with(dataset=Samples())


@holder
def global_of_getitem(rng: Any) -> Arguments:
    set_global(rng)

    class Samples(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            x, y = super().__getitem__(index)
            return noisy(GLOBAL, x), y

    return loader_with(dataset=Samples(*labelled_samples().tensors))


@holder
def dataset_generator_of_any_name(rng: Any) -> Arguments:
    class Samples(TensorDataset):
        def __getitem__(self, index: int) -> Any:
            x, y = super().__getitem__(index)
            return noisy(self.chance["x"][0], x), y

    samples = Samples(*labelled_samples().tensors)
    samples.chance = {"x": [rng]}  # type: ignore[attr-defined]
    return loader_with(dataset=samples)


@holder
def subset(rng: Any) -> Arguments:
    return loader_with(dataset=Subset(Subset(Transformed("views", Slotted(rng)), range(12)), range(8)))


@holder
def concatenated_datasets(rng: Any) -> Arguments:
    return loader_with(dataset=ConcatDataset([labelled_samples(), Transformed("views", Slotted(rng))]))


@holder
def dataset_in_a_plain_wrapper(rng: Any) -> Arguments:
    class Wrapper:
        def __init__(self, inner: Any) -> None:
            self.hidden = [inner]

        def __len__(self) -> int:
            return len(self.hidden[0])

        def __getitem__(self, index: int) -> Any:
            return self.hidden[0][index]

    return training(train_data=DataLoader(Wrapper(Transformed("views", Slotted(rng))), 4))  # type: ignore[arg-type]


@holder
def iterable_dataset(rng: Any) -> Arguments:
    set_global(rng)

    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return ((noisy(GLOBAL, x), y) for x, y in labelled_samples())

    return loader_with(dataset=Stream())


@holder
def loader_of_the_users_own(rng: Any) -> Arguments:
    class Loader:
        def __init__(self) -> None:
            self.inside = deque([{"rng": rng}])

        def __iter__(self) -> Iterator[Any]:
            for x, y in DataLoader(labelled_samples(), 4):
                yield noisy(self.inside[0]["rng"], x), y

    return training(train_data=Loader())


@holder
def generator_function_of_a_loader(rng: Any) -> Arguments:
    def batches() -> Iterator[Any]:
        for x, y in DataLoader(labelled_samples(), 4):
            yield noisy(rng, x), y

    class Again:
        def __iter__(self) -> Iterator[Any]:
            return batches()

    return training(train_data=Again())


@holder
def validation_data(rng: Any) -> Arguments:
    model = nn.Linear(6, 3)
    data = DataLoader(Transformed("views", Slotted(rng)), 4)
    return training(model=model, val_data=data, val_every=1, stop=lambda record: record.val_loss < 0)


# --- hooks and modules -----------------------------------------------------------------------------------------------


def with_model(register: Callable[[nn.Module], object]) -> Arguments:
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3))
    register(model)
    return training(model=model)


@holder
def forward_hook(rng: Any) -> Arguments:
    return with_model(lambda model: model[0].register_forward_hook(lambda module, given, out: noisy(rng, out)))  # type: ignore[index]


@holder
def forward_pre_hook(rng: Any) -> Arguments:
    return with_model(lambda model: model.register_forward_pre_hook(lambda module, given: (noisy(rng, given[0]),)))


@holder
def full_backward_hook(rng: Any) -> Arguments:
    def hook(module: Any, given: Any, back: Any) -> Any:
        return tuple(None if grad is None else grad * (1 + draw(rng)) for grad in given)

    return with_model(lambda model: model[1].register_full_backward_hook(hook))  # type: ignore[index]


@holder
def hook_of_all_modules(rng: Any) -> Arguments:
    set_global(rng)
    return training()


@holder
def tensor_hook(rng: Any) -> Arguments:
    return with_model(lambda model: model[1].weight.register_hook(lambda grad: noisy(rng, grad)))  # type: ignore[index]


@holder
def hook_after_the_gradient(rng: Any) -> Arguments:
    def hook(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        parameter.grad += 0.1 * draw(rng)

    return with_model(lambda model: model[1].weight.register_post_accumulate_grad_hook(hook))  # type: ignore[index]


def with_optimizer(register: Callable[[torch.optim.Optimizer], object]) -> Arguments:
    made = training()
    register(made["optimizer"])
    return made


def shaken(optimizer: Any, rng: Any) -> None:
    for p in optimizer.param_groups[0]["params"]:
        p.data += 0.01 * draw(rng)


@holder
def step_pre_hook(rng: Any) -> Arguments:
    return with_optimizer(lambda it: it.register_step_pre_hook(lambda optimizer, *_: shaken(optimizer, rng)))


@holder
def step_post_hook(rng: Any) -> Arguments:
    return with_optimizer(lambda it: it.register_step_post_hook(lambda optimizer, *_: shaken(optimizer, rng)))


@holder
def optimizer_class(rng: Any) -> Arguments:
    set_global(rng)

    class Langevin(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            shaken(self, GLOBAL)
            return super().step(closure)

    model = nn.Linear(6, 3)
    return training(model=model, optimizer=Langevin(model.parameters(), lr=0.1))


@holder
def step_of_an_optimizer_replaced(rng: Any) -> Arguments:
    def replace(optimizer: Any) -> None:
        original = optimizer.step

        def step(*args: Any) -> Any:
            shaken(optimizer, rng)
            return original(*args)

        optimizer.step = step

    return with_optimizer(replace)


@holder
def attribute_of_a_module(rng: Any) -> Arguments:
    model = nn.Sequential(NoiseModule(rng), nn.Linear(6, 3))
    return training(model=model)


@holder
def global_of_a_modules_forward(rng: Any) -> Arguments:
    set_global(rng)

    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(noisy(GLOBAL, x))

    return training(model=Net(6, 3))


@holder
def forward_replaced_by_a_method(rng: Any) -> Arguments:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return F.linear(noisy(rng, x), self.weight)

    model = nn.Linear(6, 3, bias=False)
    model.forward = MethodType(forward, model)  # type: ignore[method-assign]
    return training(model=model)


@holder
def forward_replaced_by_a_function(rng: Any) -> Arguments:
    model = nn.Linear(6, 3, bias=False)
    model.forward = lambda x: F.linear(noisy(rng, x), model.weight)  # type: ignore[method-assign]
    return training(model=model)


@holder
def parametrization(rng: Any) -> Arguments:
    model = nn.Linear(6, 3)
    nn.utils.parametrize.register_parametrization(model, "weight", NoiseModule(rng))
    return training(model=model)


# --- the tests -------------------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[], Any]] = {
    "torch": lambda: torch.Generator().manual_seed(5),
    "NumPy": lambda: np.random.default_rng(5),
    "old NumPy": lambda: np.random.RandomState(5),
    "Python": lambda: random.Random(5),
}


@pytest.fixture(autouse=True)
def _hook_of_all_modules(request: pytest.FixtureRequest) -> Iterator[None]:
    """Register a hook for all modules of the process around the one case that needs it."""
    if "hook_of_all_modules" not in request.node.name:
        yield
        return
    register = nn.modules.module.register_module_forward_hook
    handle = register(lambda module, given, out: noisy(GLOBAL, out) if isinstance(module, nn.Linear) else None)
    yield
    handle.remove()


def curve(arguments: Arguments, seed: int | None = None) -> str:
    """Return rates, losses and validation losses of a test as text, in which NaN equals NaN."""
    options = {"start_lr": 0.01, "end_lr": 0.5, "num_steps": 6, "diverge_factor": None, "progress": False}
    records = range_test(**{**options, **arguments}, seed=seed)
    return repr((records.lr.tolist(), records.loss.tolist(), records.val_loss))


def train(arguments: Arguments, rng: Any) -> list[float]:
    """Train by hand for six steps; return the losses and the number that the generator gives next."""
    model, optimizer, loss_fn = arguments["model"], arguments["optimizer"], arguments["loss_fn"]
    torch.manual_seed(1)
    seen = []
    for batch in islice(cycle(arguments["train_data"]), 6):
        optimizer.zero_grad()
        own = arguments.get("train_step")
        loss = loss_fn(model(batch[0]), batch[1]) if own is None else own(model, batch)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return [*seen, draw(rng)]


@pytest.mark.parametrize("name", HOLDERS)
def test_a_generator_in_a_holder_is_back_and_seeded(name: str):
    """After a test it is as before, bit for bit; the same seed gives the same test, another seed another one."""
    rng = KINDS["torch"]()
    arguments = HOLDERS[name](rng)
    before = state(rng)
    first = curve(arguments, seed=0)
    assert state(rng) == before
    draw(rng)
    assert curve(arguments, seed=0) == first
    assert curve(arguments, seed=1) != first


@pytest.mark.parametrize("name", HOLDERS)
def test_training_after_a_test_draws_the_same_numbers(name: str):
    """The losses of further training are those of a twin that was never tested."""
    tested, untested = KINDS["torch"](), KINDS["torch"]()
    arguments = HOLDERS[name](tested)
    curve(arguments)
    trained = train(arguments, tested)
    assert trained == train(HOLDERS[name](untested), untested)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["closure", "method_of_the_generator", "dataset_attribute_tfms", "also_restored_generator"]
)
def test_generators_of_every_kind_are_found(name: str, kind: str):
    """Of torch, of NumPy, old and new, and of Python."""
    rng = KINDS[kind]()
    arguments = HOLDERS[name](rng)
    before = state(rng)
    first = curve(arguments, seed=0)
    assert state(rng) == before
    draw(rng)
    assert curve(arguments, seed=0) == first
