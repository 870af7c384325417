"""Ctrl-C and the parts of the program that it must not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back until the block has ended; then it takes effect. Off the main thread none arrives."""
    handler = signal.getsignal(signal.SIGINT)
    # None: whoever installed the handler did it outside Python, and only they can put it back.
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    try:
        try:
            signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
    finally:
        signal.signal(signal.SIGINT, handler)  # again, where a debugger's or a tracer's interrupt came before
        if held:
            signal.raise_signal(signal.SIGINT)
