"""Sweeps with a known answer."""

from __future__ import annotations

import numpy as np

LRS = np.logspace(-6, 1, 141)


def noisy_sweep(noise: float, num_steps: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a sweep that falls from 2 to 1 around 1e-3, rises from 1 on, and carries Gaussian noise."""
    lrs = np.logspace(-7, 1, num_steps)
    x = np.log10(lrs)
    losses = 1 + 1 / (1 + np.exp(4 * (x + 3))) + 4 * np.exp(3 * (x - 0.5))
    return lrs, losses + np.random.default_rng(seed).normal(0, noise, num_steps)
