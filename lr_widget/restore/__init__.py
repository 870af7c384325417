"""Leave no trace: copy everything that a range test may touch, and restore it afterwards."""

from __future__ import annotations

from .guard import Guard
from .rng import GENERATORS, keep_rng, seed_all
from .sharded import drop_gathered
from .snapshot import Snapshot
from .torch_modes import read_torch_modes, reset_torch_modes

__all__ = [
    "GENERATORS",
    "Guard",
    "Snapshot",
    "drop_gathered",
    "keep_rng",
    "read_torch_modes",
    "reset_torch_modes",
    "seed_all",
]
