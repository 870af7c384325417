"""The programs that show notebooks: one row a host, and how they are told apart."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Literal

HostName = Literal["colab", "vscode", "jupyter", "none"]


@dataclass(frozen=True)
class Host:
    """A program that shows notebooks.

    Attributes:
        name: its short name, as the front end gets it.
        shows_threads: messages that a background thread sends to the browser arrive there.
        interrupt: how to interrupt a cell there, as the subject of a sentence.
    """

    name: HostName
    shows_threads: bool = True
    interrupt: str = "Stop, or interrupting the kernel,"


HOSTS: dict[HostName, Host] = {
    "jupyter": Host("jupyter"),  # JupyterLab, Notebook, and hosts that behave like them
    "vscode": Host("vscode"),
    # colabtools issue 3373: messages from a thread do not appear there.
    "colab": Host("colab", shows_threads=False, interrupt="Runtime > Interrupt execution"),
    "none": Host("none"),  # a script or a terminal
}


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


def has_gui_loop() -> bool:
    """Say if the kernel serves the windows of a GUI between the cells (`%gui qt`, `%matplotlib qt`)."""
    return getattr(getattr(shell(), "kernel", None), "eventloop", None) is not None


def _name() -> HostName:
    if "google.colab" in sys.modules:
        return "colab"
    running = shell()
    if running is None or not hasattr(running, "kernel"):
        return "none"
    # VS Code's Jupyter extension starts its kernels with this variable of the editor's own processes.
    if "VSCODE_PID" in os.environ or "__vsc_ipynb_file__" in running.user_ns:
        return "vscode"
    return "jupyter"
