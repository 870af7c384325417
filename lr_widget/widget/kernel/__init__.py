"""The widget's side of the kernel: runs and their threads, the host, the notebook's variables."""

from .cells import show_in_cell
from .hosts import Host, current_host, shell
from .inbox import Inbox
from .output import Outputs
from .run import Run
from .runner import Runner
from .threads import CellsThread, OneWriter
from .variable import put

__all__ = [
    "CellsThread",
    "Host",
    "Inbox",
    "OneWriter",
    "Outputs",
    "Run",
    "Runner",
    "current_host",
    "put",
    "shell",
    "show_in_cell",
]
