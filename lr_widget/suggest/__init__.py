"""The rules that read a learning rate off the curve of a range test. NumPy arrays in, no torch."""

from .rules import RULES, suggest_all, suggest_lr
from .suggestion import Suggestion, with_spread

__all__ = ["RULES", "Suggestion", "suggest_all", "suggest_lr", "with_spread"]
