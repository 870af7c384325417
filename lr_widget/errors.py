"""The package's own exceptions; wrong arguments raise plain ``ValueError`` and ``TypeError``.

LRWidgetError
├── NoSuggestionError   a rate was asked of a suggestion that has none (also a ValueError)
├── RestoreError        something could not be put back after a test; the rest was
└── NotebookError       a value could not be put into the notebook (name taken, no notebook)
"""

from __future__ import annotations


class LRWidgetError(Exception):
    """Base of every exception that this package defines."""


class NoSuggestionError(LRWidgetError, ValueError):
    """The curve gave no rate; the message is the suggestion's reason."""


class RestoreError(LRWidgetError, RuntimeError):
    """After a range test, something could not be put back; the message names it. Everything else was restored."""


class NotebookError(LRWidgetError, ValueError):
    """A value could not be put into the notebook's namespace; the message says why and what to do."""
