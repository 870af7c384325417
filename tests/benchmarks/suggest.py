"""The time of a suggestion, best of several calls, against fastai's valley: `python -m tests.benchmarks.suggest`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from lr_widget.suggest import suggest_lr


def curve(num_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a fall and an explosion with noise."""
    x = np.linspace(-7, 1, num_steps)
    losses = 2.3 - 1.8 / (1 + np.exp(-4 * (x + 3))) + np.exp(3 * np.maximum(x, -1) + 3) - 1
    return 10**x, losses + 0.05 * np.random.default_rng(0).normal(size=num_steps)


def best_ms(action: Callable[[], object], calls: int) -> float:
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


def main() -> None:
    print("| points | auto, ms | valley, ms | ratio |\n|---|---|---|---|")
    for num_steps in (100, 300, 1_000, 10_000, 1_000_000):
        lrs, losses = curve(num_steps)
        calls = 3 if num_steps > 10_000 else 20
        auto, valley = (best_ms(partial(suggest_lr, lrs, losses, rule), calls) for rule in ("auto", "valley"))
        print(f"| {num_steps:,} | {auto:.2f} | {valley:.2f} | {auto / valley:.2f} |")


if __name__ == "__main__":
    main()
