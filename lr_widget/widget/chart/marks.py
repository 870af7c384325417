"""The marks of bqplot that the chart is made of, and the messages that changes of them cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np

from . import look

if TYPE_CHECKING:
    from ipywidgets import Widget

    from .points import Array, Span
    from .scene import Marker

Scales = dict[str, bqplot.Scale]

_EMPTY = np.array([])
_TEXT_PX = 12.0


class Messages:
    """Send changes to the browser, and nothing that it has already.

    Attributes:
        count: the messages so far.
    """

    def __init__(self) -> None:
        self.count = 0

    def set(self, widget: Widget, **values: Any) -> None:
        """Set the traits whose values change, all in one message: of x alone, a curve would be drawn with halves."""
        changed = {name: value for name, value in values.items() if not _is_same(getattr(widget, name), value)}
        if changed:
            with widget.hold_sync():
                for name, value in changed.items():
                    setattr(widget, name, value)
            self.count += 1


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f"))
    return bool(one == other)


def line(scales: Scales, tone: look.Tone, width: float, **style: Any) -> bqplot.Lines:
    """Make a line."""
    return bqplot.Lines(
        x=_EMPTY, y=_EMPTY, scales=scales, colors=[tone.key], stroke_width=width, enable_hover=False, **style
    )


def area(scales: Scales, tone: look.Tone, opacity: float, fill: str, line_style: str = "solid") -> bqplot.Lines:
    """Make a shaded area whose edge is a thin line: the shade alone has too little contrast."""
    return bqplot.Lines(
        x=_EMPTY,
        y=_EMPTY,
        scales=scales,
        colors=[tone.key] * 2,
        stroke_width=look.EDGE_WIDTH,
        line_style=line_style,
        fill=fill,
        fill_colors=[tone.key] * 2,
        fill_opacities=[opacity] * 2,
        enable_hover=False,
    )


def dots(scales: Scales, tone: look.Tone, marker: str) -> bqplot.Scatter:
    """Make dots."""
    return bqplot.Scatter(
        x=_EMPTY, y=_EMPTY, scales=scales, colors=[tone.key], marker=marker, default_size=70, enable_hover=False
    )


class RateMark:
    """A vertical line at a rate, with a label; an arrow in the label for a rate beyond the axis.

    Args:
        scales: x, and y from 0 at the bottom to 1 at the top.
        tone: its colour.
        line_style: of the line.
        label_height: of the label, from 0 to 1.
    """

    def __init__(self, scales: Scales, tone: look.Tone, line_style: str, label_height: float) -> None:
        self._height = label_height
        self._line = line(scales, tone, 2.0, line_style=line_style)
        self._label = label(scales, tone)
        self.parts = (self._line, self._label)

    def show(self, marker: Marker | None, messages: Messages) -> None:
        """Put the mark at a rate, or take it away for None."""
        is_there = marker is not None and marker.is_inside
        x = np.array([marker.x] * 2 if marker is not None and is_there else [])
        messages.set(self._line, x=x, y=np.array([0.0, 1.0] if is_there else []))
        show_label(self._label, messages, marker, self._height)


class Region:
    """A range of rates, shaded over the whole height.

    Args:
        scales: x, and y from 0 at the bottom to 1 at the top.
        tone: its colour.
        opacity: of the shade.
        line_style: of its edge.
    """

    def __init__(self, scales: Scales, tone: look.Tone, opacity: float, line_style: str) -> None:
        self.area = area(scales, tone, opacity, "bottom", line_style)

    def show(self, span: Span | None, messages: Messages) -> None:
        """Shade the rates between two, or none."""
        low, high = (0.0, 0.0) if span is None else span
        x: Array = np.array([] if span is None else [low, low, high, high])
        messages.set(self.area, x=x, y=np.array([] if span is None else [0.0, 1.0, 1.0, 0.0]))


def label(scales: Scales, tone: look.Tone) -> bqplot.Label:
    """Make a text."""
    return bqplot.Label(
        x=_EMPTY,
        y=_EMPTY,
        text=[],
        scales=scales,
        colors=[tone.key],
        default_size=_TEXT_PX,
        font_weight="bold",
        enable_hover=False,
    )


def show_label(mark: bqplot.Label, messages: Messages, marker: Marker | None, height: float) -> None:
    """Show the text of a marker beside its place, or nothing for None."""
    if marker is None:
        messages.set(mark, x=_EMPTY, y=_EMPTY, text=[])
        return
    align, offset = ("end", -6) if marker.is_left else ("start", 6)
    messages.set(mark, x=np.array([marker.x]), y=np.array([height]), text=[marker.text], align=align, x_offset=offset)
