"""The bqplot figure; no other module knows bqplot."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import bqplot
import numpy as np
from ipywidgets import Layout

from ...results import thin
from .. import words
from . import look
from .points import MAX_POINTS, Array, band, loss_limits, loss_ticks, lr_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .points import Curve, Probe


class Chart:
    """A chart of the loss over the learning rate, with a logarithmic x axis.

    Args:
        low, high: bounds of the x axis, positive.
    """

    def __init__(self, low: float, high: float) -> None:
        self._x = bqplot.LogScale(min=low, max=high, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._unit = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._x_axis = bqplot.Axis(
            scale=self._x, label="learning rate", tick_format="~e", grid_lines="solid", label_offset="34px"
        )
        self._y_axis = bqplot.Axis(
            scale=self._y,
            side="left",
            label="loss",
            grid_lines="solid",
            tick_format="~g",
            visible=False,  # no loss, no ticks
            label_offset="46px",
        )
        # Not among the arguments: bqplot 0.13 has it as a property, 0.12 as a trait that the side does not set.
        self._y_axis.orientation = "vertical"
        self._earlier = [
            self._line(look.EARLIER_COLOR, 1.2, look.EARLIER_OPACITY) for _ in range(look.MAX_EARLIER_RUNS)
        ]
        self._repeats = self._area(look.LOSS_COLOR, 0.22, fill="between", y_scale=self._y)
        self._raw = self._line(look.LOSS_COLOR, 1.2, look.RAW_OPACITY)
        self._smoothed = self._line(look.LOSS_COLOR, 2.6, 1.0)
        self._range = self._area(look.SUGGESTION_COLOR, 0.13, fill="bottom", y_scale=self._unit)
        self._probes_cut = self._dots(look.EARLIER_COLOR, "cross")
        self._probes_aside = self._dots(look.EARLIER_COLOR, "diamond")
        self._probes = self._dots(look.PROBE_COLOR, "circle")
        scales = {"x": self._x, "y": self._unit}
        self._suggestion = _Marker(scales, "suggested", words.rate, look.SUGGESTION_COLOR, "dashed", label_height=0.95)
        self._pick = _Marker(scales, "your pick", words.pick, look.PICK_COLOR, "solid", label_height=0.86)
        self.figure = self._make_figure()
        self.show_bounds(low, high)

    def _make_figure(self) -> bqplot.Figure:
        figure = bqplot.Figure(
            marks=[
                self._range,
                self._repeats,
                *self._earlier,
                self._raw,
                self._smoothed,
                self._probes_cut,
                self._probes_aside,
                self._probes,
                *self._suggestion.marks,
                *self._pick.marks,
            ],
            axes=[self._x_axis, self._y_axis],
            scale_x=bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False),
            scale_y=self._unit,
            fig_margin=dict(look.MARGIN_PX),
            padding_y=0.0,
            layout=Layout(width="100%", height=f"{look.HEIGHT_PX}px", min_width="0"),
        )
        if figure.has_trait("display_toolbar"):  # bqplot 0.13; its PanZoom would fight the limits set here
            figure.display_toolbar = False
        return figure

    def show_bounds(self, low: float, high: float) -> None:
        """Let the x axis go from one positive rate to another."""
        self.bounds = (low, high)
        with self._x.hold_sync():
            self._x.min, self._x.max = low, high
        self._x_axis.tick_values = lr_ticks(low, high)

    def show_current(
        self, lrs: Array, raw: Array, smoothed: Array, others: Sequence[Curve] = (), probes: Sequence[Probe] = ()
    ) -> None:
        """Draw the current curve and the probes within the axis, with a y axis that suits the other curves, too."""
        low, high = self.bounds
        probes = [probe for probe in probes if low <= probe.lr <= high]
        limits = loss_limits([(raw, smoothed), *(curve[1:] for curve in others)], probes)
        if limits is not None:  # before the curves: in the other order, the browser would draw beyond the old limits
            self._show_limits(*limits)
        self._show_probes(probes, limits or (0.0, 1.0))
        self._draw(self._raw, lrs, raw)
        self._draw(self._smoothed, lrs, smoothed)

    def show_earlier(self, earlier: Sequence[Curve]) -> None:
        """Draw up to `look.MAX_EARLIER_RUNS` earlier curves, thin."""
        nothing = (np.array([]), np.array([]), np.array([]))
        for mark, (lrs, _, smoothed) in zip(
            self._earlier, [*earlier, *[nothing] * look.MAX_EARLIER_RUNS], strict=False
        ):
            self._draw(mark, lrs, smoothed)

    def show_repeats(self, curves: Sequence[Curve]) -> None:
        """Shade the area between the lowest and the highest smoothed loss of several sweeps."""
        x, low_and_high = band([(lrs, smoothed) for lrs, _, smoothed in curves])
        with self._repeats.hold_sync():
            self._repeats.x, self._repeats.y = x, low_and_high

    def show_suggestion(self, lr: float | None, low: float | None = None, high: float | None = None) -> None:
        """Mark the suggested rate and the range around it, or nothing for None."""
        self._suggestion.move(lr, self.bounds)
        has_range = lr is not None and low is not None and high is not None
        with self._range.hold_sync():
            self._range.x = np.array([low, high], dtype=float) if has_range else np.array([])
            self._range.y = np.array([1.0, 1.0]) if has_range else np.array([])

    def show_pick(self, lr: float | None) -> None:
        """Mark the rate that the user picked, or nothing for None."""
        self._pick.move(lr, self.bounds)

    def close(self) -> None:
        """Close every widget of the chart."""
        with ExitStack() as closing:
            for part in (*self.figure.marks, *self.figure.axes, self._x, self._y, self._unit, self.figure.scale_x):
                closing.callback(part.close)
            closing.callback(self.figure.close)

    def _show_limits(self, low: float, high: float) -> None:
        with self._y.hold_sync():
            self._y.min, self._y.max = low, high
        with self._y_axis.hold_sync():
            self._y_axis.tick_values = loss_ticks(low, high)
            self._y_axis.visible = True

    def _line(self, color: str, width: float, opacity: float) -> bqplot.Lines:
        return bqplot.Lines(
            x=np.array([]),
            y=np.array([]),
            scales={"x": self._x, "y": self._y},
            colors=[color],
            stroke_width=width,
            opacities=[opacity],
            enable_hover=False,
        )

    def _area(self, color: str, opacity: float, *, fill: str, y_scale: bqplot.Scale) -> bqplot.Lines:
        return bqplot.Lines(
            x=np.array([]),
            y=np.array([]),
            scales={"x": self._x, "y": y_scale},
            colors=[color, color],
            stroke_width=0.0,
            fill=fill,
            fill_colors=[color, color],
            fill_opacities=[opacity, opacity],
            enable_hover=False,
        )

    def _dots(self, color: str, marker: str) -> bqplot.Scatter:
        return bqplot.Scatter(
            x=np.array([]),
            y=np.array([]),
            scales={"x": self._x, "y": self._y},
            colors=[color],
            marker=marker,
            default_size=70,
            enable_hover=False,
        )

    def _show_probes(self, probes: Sequence[Probe], limits: tuple[float, float]) -> None:
        complete = [probe for probe in probes if probe.is_complete]
        for mark, shown in (
            (self._probes, [probe for probe in complete if probe.is_compared]),
            (self._probes_aside, [probe for probe in complete if not probe.is_compared]),
            (self._probes_cut, [probe for probe in probes if not probe.is_complete]),
        ):
            with mark.hold_sync():
                mark.x = np.array([probe.lr for probe in shown], dtype=float)
                # A loss beyond the axis stands at its edge.
                mark.y = np.clip(np.array([probe.loss for probe in shown], dtype=float), *limits)

    @staticmethod
    def _draw(mark: bqplot.Lines, x: Array, y: Array) -> None:
        x, y = thin(x, y, MAX_POINTS)
        with mark.hold_sync():  # x and y in one message: in two, the browser would draw a curve of unequal halves
            mark.x, mark.y = x, y


class _Marker:
    """A vertical line at a rate, with a label."""

    def __init__(
        self,
        scales: dict[str, bqplot.Scale],
        what: str,
        write: Callable[[float], str],
        color: str,
        line_style: str,
        label_height: float,
    ) -> None:
        self._what, self._write = what, write
        self._label_height = label_height
        empty = {"x": np.array([]), "y": np.array([])}
        self._line = bqplot.Lines(
            **empty, scales=scales, colors=[color], line_style=line_style, stroke_width=2.0, enable_hover=False
        )
        self._label = bqplot.Label(
            **empty, text=[], scales=scales, colors=[color], default_size=12.0, font_weight="bold", enable_hover=False
        )
        self.marks = (self._line, self._label)

    def move(self, lr: float | None, bounds: tuple[float, float]) -> None:
        """Put the marker at a rate, or take it away for None."""
        x = np.array([] if lr is None else [lr, lr], dtype=float)
        with self._line.hold_sync():
            self._line.x, self._line.y = x, np.array([0.0, 1.0][: len(x)])
        with self._label.hold_sync():
            self._label.x, self._label.y = x[:1], np.array([self._label_height][: len(x)])
            self._label.text = [] if lr is None else [f"{self._what} {self._write(lr)}"]
            if lr is not None:
                low, high = np.log(bounds)
                is_right = (np.log(lr) - low) / (high - low) > look.LABEL_ROOM
                self._label.align = "end" if is_right else "start"
                self._label.x_offset = -6 if is_right else 6
