"""Fixtures for widgets without a browser: recorded comm messages, a training, widgets on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import comm
import ipywidgets
import pytest
import torch
from comm.base_comm import BaseComm
from torch import nn

from lr_widget import LRFinderWidget

from .helpers import Make, Training, let_steps, note, wait_until


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Everything that widgets made after this send to the browser, and the size of each message."""
    if int(ipywidgets.__version__.split(".")[0]) < 8:
        pytest.skip("ipywidgets 7 has channels of its own")
    sent: list[dict[str, Any]] = []

    class RecordingComm(BaseComm):
        def publish_msg(
            self, msg_type: str, data: dict[str, Any] | None = None, metadata: Any = None, buffers: Any = None, **_: Any
        ) -> None:
            size = len(json.dumps(data).encode()) + sum(memoryview(buffer).nbytes for buffer in buffers or ())
            sent.append({"type": msg_type, "comm": self.comm_id, "size": size, **(data or {})})

    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    return sent


@pytest.fixture
def training() -> Training:
    """A small training after its first step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs = torch.randn(64, 4)
    targets = (inputs.sum(1) > 0).long()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
    return Training(model, optimizer, (inputs, targets))


@pytest.fixture
def make_widget(training: Training) -> Iterator[Make]:
    """Make widgets on the training, and close them afterwards."""
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


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The variables of a notebook, for the widgets that are made after this."""
    variables: dict[str, Any] = {}
    shell = SimpleNamespace(user_ns=variables, user_ns_hidden={}, push=variables.update)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return variables


@pytest.fixture
def running(make_widget: Make, training: Training) -> LRFinderWidget:
    """A widget in the background, waiting in its fourth step."""
    training.may_step = threading.Semaphore(3)
    widget = make_widget(num_steps=50)
    widget.start()
    wait_until(lambda: training.calls == 4)
    return widget


@pytest.fixture
def paused(running: LRFinderWidget, training: Training) -> LRFinderWidget:
    """The same widget, paused after that step."""
    running.pause()
    let_steps(training, 1)
    wait_until(lambda: note(running).startswith("Paused."))
    return running
