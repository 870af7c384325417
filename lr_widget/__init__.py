"""A learning-rate range test for PyTorch that leaves the model untouched, in scripts and live in notebooks.

>>> from lr_widget import suggest_lr
>>> suggest_lr([1e-4, 1e-3, 1e-2], [2.3, 2.3, 2.3]).lr is None
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import adapters
from .engine import iter_range_test, probe, range_test
from .errors import LRWidgetError, NoSuggestionError, NotebookError, RestoreError
from .results import Evidence, LRRecords, ProbeRun, StepRecord
from .suggest import Suggestion, suggest_lr

if TYPE_CHECKING:
    from .widget import LRFinderWidget

__version__ = "0.1.0"

__all__ = [
    "Evidence",
    "LRFinderWidget",
    "LRRecords",
    "LRWidgetError",
    "NoSuggestionError",
    "NotebookError",
    "ProbeRun",
    "RestoreError",
    "StepRecord",
    "Suggestion",
    "adapters",
    "iter_range_test",
    "probe",
    "range_test",
    "suggest_lr",
]


def __getattr__(name: str) -> Any:
    # On first use only: a script never pays for ipywidgets, anywidget and bqplot.
    if name == "LRFinderWidget":
        from .widget import LRFinderWidget

        return LRFinderWidget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
