"""The widget's side of the browser: the protocol, the commands that arrive and the view that is shown."""

from .answer import Answers
from .commands import receive
from .messages import SETTINGS, Kind
from .talk import Talk
from .view_state import make_chart_state, make_progress, make_view

__all__ = ["SETTINGS", "Answers", "Kind", "Talk", "make_chart_state", "make_progress", "make_view", "receive"]
