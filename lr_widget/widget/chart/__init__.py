"""The chart: a bqplot figure and the points that go into it."""

from .live import LiveChart
from .look import MARGIN_PX, Margins

__all__ = ["MARGIN_PX", "LiveChart", "Margins"]
