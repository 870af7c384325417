"""A widget whose traits two threads may set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ipywidgets import DOMWidget


class OneWriter(DOMWidget):  # type: ignore[misc]  # ipywidgets ships no types
    """Lets one thread at a time set traits and send them: ``hold_sync`` of ipywidgets is not safe between threads.

    A subclass makes ``lock`` before it sets the first trait.
    """

    lock: threading.RLock
    _held_errors: tuple[threading.Thread, list[Exception]] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait and let its observers make of it what they will, before another thread sets the next."""
        with self.__dict__.get("lock", nullcontext()):
            super().__setattr__(name, value)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Hold the messages to the browser back until the block ends."""
        with self.lock, super().hold_sync():
            yield

    def send_state(self, key: Any = None) -> None:
        """Send traits to the browser, none that is older than one sent before."""
        with self.lock:
            super().send_state(key)

    def notify_change(self, change: Any) -> None:
        """Send a change to the browser and tell the observers."""
        with self.lock:
            try:
                super().notify_change(change)
            except Exception as error:
                thread, errors = self._held_errors or (None, [])
                if thread is not threading.current_thread():
                    raise
                errors.append(error)

    @contextmanager
    def holding_errors(self) -> Iterator[list[Exception]]:
        """Keep errors of the users' observers until the block has set all that it has to."""
        with self.lock:
            errors: list[Exception] = []
            before, self._held_errors = self._held_errors, (threading.current_thread(), errors)
            try:
                yield errors
            finally:
                self._held_errors = before
