"""Objects given as also_restore come back by their own state_dict() and load_state_dict()."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lr_widget import iter_range_test
from lr_widget.restore import Snapshot

from ..no_trace.state import values
from .helpers import BESIDE, SHORT_SWEEP, Training, copies_of, labelled_samples, samples, state_bytes, sweep


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


class Shadow:
    """A moving average whose state dict shares its tensors, and that makes new ones when it is loaded."""

    def __init__(self) -> None:
        self.weights = {"w": torch.randn(1000, 1000)}

    def state_dict(self) -> dict[str, Any]:
        return copy.copy(self.weights)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = {name: tensor.clone() for name, tensor in state.items()}


def test_what_also_restore_gives_is_copied_once():
    """A moving average of 4,000,000 bytes is there twice during the test: itself and its copy."""
    model, shadow = nn.Linear(6, 3), Shadow()
    held, content = shadow.weights["w"], shadow.weights["w"].clone().tolist()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = iter_range_test(
        model, optimizer, F.cross_entropy, DataLoader(labelled_samples(), 4), also_restore=[shadow], **SHORT_SWEEP
    )
    next(steps)
    assert copies_of(4_000_000) == 2
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
    """On "meta" no bytes are kept: the copy of a state dict is lost, and the error says whose."""
    hidden = Hidden()
    snapshot = Snapshot(also_restore=[hidden], device="cpu")
    snapshot.keep_state_dicts()
    hidden.load_state_dict({"t": torch.zeros(3)})
    snapshot.restore()
    assert hidden.state_dict()["t"].tolist() == [0.0, 1.0, 2.0]
    snapshot = Snapshot(also_restore=[hidden], device="meta")
    snapshot.keep_state_dicts()
    with pytest.raises(RuntimeError, match=r"Hidden\.state_dict\(\) .*meta"):
        snapshot.restore()


def test_a_load_sees_the_weights_of_before():
    """An object whose state is a tensor of the model is given that tensor as it was, and not as the test left it."""

    class Mirror:
        def __init__(self, weight: torch.Tensor) -> None:
            secret = weight.detach().clone()
            self.state_dict = lambda: {"weight": weight}
            self.load_state_dict = lambda state: secret.copy_(state["weight"])
            self.read = secret.tolist

    model = nn.Linear(2, 1, bias=False)
    mirror, before = Mirror(model.weight), model.weight.tolist()
    snapshot = Snapshot([model], also_restore=[mirror])
    snapshot.keep_state_dicts()
    nn.init.zeros_(model.weight)
    mirror.load_state_dict(mirror.state_dict())
    assert mirror.read() == [[0.0, 0.0]]
    snapshot.restore()
    assert mirror.read() == before


def test_a_state_that_is_kept_and_changed_is_loaded_again():
    """A load that keeps the very tensor that it is given, and changes it, spoils no second restore."""
    held = {"t": torch.zeros(2)}

    class Keeping:
        def state_dict(self) -> dict[str, Any]:
            return held

        def load_state_dict(self, state: dict[str, Any]) -> None:
            held["t"] = state["t"]

    snapshot = Snapshot(also_restore=[Keeping()])
    snapshot.keep_state_dicts()
    for _ in range(2):
        held["t"].add_(1.0)
        snapshot.restore()
        assert held["t"].tolist() == [0.0, 0.0]
