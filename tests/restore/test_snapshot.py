"""Objects that go through also_restore, restoring that fails in part, where the copies live, repeats cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test, range_test
from lr_widget.errors import RestoreError
from lr_widget.restore.snapshot import Snapshot

from ..no_trace.state import Look, tensor_bytes, values

mse = nn.functional.mse_loss
SWEEP: dict[str, Any] = {"start_lr": 1e-3, "end_lr": 1e-1, "num_steps": 8, "diverge_factor": None}


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


def samples(number: int = 40) -> TensorDataset:
    made = torch.Generator().manual_seed(1)
    return TensorDataset(torch.randn(number, 3, generator=made), torch.randn(number, 1, generator=made))


class Training:
    """A user in the middle of training: model, Adam with state, a shuffling loader, and something beside."""

    def __init__(self, make_beside: Callable[[Training], Any] = lambda training: None) -> None:
        self.model = net()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.loader = DataLoader(samples(), batch_size=8, shuffle=True)
        self.beside = make_beside(self)
        self.train(3)

    def loss(self, batch: Any) -> torch.Tensor:
        return mse(self.model(batch[0]), batch[1])

    def train(self, steps: int) -> list[float]:
        losses = []
        while len(losses) < steps:
            for batch in self.loader:
                self.optimizer.zero_grad()
                loss = self.loss(batch)
                loss.backward()
                self.optimizer.step()
                self.after_step(loss)
                losses.append(loss.item())
        return losses

    def after_step(self, loss: torch.Tensor) -> None:
        """Do what the user does with the thing beside after every step."""
        if isinstance(self.beside, Averages | AveragedModel):
            (self.beside.update if isinstance(self.beside, Averages) else self.beside.update_parameters)(self.model)
        elif isinstance(self.beside, ReduceLROnPlateau):
            self.beside.step(loss.item())
        elif self.beside is not None:
            self.beside.step()

    def sweep(self, **options: Any) -> Any:
        """Return a range test whose step does with the thing beside what training does."""

        def train_step(model: Any, batch: Any) -> torch.Tensor:
            loss = self.loss(batch)
            self.after_step(loss)
            return loss

        options = {"also_restore": [] if self.beside is None else [self.beside], **SWEEP, **options}
        return iter_range_test(self.model, self.optimizer, None, self.loader, train_step=train_step, **options)

    def look(self, *more: Any) -> Look:
        return Look(self.model, self.optimizer, self.loader, self.beside, *more)


class Averages:
    """An exponential moving average of a model as people write it, updated in place, out of reach of the model."""

    def __init__(self, model: nn.Module) -> None:
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.updates = 0

    def update(self, model: nn.Module) -> None:
        self.updates += 1
        for name, p in model.named_parameters():
            self.shadow[name].lerp_(p.detach(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"shadow": self.shadow, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, p in state["shadow"].items():
            self.shadow[name].copy_(p)


BESIDE: dict[str, Callable[[Training], Any]] = {
    "moving average": lambda training: Averages(training.model),
    "AveragedModel": lambda training: AveragedModel(training.model),
    "AveragedModel, ema": lambda training: AveragedModel(
        training.model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True
    ),
    "OneCycleLR": lambda training: OneCycleLR(training.optimizer, max_lr=0.1, total_steps=200),
    "CosineAnnealingLR": lambda training: CosineAnnealingLR(training.optimizer, T_max=50),
    "ReduceLROnPlateau": lambda training: ReduceLROnPlateau(training.optimizer, patience=0),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_what_goes_along_with_training_is_back_bit_for_bit_and_goes_on_as_its_twin(kind: str) -> None:
    """An average or a scheduler updated in the step is as before, and training goes on as without a test."""
    training, twin = Training(BESIDE[kind]), Training(BESIDE[kind])
    torch.manual_seed(2)
    before, state = training.look(), state_bytes(training.beside.state_dict())
    sweep = training.sweep()
    next(sweep)
    assert state_bytes(training.beside.state_dict()) != state
    assert len(list(sweep)) == 7
    assert state_bytes(training.beside.state_dict()) == state
    before.assert_unchanged(f"after a test with {kind}")
    went_on = training.train(10), values(training.model), state_bytes(training.beside.state_dict())
    torch.manual_seed(2)
    assert went_on == (twin.train(10), values(twin.model), state_bytes(twin.beside.state_dict()))


def state_bytes(value: Any) -> Any:
    """Return a state dict as something that compares bit for bit."""
    if isinstance(value, torch.Tensor):
        return value.dtype, tuple(value.shape), tensor_bytes(value)
    if isinstance(value, dict):
        return {key: state_bytes(item) for key, item in value.items()}
    return [state_bytes(item) for item in value] if isinstance(value, list | tuple) else repr(value)


def test_one_object_alone_may_be_given_without_a_list() -> None:
    """also_restore=average is the same as also_restore=[average], also for a module that could be walked over."""
    for kind in ("moving average", "AveragedModel"):
        training = Training(BESIDE[kind])
        before = training.look()
        list(training.sweep(also_restore=training.beside))
        before.assert_unchanged("after a test with one object")


def test_a_used_scaler_is_back_bit_for_bit() -> None:
    """A scaler that has grown and shrunk in training has its scale and its count again, after growing in the test."""
    training = Training()
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
    for _ in range(4):
        training.optimizer.zero_grad()
        scaler.scale(training.loss(samples()[:8])).backward()
        scaler.step(training.optimizer)
        scaler.update()
    assert (scaler.get_scale(), scaler._get_growth_tracker()) == (16.0, 1)
    before = training.look(scaler)
    scales = [scaler.get_scale() for _ in training.sweep(grad_scaler=scaler)]
    assert scales == [16.0, 32.0, 32.0, 32.0, 64.0, 64.0, 64.0, 128.0]
    assert (scaler.get_scale(), scaler._get_growth_tracker()) == (16.0, 1)
    before.assert_unchanged("after a test with a used scaler")


# --- restoring that fails in part ------------------------------------------------------------------------------------


class Broken:
    """Gives a state and cannot take it back."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise ZeroDivisionError("cannot load")


