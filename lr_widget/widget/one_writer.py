"""A widget whose traits two threads may set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets import DOMWidget


class OneWriter(DOMWidget):  # type: ignore[misc]  # ipywidgets ships no types
    """Lets one thread at a time set traits and send them: ``hold_sync`` of ipywidgets is not safe between threads.

    A subclass makes ``_lock`` before it sets the first trait.
    """

    _lock: threading.RLock

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Hold the messages to the browser back until the block ends."""
        with self._lock, super().hold_sync():
            yield

    def notify_change(self, change: Any) -> None:
        """Send a change to the browser and tell the observers."""
        with self._lock:
            super().notify_change(change)
