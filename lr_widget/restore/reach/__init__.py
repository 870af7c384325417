"""Follow references from all that a test calls to the state that it may change."""

from __future__ import annotations

from .functions import class_undo, function_undo
from .walk import Reach

__all__ = ["Reach", "class_undo", "function_undo"]
