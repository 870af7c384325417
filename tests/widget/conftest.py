"""Widgets without a browser: a small model, a training step that the test can hold, comms that write down messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import comm
import pytest
import torch
from comm.base_comm import BaseComm
from torch import nn

from lr_widget import LRFinderWidget


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These models are tiny: on a busy machine, torch's threads would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Everything that widgets made after this send to the browser."""
    sent: list[dict[str, Any]] = []

    class RecordingComm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
            sent.append({"type": msg_type, "comm": self.comm_id, **(data or {})})

    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    return sent


@dataclass
class Training:
    """A model with dropout, batch normalisation and an Adam that has state; its loss can be held and made to fail."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    data: tuple[torch.Tensor, torch.Tensor]
    at_step: Callable[[int], None] = lambda step: None
    calls: int = 0
    may_step: threading.Semaphore | None = None
    losses: Callable[[int], float] | None = None
    threads: set[str] = field(default_factory=set)

    def loss_fn(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """A plain function: of a method, the test would put back the object, and with it what is written down here."""

        def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return self._loss(outputs, targets)

        return loss_fn

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        if self.may_step is not None:
            assert self.may_step.acquire(timeout=30), "the test let no further step happen"
        self.at_step(self.calls)
        loss = nn.functional.cross_entropy(outputs, targets)
        return loss if self.losses is None else loss * 0 + self.losses(self.calls)

    def state(self) -> list[Any]:
        """All that a range test must leave as it was, as comparable values."""
        tensors = [t.tolist() for t in self.model.state_dict().values()]
        return [tensors, repr(self.optimizer.state_dict()), torch.get_rng_state().tolist()]


def click(widget: LRFinderWidget, command: str, **content: Any) -> None:
    """Send what the browser sends."""
    widget._handle_custom_msg({"command": command, "serial": "1", **content}, [])


def note(widget: LRFinderWidget) -> str:
    """The status line."""
    return str(widget.view_state["note"]["text"])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to get somewhere."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.002)


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs = torch.randn(64, 4)
    targets = (inputs.sum(1) > 0).long()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
    return Training(model, optimizer, (inputs, targets))


@pytest.fixture
def make_widget(training: Training) -> Iterator[Callable[..., LRFinderWidget]]:
    """Makes widgets on the training and closes them afterwards."""
    made: list[LRFinderWidget] = []

    def make(*variable: str, **keywords: Any) -> LRFinderWidget:
        keywords = {"dataloader_options": {"batch_size": 16}} | keywords
        widget = LRFinderWidget(
            training.model, training.optimizer, training.loss_fn(), training.data, *variable, **keywords
        )
        made.append(widget)
        return widget

    yield make
    if training.may_step is not None:
        training.may_step.release(10_000)
    for widget in made:
        widget.close()
