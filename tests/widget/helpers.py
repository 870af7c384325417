"""A small training whose steps a test can hold, and a browser's clicks on a widget."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from ipywidgets.widgets import widget as registry
from torch import nn

from lr_widget import LRFinderWidget

Make = Callable[..., LRFinderWidget]  # of the fixture make_widget

A_WHILE = 0.3  # seconds that one thread gives another to come in between, where it can


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
        """Look at this object through a proxy, which a test does not follow: it would put back the notes of this one."""
        training = weakref.proxy(self)

        def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = training._loss(outputs, targets)
            return loss

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
    """Send a message as the browser does."""
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


def let_steps(training: Training, count: int) -> None:
    """Let the training do some more steps."""
    assert training.may_step is not None
    training.may_step.release(count)


def join_runs() -> None:
    """Wait for the threads of runs, which hold the model until their very end."""
    for thread in threading.enumerate():
        if thread.name.startswith("lr_widget"):
            thread.join(20)


def registered() -> Any:
    """The widgets that ipywidgets holds, by their ids."""
    return registry._instances if hasattr(registry, "_instances") else registry.Widget.widgets  # in ipywidgets 7


def in_another_thread(function: Callable[[], None]) -> None:
    """Call a function as a newer kernel calls the handler of a message: while a cell is running."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(20)
