"""A tensor is back as it was: storage, grad, hooks, flags and data, and autograd sees no write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn import functional as F

from lr_widget import range_test
from lr_widget.restore import Snapshot, tensors

from ..no_trace.state import Look, tensor_bytes, values
from .helpers import net

# --- private parts of torch ------------------------------------------------------------------------------------------


class Training:
    """A model with momentum, a hook and a forward pass whose loss has not been backpropagated yet."""

    def __init__(self, model: Any = None, steps: int = 1, *, is_pending: bool = True) -> None:
        self.model = net() if model is None else model
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(steps):
            self.step(self.loss())
        self.pending = self.loss() if is_pending else torch.zeros(())
        self.weight: Any = next(self.model.parameters())

    def loss(self) -> torch.Tensor:
        return self.model(torch.ones(4, 3)).square().mean()

    def step(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def test(self) -> None:
        """Train between a snapshot and its restore."""
        snapshot = Snapshot([self.model], [self.optimizer])
        self.step(self.loss())
        snapshot.restore()

    @property
    def facts(self) -> Any:
        """The weights, buffers, gradients and momentum as bytes."""
        return values(self.model), [
            (tensor_bytes(p.grad), tensor_bytes(self.optimizer.state[p]["momentum_buffer"]))
            for p in self.model.parameters()
        ]


def test_a_loss_from_before_can_be_backpropagated_after():
    """Autograd counts in-place writes; the count is back, so the loss gives the gradients that it would have given."""
    training, twin = Training(), Training()
    before = training.facts
    training.test()
    assert training.facts == before
    training.pending.backward()
    twin.pending.backward()
    assert training.facts == twin.facts


def test_without_the_version_counter_only_autograd_complains(monkeypatch: pytest.MonkeyPatch):
    """In a torch that cannot set the count all bytes are back, but a loss from before is refused."""
    monkeypatch.delattr(torch.autograd.grad_mode, "_unsafe_preserve_version_counter")
    training = Training()
    before = training.facts
    training.test()
    assert training.facts == before
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        training.pending.backward()


def hooked(training: Training) -> tuple[int, ...]:
    """Register hooks between a snapshot and its restore; return the calls of each kind in a backward pass after it."""
    calls, before = [0, 0], training.facts

    def count(kind: int) -> None:
        calls[kind] += 1

    snapshot = Snapshot([training.model], [training.optimizer])
    training.weight.register_hook(lambda grad: count(0))
    training.weight.register_post_accumulate_grad_hook(lambda tensor: count(1))
    training.step(training.loss())
    assert calls == [1, 1]
    snapshot.restore()
    assert training.facts == before
    training.loss().backward()
    return tuple(calls)


def test_hooks_that_the_test_registered_are_gone():
    """Neither a hook on the gradient nor one after its accumulation is called again."""
    assert hooked(Training()) == (1, 1)


def test_hooks_from_before_stay():
    """A hook that the user registered is called before, during and after the test."""
    training, calls = Training(), []
    training.weight.register_hook(lambda grad: calls.append(1))
    training.test()
    training.loss().backward()
    assert len(calls) == 2


def test_without_the_hook_lists_only_hooks_stay(monkeypatch: pytest.MonkeyPatch):
    """In a torch that lists hooks elsewhere all else is back, but hooks that the test registered are called on."""
    monkeypatch.setattr(tensors, "HOOK_LISTS", ("_hooks_of_another_version",))
    assert hooked(Training()) == (2, 2)


class Rebinding(nn.Module):
    """Tied weights, two views of one memory, and an empty buffer."""

    def __init__(self) -> None:
        super().__init__()
        memory = np.arange(4.0)
        self.weight = nn.Parameter(torch.ones(3, 3))
        self.tied = self.weight
        self.register_buffer("short", torch.from_numpy(memory[:2]))
        self.register_buffer("long", torch.from_numpy(memory))
        self.register_buffer("column", self.weight.detach()[:, 1])
        self.register_buffer("empty", torch.empty(0))

    def rebind(self) -> None:
        """Write to some tensors and give others a new storage, the empty one included."""
        self.long.zero_()
        self.weight.data = torch.zeros(3, 3)
        self.column.fill_(5.0)
        self.empty.data = torch.empty(0)


def storages(model: nn.Module) -> dict[str, int]:
    return {name: tensor.untyped_storage()._cdata for name, tensor in model.state_dict(keep_vars=True).items()}


def test_storages_come_back_themselves():
    """Each tensor has the storage that it had, with the same bytes, also where two share memory or one is empty."""
    model = Rebinding()
    look, before = Look(model), storages(model)
    snapshot = Snapshot([model])
    model.rebind()
    assert {name for name, storage in storages(model).items() if storage != before[name]} == {"weight", "tied", "empty"}
    snapshot.restore()
    look.assert_unchanged("after new storages")
    assert storages(model) == before


def test_without_cdata_only_empty_storages_are_mixed_up(monkeypatch: pytest.MonkeyPatch):
    """In a torch without it the address of the data serves; all is back, but a new empty storage stays."""

    def missing(storage: Any) -> Any:
        raise AttributeError("_cdata")

    model = Rebinding()
    look, before = Look(model), storages(model)
    with monkeypatch.context() as patch:
        patch.setattr(torch.UntypedStorage, "_cdata", property(missing), raising=False)
        snapshot = Snapshot([model])
        model.rebind()
        snapshot.restore()
    look.assert_unchanged("after new storages")
    assert {name for name, storage in storages(model).items() if storage != before[name]} == {"empty"}


# --- one by one ------------------------------------------------------------------------------------------------------


def test_a_lazy_parameter_has_no_shape_again():
    """A parameter that the test materialised is uninitialised again, with its class and without its gradient."""
    layer = nn.LazyLinear(2)
    undos = [tensors.identity_undo(p) for p in layer.parameters()]
    layer(torch.ones(1, 3)).sum().backward()
    for undo in undos:
        undo()
    assert all(nn.parameter.is_lazy(p) and p.grad is None for p in layer.parameters())


def test_a_leaf_that_was_written_to_from_a_graph_is_a_leaf_again():
    """Also its flag and its gradient are back."""
    buffer = torch.zeros(2)
    undo = tensors.identity_undo(buffer)
    buffer.add_(torch.ones(2, requires_grad=True))
    assert not buffer.is_leaf
    with torch.no_grad():
        undo()
    assert (buffer.is_leaf, buffer.requires_grad, buffer.grad) == (True, False, None)


# --- views -----------------------------------------------------------------------------------------------------------

VIEWS: dict[str, Callable[[torch.Tensor], Any]] = {
    "unbind": lambda weight: weight.unbind(),
    "chunk": lambda weight: list(weight.chunk(2)),
    "split": lambda weight: {"parts": weight.split(1)},
    "view of a view": lambda weight: weight.unbind()[0].split(2),
    "select": lambda weight: weight[0],
    "transpose": lambda weight: weight.t(),
    "detached unbind": lambda weight: weight.detach().unbind(),
    "data": lambda weight: weight.data.chunk(2),
    "result": lambda weight: (weight * 2.0).unbind(),
}


class Viewing(nn.Module):
    """A layer that keeps views of its weight and reads them, without gradients, in each pass."""

    def __init__(self, kind: str, *, with_grad: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 3))
        with torch.set_grad_enabled(with_grad):
            self.views = VIEWS[kind](self.weight)
        self.norms: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        views = [self.views] if isinstance(self.views, torch.Tensor) else self.views
        with torch.no_grad():
            self.norms.append(sum(float(v.norm()) for v in (views["parts"] if isinstance(views, dict) else views)))
        return x @ self.weight.t()


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("with_grad", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("steps_before", [0, 2])
def test_a_model_may_keep_views_of_its_weights(kind: str, with_grad: bool, steps_before: int):
    """autograd gives some of them up when the weight is written to; all is back, and training goes on as a twin's."""
    training, twin = (Training(Viewing(kind, with_grad=with_grad), steps_before) for _ in range(2))
    look = Look(training.model.weight, training.optimizer, training.model.norms)
    views, norms = training.model.views, len(training.model.norms)
    records = range_test(
        training.model,
        training.optimizer,
        F.mse_loss,
        [(torch.ones(4, 3), torch.zeros(4, 4))],
        num_steps=4,
        progress=False,
    )
    assert records.loss[3] < records.loss[0]
    look.assert_unchanged("after a test of a model with views")
    assert training.model.views is views
    assert len(training.model.norms) == norms
    for each in (training, twin):
        for _ in range(3):
            each.step(each.loss())
    assert training.facts == twin.facts
    assert training.model.norms == twin.model.norms


