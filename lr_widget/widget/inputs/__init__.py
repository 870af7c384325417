"""The things that a widget is made with: its arguments, or the objects of a framework's training."""

from .arguments import (
    CLOSED,
    GIVEN_ONCE,
    LEAST_PROBE_BUDGET,
    SETTINGS_OF_RECORDS,
    Arguments,
    NoArguments,
    WidgetKeywords,
    probe_plan,
    sweep_of,
)
from .trainers import Trainers

__all__ = [
    "CLOSED",
    "GIVEN_ONCE",
    "LEAST_PROBE_BUDGET",
    "SETTINGS_OF_RECORDS",
    "Arguments",
    "NoArguments",
    "Trainers",
    "WidgetKeywords",
    "probe_plan",
    "sweep_of",
]
