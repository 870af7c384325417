"""The marks of a chart, told apart by their looks; `shown` is a widget or a chart, as both have a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from lr_widget.widget.chart import look


def dots(shown: Any) -> dict[str, Any]:
    """The marks of the probes: circles, diamonds and crosses."""
    return {
        mark.marker: mark for mark in shown.figure.marks if hasattr(mark, "default_size") and hasattr(mark, "marker")
    }


def band(shown: Any) -> Any:
    """The shaded area between the repeats."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "fill", "") == "between")


def area(shown: Any, tone: look.Tone) -> list[tuple[float, float]]:
    """The corners of the range of good rates or of the unstable ones."""
    [mark] = [
        mark for mark in shown.figure.marks if getattr(mark, "fill", "") == "bottom" and mark.colors[0] == tone.key
    ]
    return points(mark)


def smoothed_curve(shown: Any) -> Any:
    """The bold curve."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "stroke_width", 0) == look.SMOOTHED_WIDTH)


def raw_curve(shown: Any) -> Any:
    """The faint curve."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "colors", []) == [look.RAW.key])


def validation_curve(shown: Any) -> Any:
    """The curve of the validation losses."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "colors", []) == [look.VALIDATION.key])


def earlier_curves(shown: Any) -> list[Any]:
    """The thin curves of other runs that have points."""
    lines = [mark for mark in shown.figure.marks if getattr(mark, "stroke_width", 0) == look.EARLIER_WIDTH]
    return [mark for mark in lines if mark.marker is None and np.asarray(mark.x).size]


def vertical_lines(shown: Any) -> list[float]:
    """The rates that are marked by a vertical line: the suggestion, then the pick."""
    xs = [np.asarray(mark.x) for mark in shown.figure.marks if hasattr(mark, "x")]
    return [float(x[0]) for x in xs if x.size == 2 and x[0] == x[1]]


def label(shown: Any, start: str) -> Any:
    """The label whose text starts with a word, or None."""
    labels = [mark for mark in shown.figure.marks if hasattr(mark, "font_weight")]
    return next((mark for mark in labels if len(mark.text) and str(mark.text[0]).startswith(start)), None)


def points(mark: Any) -> list[tuple[float, float]]:
    """The points of a mark."""
    return list(zip(np.asarray(mark.x).tolist(), np.asarray(mark.y).tolist(), strict=True))


def limits(shown: Any) -> tuple[float, float]:
    """The ends of the loss axis."""
    scale = smoothed_curve(shown).scales["y"]
    return scale.min, scale.max


def bounds(shown: Any) -> tuple[float, float]:
    """The ends of the rate axis."""
    scale = smoothed_curve(shown).scales["x"]
    return scale.min, scale.max
