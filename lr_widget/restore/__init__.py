"""Leave no trace: copy everything that a range test may touch, and restore it afterwards."""

from __future__ import annotations

from .guard import Guard
from .reach import sources_of
from .rng import generators_of, keep_rng, seed_all
from .snapshot import Snapshot
from .torch_modes import torch_modes_undo

__all__ = ["Guard", "Snapshot", "generators_of", "keep_rng", "seed_all", "sources_of", "torch_modes_undo"]
