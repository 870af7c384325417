"""Defer Ctrl-C while a block that must finish runs."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer a Ctrl-C to the end of the block; several count as one.

    Off the main thread nothing is done: Python delivers signals to the main thread only.
    """
    handler = signal.getsignal(signal.SIGINT)
    # None: the handler was installed outside Python, and Python could not reinstall it.
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
        # Again, where an interrupt from a tracer or a debugger came just before the line above. Without it Ctrl-C would
        # do nothing for the rest of the session: tests/test_interrupts.py, test_an_interrupt_at_any_line_of_it.
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)
