"""A snapshot is restored in full or names the missing parts; its copies live on the device asked for, and no longer."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.errors import RestoreError
from lr_widget.restore import Snapshot, tensors

from ..no_trace.state import tensor_bytes, values
from .helpers import BESIDE, SWEEP, Broken, Training, copies_of, mse, net, samples, state_bytes, sweep

# --- restoring that fails in part ------------------------------------------------------------------------------------


def close_half_way(sweep: Iterator[Any]) -> None:
    next(sweep)
    next(sweep)
    sweep.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", [list, close_half_way], ids=["completed", "closed"])
@pytest.mark.parametrize("place", [0, 1])
def test_one_object_that_cannot_be_put_back_costs_no_other(end: Callable[[Any], object], place: int) -> None:
    """First or last, the error names it and its reason, and all else is bit for bit as before."""
    training = Training(BESIDE["moving average"])
    things = [training.beside]
    things.insert(place, Broken())
    before, state = training.look(), state_bytes(training.beside.state_dict())
    with pytest.raises(
        RestoreError,
        match=r"^could not put back after the range test: Broken.state_dict\(\) \(ZeroDivisionError: cannot load\)\nsee ",
    ) as caught:
        end(training.sweep(also_restore=things))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    before.assert_unchanged("after a restore that failed in part")
    assert state_bytes(training.beside.state_dict()) == state


def test_several_that_cannot_be_put_back_are_all_named() -> None:
    """Two culprits are one error with two names."""

    class Hopeless(Broken):
        pass

    training = Training()
    with pytest.raises(RestoreError, match=r"Broken.state_dict\(\) .*; Hopeless.state_dict\(\) "):
        list(training.sweep(also_restore=[Broken(), Hopeless()]))


def test_the_users_exception_stays_the_users_where_restoring_fails_too() -> None:
    """The user's own exception comes through, with notes that name the step and the culprit, and all else is back."""
    training = Training()
    before, error = training.look(), ValueError("by the user")

    def fail(model: Any, batch: Any) -> torch.Tensor:
        raise error

    sweep = iter_range_test(
        training.model, training.optimizer, None, training.loader, train_step=fail, also_restore=[Broken()]
    )
    with pytest.raises(ValueError, match="by the user") as caught:
        next(sweep)
    assert caught.value is error
    in_step, not_back = error.__notes__  # type: ignore[attr-defined]
    assert in_step.startswith("while lr_widget was in step 1 of 100, at learning rate")
    assert "could not put back after the range test: Broken.state_dict() (ZeroDivisionError: cannot load)" in not_back
    before.assert_unchanged("after two exceptions")


