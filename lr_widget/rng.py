"""The random number generators that a training step may draw from: keep their states, put them back, seed them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

Undo = Callable[[], None]


def rng_undo(value: Any) -> Undo | None:
    """Return what puts the state of this random generator back, or None where ``value`` is none."""
    if isinstance(value, torch.Generator):
        torch_state = value.get_state()
        return lambda: _discard(value.set_state(torch_state))
    if isinstance(value, random.Random):
        python_state = value.getstate()
        return lambda: value.setstate(python_state)
    if isinstance(value, np.random.RandomState):
        legacy_state = value.get_state()
        return lambda: value.set_state(legacy_state)
    bits = value.bit_generator if isinstance(value, np.random.Generator) else value
    if isinstance(bits, np.random.BitGenerator):
        bit_state = bits.state
        return lambda: setattr(bits, "state", bit_state)
    return None


def rng_states() -> Iterator[tuple[str, Undo]]:
    """Yield, for every global random generator in use, its name and what puts its present state back."""
    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield "Python's random state", lambda: random.setstate(python_state)
    yield "NumPy's random state", lambda: np.random.set_state(numpy_state)
    yield "torch's random state", lambda: torch.set_rng_state(torch_state)
    if torch.cuda.is_initialized():
        cuda_states = torch.cuda.get_rng_state_all()
        yield "CUDA's random states", lambda: torch.cuda.set_rng_state_all(cuda_states)
    if torch.backends.mps.is_available():
        mps_state = torch.mps.get_rng_state()
        yield "MPS's random state", lambda: torch.mps.set_rng_state(mps_state)


@contextmanager
def keep_rng() -> Iterator[None]:
    """Put the global random generators back as they were when the block began."""
    states = list(rng_states())
    try:
        yield
    finally:
        for _, undo in states:
            undo()


def seed_all(seed: int, sources: Iterable[Any] = ()) -> None:
    """Seed the global generators of Python, NumPy and torch, and the torch generators that ``sources`` hold."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # NumPy takes 32 bits
    torch.manual_seed(seed)
    for source in sources:
        for value in vars(source).values() if hasattr(source, "__dict__") else ():
            if isinstance(value, torch.Generator):
                value.manual_seed(seed)


def _discard(_result: object) -> None:
    """Turn a call that returns something into one that returns nothing."""
