"""Somebody else at work on the model of a test that has not ended, and optimizers that leave an update out."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.optim import optimizer as torch_optimizer

from lr_widget import RestoreError, iter_range_test, range_test
from lr_widget.engine import watch

from ..no_trace.state import Look
from ..training.helpers import BATCH, batches, mse, net, one_weight, sgd

REFUSED = "a range test is in progress on these parameters, and what this optimizer step changes would be lost"
WRITTEN = "somebody else wrote to {} of the model's parameters between two steps of the range test; these stay"


@pytest.fixture(autouse=True)
def _no_hook_stays() -> Iterator[None]:
    """After each test, torch's list of hooks for all optimizers is as it was."""
    before = dict(torch_optimizer._global_optimizer_pre_hooks)
    yield
    assert dict(torch_optimizer._global_optimizer_pre_hooks) == before


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    """Train in the plainest way."""
    for inputs, targets in batches(steps):
        optimizer.zero_grad()
        mse(model(inputs), targets).backward()
        optimizer.step()


def adam(model: nn.Module) -> torch.optim.Optimizer:
    """Return an optimizer with a state."""
    return torch.optim.Adam(model.parameters(), lr=1e-3)


# --- a training before the test has ended -----------------------------------------------------------------------------


@pytest.mark.parametrize("other", [False, True], ids=["its own optimizer", "another one"])
def test_a_training_in_a_suspended_test_is_refused_and_nothing_is_lost(*, other: bool) -> None:
    """As seen: a generator in a variable was collected at a function's end, and 300 steps of training were undone."""
    model, twin = net(), net()
    optimizer, of_twin = adam(model), adam(twin)

    def find_and_train() -> None:
        test = iter_range_test(model, optimizer, mse, batches())
        for record in test:
            if record.step == 5:
                break
        with pytest.raises(RuntimeError, match=REFUSED):
            train(model, adam(model) if other else optimizer)
        test.close()
        train(model, optimizer)

    find_and_train()
    train(twin, of_twin)
    assert [*map(torch.Tensor.tolist, model.parameters())] == [*map(torch.Tensor.tolist, twin.parameters())]


def test_a_loop_that_is_broken_off_leaves_a_model_to_be_trained() -> None:
    """Without a variable, the generator ends with the loop; with a `with` block, where the block ends."""
    model = net()
    optimizer = adam(model)
    before = Look(model, optimizer)
    for record in iter_range_test(model, optimizer, mse, batches()):
        if record.step == 5:
            break
    before.assert_unchanged()
    with iter_range_test(model, optimizer, mse, batches()) as test:
        assert [next(test).step for _ in range(3)] == [1, 2, 3]
    before.assert_unchanged()
    train(model, optimizer)
    assert test.stop_reason is None
    assert [*test] == [], "it has ended"


def test_other_models_may_be_trained_between_two_steps() -> None:
    """They lose nothing when the test ends."""
    model, other = net(), net()
    with iter_range_test(model, adam(model), mse, batches(), num_steps=6) as test:
        for _ in test:
            train(other, adam(other))
    assert test.stop_reason == "completed"


