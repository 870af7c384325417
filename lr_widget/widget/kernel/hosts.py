"""The programs that show notebooks: one row a host, and how they are told apart."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Host:
    """A program that shows notebooks.

    Attributes:
        name: its short name.
        shows_threads: messages that a background thread sends to the browser arrive there.
        mounts_chart: its pages can show the live chart; where not, the widget sends pictures from the start.
        cells_in_main_thread: cells run in the main thread of the process.
        has_page: it shows a page with buttons, which a cell that is running can keep from being heard.
        interrupt: how to interrupt a cell there, as the subject of a sentence. Needed only where a run does not
            hear the widget's own buttons, see `kernel/inbox.py`.
    """

    name: str
    shows_threads: bool = True
    mounts_chart: bool = True
    cells_in_main_thread: bool = True
    has_page: bool = True
    interrupt: str = "Kernel > Interrupt"


_ROWS = (
    Host("jupyter"),  # JupyterLab, Notebook, and hosts that behave like them
    Host("vscode", interrupt="The cell's own stop button"),
    # colabtools issue 3373: messages from a thread do not appear there.
    Host("colab", shows_threads=False, interrupt="Runtime > Interrupt execution"),
    Host("kaggle", interrupt="Run > Cancel run"),
    Host("marimo", mounts_chart=False, cells_in_main_thread=False, interrupt="The interrupt button of marimo"),
    Host("none", has_page=False),  # a script or a terminal
)
HOSTS = {host.name: host for host in _ROWS}


def current_host() -> Host:
    """Return the host of this process."""
    return HOSTS[_name()]


def shell() -> Any:
    """Return IPython's shell, or None outside of one."""
    # Only a process that has already loaded IPython can be inside of it.
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def cells_run_here() -> bool:
    """Say if this is the thread that runs the cells of a notebook."""
    host = current_host()
    is_main = threading.current_thread() is threading.main_thread()
    return host.has_page and (is_main or not host.cells_in_main_thread)


def has_gui_loop() -> bool:
    """Say if the kernel serves the windows of a GUI between the cells (`%gui qt`, `%matplotlib qt`)."""
    return getattr(getattr(shell(), "kernel", None), "eventloop", None) is not None


def _name() -> str:
    if "google.colab" in sys.modules:
        return "colab"
    running = shell()
    if running is None or not hasattr(running, "kernel"):
        return "marimo" if running is None and "marimo" in sys.modules else "none"
    # VS Code's Jupyter extension starts its kernels with this variable of the editor's own processes.
    if "VSCODE_PID" in os.environ or "__vsc_ipynb_file__" in running.user_ns:
        return "vscode"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "jupyter"
