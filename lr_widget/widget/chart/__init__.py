"""The chart: a bqplot figure and the points that go into it."""

from .live import LiveChart
from .look import MARGIN_PX, PALETTE, LegendEntry, Margins, Marks
from .points import DrawnRun

__all__ = ["MARGIN_PX", "PALETTE", "DrawnRun", "LegendEntry", "LiveChart", "Margins", "Marks"]