def test_a_training_in_the_main_thread_beside_a_test_in_another_is_refused() -> None:
    """The widget tests in the background, and a cell trains the same model."""
    model = net()
    optimizer = adam(model)
    is_in_step, may_go_on = threading.Event(), threading.Event()

    def loss(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        is_in_step.set()
        assert may_go_on.wait(60)
        return mse(output, targets)

    before = Look(model)
    thread = threading.Thread(target=lambda: [*iter_range_test(model, optimizer, loss, batches(), num_steps=3)])
    thread.start()
    assert is_in_step.wait(60)
    with pytest.raises(RuntimeError, match=REFUSED):
        optimizer.step()
    may_go_on.set()
    thread.join(60)
    before.assert_unchanged()


def test_a_training_of_what_was_put_into_the_model_is_refused_too() -> None:
    """A new head would go with the end of the test, and so would a group that was added to another optimizer."""
    model, other = net(), net()
    optimizer = adam(other)
    with iter_range_test(model, sgd(model), mse, batches()) as test:
        next(test)
        model[2] = nn.Linear(8, 1).double()
        with pytest.raises(RuntimeError, match=REFUSED):
            train(model, sgd(model[2]))
        train(other, optimizer)
        optimizer.add_param_group({"params": [*model.parameters()]})
        with pytest.raises(RuntimeError, match=REFUSED):
            optimizer.step()


def test_an_optimizer_that_cannot_be_a_key_is_no_trouble() -> None:
    """Nor does a test keep the optimizers alive that step beside it, as in meta-learning."""

    class Equal(torch.optim.SGD):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        __hash__ = None  # type: ignore[assignment]

    model, gone = net(), []

    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        inner = net()
        of_inner = Equal(inner.parameters(), lr=0.1)
        gone.append(weakref.ref(of_inner))
        train(inner, of_inner, steps=1)
        return mse(model(batch[0]), batch[1])

    test = iter_range_test(model, Equal(model.parameters(), lr=0.1), None, batches(), train_step=train_step)
    for _ in range(3):
        next(test)
        gc.collect()
        assert [of_inner() for of_inner in gone] == [None] * len(gone)
    test.close()


# --- other writes -----------------------------------------------------------------------------------------------------


def load(model: nn.Module) -> int:
    """Load other weights, as the best ones so far; return the number of tensors written to."""
    model.load_state_dict({name: torch.full_like(weight, 7.0) for name, weight in model.state_dict().items()})
    return 4


def reset_head(model: nn.Module) -> int:
    """Write to one layer by hand."""
    with torch.no_grad():
        model[2].weight.fill_(7.0)  # type: ignore[index]
    return 1


def go_on(test: Any) -> None:
    """Take the next step."""
    next(test)


def end(test: Any) -> None:
    """Close the generator."""
    test.close()


@pytest.mark.parametrize("write", [load, reset_head])
@pytest.mark.parametrize("ending", [go_on, end])
def test_weights_that_somebody_else_wrote_are_left_alone_and_said(
    write: Callable[[nn.Module], int], ending: Callable[[Any], None]
) -> None:
    """What was written stays; the other weights, the rate and the optimizer's state are those of before the test."""
    model = net()
    optimizer = adam(model)
    train(model, optimizer)
    expected = net()
    expected.load_state_dict(model.state_dict())
    of_optimizer = Look(optimizer.state_dict()["state"][0]["exp_avg"], optimizer.param_groups[0]["lr"])
    test = iter_range_test(model, optimizer, mse, batches())
    next(test), next(test)
    number = write(model)
    write(expected)
    with pytest.raises(RestoreError, match=WRITTEN.format(number)):
        ending(test)
    assert [*map(torch.Tensor.tolist, model.parameters())] == [*map(torch.Tensor.tolist, expected.parameters())]
    of_optimizer.assert_unchanged()
    test.close()
    train(model, optimizer)


def test_a_test_that_is_only_collected_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to raise to; Python prints what a finalizer raises."""
    said: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: said.append(str(unraisable.exc_value)))
    model = net()
    test = iter_range_test(model, adam(model), mse, batches())
    next(test)
    load(model)
    del test
    gc.collect()
    assert len(said) == 1
    assert said[0].startswith(WRITTEN.format(4))
    assert model[0].weight.eq(7).all()


def test_an_error_in_the_block_stays_and_gets_a_note() -> None:
    """The user's exception is the user's, also where the weights were written to before."""
    model = net()
    with (
        pytest.raises(KeyError, match="mine") as caught,
        iter_range_test(model, adam(model), mse, batches()) as test,
    ):
        next(test)
        load(model)
        raise KeyError("mine")
    assert caught.value.__notes__[0].startswith(WRITTEN.format(4))


def test_a_look_at_the_model_between_two_steps_is_no_write() -> None:
    """Its gradients, its output and its modes may be looked at, and its weights copied."""
    model = net()
    optimizer = adam(model)
    before = Look(model, optimizer)
    for _ in iter_range_test(model, optimizer, mse, batches(), num_steps=6):
        mse(model(batches()[0][0]), batches()[0][1]).backward()
        torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        model.eval()
        dict(model.state_dict())
    before.assert_unchanged()


def test_without_the_version_counter_steps_are_still_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a torch that does not count writes, a training is refused as well; a load is not noticed."""
    monkeypatch.setattr(watch, "_COUNT", "_no_such_attribute")
    monkeypatch.setattr(watch, "_VERSION", attrgetter("_no_such_attribute"))
    model = net()
    optimizer = adam(model)
    with iter_range_test(model, optimizer, mse, batches()) as test:
        next(test)
        with pytest.raises(RuntimeError, match=REFUSED):
            optimizer.step()
        load(model)
    assert not model[0].weight.eq(7).any()


def test_buffers_that_were_loaded_with_the_weights_stay_with_them() -> None:
    """The statistics of other weights would not fit; alone, as after a forward pass, they come back."""
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)).double()
    inputs, _ = batches()[0]
    before = Look(model)
    with iter_range_test(model, adam(model), mse, batches()) as test:
        next(test)
        model(inputs)
    before.assert_unchanged()
    test = iter_range_test(model, adam(model), mse, batches())
    next(test)
    load(model)
    with pytest.raises(RestoreError, match=WRITTEN.format(6)):
        test.close()
    assert all(tensor.eq(7).all() for tensor in model.state_dict().values())


