"""The most memory that an action needs, for the benchmarks."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil
import torch


def peak(action: Callable[[], object]) -> int:
    """Return the most bytes that the CUDA device, or else this process, holds while the action runs."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        action()
        return torch.cuda.max_memory_allocated()
    process, is_over, sizes = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while not is_over.wait(0.0005):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    action()
    is_over.set()
    watcher.join()
    return max(sizes)
