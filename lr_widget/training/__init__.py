"""Training of a range test: batches in, one update of the parameters at a given rate out."""

from .batches import Batches, takes_options
from .devices import checked_device
from .optimizers import unpacked
from .parameters import optimized_by
from .rates import RateSetter
from .training_step import Training

__all__ = ["Batches", "RateSetter", "Training", "checked_device", "optimized_by", "takes_options", "unpacked"]
