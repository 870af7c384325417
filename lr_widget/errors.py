"""The package's own exceptions; wrong arguments raise plain `ValueError` and `TypeError`.

LRWidgetError
├── NoSuggestionError   a rate was asked of a suggestion that has none (also a ValueError)
├── RestoreError        something could not be put back after a test; the rest was (also a RuntimeError)
└── NotebookError       a value could not be put into the notebook (name taken, no notebook; also a ValueError)
"""

from __future__ import annotations


class LRWidgetError(Exception):
    """Base of every exception that this package defines."""


class NoSuggestionError(LRWidgetError, ValueError):
    """The curve gave no rate; the message is the suggestion's reason."""


class RestoreError(LRWidgetError, RuntimeError):
    """After a range test, something could not be put back; the message names it. Everything else was restored."""


class NotebookError(LRWidgetError, ValueError):
    """A value could not be put into the notebook's namespace; the message has the reason and the remedy."""


def add_note(error: BaseException, note: str) -> None:
    """Add a note to the exception; tracebacks show it below the message."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:  # Python 3.10: the attribute that 3.11's add_note writes
        error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
