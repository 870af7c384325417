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
def keep_rng(sources: Iterable[Any] = ()) -> Iterator[None]:
    """Put the global random generators, and those that ``sources`` hold, back as they were when the block began."""
    undos = [undo for _, undo in rng_states()]
    undos += [undo for value in _attributes(sources) if (undo := rng_undo(value)) is not None]
    try:
        yield
    finally:
        for undo in undos:
            undo()


def seed_all(seed: int, sources: Iterable[Any] = ()) -> None:
    """Seed the global generators of Python, NumPy and torch, and the generators that ``sources`` hold."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # NumPy takes 32 bits
    torch.manual_seed(seed)
    for value in _attributes(sources):
        _seed(value, seed)


def _seed(value: Any, seed: int) -> None:
    bits = value.bit_generator if isinstance(value, np.random.Generator) else value
    if isinstance(value, torch.Generator):
        value.manual_seed(seed)
    elif isinstance(value, random.Random):
        value.seed(seed)
    elif isinstance(value, np.random.RandomState):
        value.seed(seed % 2**32)
    elif isinstance(bits, np.random.BitGenerator):
        bits.state = type(bits)(seed % 2**64).state


def _attributes(sources: Iterable[Any]) -> list[Any]:
    return [value for source in sources if hasattr(source, "__dict__") for value in vars(source).values()]


def _discard(_result: object) -> None:
    """Turn a call that returns something into one that returns nothing."""
