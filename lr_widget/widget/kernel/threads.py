"""The thread that runs the notebook's cells: what trains the user's model must not begin in the middle of one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from . import variable as notebook


class CellsThread:
    """Puts calls between the cells.

    Newer kernels handle a browser's messages in another thread while a cell is running. Made in a cell, this knows the
    event loop that the cells are run by; elsewhere, in a script or a test, there are no cells to wait for. A cell that
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
        """Whether a call waits, or is under way after that."""
        return bool(self._waiting)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function now if this is the cells' thread, else when the running cell has ended."""
        is_here = threading.current_thread() is threading.main_thread()
        # The loop of a GUI that is shown between the cells does not hear of such calls.
        if is_here or self._loop is None or not self._loop.is_running() or notebook.has_gui_loop():
            function()
        else:
            self._waiting.append(function)
            self._loop.call_soon_threadsafe(self._call_next)

    def _call_next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
