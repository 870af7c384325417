"""Threads that meet in a widget: one writes at a time, and the model is left alone while a cell may train it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ipywidgets import DOMWidget

from . import hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OneWriter(DOMWidget):  # type: ignore[misc]  # ipywidgets ships no types
    """A widget that lets one thread at a time set and send traits: `hold_sync` of ipywidgets is not thread-safe.

    A subclass makes `lock` before it sets the first trait.
    """

    lock: threading.RLock
    _held_errors: tuple[threading.Thread, list[Exception]] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait and run its observers under the lock."""
        with self.__dict__.get("lock", nullcontext()):
            super().__setattr__(name, value)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Hold the messages to the browser back until the block ends."""
        with self.lock, super().hold_sync():
            yield

    def send_state(self, key: Any = None) -> None:
        """Send traits to the browser, never after newer ones."""
        with self.lock:
            super().send_state(key)

    def notify_change(self, change: Any) -> None:
        """Send a change to the browser and tell the observers."""
        with self.lock:
            try:
                super().notify_change(change)
            except Exception as error:  # an observer of the user's may raise anything
                thread, errors = self._held_errors or (None, [])
                if thread is not threading.current_thread():
                    raise
                errors.append(error)

    @contextmanager
    def holding_errors(self) -> Iterator[list[Exception]]:
        """Collect the errors of the user's observers until the block has set all that it has to."""
        with self.lock:
            errors: list[Exception] = []
            before, self._held_errors = self._held_errors, (threading.current_thread(), errors)
            try:
                yield errors
            finally:
                self._held_errors = before


class CellsThread:
    """Make calls between two cells, in the thread that runs the cells.

    Newer kernels handle a browser's messages in another thread while a cell is running. Made in a cell, this knows the
    event loop that runs the cells; elsewhere, in a script or a test, there are no cells to wait for. A cell that
    awaits something lets the calls in.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()

    @property
    def has_waiting(self) -> bool:
        """A call waits for the end of a cell, or is under way after it."""
        return bool(self._waiting)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function now if this is the cells' thread, else when the running cell has ended."""
        is_here = threading.current_thread() is threading.main_thread()
        # The loop of a GUI that is shown between the cells does not hear of such calls.
        if is_here or self._loop is None or not self._loop.is_running() or hosts.has_gui_loop():
            function()
        else:
            self._waiting.append(function)
            self._loop.call_soon_threadsafe(self._call_next)

    def _call_next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