def test_an_error_without_a_text_is_named_by_its_class() -> None:
    """Its `__str__` raises, which must not hide the object that could not be put back."""

    class Silent(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    class Odd(Broken):
        def load_state_dict(self, state: Any) -> None:
            raise Silent

    training = Training()
    with pytest.raises(
        RestoreError, match=r"Odd.state_dict\(\) \(Silent: a Silent that cannot be written as text\)\nsee "
    ):
        list(training.sweep(also_restore=[Odd()]))


# --- where the copies live -------------------------------------------------------------------------------------------


def test_the_copies_are_kept_on_the_device_asked_for() -> None:
    """On "meta" no bytes are kept and copies are lost; on "cpu" and beside the original they are there."""
    for device, is_lost in ((None, False), ("cpu", False), ("meta", True)):
        model = nn.Linear(2, 1)
        snapshot = Snapshot([model], device=device)
        before = values(model)
        with torch.no_grad():
            model.weight.fill_(5.0)
            model.bias.fill_(5.0)
        if is_lost:
            with pytest.raises(
                RestoreError,
                match=r"Linear._parameters\['weight'\] .*meta tensor.*; Linear._parameters\['bias'\] .*meta tensor",
            ):
                snapshot.restore()
        else:
            snapshot.restore()
            assert values(model) == before


def test_the_option_reaches_the_snapshot() -> None:
    """A range test with snapshot_device="meta" has kept no bytes of the weights, and says so."""
    model = net()
    sweep = iter_range_test(
        model, torch.optim.SGD(model.parameters(), lr=0.1), mse, samples(), snapshot_device="meta", **SWEEP
    )
    with pytest.raises(RestoreError, match="meta"):
        list(sweep)


class HalfThere(nn.Module):
    """Parameters on the CPU beside a buffer and a parameter on the meta device, as while a checkpoint loads."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 1)
        self.register_buffer("later", torch.zeros(5, device="meta"))
        self.too = nn.Parameter(torch.zeros(2, 2, device="meta"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@pytest.mark.parametrize("snapshot_device", [None, "cpu"])
def test_a_model_with_buffers_on_meta_survives(snapshot_device: str | None) -> None:
    """Tensors on the CPU are trained and put back as ever; those on meta are the same tensors on meta as before."""
    model = HalfThere()
    optimizer = torch.optim.SGD(model.net.parameters(), lr=0.1, momentum=0.9)
    later, too = model.later, model.too
    before = values(model.net)
    sweep = iter_range_test(model, optimizer, mse, samples(), device="cpu", snapshot_device=snapshot_device, **SWEEP)
    assert next(sweep).step == 1
    assert values(model.net) != before
    assert len(list(sweep)) == 7
    assert values(model.net) == before
    assert model.later is later
    assert model.too is too
    assert later.device.type == too.device.type == "meta"
    assert not optimizer.state


def test_a_kept_traceback_does_not_keep_the_copy():
    """After an exception that somebody holds, of 4,000,000 bytes of weights only the weights themselves are left."""
    model = nn.Linear(1000, 1000, bias=False)

    def fail(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        sweep(model, [(torch.ones(1, 1000), torch.ones(1, 1000))], fail)
    assert copies_of(4_000_000) == 1
    assert caught.value.__traceback__ is not None


# --- order and caches ------------------------------------------------------------------------------------------------


def test_casts_of_the_tests_weights_are_not_used_after_it():
    """Inside the user's autocast, whose casts are cached, the output is the one of the weights from before."""
    layer, one = nn.Linear(1, 1, bias=False), torch.ones(1, 1)
    nn.init.constant_(layer.weight, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        snapshot = Snapshot([layer])
        nn.init.constant_(layer.weight, 2.0)
        assert layer(one).item() == 2.0
        snapshot.restore()
        assert layer(one).item() == 1.0


def test_a_snapshot_that_fails_leaves_no_trace():
    """To ask for one state has drawn a number, to ask for the next one fails; the number is back."""

    class Drawing(Broken):
        def state_dict(self) -> dict[str, Any]:
            return {"random": torch.rand(1)}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    class Failing(Broken):
        def state_dict(self) -> dict[str, Any]:
            raise ZeroDivisionError("no state")

    before = torch.get_rng_state()
    snapshot = Snapshot(also_restore=[Drawing(), Failing()])
    with pytest.raises(ZeroDivisionError, match="no state"):
        snapshot.keep_state_dicts()
    snapshot.restore()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_snapshot_is_restored_as_often_as_it_is_asked():
    """Three times in a row, with training in between; once forgotten, it restores nothing."""
    training = Training()
    snapshot = Snapshot([training.model], [training.optimizer], sources=[training.loader])
    before = values(training.model)
    for _ in range(3):
        training.train(2)
        assert values(training.model) != before
        snapshot.restore()
        assert values(training.model) == before
    snapshot.forget()
    training.train(2)
    snapshot.restore()
    assert values(training.model) != before


def test_a_generator_that_training_and_stop_share_is_listed_once():
    """Listed twice, it would be seeded twice, and the second seed is another one."""
    rng = torch.Generator()
    assert Snapshot(functions=[lambda: rng], observers=[lambda: rng]).generators == [rng]


# --- data that is left, and gradients that are not copied ------------------------------------------------------------


def test_the_data_of_some_tensors_is_left_and_all_else_comes_back():
    """Newer weights stay, in place or in a new storage; the other weight, the bias, momentum and the modes are back."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before, (first, second, third) = values(model), [layer.weight for layer in model]
    third_writes = third._version
    snapshot = Snapshot([model], [optimizer])
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        first.fill_(7.0)
        second.data = newer = torch.full((2, 2), 8.0)
    first_writes = first._version
    snapshot.leave([first, second, torch.ones(1)])
    for _ in range(2):
        snapshot.restore()
        assert (first.tolist(), second.tolist()) == ([[7.0, 7.0]] * 2, [[8.0, 8.0]] * 2)
        assert second.data_ptr() == newer.data_ptr()
        assert first._version == first_writes  # or autograd would not see the new write
        assert (first.grad, third.grad, model.training, dict(optimizer.state)) == (None, None, True, {})
        assert values(model)[1] == before[1]
        assert values(model)[3:] == before[3:]
        assert third._version == third_writes


@pytest.mark.filterwarnings("ignore:Sparse")
def test_the_data_of_a_tensor_without_a_storage_is_left():
    """A sparse buffer that somebody else has written to keeps what it has."""
    model = nn.Module()
    model.register_buffer("sparse", torch.eye(2).to_sparse())
    snapshot = Snapshot([model])
    model.sparse.mul_(3.0)
    snapshot.leave([model.sparse])
    snapshot.restore()
    assert model.sparse.to_dense().tolist() == [[3.0, 0.0], [0.0, 3.0]]


HELD: dict[str, Callable[[torch.Tensor], object]] = {
    "gradient": lambda grad: grad,
    "view": lambda grad: grad[1:],
    "detached": lambda grad: grad.detach(),
    "array": lambda grad: grad.numpy(),
    "storage": lambda grad: grad.untyped_storage(),
    "weakly": weakref.ref,
    "graph": lambda grad: (grad * torch.ones(3, requires_grad=True)).sum(),
}


def with_gradients() -> tuple[nn.Linear, torch.Tensor]:
    """Return a layer with a gradient, and its weight; each of the two takes 4,000,000 bytes."""
    layer = nn.Linear(1000, 1000, bias=False)
    layer(torch.ones(2, 1000)).sum().backward()
    return layer, layer.weight


def test_a_gradient_that_nobody_holds_is_not_copied():
    """The weight, its gradient and the copy of the weight are three; a second set for the gradient would be four."""
    layer, weight = with_gradients()
    content = tensor_bytes(weight.grad)
    snapshot = Snapshot([layer], cleared=[weight])
    assert copies_of(4_000_000) == 3
    assert weight.grad is not None
    snapshot.clear_gradients()
    assert weight.grad is None
    layer(torch.ones(2, 1000)).sum().backward()
    snapshot.restore()
    assert tensor_bytes(weight.grad) == content


@pytest.mark.parametrize("kind", HELD)
def test_a_gradient_that_somebody_holds_is_copied(kind: str):
    """Whoever has a way to its memory may write there, in the gradient's absence, too; it is back bit for bit."""
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.arange(3.0)
    held, address = HELD[kind](weight.grad), weight.grad.data_ptr()
    snapshot = Snapshot([nn.ParameterList([weight])], cleared=[weight])
    ctypes.memset(address, 171, 12)
    snapshot.clear_gradients()
    snapshot.restore()
    assert weight.grad is not None
    assert weight.grad.tolist() == [0.0, 1.0, 2.0]
    assert held is not None


def test_without_the_counts_of_references_gradients_are_copied(monkeypatch: pytest.MonkeyPatch):
    """In a torch that cannot count them, the weight, its gradient and a copy of each are there."""
    monkeypatch.delattr(torch._C, "_storage_Use_Count")
    layer, weight = with_gradients()
    snapshot = Snapshot([layer], cleared=[weight])
    assert copies_of(4_000_000) == 4
    snapshot.forget()
    assert copies_of(4_000_000) == 2


@pytest.mark.parametrize(("pools", "has_graphs"), [([(0, 0)], False), ([(0, 0), (0, 1)], True), ([None], True)])
def test_a_cuda_graph_is_known_by_its_memory(pools: list[Any], has_graphs: bool, monkeypatch: pytest.MonkeyPatch):
    """A graph writes to gradients without a reference; where torch does not tell the pool, there may be one."""
    segments = [{"segment_pool_id": pool} if pool else {} for pool in pools]
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: segments)
    assert tensors._has_cuda_graphs() is has_graphs