def test_a_view_is_used_in_a_graph_again():
    """A view of `unbind` that is good for a graph before the test is good for one after it, with its gradient."""
    model = nn.Linear(3, 2)
    model.rows = model.weight.unbind()
    Training(model, 0).test()
    model.rows[1].sum().backward()
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[0.0] * 3, [1.0] * 3]


def test_tensors_of_inference_mode_come_back():
    """A buffer, and a view, from torch.inference_mode are written back to, though torch refuses to write to them."""
    with torch.inference_mode():
        table = torch.arange(6.0)
        rows = table.view(2, 3).unbind()
    model = nn.Module()
    model.register_buffer("table", table)
    model.rows = rows
    snapshot = Snapshot([model])
    with torch.inference_mode():
        rows[0].fill_(9.0)
        table[5:].fill_(9.0)
    model.table = None
    snapshot.restore()
    assert model.table is table
    assert table.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert all(row.is_inference() for row in model.rows)


# --- sharded weights -------------------------------------------------------------------------------------------------


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")  # FSDP warns of one process, of the CPU and of its own deprecation
@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("keeps_originals", [True, False])
@pytest.mark.parametrize("steps_before", [0, 2])
def test_a_model_of_fsdp_keeps_views_of_its_weights(keeps_originals: bool, steps_before: int):
    """Its flat weights, whose storages are freed and filled, come back, and training goes on as a twin's."""

    def sharded() -> Training:
        model: nn.Module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        with torch.no_grad():
            for index, weight in enumerate(model.parameters()):
                weight.fill_(0.1 * (index + 1))
        model = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=keeps_originals)
        return Training(model, steps_before, is_pending=False)

    training, twin = sharded(), sharded()
    before = values(training.model)
    data = [(torch.ones(4, 3), torch.ones(4, 1))]
    range_test(training.model, training.optimizer, F.mse_loss, data, num_steps=4, progress=False)
    assert values(training.model) == before
    for each in (training, twin):
        for _ in range(3):
            each.step(each.loss())
    assert training.facts == twin.facts
