"""One job while it is done: how far it is, and the flags that steer it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine import Steps
    from ...results import StepRecord

_SPEED_WINDOW_STEPS = 50
_LISTEN_SECONDS = 0.05  # between two looks for a message while a run is paused


class Steppable(Protocol):
    """A job that is done step by step, and that keeps its results itself."""

    def steps(self) -> Steps:
        """Return the generator of the job's steps."""


J = TypeVar("J", bound=Steppable)


@dataclass(eq=False)
class Run(Generic[J]):
    """One job while it is done; its flags are safe to set from any thread.

    Attributes:
        run_id: counts the runs of a widget.
        job: the job.
        is_blocking: it runs in the thread that asked for it.
        listen: reads the messages that wait for the end of this run, or None where nobody can.
        is_deaf: nothing that is sent to the widget arrives before the run has ended.
        count, last: the number of steps so far, and the last of them.
        stop_reason, error: how it ended; both None before.
        seconds: time of all steps, pauses not counted.
    """

    run_id: int
    job: J
    is_blocking: bool
    listen: Callable[[], None] | None = None
    is_deaf: bool = False
    thread: threading.Thread | None = None
    count: int = 0
    last: StepRecord | None = None
    stop_reason: str | None = None
    error: BaseException | None = None
    seconds: float = 0.0
    stop_requested: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=_SPEED_WINDOW_STEPS))

    def __post_init__(self) -> None:
        self.steps = self.job.steps()
        self.may_go_on.set()

    @property
    def has_ended(self) -> bool:
        """True once the last step is done and everything is restored."""
        return self.stop_reason is not None or self.error is not None

    @property
    def reason(self) -> str:
        """The stop reason; "interrupted" for a run that was cut short without one."""
        return self.stop_reason or "interrupted"

    @property
    def is_paused(self) -> bool:
        """True while the run waits for `Runner.resume`."""
        return not self.may_go_on.is_set() and not self.stop_requested.is_set()

    def raise_error(self) -> None:
        """Raise the exception that ended the run, if one did."""
        if self.error is not None:
            raise self.error

    def hear(self) -> None:
        """Take the messages to the widget that wait for the end of this run."""
        if self.listen is not None:
            self.listen()

    def wait_to_go_on(self) -> None:
        """Wait for the end of a pause."""
        while not self.may_go_on.wait(None if self.listen is None else _LISTEN_SECONDS):
            self.hear()

    def add(self, step: StepRecord, seconds: float) -> None:
        """Count a step and its time."""
        self.count += 1
        self.last = step
        self.seconds += seconds
        self._times.append(seconds)

    def steps_per_second(self) -> float | None:
        """Speed over the last steps; None in a pause, and before the second step (the first one warms up)."""
        if self.count < 2 or self.is_paused:
            return None
        recent = list(self._times)[1:] if self.count <= _SPEED_WINDOW_STEPS else list(self._times)
        return len(recent) / max(sum(recent), 1e-9)
