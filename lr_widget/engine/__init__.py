"""The test itself: plans, sweeps, the range test and the probes."""

from .probing import probe
from .range_test import iter_range_test, range_test

__all__ = ["iter_range_test", "probe", "range_test"]
