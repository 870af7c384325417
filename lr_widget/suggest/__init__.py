"""A learning rate read off the curve of a range test. NumPy only."""

from .rules import RULES, suggest_all, suggest_lr
from .suggestion import Suggestion

__all__ = ["RULES", "Suggestion", "suggest_all", "suggest_lr"]
