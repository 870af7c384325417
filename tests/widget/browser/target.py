"""A widget and its cells, as commands see them, that only write down the calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..helpers import in_another_thread


class Cells:
    """A cell that may be running: calls wait in it until it ends."""

    def __init__(self) -> None:
        self.is_running = False
        self.waiting: list[Callable[[], None]] = []

    @property
    def has_waiting(self) -> bool:
        """A call waits for the end of the cell."""
        return bool(self.waiting)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function now, or after the cell."""
        if self.is_running:
            self.waiting.append(function)
        else:
            function()

    def end(self) -> None:
        """End the cell and make the calls that wait."""
        self.is_running = False
        while self.waiting:
            self.waiting[0]()
            self.waiting.pop(0)


class Target:
    """A widget that only writes down the calls of commands."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cells_thread = Cells()
        self.is_open = True
        self.done: list[Any] = []
        self.said: list[tuple[str, str]] = []
        self.sent: list[Any] = []
        self.num_steps = 100
        self.selected_lr: float | None = None
        self.error: Exception | None = None
        self.is_locked = False

    def _do(self, *deed: Any) -> None:
        answer: list[bool] = []
        in_another_thread(lambda: answer.append(self.lock.acquire(blocking=False)))
        self.is_locked = answer == [False]
        if self.error is not None:
            raise self.error
        self.done.append(deed)

    def start(self) -> None:
        """Take Run down."""
        self._do("start")

    def start_probe(self) -> None:
        """Take Probe down."""
        self._do("probe")

    def steer(self, action: str, run_id: int | None) -> None:
        """Take Stop, Pause or Resume down."""
        self._do(action, run_id)

    def copy_to_notebook(self) -> float:
        """Take Copy down."""
        self._do("copy")
        return 0.1

    def apply(self) -> float:
        """Take Apply down."""
        self._do("apply")
        return 0.1

    def draw(self) -> None:
        """Take the wish for pictures down."""
        self._do("draw")

    def say(self, kind: str, text: str) -> None:
        """Take a sentence down."""
        self.said.append((kind, text))

    def send(self, content: Any) -> None:
        """Take a message down."""
        self.sent.append(content)

    def send_state(self, key: Any = None) -> None:
        """Take the name of a trait down."""
        self.sent.append(key)
