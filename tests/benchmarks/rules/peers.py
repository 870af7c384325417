"""Compare our versions of the other finders' rules with those finders' own code, on all stored curves.

Run `python -m tests.benchmarks.rules.peers` where fastai, torch-lr-finder, pytorch-ignite and pytorch-lightning are
installed; one that is not is left out. Each gets the points that it would see, smoothed as it smooths them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import torch

from lr_widget.smoothing import ema
from lr_widget.suggest.peers import PEERS, plain_average

from .score import load
from .tasks import everything

Original = Callable[[np.ndarray, np.ndarray], float]


def fastai(name: str) -> Original:
    from fastai.callback import schedule

    function = getattr(schedule, name)

    def suggest(lrs: np.ndarray, losses: np.ndarray) -> float:
        kept = slice(len(lrs) // 10, -5)
        smoothed = torch.tensor(ema(losses, 0.98))
        return float(function(torch.tensor(lrs)[kept], smoothed[kept], len(lrs))[0])

    return suggest


def torch_lr_finder(lrs: np.ndarray, losses: np.ndarray) -> float:
    import matplotlib.pyplot as plt
    from torch_lr_finder import LRFinder

    finder = LRFinder.__new__(LRFinder)
    finder.history = {"lr": lrs.tolist(), "loss": plain_average(losses).tolist()}
    figure, ax = plt.subplots()
    suggested = finder.plot(ax=ax)[1]
    plt.close(figure)
    return suggested


def ignite(lrs: np.ndarray, losses: np.ndarray) -> float:
    from ignite.handlers import FastaiLRFinder

    finder = FastaiLRFinder()
    finder._history = {"lr": lrs.tolist(), "loss": plain_average(losses).tolist()}
    return finder.lr_suggestion()


def lightning(lrs: np.ndarray, losses: np.ndarray) -> float:
    from pytorch_lightning.tuner.lr_finder import _LRFinder

    finder = _LRFinder("exponential", 1e-7, 10.0, len(lrs))
    finder.results = {"lr": lrs.tolist(), "loss": ema(losses, 0.98).tolist()}
    return finder.suggestion()


ORIGINALS: dict[str, tuple[str, Callable[[], Original]]] = {
    **{name: ("fastai", lambda name=name: fastai(name)) for name in ("valley", "slide", "minimum", "steep")},
    "torch-lr-finder": ("torch_lr_finder", lambda: torch_lr_finder),
    "ignite": ("ignite", lambda: ignite),
    "lightning": ("pytorch_lightning", lambda: lightning),
}


def compare(name: str, original: Original) -> tuple[int, int]:
    """Count the curves with the same rate from both, to float32, and all curves."""
    same = count = 0
    for task in everything():
        for num_steps in (100, 300):
            for lrs, losses in load(task).curves(num_steps):
                ours, count = PEERS[name][0](lrs, losses), count + 1
                try:
                    theirs = original(lrs, losses)
                except (RuntimeError, IndexError):  # where the original raises, ours has no answer
                    same += ours is None
                    continue
                same += ours is not None and bool(np.isclose(ours, theirs, rtol=1e-5))
    return same, count


def main() -> None:
    for name, (package, make) in ORIGINALS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name}: {package} is not installed")
            continue
        print("{}: the same on {} of {} curves".format(name, *compare(name, make())))


if __name__ == "__main__":
    main()
