"""What comes back from a test: records, probe runs, evidence."""

from .evidence import Evidence
from .probe_run import ProbeRun
from .records import LRRecords, StepRecord

__all__ = ["Evidence", "LRRecords", "ProbeRun", "StepRecord"]
