"""The random number generators that a training step may draw from: keep, restore and seed them."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .containers import Undo

GENERATORS = (torch.Generator, random.Random, np.random.RandomState, np.random.Generator, np.random.BitGenerator)

_PRIME = 2**31 - 1  # between the seeds of generators, far from the seeds of repeats, which are consecutive


def rng_undo(value: Any) -> Undo | None:
    """Return an undo for the state of a random generator; None for anything else and for a generator without state."""
    if isinstance(value, torch.Generator):
        torch_state = value.get_state()
        return lambda: value.set_state(torch_state)
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
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


def global_rng_undos() -> Iterator[tuple[str, Undo]]:
    """Yield the name of every global random generator in use and an undo for its state."""
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


def is_global(generator: Any) -> bool:
    """Return True for the generator behind the functions of `random`, `np.random` or `torch`."""
    owners = (random.random.__self__, np.random.random_sample.__self__, torch.default_generator)  # type: ignore[attr-defined]
    return any(generator is owner for owner in (*owners, *torch.cuda.default_generators))


@contextmanager
def keep_rng(generators: Iterable[Any] = ()) -> Iterator[None]:
    """Restore the global random generators, and these, at the end of the block."""
    undos = [undo for _, undo in global_rng_undos()]
    undos += [undo for generator in generators if (undo := rng_undo(generator)) is not None]
    try:
        yield
    finally:
        for undo in undos:
            undo()


def seed_all(seed: int, generators: Iterable[Any] = ()) -> None:
    """Seed the global generators of Python, NumPy and torch, and these.

    The first of these gets the seed itself, and each other one a seed of its own: two noises must not be the same.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # NumPy takes 32 bits
    torch.manual_seed(seed)
    for index, generator in enumerate(generators):
        _seed(generator, seed if index == 0 else (seed + index * _PRIME) % 2**63)


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
