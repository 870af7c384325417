"""The chart: a bqplot figure and the points that go into it."""

from .figure import MARGIN_PX, Margins
from .live import LiveChart

__all__ = ["MARGIN_PX", "LiveChart", "Margins"]
