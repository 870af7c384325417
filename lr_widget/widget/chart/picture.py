"""The chart as an SVG text, for pages that cannot show the live one: a saved notebook, an exported page, marimo."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...results import thin
from .. import words
from . import look
from .points import band, loss_limits, loss_ticks, lr_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...suggest import Suggestion
    from .points import Array, Curve, Probe

WIDTH_PX = 760
_LEGEND_PX = 22  # above the plot area
_TOP, _BOTTOM = look.MARGIN_PX["top"] + _LEGEND_PX, look.HEIGHT_PX + _LEGEND_PX - look.MARGIN_PX["bottom"]
_LEFT, _RIGHT = look.MARGIN_PX["left"], WIDTH_PX - look.MARGIN_PX["right"]
_MAX_POINTS, _MAX_EARLIER_POINTS = 300, 120  # keep a picture below 60 KB in the notebook
_FONT = "font-family='system-ui,-apple-system,Segoe UI,Roboto,sans-serif' font-size='12'"
_INK, _GRID, _FRAME = "#4a4a4a", "#e3e3e3", "#8a8a8a"
_RAW = (look.LOSS_COLOR, 1.2, look.RAW_OPACITY)  # colour, width and opacity of a line
_SMOOTHED = (look.LOSS_COLOR, 2.6, 1.0)
_EARLIER = (look.EARLIER_COLOR, 1.2, look.EARLIER_OPACITY)
_LABEL_COLORS = {
    look.SUGGESTION_COLOR: "#9c4f00",
    look.PICK_COLOR: "#8a2fad",
}  # text on white needs more contrast than a line


class Scene(NamedTuple):
    """Everything that the chart shows."""

    bounds: tuple[float, float]
    current: Curve
    earlier: Sequence[Curve]
    repeats: Sequence[Curve]
    probes: Sequence[Probe]
    suggestion: Suggestion | None
    pick: float | None


def picture(scene: Scene) -> str:
    """Draw the chart on a white ground, with ticks, legend and marks.

    Returns:
        An SVG document of some 10 to 30 KB.
    """
    low, high = scene.bounds
    probes = [probe for probe in scene.probes if low <= probe.lr <= high and math.isfinite(probe.loss)]
    curves = [curve[1:] for curve in (scene.current, *scene.earlier, *scene.repeats)]
    limits = loss_limits(curves, probes)
    axes = _Axes(scene.bounds, limits or (0.0, 1.0))
    parts = [_ground(axes, has_losses=limits is not None)]
    if scene.suggestion is not None and scene.suggestion.lr is not None:
        parts += _range(axes, scene.suggestion)
    x, low_and_high = band([(lrs, smoothed) for lrs, _, smoothed in scene.repeats], _MAX_EARLIER_POINTS)
    if len(x):
        outline = axes.points(np.concatenate([x, x[::-1]]), np.concatenate([low_and_high[0], low_and_high[1][::-1]]))
        parts.append(f"<polygon points='{outline}' fill='{look.LOSS_COLOR}' fill-opacity='0.22'/>")
    parts += [_line(axes, lrs, smoothed, _EARLIER, _MAX_EARLIER_POINTS) for lrs, _, smoothed in scene.earlier]
    lrs, raw, smoothed = scene.current
    parts += [_line(axes, lrs, raw, _RAW), _line(axes, lrs, smoothed, _SMOOTHED)]
    parts += [_dot(axes, probe) for probe in probes]
    clipped = f"<g clip-path='url(#plot)'>{''.join(parts[1:])}</g>"
    return _document(parts[0] + clipped + _marks(axes, scene) + _legend(scene, has_probes=bool(probes)))


class _Axes:
    """Rates and losses as places in the picture."""

    def __init__(self, bounds: tuple[float, float], limits: tuple[float, float]) -> None:
        self.bounds, self.limits = bounds, limits

    def share(self, lr: float) -> float:
        low, high = np.log(self.bounds)
        return float((math.log(lr) - low) / (high - low))

    def x(self, lr: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * self.share(lr)

    def y(self, loss: float) -> float:
        low, high = self.limits
        # A loss far beyond the axis would be a number that no browser draws.
        share = min(max((loss - low) / (high - low), -1.0), 2.0)
        return _BOTTOM - (_BOTTOM - _TOP) * share

    def points(self, lrs: Array, losses: Array) -> str:
        return " ".join(f"{self.x(lr):.1f},{self.y(loss):.1f}" for lr, loss in zip(lrs, losses, strict=True))


def _document(content: str) -> str:
    width, height = WIDTH_PX, look.HEIGHT_PX + _LEGEND_PX
    frame = f"x='{_LEFT}' y='{_TOP}' width='{_RIGHT - _LEFT}' height='{_BOTTOM - _TOP}'"
    size = f"viewBox='0 0 {width} {height}' width='{width}' height='{height}'"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} {_FONT}><clipPath id='plot'><rect {frame}/></clipPath>"
        f"<rect width='{width}' height='{height}' rx='6' fill='#fff'/>{content}</svg>"
    )


def _ground(axes: _Axes, *, has_losses: bool) -> str:
    """Draw grid, ticks and the names of the axes."""
    parts = []
    for lr in lr_ticks(*axes.bounds):
        x = f"{axes.x(lr):.1f}"
        parts.append(f"<line x1='{x}' x2='{x}' y1='{_TOP}' y2='{_BOTTOM}' stroke='{_GRID}'/>")
        parts.append(_text(x, _BOTTOM + 17, _tick(lr), "middle"))
    for loss in loss_ticks(*axes.limits) if has_losses else ():
        y = f"{axes.y(loss):.1f}"
        parts.append(f"<line x1='{_LEFT}' x2='{_RIGHT}' y1='{y}' y2='{y}' stroke='{_GRID}'/>")
        parts.append(_text(_LEFT - 8, float(y) + 4, f"{loss:g}", "end"))
    parts.append(f"<path d='M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}' fill='none' stroke='{_FRAME}'/>")
    middle = (_TOP + _BOTTOM) / 2
    parts.append(_text((_LEFT + _RIGHT) / 2, _BOTTOM + 36, "learning rate", "middle"))
    turned = f"transform='rotate(-90 16 {middle:g})'"
    parts.append(f"<text x='16' y='{middle:g}' text-anchor='middle' fill='{_INK}' {turned}>loss</text>")
    return "".join(parts)


def _tick(lr: float) -> str:
    """Write the rate of a tick: `1e-6`, and with more digits where it is no round one."""
    text = f"{lr:.0e}" if float(f"{lr:.0e}") == lr else words.pick(lr)
    return text.replace("e-0", "e-").replace("e+0", "e+")


def _range(axes: _Axes, suggestion: Suggestion) -> list[str]:
    if suggestion.low is None or suggestion.high is None:
        return []
    left, right = axes.x(suggestion.low), axes.x(suggestion.high)
    size = f"x='{left:.1f}' y='{_TOP}' width='{right - left:.1f}' height='{_BOTTOM - _TOP}'"
    return [f"<rect {size} fill='{look.SUGGESTION_COLOR}' fill-opacity='0.13'/>"]


def _line(
    axes: _Axes, lrs: Array, losses: Array, style: tuple[str, float, float], max_points: int = _MAX_POINTS
) -> str:
    points = axes.points(*thin(lrs, losses, max_points))
    return f"<polyline points='{points}' fill='none' {_stroke(style)} stroke-linejoin='round'/>"


def _stroke(style: tuple[str, float, float]) -> str:
    color, width, opacity = style
    return f"stroke='{color}' stroke-width='{width}' stroke-opacity='{opacity}'"


def _dot(axes: _Axes, probe: Probe) -> str:
    low, high = axes.limits
    x, y = axes.x(probe.lr), axes.y(min(max(probe.loss, low), high))
    if probe.is_complete and not probe.is_compared:
        return f"<path d='M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z' fill='{look.EARLIER_COLOR}'/>"
    if probe.is_complete:
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' fill='{look.PROBE_COLOR}'/>"
    return f"<path d='M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8' stroke='{look.EARLIER_COLOR}' stroke-width='2'/>"


def _marks(axes: _Axes, scene: Scene) -> str:
    """Draw the lines of the suggestion and the pick, with their labels."""
    suggested = None if scene.suggestion is None else scene.suggestion.lr
    low, high = axes.bounds
    parts = []
    for lr, what, write, color, dash, y in (
        (suggested, "suggested", words.rate, look.SUGGESTION_COLOR, "6 4", _TOP + 14),
        (scene.pick, "your pick", words.pick, look.PICK_COLOR, "none", _TOP + 34),
    ):
        if lr is None or not low <= lr <= high:
            continue
        x = axes.x(lr)
        stroke = f"stroke='{color}' stroke-width='2' stroke-dasharray='{dash}'"
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{_TOP}' y2='{_BOTTOM}' {stroke}/>")
        is_right = axes.share(lr) > look.LABEL_ROOM
        text, anchor = f"{what} {write(lr)}", "end" if is_right else "start"
        parts.append(_text(x + (-6 if is_right else 6), y, text, anchor, _LABEL_COLORS[color], "font-weight='bold'"))
    return "".join(parts)


def _legend(scene: Scene, *, has_probes: bool) -> str:
    """Name the kinds of lines that are there, in a row above the plot area."""
    if not len(scene.current[0]):
        return ""
    entries = [("raw loss", _RAW), ("smoothed", _SMOOTHED)]
    if scene.earlier:
        entries.append(("earlier runs", _EARLIER))
    if has_probes:
        entries.append(("short trainings", (look.PROBE_COLOR, 6.0, 1.0)))
    parts, x, y = [], _LEFT, _TOP - 14
    for name, style in entries:
        parts.append(
            f"<line x1='{x}' x2='{x + 18}' y1='{y}' y2='{y}' {_stroke(style)}/>" + _text(x + 24, y + 4, name, "start")
        )
        x += 44 + 7 * len(name)
    return "".join(parts)


def _text(x: object, y: float, text: str, anchor: str, color: str = _INK, more: str = "") -> str:
    return f"<text x='{x}' y='{y:g}' text-anchor='{anchor}' fill='{color}' {more}>{escape(text)}</text>"
