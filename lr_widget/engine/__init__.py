"""The test itself: one plan a job, the sweep as a generator, the range test and the probes."""

from .keywords import DEFAULTS, Keywords, refuse_trainer_alone, refuse_unknown
from .plan import make_plan, restorable
from .probes import (
    DEFAULT_MAX_STEPS,
    MIN_PROBE_STEPS,
    Probing,
    Round,
    make_probe_plan,
    planned_rounds,
    probe,
    rate_of,
)
from .range_test import RangeTest, iter_range_test, range_test
from .sweep import Steps

__all__ = [
    "DEFAULTS",
    "DEFAULT_MAX_STEPS",
    "MIN_PROBE_STEPS",
    "Keywords",
    "Probing",
    "RangeTest",
    "Round",
    "Steps",
    "iter_range_test",
    "make_plan",
    "make_probe_plan",
    "planned_rounds",
    "probe",
    "range_test",
    "rate_of",
    "refuse_trainer_alone",
    "refuse_unknown",
    "restorable",
]
