"""State comes back wherever the user keeps it: plain objects, owners and closures of functions, loaders' helpers."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from collections import Counter, OrderedDict, UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test

from ..no_trace.state import Look

SWEEP: dict[str, Any] = {"num_steps": 4, "start_lr": 1e-3, "end_lr": 0.1, "diverge_factor": None}


def samples() -> TensorDataset:
    made = torch.Generator().manual_seed(1)
    return TensorDataset(torch.randn(12, 6, generator=made), torch.randint(3, (12,), generator=made))


def sweep(model: nn.Module, data: Any = None, loss_fn: Any = F.cross_entropy, **options: Any) -> None:
    """Run a whole range test of the model with SGD."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(samples(), 4) if data is None else data
    list(iter_range_test(model, optimizer, None if "train_step" in options else loss_fn, loader, **SWEEP, **options))


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
    """A dict with attributes of its own, which counts what is put into it."""

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
    """A long chain of objects, the last of which changes."""

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
    """What a holder holds, read by hand."""
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
    """A model that shows its output to what it holds."""

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
    """The holder changes in every step, and after the test it is what it was."""
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
    list(iter_range_test(model, optimizer, F.cross_entropy, DataLoader(samples(), 4), **SWEEP))
    assert optimizer.state[model.weight]["average"] is average
    assert (average.steps, torch.equal(average.buffer, buffer)) == (1, True)


# --- what a training step belongs to and refers to -------------------------------------------------------------------


class Trainer:
    """The owner of the training step, with a teacher, a running mean and a dataset beside it."""

    def __init__(self) -> None:
        self.teacher, self.centre, self.steps = nn.Linear(6, 3), torch.zeros(3), 0
        self.data = samples()

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
    """The teacher, the mean and the count of the object that the step belongs to are what they were."""
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
    """Whether an object, its method, in a partial or one of several: the next batch is the one that was next."""
    noise = Noise()
    state = noise.generator.get_state()
    sweep(nn.Linear(6, 3), DataLoader(samples(), 4, collate_fn=collate(noise)))
    assert (torch.equal(noise.generator.get_state(), state), noise.calls) == (True, 0)


def test_loaders_and_generators_in_tuples_and_lists_are_back():
    """A wrapper's two shuffling loaders and its die in a list go on as if there had been no test."""
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    together = Together(tuple(DataLoader(samples(), 4, shuffle=True, generator=g) for g in generators))
    states = [g.get_state().tolist() for g in generators], together.dice[0].getstate()
    sweep(nn.Linear(6, 3), together)
    assert ([g.get_state().tolist() for g in generators], together.dice[0].getstate()) == states


class Resumable:
    """A loader that starts its epoch, drawing its seed, when it is first asked where it is."""

    def __init__(self) -> None:
        self.batches, self.seed = [(torch.ones(4, 6), torch.tensor([0, 1, 2, 0]))], None

    def __iter__(self) -> Iterator[Any]:
        self.state_dict()
        return iter(self.batches)

    def state_dict(self) -> dict[str, Any]:
        if self.seed is None:
            self.seed = torch.rand(1)
        return {"seed": self.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seed = state["seed"]


def test_a_fresh_stateful_loader_is_fresh_again():
    """To ask for its state starts an epoch and draws a number; neither is left."""
    model, loader = nn.Linear(6, 3), Resumable()
    state = torch.get_rng_state()
    sweep(model, loader, also_restore=[loader])
    assert loader.seed is None
    assert torch.equal(torch.get_rng_state(), state)


# --- memory ----------------------------------------------------------------------------------------------------------

READ_ONLY = """
import sys, numpy as np, torch, warnings
warnings.simplefilter("ignore")
import lr_widget
np.ones(100_000, dtype=np.float32).tofile(sys.argv[1])
model = torch.nn.Linear(2, 1)
model.register_buffer("table", torch.from_numpy(np.memmap(sys.argv[1], dtype=np.float32, mode="r")))
model.array = np.frombuffer(b"12345678", dtype=np.uint8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = [(torch.ones(4, 2), torch.ones(4, 1))]
lr_widget.range_test(model, optimizer, torch.nn.functional.mse_loss, data, progress=False, num_steps=5)
print("alive")
"""


def test_a_buffer_in_a_read_only_file_is_not_written_to(tmp_path: Any):
    """Writing back even the same bytes would be the end of the process, so it is tried in another one."""
    script = [sys.executable, "-c", READ_ONLY, str(tmp_path / "table")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]


class Shadow:
    """A moving average whose state dict shares its tensors, and that makes new ones when it is loaded."""

    def __init__(self) -> None:
        self.weights = {"w": torch.randn(500, 500)}

    def state_dict(self) -> dict[str, Any]:
        return copy.copy(self.weights)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = {name: tensor.clone() for name, tensor in state.items()}


def copies_of(size: int) -> int:
    """How many storages of so many bytes are alive."""
    import gc

    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, nn.Parameter)]
    alive = [t.untyped_storage() for t in tensors if t.layout is torch.strided and t.device.type == "cpu"]
    return len({storage.data_ptr() for storage in alive if storage.nbytes() == size})


def test_what_also_restore_gives_is_copied_once():
    """A moving average of 1,000,000 bytes is there twice during the test: itself and its copy."""
    model, shadow = nn.Linear(6, 3), Shadow()
    held, content = shadow.weights["w"], shadow.weights["w"].clone().tolist()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = iter_range_test(model, optimizer, F.cross_entropy, DataLoader(samples(), 4), also_restore=[shadow], **SWEEP)
    next(steps)
    assert copies_of(1_000_000) == 2
    shadow.weights["w"].zero_()
    steps.close()
    assert shadow.weights["w"] is held
    assert held.tolist() == content


class Hidden:
    """Keeps its tensor where nobody can find it, and gives a new one each time."""

    def __init__(self) -> None:
        secret = torch.arange(3.0)
        self.state_dict = lambda: {"t": secret.clone()}
        self.load_state_dict = lambda state: secret.copy_(state["t"])


def test_a_state_dict_is_copied_to_the_snapshot_device():
    """On "meta", which keeps no bytes, the copy of a state dict is lost, and the error says whose."""
    from lr_widget.restore.snapshot import Snapshot

    hidden = Hidden()
    snapshot = Snapshot(stateful=[hidden], device="cpu")
    hidden.load_state_dict({"t": torch.zeros(3)})
    snapshot.restore()
    assert hidden.state_dict()["t"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(RuntimeError, match=r"Hidden\.state_dict\(\) .*meta"):
        Snapshot(stateful=[hidden], device="meta").restore()


def test_a_kept_traceback_does_not_keep_the_copy():
    """After an exception that somebody holds, of 1,000,000 bytes of weights only the weights themselves are left."""
    model = nn.Linear(500, 500, bias=False)

    def fail(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        sweep(model, [(torch.ones(1, 500), torch.ones(1, 500))], fail)
    assert copies_of(1_000_000) == 1
    assert caught.value.__traceback__ is not None


def test_a_large_vocabulary_costs_next_to_nothing():
    """Of 250,000 entries that are numbers and texts, none is walked into: no names are made for them."""
    from lr_widget.restore.containers import members

    assert list(members({f"word{index}": index for index in range(250_000)})) == []
    tensor = torch.ones(1)
    assert list(members([1, tensor, "a"])) == [("[1]", tensor)]
