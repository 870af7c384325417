"""The notebook widget; everything here needs ipywidgets, anywidget and bqplot."""

from .widget import LRFinderWidget

__all__ = ["LRFinderWidget"]
