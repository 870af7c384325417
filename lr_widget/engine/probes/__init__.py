"""Probes: short real trainings at rates around a suggestion."""

from .probe import make_probe_plan, probe, rate_of
from .probing import DEFAULT_MAX_STEPS, Probing
from .rounds import MIN_PROBE_STEPS, Round, planned_rounds

__all__ = [
    "DEFAULT_MAX_STEPS",
    "MIN_PROBE_STEPS",
    "Probing",
    "Round",
    "make_probe_plan",
    "planned_rounds",
    "probe",
    "rate_of",
]