def close_half_way(sweep: Iterator[Any]) -> None:
    next(sweep)
    next(sweep)
    sweep.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", [list, close_half_way], ids=["completed", "closed"])
@pytest.mark.parametrize("place", [0, 1])
def test_one_object_that_cannot_be_put_back_costs_no_other(end: Callable[[Any], object], place: int) -> None:
    """Whether it comes first or last, the error names it and its reason, and all else is bit for bit as before."""
    training = Training(BESIDE["moving average"])
    things = [training.beside]
    things.insert(place, Broken())
    before, state = training.look(), state_bytes(training.beside.state_dict())
    with pytest.raises(
        RestoreError,
        match=r"^could not put back after the range test: Broken.state_dict\(\) \(ZeroDivisionError: cannot load\)$",
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


# --- where the copies live -------------------------------------------------------------------------------------------


def test_the_copies_are_kept_on_the_device_asked_for() -> None:
    """On "meta", which keeps no bytes, copies are lost; on "cpu" and beside the original they are there."""
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
    """What is on the CPU is put back and trained as ever; what is on meta is the same tensor on meta as before."""
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


# --- repeats ---------------------------------------------------------------------------------------------------------


def test_an_interrupt_in_the_third_of_five_sweeps_keeps_the_first_two() -> None:
    """Ctrl-C in step 4 of sweep 3: two whole sweeps and their mean are the records, and nothing has changed."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 2 * 8 + 4:
            raise KeyboardInterrupt
        return training.loss(batch)

    records = range_test(
        training.model,
        training.optimizer,
        None,
        training.loader,
        train_step=train_step,
        repeats=5,
        progress=False,
        **SWEEP,
    )
    assert [len(repeat) for repeat in records.repeats] == [8, 8]
    assert records.stop_reason == "interrupted"
    curves = [repeat.loss for repeat in records.repeats]
    assert records.loss.tolist() == pytest.approx(((curves[0] + curves[1]) / 2).tolist(), rel=1e-12)
    assert next(calls) == 21
    before.assert_unchanged("after an interrupt in the third sweep")


def test_an_interrupt_in_the_first_of_five_sweeps_keeps_its_steps() -> None:
    """Ctrl-C in step 4 of sweep 1: three steps, "interrupted"."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return training.loss(batch)

    options: dict[str, Any] = {"train_step": train_step, "repeats": 5, "progress": False, **SWEEP}
    records = range_test(training.model, training.optimizer, None, training.loader, **options)
    assert (len(records), records.stop_reason, records.repeats) == (3, "interrupted", ())
    before.assert_unchanged("after an interrupt in the first sweep")


@pytest.mark.parametrize("kind", [None, "moving average"])
@pytest.mark.parametrize("seed", [None, 3])
def test_repeats_leave_no_trace_and_start_from_the_same_weights(kind: str | None, seed: int | None) -> None:
    """Each of three sweeps starts where training stood, in another order, and after them all is as before."""
    training = Training(BESIDE[kind]) if kind else Training()
    things = [training.beside] if kind else []
    before, weights, starts = training.look(), values(training.model), []

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        starts.append(values(model)[:4] == weights[:4])
        loss = training.loss(batch)
        training.after_step(loss)
        return loss

    records = range_test(
        training.model,
        training.optimizer,
        None,
        training.loader,
        train_step=train_step,
        also_restore=things,
        repeats=3,
        seed=seed,
        progress=False,
        **SWEEP,
    )
    assert starts == ([True] + [False] * 7) * 3
    assert len({tuple(repeat.loss) for repeat in records.repeats}) == 3
    before.assert_unchanged("after three sweeps")


def test_an_exception_in_a_later_sweep_leaves_no_trace() -> None:
    """The user's exception in sweep 2 comes through, with everything as before the first sweep."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 11:
            raise ZeroDivisionError("in sweep 2")
        return training.loss(batch)

    options: dict[str, Any] = {"train_step": train_step, "repeats": 3, "progress": False, **SWEEP}
    with pytest.raises(ZeroDivisionError, match="in sweep 2") as caught:
        range_test(training.model, training.optimizer, None, training.loader, **options)
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 8, at learning rate 0.00562"]  # type: ignore[attr-defined]
    before.assert_unchanged("after an exception in the second sweep")
