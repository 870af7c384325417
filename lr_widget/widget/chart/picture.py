"""The chart as an SVG text, for pages that cannot show the live one: a saved notebook, an exported page, marimo."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ...results import thin
from . import look
from .wording import legend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .look import LegendKind, Tone
    from .points import Array, Probe, Span
    from .scene import Axis, Marker, Scene

WIDTH_PX = 760
_ROW_PX = 20  # of the legend, above the plot area
_LEFT, _RIGHT = look.MARGIN_PX["left"], WIDTH_PX - look.MARGIN_PX["right"]
_HEIGHT = look.HEIGHT_PX - look.MARGIN_PX["top"] - look.MARGIN_PX["bottom"]
_MAX_EARLIER_POINTS = 100  # keep a picture below 60 KB in the notebook
_MAX_NAME = 40  # characters
_CHAR_PX = 6.6
_FAR = 10.0  # heights of the axis; the coordinates of an exploding tail would be long
_FONT = "font-family='system-ui,-apple-system,Segoe UI,Roboto,sans-serif' font-size='12'"
_BOLD = "font-weight='bold' stroke='#fff' stroke-width='3' paint-order='stroke'"  # a rim, where it crosses a curve
_INK, _GRID, _FRAME = "#4a4a4a", "#e3e3e3", "#8a8a8a"
_DASHES = {"solid": "", "dashed": "8 5", "dotted": "2 4", "dash_dotted": "8 4 2 4"}


def picture(scene: Scene, names: Mapping[int, str]) -> str:
    """Draw a scene on a white ground, with ticks, legend and marks.

    Args:
        scene: everything that is on the chart.
        names: of the runs, by their numbers; the legend names those that have one.

    Returns:
        An SVG document of some 10 to 40 KB.
    """
    entries, top = _legend(scene, names)
    plot = _Plot(scene.x, scene.losses, is_log=scene.y is not None and scene.y.is_log, top=top)
    clipped = f"<g clip-path='url(#plot)'>{''.join([*_regions(plot, scene), *_curves(plot, scene)])}</g>"
    return plot.document(_ground(plot, scene) + clipped + _marks(plot, scene) + entries)


class _Plot:
    """The plot area: rates and losses as places in the picture."""

    def __init__(self, rates: Axis, losses: Span, *, is_log: bool, top: float) -> None:
        self._rates, self._losses, self._is_log = rates, losses, is_log
        self.top, self.bottom = top, top + _HEIGHT

    def x(self, lr: Array | float) -> Array:
        return _LEFT + (_RIGHT - _LEFT) * _shares(lr, self._rates.low, self._rates.high, is_log=self._rates.is_log)

    def y(self, loss: Array | float) -> Array:
        share = np.clip(_shares(loss, *self._losses, is_log=self._is_log), -_FAR, _FAR)
        return self.bottom - _HEIGHT * share

    def points(self, lrs: Array, losses: Array) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(self.x(lrs), self.y(losses), strict=True))

    def document(self, content: str) -> str:
        height = self.bottom + look.MARGIN_PX["bottom"]
        frame = f"x='{_LEFT}' y='{self.top:g}' width='{_RIGHT - _LEFT}' height='{_HEIGHT}'"
        size = f"viewBox='0 0 {WIDTH_PX} {height:g}' width='{WIDTH_PX}' height='{height:g}'"
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' {size} {_FONT}><clipPath id='plot'><rect {frame}/></clipPath>"
            f"<rect width='{WIDTH_PX}' height='{height:g}' rx='6' fill='#fff'/>{content}</svg>"
        )


def _shares(values: Array | float, low: float, high: float, *, is_log: bool) -> Array:
    at, first, last = (np.log(each) if is_log else np.asarray(each, dtype=float) for each in (values, low, high))
    with np.errstate(over="ignore"):  # of a loss far beyond the axis
        shares: Array = (at - first) / (last - first)
    return shares


def _ground(plot: _Plot, scene: Scene) -> str:
    """Draw grid, ticks and the names of the axes."""
    parts = []
    top, bottom = plot.top, plot.bottom
    for lr, name in zip(*scene.x.ticks[:2], strict=True):
        x = f"{plot.x(lr):.1f}"
        parts.append(f"<line x1='{x}' x2='{x}' y1='{top:g}' y2='{bottom:g}' stroke='{_GRID}'/>")
        parts.append(_text(x, bottom + 17, name, "middle"))
    for loss, name in () if scene.y is None else zip(*scene.y.ticks[:2], strict=True):
        y = f"{plot.y(loss):.1f}"
        parts.append(f"<line x1='{_LEFT}' x2='{_RIGHT}' y1='{y}' y2='{y}' stroke='{_GRID}'/>")
        parts.append(_text(_LEFT - 8, float(y) + 4, name, "end"))
    parts.append(f"<path d='M{_LEFT} {top:g}V{bottom:g}H{_RIGHT}' fill='none' stroke='{_FRAME}'/>")
    parts.append(_text((_LEFT + _RIGHT) / 2, bottom + 36, scene.x.label, "middle"))
    middle = (top + bottom) / 2
    name = "loss" if scene.y is None else scene.y.label
    turned = f"transform='rotate(-90 16 {middle:g})'"
    parts.append(_text(16, middle, name, "middle", more=turned))
    return "".join(parts)


def _regions(plot: _Plot, scene: Scene) -> list[str]:
    """Shade the range of good rates and the unstable ones."""
    parts = []
    for span, tone, opacity, dash in (
        (scene.good, look.SUGGESTION, look.RANGE_OPACITY, "dotted"),
        (scene.unstable, look.UNSTABLE, look.UNSTABLE_OPACITY, "dashed"),
    ):
        if span is not None:
            left, right = map(plot.x, span)
            size = f"x='{left:.1f}' y='{plot.top:g}' width='{right - left:.1f}' height='{_HEIGHT}'"
            stroke = _stroke(tone, look.EDGE_WIDTH, dash)
            parts.append(f"<rect {size} fill='{tone.light}' fill-opacity='{opacity}' {stroke}/>")
    return parts


def _curves(plot: _Plot, scene: Scene) -> list[str]:
    """Draw the band, the lines of all runs, and the probes."""
    parts = []
    tone = look.PALETTE[0 if scene.current is None else scene.current.color]
    x, (low, high) = scene.band
    if len(x):
        outline = plot.points(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))
        stroke = _stroke(tone, look.EDGE_WIDTH)
        parts.append(f"<polygon points='{outline}' fill='{tone.light}' fill-opacity='{look.BAND_OPACITY}' {stroke}/>")
    for line in scene.earlier:
        stroke = _stroke(look.PALETTE[line.color], look.EARLIER_WIDTH, look.LINE_STYLES[line.color])
        parts += _line(plot, *thin(line.x, line.smoothed, _MAX_EARLIER_POINTS), stroke)
    if scene.current is not None:
        parts += _line(plot, scene.current.x, scene.current.raw, _stroke(look.RAW, look.RAW_WIDTH))
        parts += _line(plot, scene.current.x, scene.current.smoothed, _stroke(tone, look.SMOOTHED_WIDTH))
    validation = scene.validation
    parts += _line(plot, *validation, _stroke(look.VALIDATION, look.EARLIER_WIDTH))
    for lr, loss in zip(*thin(*validation, _MAX_EARLIER_POINTS), strict=True):
        parts.append(_sign("validation", float(plot.x(lr)), float(plot.y(loss))))
    return parts + [_dot(plot, probe, scene.losses) for probe in scene.probes]


def _line(plot: _Plot, lrs: Array, losses: Array, stroke: str) -> list[str]:
    """Draw a line, in pieces where a loss is no number."""
    gaps = np.flatnonzero(np.isnan(losses))
    pieces = [piece[np.isfinite(losses[piece])] for piece in np.split(np.arange(len(losses)), gaps)]
    return [
        f"<polyline points='{plot.points(lrs[piece], losses[piece])}' fill='none' {stroke} stroke-linejoin='round'/>"
        for piece in pieces
        if len(piece)
    ]


def _stroke(tone: Tone, width: float, style: str = "solid") -> str:
    dash = f" stroke-dasharray='{_DASHES[style]}'" if _DASHES[style] else ""
    return f"stroke='{tone.light}' stroke-width='{width:g}'{dash}"


def _dot(plot: _Plot, probe: Probe, losses: Span) -> str:
    x, y = plot.x(probe.lr), plot.y(min(max(probe.loss, losses[0]), losses[1]))
    kind = "probe_cut" if not probe.is_complete else "probe" if probe.is_compared else "probe_aside"
    return _sign(kind, float(x), float(y))


def _sign(kind: str, x: float, y: float) -> str:
    """Draw the sign of a validation loss or of a probe at a place."""
    if kind == "probe_cut":
        return f"<path d='M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8' stroke='{look.ASIDE.light}' stroke-width='2'/>"
    if kind == "probe_aside":
        return f"<path d='M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z' fill='{look.ASIDE.light}'/>"
    radius, tone = (2.5, look.VALIDATION) if kind == "validation" else (4.5, look.PROBE)
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius}' fill='{tone.light}'/>"


def _marks(plot: _Plot, scene: Scene) -> str:
    """Draw the lines of the suggestion and the pick, and all labels."""
    parts = []
    for marker, tone, style, height in (
        (scene.suggestion, look.SUGGESTION, "dashed", look.SUGGESTION_HEIGHT),
        (scene.pick, look.PICK, "solid", look.PICK_HEIGHT),
    ):
        if marker is not None:
            if marker.is_inside:
                x = f"{plot.x(marker.x):.1f}"
                ends = f"x1='{x}' x2='{x}' y1='{plot.top:g}' y2='{plot.bottom:g}'"
                parts.append(f"<line {ends} {_stroke(tone, 2.0, style)}/>")
            parts.append(_label(plot, marker, tone, height))
    if scene.unstable is not None:
        right = plot.x(scene.unstable[1]) - 6
        y = plot.bottom - _HEIGHT * look.UNSTABLE_HEIGHT
        parts.append(_text(f"{right:.1f}", y, "unstable", "end", look.UNSTABLE.light, _BOLD))
    return "".join(parts)


def _label(plot: _Plot, marker: Marker, tone: Tone, height: float) -> str:
    x = plot.x(marker.x) + (-6 if marker.is_left else 6)
    y = plot.bottom - _HEIGHT * height
    return _text(f"{x:.1f}", y, marker.text, "end" if marker.is_left else "start", tone.light, _BOLD)


def _legend(scene: Scene, names: Mapping[int, str]) -> tuple[str, float]:
    """Draw the legend in as many rows as it needs, and return the top of the plot area below it."""
    color = 0 if scene.current is None else scene.current.color
    named = [
        (line.run_id, _stroke(look.PALETTE[line.color], look.EARLIER_WIDTH, look.LINE_STYLES[line.color]))
        for line in scene.earlier
    ]
    if scene.current is not None:
        named.append((scene.current.run_id, _stroke(look.PALETTE[color], look.SMOOTHED_WIDTH)))
    entries = [(_short(names[run_id]), _dash(stroke)) for run_id, stroke in named if run_id in names]
    entries += [(entry["text"], _swatch(entry["kind"], color)) for entry in legend(scene)]
    parts, x, row = [], float(_LEFT), 0
    for name, swatch in entries:
        width = 24 + _CHAR_PX * len(name)
        if x > _LEFT and x + width > _RIGHT:
            x, row = float(_LEFT), row + 1
        y = look.MARGIN_PX["top"] + _ROW_PX * row + 4
        parts.append(f"<g transform='translate({x:.0f} {y})'>{swatch}{_text(24, 4, name, 'start')}</g>")
        x += width + 18
    return "".join(parts), look.MARGIN_PX["top"] + _ROW_PX * (row + 1)


def _swatch(kind: LegendKind, color: int) -> str:
    """Draw the sign of an entry, 18 pixels wide, about the origin's height."""
    areas = {
        "band": (look.PALETTE[color], look.BAND_OPACITY, "solid"),
        "range": (look.SUGGESTION, look.RANGE_OPACITY, "dotted"),
        "unstable": (look.UNSTABLE, look.UNSTABLE_OPACITY, "dashed"),
    }
    if kind in areas:
        tone, opacity, style = areas[kind]
        size = "x='0.5' y='-5.5' width='17' height='11'"
        return f"<rect {size} fill='{tone.light}' fill-opacity='{opacity}' {_stroke(tone, look.EDGE_WIDTH, style)}/>"
    if kind == "validation":
        return _dash(_stroke(look.VALIDATION, look.EARLIER_WIDTH)) + _sign(kind, 9, 0)
    if kind in ("raw", "smoothed"):
        is_raw = kind == "raw"
        tone, width = (look.RAW, look.RAW_WIDTH) if is_raw else (look.PALETTE[color], look.SMOOTHED_WIDTH)
        return _dash(_stroke(tone, width))
    return _sign(kind, 9, 0)


def _dash(stroke: str) -> str:
    return f"<line x1='0' x2='18' y1='0' y2='0' {stroke}/>"


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _text(x: object, y: float, text: str, anchor: str, color: str = _INK, more: str = "") -> str:
    return f"<text x='{x}' y='{y:g}' text-anchor='{anchor}' fill='{color}' {more}>{escape(text)}</text>"
