"""Fixtures for widgets without a browser: one torch thread, recorded comm messages, a training, widgets on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
import torch
from comm.base_comm import BaseComm
from torch import nn

from lr_widget import LRFinderWidget

from .helpers import Training


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
