"""The bqplot figure; besides it, only `marks.py` knows bqplot."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import bqplot
import numpy as np
from ipywidgets import Layout

from . import look
from .marks import Messages, RateMark, Region, area, dots, label, line, show_label
from .points import NOTHING
from .scene import Marker
from .ticks import tick_key

if TYPE_CHECKING:
    from .look import Marks
    from .points import Line
    from .scene import Axis, Scene

_KINDS = {True: bqplot.LogScale, False: bqplot.LinearScale}


class Chart:
    """A chart of the loss over the learning rate; each axis is logarithmic or linear.

    An axis of bqplot does not follow when it gets another scale, so there is one for each kind, and the figure gets the
    one that is needed.

    Attributes:
        figure: the figure.
        messages: those that the chart has caused.
    """

    def __init__(self) -> None:
        self.messages = Messages()
        self._scales = {(name, is_log): _scale(is_log=is_log) for name in "xy" for is_log in (True, False)}
        self._unit = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._axes = {place: _axis(place[0], scale) for place, scale in self._scales.items()}
        self._is_log = {"x": True, "y": False}
        losses, whole = self._on("y"), self._on("unit")
        self._good = Region(whole, look.SUGGESTION, look.RANGE_OPACITY, "dotted")
        self._unstable = Region(whole, look.UNSTABLE, look.UNSTABLE_OPACITY, "dashed")
        self._unstable_label = label(whole, look.UNSTABLE)
        self._band = area(losses, look.PALETTE[0], look.BAND_OPACITY, "between")
        self._earlier = [line(losses, tone, look.EARLIER_WIDTH) for tone in look.PALETTE]
        self._raw = line(losses, look.RAW, look.RAW_WIDTH)
        self._smoothed = line(losses, look.PALETTE[0], look.SMOOTHED_WIDTH)
        self._validation = line(losses, look.VALIDATION, look.EARLIER_WIDTH, marker="circle", marker_size=24)
        self._cut, self._aside = dots(losses, look.ASIDE, "cross"), dots(losses, look.ASIDE, "diamond")
        self._compared = dots(losses, look.PROBE, "circle")
        self._suggestion = RateMark(whole, look.SUGGESTION, "dashed", look.SUGGESTION_HEIGHT)
        self._pick = RateMark(whole, look.PICK, "solid", look.PICK_HEIGHT)
        self._lines = [self._band, *self._earlier, self._raw, self._smoothed, self._validation]
        self._dots = [self._cut, self._aside, self._compared]
        self.figure = self._make_figure()
        self._places: dict[int, Marks] = {}

    def show(self, scene: Scene) -> None:
        """Draw a scene, and send the changes alone.

        The axes come before the curves: in the other order, the browser would draw beyond the old limits.
        """
        self._show_axes(scene)
        self._good.show(scene.good, self.messages)
        self._unstable.show(scene.unstable, self.messages)
        end = None if scene.unstable is None else Marker(scene.unstable[1], "", "unstable", False, is_left=True)
        show_label(self._unstable_label, self.messages, end, look.UNSTABLE_HEIGHT)
        self._show_runs(scene)
        self._show_probes(scene)
        self._suggestion.show(scene.suggestion, self.messages)
        self._pick.show(scene.pick, self.messages)

    def marks_of(self, run_id: int) -> Marks | None:
        """Return the places of a run's curves among the marks, or None where it is not drawn."""
        return self._places.get(run_id)

    def close(self) -> None:
        """Close every widget of the chart, those that are not on the figure at the moment, too."""
        figure = self.figure
        scales = (*self._scales.values(), self._unit, figure.scale_x)
        with ExitStack() as closing:
            for part in (*figure.marks, *self._axes.values(), *scales, figure.layout, figure):
                closing.callback(part.close)

    def _make_figure(self) -> bqplot.Figure:
        figure = bqplot.Figure(
            marks=[
                self._good.area,
                self._unstable.area,
                *self._lines,
                *self._dots,
                self._unstable_label,
                *self._suggestion.parts,
                *self._pick.parts,
            ],
            axes=[self._axes[place] for place in self._is_log.items()],
            scale_x=bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False),
            scale_y=self._unit,
            fig_margin=dict(look.MARGIN_PX),
            padding_y=0.0,
            layout=Layout(width="100%", height=f"{look.HEIGHT_PX}px", min_width="0"),
        )
        if figure.has_trait("display_toolbar"):  # bqplot 0.13; its PanZoom would fight the limits set here
            figure.display_toolbar = False
        return figure

    def _on(self, y: str) -> dict[str, bqplot.Scale]:
        """Return the scales of now, over the losses or over the whole height."""
        losses = self._unit if y == "unit" else self._scales["y", self._is_log["y"]]
        return {"x": self._scales["x", self._is_log["x"]], "y": losses}

    def _show_axes(self, scene: Scene) -> None:
        for name, shown in (("x", scene.x), ("y", scene.y)):
            place = (name, self._is_log[name] if shown is None else shown.is_log)
            if shown is not None:
                self.messages.set(self._scales[place], min=shown.low, max=shown.high)
            self._show_ticks(self._axes[place], shown)
        is_log = {"x": scene.x.is_log, "y": self._is_log["y"] if scene.y is None else scene.y.is_log}
        if is_log != self._is_log:
            self._is_log = is_log
            for mark in self.figure.marks:
                self.messages.set(mark, scales=self._on("y" if mark in (*self._lines, *self._dots) else "unit"))
            self.messages.set(self.figure, axes=[self._axes[place] for place in is_log.items()])

    def _show_ticks(self, mark: bqplot.Axis, axis: Axis | None) -> None:
        """Show the ticks of an axis; without any loss, it has none and is hidden."""
        if axis is None:
            self.messages.set(mark, visible=False)
            return
        # Before the values, not with them: for values that change, bqplot keeps the labels that it knows by then.
        self.messages.set(mark, tick_labels=dict(zip(map(tick_key, axis.ticks.values), axis.ticks.labels, strict=True)))
        self.messages.set(mark, tick_values=axis.ticks.values, label=axis.label, visible=True)

    def _show_runs(self, scene: Scene) -> None:
        marks = list(self.figure.marks)
        self._places = {}
        earlier: list[Line | None] = [*scene.earlier, *[None] * len(self._earlier)]
        for mark, shown in zip(self._earlier, earlier, strict=False):
            if shown is None:
                self.messages.set(mark, x=NOTHING, y=NOTHING)
                continue
            style = look.LINE_STYLES[shown.color]
            self.messages.set(mark, x=shown.x, y=shown.smoothed, colors=_colors(shown), line_style=style)
            self._places[shown.run_id] = {"raw": None, "smoothed": marks.index(mark), "validation": None}
        current = scene.current
        x, raw, smoothed = (NOTHING,) * 3 if current is None else (current.x, current.raw, current.smoothed)
        colors = self._smoothed.colors if current is None else _colors(current)
        self.messages.set(self._raw, x=x, y=raw)
        self.messages.set(self._smoothed, x=x, y=smoothed, colors=colors)
        self.messages.set(self._validation, x=scene.validation[0], y=scene.validation[1])
        self.messages.set(self._band, x=scene.band[0], y=scene.band[1], colors=colors * 2, fill_colors=colors * 2)
        if current is not None:
            self._places[current.run_id] = {
                "raw": marks.index(self._raw),
                "smoothed": marks.index(self._smoothed),
                "validation": marks.index(self._validation) if scene.validation[0].size else None,
            }

    def _show_probes(self, scene: Scene) -> None:
        complete = [probe for probe in scene.probes if probe.is_complete]
        for mark, probes in (
            (self._compared, [probe for probe in complete if probe.is_compared]),
            (self._aside, [probe for probe in complete if not probe.is_compared]),
            (self._cut, [probe for probe in scene.probes if not probe.is_complete]),
        ):
            # A loss beyond the axis stands at its edge.
            losses = np.clip(np.array([probe.loss for probe in probes], dtype=float), *scene.losses)
            self.messages.set(mark, x=np.array([probe.lr for probe in probes], dtype=float), y=losses)


def _scale(*, is_log: bool) -> bqplot.Scale:
    return _KINDS[is_log](min=0.1 if is_log else 0.0, max=1.0, allow_padding=False)


def _axis(name: str, scale: bqplot.Scale) -> bqplot.Axis:
    if name == "x":
        return bqplot.Axis(scale=scale, label="learning rate", grid_lines="solid", label_offset="34px")
    axis = bqplot.Axis(scale=scale, side="left", label="loss", grid_lines="solid", visible=False, label_offset="60px")
    # Not among the arguments: bqplot 0.13 has it as a property, 0.12 as a trait that the side does not set.
    axis.orientation = "vertical"
    return axis


def _colors(shown: Line) -> list[str]:
    return [look.PALETTE[shown.color].key]
