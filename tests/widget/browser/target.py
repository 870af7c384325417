"""A widget and its cells, as commands see them, that only write down the calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

from lr_widget.widget.browser import Talk
from lr_widget.widget.choice import Advice
from lr_widget.widget.runs import Runs

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


class FakeScreen:
    """A screen that only writes down the calls of commands; its talk and its runs are real."""

    def __init__(self, do: Callable[..., None]) -> None:
        self._do = do
        self.talk = Talk(lambda: self.notes.append(self.talk.note))
        self.notes: list[Any] = []
        self.runs = Runs()
        self.offered = {"Wait": Advice("Wait", {"num_steps": 300})}
        self.answers = SimpleNamespace(find_advice=self._find)

    def _find(self, label: object) -> Advice:
        if not isinstance(label, str) or label not in self.offered:
            raise ValueError("this advice is not offered any more")
        return self.offered[label]

    def change_runs(self, change: Callable[[Any], object]) -> None:
        """Change the runs, and take down which are left."""
        change(SimpleNamespace(runs=self.runs, remove=self.runs.remove))
        self._do("runs", *((run.run_id, run.name, run.is_hidden) for run in self.runs.entries))

    def zoom(self, window: tuple[float, float, float, float] | None) -> None:
        """Take a window down."""
        self._do("zoom", window)

    def table(self) -> str:
        """Take the wish for a table down."""
        self._do("csv")
        return "run,step"

    def send_pictures(self) -> None:
        """Take the wish for pictures down."""
        self._do("draw")


class Target:
    """A widget that only writes down the calls of commands."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cells_thread = Cells()
        self.is_open = True
        self.done: list[Any] = []
        self.sent: list[Any] = []
        self.screen = FakeScreen(self._do)
        self.variable = "lr"
        self.num_steps = 100
        self.selected_lr: float | None = None
        self.error: Exception | None = None
        self.is_locked = False

    @property
    def said(self) -> list[tuple[str, str]]:
        """What was said, one after the other."""
        return [(note["kind"], note["text"]) for note in self.screen.notes]

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

    def copy_to_notebook(self, *, overwrite: bool = False) -> float:
        """Take Copy down."""
        self._do("overwrite" if overwrite else "copy")
        return 0.1

    def apply(self) -> float:
        """Take Apply down."""
        self._do("apply")
        return 0.1

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Hold nothing: there are no observers."""
        return nullcontext()

    def send(self, content: Any) -> None:
        """Take a message down."""
        self.sent.append(content)

    def send_state(self, key: Any = None) -> None:
        """Take the name of a trait down."""
        self.sent.append(key)
