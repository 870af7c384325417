"""Ctrl-C and the parts of the program that it must not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back until the block has ended; then it takes effect. Off the main thread none arrives."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        # None: the handler was not installed from Python, and cannot be put back by it.
        signal.signal(signal.SIGINT, signal.SIG_DFL if previous is None else previous)
        if held and callable(previous):
            previous(*held[-1])
