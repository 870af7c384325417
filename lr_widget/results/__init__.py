"""The results of a test: the records of a sweep, their files and pictures, short trainings and their evidence."""

from .atomic import write_whole
from .evidence import Evidence
from .limits import HUGE, is_flat, joined_limits, seen, thin, y_limits
from .probe_run import CLOSE, ProbeRun, best_of, fallen, is_behind, lost, second_half
from .records import LRRecords
from .steps import StepRecord

__all__ = [
    "CLOSE",
    "HUGE",
    "Evidence",
    "LRRecords",
    "ProbeRun",
    "StepRecord",
    "best_of",
    "fallen",
    "is_behind",
    "is_flat",
    "joined_limits",
    "lost",
    "second_half",
    "seen",
    "thin",
    "write_whole",
    "y_limits",
]