# --- updates that are left out ----------------------------------------------------------------------------------------


class EveryFourth(torch.optim.Optimizer):
    """A wrapper that accumulates gradients by itself: it hands on each fourth step, like accelerate's."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self.calls = optimizer, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["optimizer"], name)

    def step(self, closure: Any = None) -> None:
        """Step, or leave it out."""
        self.calls += 1
        if self.calls % 4 == 0:
            self.optimizer.step(closure)


@pytest.mark.parametrize(("calls", "step"), [(0, 1), (3, 2)])
def test_an_optimizer_that_leaves_updates_out_is_refused(calls: int, step: int) -> None:
    """The engine clears the gradients at each step, so that three quarters of them would be lost in silence."""
    model = one_weight()
    optimizer = EveryFourth(sgd(model))
    optimizer.calls = calls
    before = Look(model, optimizer.optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) of EveryFourth left the update out") as caught:
        range_test(model, optimizer, mse, [BATCH], progress=False)
    assert f"step {step} of 100" in caught.value.__notes__[0]
    before.assert_unchanged()


def test_each_of_several_optimizers_must_step() -> None:
    """Also where the train_step steps another one itself, as a critic's."""
    generator, critic = one_weight(), one_weight()
    of_critic = sgd(critic)

    def train_step(models: Any, batch: Any) -> torch.Tensor:
        loss = mse(models[1](batch[0]), batch[1])
        of_critic.zero_grad()
        loss.backward()
        of_critic.step()
        return mse(models[0](batch[0]), batch[1])

    for optimizers in (EveryFourth(sgd(generator)), [of_critic, EveryFourth(sgd(generator))]):
        with pytest.raises(RuntimeError, match=r"step\(\) of EveryFourth left the update out"):
            range_test([generator, critic], optimizers, None, [BATCH], train_step=train_step, progress=False)


def accelerated(steps: int) -> tuple[Accelerator, nn.Module, Any, Any]:
    """Return what accelerate makes of a model, an optimizer and the batches."""
    model = net()
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=steps)
    return accelerator, *accelerator.prepare(model, sgd(model), batches())


def test_accelerates_own_accumulation_is_refused_before_the_curve_is_wrong() -> None:
    """As seen: inside `accumulate`, every fourth step was taken, with the gradients of one batch alone."""
    accelerator, model, optimizer, data = accelerated(4)

    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        with accelerator.accumulate(model):
            return mse(model(batch[0]), batch[1])

    with pytest.raises(RuntimeError, match=r"left the update out.*accumulate.*give accumulation_steps"):
        range_test(model, optimizer, None, data, train_step=train_step, progress=False)


def test_accelerates_optimizer_is_swept_like_the_one_that_it_wraps() -> None:
    """The losses of the prepared and of the bare optimizer are the same."""
    _, model, optimizer, data = accelerated(1)
    prepared = range_test(model, optimizer, mse, data, end_lr=0.1, progress=False)
    bare = net()
    expected = range_test(bare, sgd(bare), mse, batches(), end_lr=0.1, progress=False)
    assert prepared.loss.tolist() == expected.loss.tolist()


class ByHand(torch.optim.SGD):
    """An optimizer of another library that writes through `.data`, which torch does not count."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Descend."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.sub_(group["lr"] * parameter.grad)


class Bare(torch.optim.Optimizer):
    """An optimizer that torch knows nothing of, since it does not call `__init__` of its class."""

    def __init__(self, parameters: Any, lr: float) -> None:
        self.param_groups, self.state, self.defaults = [{"params": [*parameters], "lr": lr}], {}, {}

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Descend."""
        for parameter in self.param_groups[0]["params"]:
            parameter.data.sub_(self.param_groups[0]["lr"] * parameter.grad)


@pytest.mark.parametrize("kind", [ByHand, Bare, torch.optim.SGD, torch.optim.LBFGS])
def test_an_optimizer_that_steps_is_not_refused(kind: type[torch.optim.Optimizer]) -> None:
    """Not even at a rate that changes no bit of the weights."""
    model = net()
    optimizer = kind(model.parameters(), lr=0.1)  # type: ignore[call-arg]
    records = range_test(model, optimizer, mse, batches(), start_lr=1e-30, end_lr=1e-25, progress=False)
    assert len(records) == 100
