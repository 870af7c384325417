"""The widget's side of the kernel: runs and their threads, the host, the notebook's variables."""

from .hosts import Host, HostName, current_host
from .runner import Run, Runner
from .threads import CellsThread, OneWriter
from .variable import put

__all__ = ["CellsThread", "Host", "HostName", "OneWriter", "Run", "Runner", "current_host", "put"]
