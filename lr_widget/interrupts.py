"""Defer signals while a block that must finish runs."""

from __future__ import annotations

# In C, under `signal.getsignal` and `signal.signal`, which look for an enum member at each call: for all signals that
# takes 20 times as long, and a run that blocks the kernel defers signals in every step.
import _signal  # type: ignore[import-not-found]
import os
import signal
import threading
from contextlib import contextmanager
from functools import partial
from inspect import currentframe
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    _Handler = Callable[[int, FrameType | None], Any]

_SIGNALS = tuple(sorted(map(int, signal.valid_signals())))
_TRIES = 5


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C, and every other signal with a handler in Python, to the end of the block.

    The handlers run there in the order in which the signals came, each once, however often its signal came, and what
    they raise is raised there. A handler that the block installs takes effect at once and stays. One that was installed
    outside Python is left alone, for Python could not reinstall it. Off the main thread nothing is done: Python runs
    handlers in the main thread only. A `signal.siginterrupt(number, False)` is undone, as by every change of a handler.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferral = _Deferral()
    try:
        try:
            deferral.begin()
            yield
        finally:
            deferral.end()
    finally:
        # Again, for an exception in the line above: from a tracer or a debugger, or from a handler that was just put
        # back. It does nothing where all is done: tests/test_interrupts.py, test_an_exception_at_any_line_of_it.
        deferral.end()


def insist(action: Callable[[], object]) -> None:
    """Run the action uninterrupted, again and again, five times at most, until it comes to its end.

    A signal can still come before its handler is replaced, and then the action does not begin. From a timer that fires
    every few microseconds several do: tests/no_trace/alarmed_child.py.

    Raises:
        BaseException: the last one that came, also where the action came to its end.
    """
    last, is_done = None, False
    for _ in range(_TRIES):
        try:
            with uninterrupted():
                action()
                is_done = True
        except BaseException as error:  # noqa: BLE001  # raised below
            last = error
        if is_done:
            break
    try:
        if last is not None:
            raise last
    finally:
        del last  # held on to, it would keep its traceback and all in it alive


class _Deferral:
    """Stands in for the handlers of all signals, notes the signals that come, and delivers them in the end.

    To block the signals (`pthread_sigmask`) would not do: the system gives a blocked one to another thread, such as
    torch's, and Python runs its handler in the main thread all the same; and processes started meanwhile stay deaf.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._replaced: dict[int, tuple[_Handler, _Handler]] = {}  # signal → its handler and the one in its place
        self._came: dict[int, _Handler] = {}
        self._is_over = False

    def begin(self) -> None:
        """Replace the handlers."""
        for number in _SIGNALS:
            handler = _signal.getsignal(number)
            if callable(handler):  # not the system's default or none, nor None: installed outside Python
                stand_in = partial(self._take, handler)
                self._replaced[number] = handler, stand_in  # first noted, then done: an exception may come in between
                _signal.signal(number, stand_in)

    def end(self) -> None:
        """Put the handlers back, then deliver the signals."""
        try:
            while self._replaced:
                number, (handler, stand_in) = next(reversed(self._replaced.items()))
                if _signal.getsignal(number) is stand_in:  # the block has not installed another
                    _signal.signal(number, handler)
                del self._replaced[number]
        finally:
            self._is_over = True
            self._deliver()

    def _take(self, handler: _Handler, number: int, frame: FrameType | None) -> None:
        # After the end, whoever has taken the stand-in for the handler, such as torch's for SIGCHLD, may call it; and
        # a process that the block has forked off never comes to the end.
        if self._is_over or os.getpid() != self._process:
            handler(number, frame)
        else:
            self._came.setdefault(number, handler)

    def _deliver(self) -> None:
        """Call the handlers; one that raises does not keep the next from being called."""
        # Not by `signal.raise_signal`: an event loop that was woken when the signal came would be woken twice, and
        # take one Ctrl-C for two (test_interrupts.py, test_an_event_loop_hears_of_a_signal_once).
        try:
            while self._came:
                number = next(iter(self._came))
                self._came.pop(number)(number, currentframe())
        finally:
            if self._came:
                self._deliver()
