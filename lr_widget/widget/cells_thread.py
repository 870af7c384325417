"""The thread that runs the notebook's cells: what trains the user's model must not begin in the middle of one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


class CellsThread:
    """Puts calls between the cells.

    Newer kernels handle a browser's messages in another thread while a cell is running. Made in a cell, this knows the
    event loop that the cells are run by; elsewhere, in a script or a test, there are no cells to wait for.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()

    def call(self, function: Callable[[], None]) -> None:
        """Call a function now if this is the cells' thread, else when the running cell has ended."""
        if threading.current_thread() is threading.main_thread() or self._loop is None or not self._loop.is_running():
            function()
        else:
            self._loop.call_soon_threadsafe(function)
