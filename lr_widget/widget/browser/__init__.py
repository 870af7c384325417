"""The widget's side of the browser: the protocol, the commands that arrive and the view that is shown."""

from .commands import receive
from .messages import SETTINGS, Kind, Note
from .view_state import make_view

__all__ = ["SETTINGS", "Kind", "Note", "make_view", "receive"]
