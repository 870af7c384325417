"""The rules that read a learning rate off the curve of a range test. NumPy arrays in, no torch."""

from .horizon import for_training, least_steps
from .rules import RULES, suggest_all, suggest_lr
from .suggestion import PROBE, Suggestion, of_ended_test, of_one_group, with_spread

__all__ = [
    "PROBE",
    "RULES",
    "Suggestion",
    "for_training",
    "least_steps",
    "of_ended_test",
    "of_one_group",
    "suggest_all",
    "suggest_lr",
    "with_spread",
]
