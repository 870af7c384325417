"""Drive the steps of a job, in a background thread or blocking, and tell the owner when to show them.

A run owns its flags, so a Stop that comes late reaches the run it was meant for and no other. A Ctrl-C may come at any
line: so `_current` is set only inside the `try` whose handler ends the run.
"""

from __future__ import annotations

import contextvars
import threading
from time import perf_counter as clock
from typing import TYPE_CHECKING, Generic

import torch

from ...interrupts import uninterrupted
from . import hosts
from .run import J, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from .inbox import Inbox

MAX_MESSAGES_PER_SECOND = 15.0
_SHOW_SHARE = 40.0  # showing takes at most 1/40 of the time: a long curve is shown less often
_SHUTDOWN_SECONDS = 10.0


class Runner(Generic[J]):
    """Run one job at a time.

    Args:
        lock: held by the owner while it writes, and here while `done` is called: whoever sees the end of a run can
            start the next one.
        show: called with the current run in the thread that trains; returns the number of messages to the browser
            that it caused, of which there are `MAX_MESSAGES_PER_SECOND` at most. Those at the start of a run and of a
            pause, and at their ends, come at once.
        done: called once at a run's end, when everything is restored, in the same thread.
        inbox: the messages that wait while a run blocks the kernel; None for none.
    """

    def __init__(
        self,
        lock: threading.RLock,
        show: Callable[[Run[J]], int],
        done: Callable[[Run[J]], None],
        inbox: Inbox | None = None,
    ) -> None:
        self._lock = lock
        self._ended = threading.Condition(lock)
        self._show = show
        self._done = done
        self._inbox = inbox
        self._current: Run[J] | None = None
        self._run_id = 0

    @property
    def current(self) -> Run[J] | None:
        """The run in progress, or None."""
        return self._current

    def start(self, job: J) -> Run[J]:
        """Drive the steps in a background thread.

        Raises:
            RuntimeError: a run is in progress.
        """
        enter, context = _this_torch_context(), contextvars.copy_context()
        run = Run(self._next_id(), job, is_blocking=False)
        thread = threading.Thread(
            target=context.run, args=(self._drive, run, enter), name="lr_widget-range-test", daemon=True
        )
        with uninterrupted():
            self._begin(run)
            try:
                thread.start()
            except BaseException:  # the system gives no thread
                self._current = None
                raise
        return run

    def run(self, job: J) -> Run[J]:
        """Drive the steps here and now; a KeyboardInterrupt ends the run and keeps its points.

        Messages to the widget that wait meanwhile are taken between two steps.

        Raises:
            RuntimeError: a run is in progress.
        """
        listen = None if self._inbox is None else self._inbox.reader()
        is_deaf = listen is None and hosts.cells_run_here()
        run = Run(self._next_id(), job, is_blocking=True, listen=listen, is_deaf=is_deaf)
        try:
            self._begin(run)
            self._drive(run)
        except KeyboardInterrupt:  # maybe deferred by `uninterrupted` in `_finish`
            if self._current is run:
                run.stop_reason = run.stop_reason or "interrupted"
                self._finish(run)
            elif not run.has_ended:  # it has not begun
                raise
        return run

    def stop(self, run_id: int | None = None) -> bool:
        """Ask the current run to end after its step; False if there is none or `run_id` names an earlier one."""
        run = self._meant(run_id)
        if run is None:
            return False
        run.stop_requested.set()
        run.may_go_on.set()
        return True

    def pause(self, run_id: int | None = None) -> bool:
        """Let the current run wait after its step; False as for `stop`, or if it waits or is asked to stop."""
        run = self._meant(run_id)
        if run is None or run.is_paused or run.stop_requested.is_set():
            return False
        run.may_go_on.clear()
        return True

    def resume(self, run_id: int | None = None) -> bool:
        """Let a paused run go on; False as for `stop`, or if it is not paused."""
        run = self._meant(run_id)
        if run is None or not run.is_paused:
            return False
        run.may_go_on.set()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no run is in progress and its end is shown; False if `timeout` seconds were not enough.

        The time that the observers of the end take is not counted.

        Raises:
            RuntimeError: called by the thread that trains, which would wait for itself.
        """
        with self._lock:
            run = self._current
            if run is not None and run.thread is threading.current_thread():
                raise RuntimeError("the range test cannot wait for itself; call wait() from another thread")
            return self._ended.wait_for(lambda: self._current is None, timeout)

    def shut_down(self, timeout: float = _SHUTDOWN_SECONDS) -> None:
        """End the current run and wait, for some time, until everything is restored."""
        run = self._current
        self.stop()
        if run is not None and run.thread is not threading.current_thread():
            self.wait(timeout)

    def _meant(self, run_id: int | None) -> Run[J] | None:
        run = self._current
        return run if run is not None and run_id in (None, run.run_id) else None

    def _next_id(self) -> int:
        self._run_id += 1
        return self._run_id

    def _begin(self, run: Run[J]) -> None:
        with self._lock:  # not the condition, in whose own Python code a Ctrl-C can come
            if self._current is not None:
                raise RuntimeError(
                    "a range test is running already; stop it or wait for its end before starting another"
                )
            self._current = run

    def _drive(self, run: Run[J], enter: Callable[[], None] = lambda: None) -> None:
        try:
            run.thread = threading.current_thread()
            enter()
            run.stop_reason = self._collect(run)
        except BaseException as error:
            if run.is_blocking and isinstance(error, KeyboardInterrupt):
                raise
            run.error = error
        self._finish(run)

    def _collect(self, run: Run[J]) -> str:
        next_show = 0.0
        self._show_whole(run)
        while not run.stop_requested.is_set():
            begin = clock()
            try:
                step = next(run.steps)
            except StopIteration as end:
                return str(end.value)
            now = clock()
            run.add(step, now - begin)
            if now >= next_show:
                num_messages = max(self._show_whole(run), 1)
                next_show = now + max(num_messages / MAX_MESSAGES_PER_SECOND, _SHOW_SHARE * (clock() - now))
            run.hear()
            while run.is_paused:
                self._show_whole(run)
                run.wait_to_go_on()
                self._show_whole(run)
        return "stopped"

    def _show_whole(self, run: Run[J]) -> int:
        with uninterrupted():
            return self._show(run)

    def _finish(self, run: Run[J]) -> None:
        with uninterrupted():
            try:
                run.steps.close()  # restores everything, whatever happened
            except BaseException as error:  # noqa: BLE001  # the end is shown whatever could not be put back
                run.error = error
            with self._lock:
                self._current = None
                try:
                    self._done(run)
                finally:
                    self._ended.notify_all()


def _this_torch_context() -> Callable[[], None]:
    """Return a function that sets a new thread's default device and CUDA device to those of this one."""
    device = _default_device()
    cuda_device = torch.cuda.current_device() if torch.cuda.is_initialized() else None

    def enter() -> None:
        if _default_device() != device:
            torch.set_default_device(device)
        if cuda_device is not None:
            torch.cuda.set_device(cuda_device)

    return enter


def _default_device() -> torch.device:
    try:
        return torch.get_default_device()
    except AttributeError:  # torch 2.4, once `torch.set_default_device(None)` was called
        return torch.device("cpu")
