"""A tensor is back as it was: storage, grad, hooks, flags and data, and autograd sees no write."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget.restore import Snapshot, tensors

from ..no_trace.state import Look, tensor_bytes, values
from .helpers import net

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


# --- private parts of torch ------------------------------------------------------------------------------------------


class Training:
    """A model with momentum, a hook and a forward pass whose loss has not been backpropagated yet."""

    def __init__(self) -> None:
        self.model = net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.step(self.loss())
        self.pending = self.loss()
        self.weight: Any = self.model[0].weight

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
    monkeypatch.setattr(tensors, "_HOOK_LISTS", ("_hooks_of_another_version",))
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


def test_a_storage_that_the_test_has_freed_is_filled_again():
    """Sharded training frees storages; the same one has its size and its bytes again."""
    weight = torch.arange(4.0)
    undo = tensors.contents_undo(weight, None, set())
    weight.untyped_storage().resize_(0)
    assert undo is not None
    undo()
    assert weight.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_views_of_one_storage_are_copied_once():
    """The second view of a storage has nothing to copy; a tensor on meta, or of no elements, has nothing either."""
    whole, known = torch.zeros(4), set[Any]()
    assert tensors.contents_undo(whole[1:], None, known) is not None
    assert tensors.contents_undo(whole, None, known) is None
    assert tensors.contents_undo(torch.empty(4, device="meta"), None, known) is None
    assert tensors.contents_undo(torch.empty(0), None, known) is None
    assert len(known) == 1


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr], ids=str)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_sparse_tensor_is_copied_whole(layout: torch.layout, requires_grad: bool):
    """It has no storage of its own; its values come back, and so does its count of writes, time and again."""
    sparse = torch.eye(3).to_sparse(layout=layout)
    assert tensors.storage_key(sparse) is None
    model = nn.Module()
    model.sparse = nn.Parameter(sparse) if requires_grad else sparse
    look = Look(model)
    snapshot = Snapshot([model])
    for _ in range(2):
        with torch.no_grad():
            model.sparse.mul_(2.0)
        assert torch.equal(model.sparse.detach().to_dense(), 2.0 * torch.eye(3))
        snapshot.restore()
        look.assert_unchanged("after a write to a sparse tensor")


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
