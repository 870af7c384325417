"""The marks of a chart, told apart by their looks; `shown` is a widget or a chart, as both have a figure."""

from __future__ import annotations

from typing import Any

import numpy as np


def dots(shown: Any) -> dict[str, Any]:
    """The marks of the probes: circles for those that got to their end, crosses for the others."""
    return {mark.marker: mark for mark in shown.figure.marks if hasattr(mark, "marker")}


def band(shown: Any) -> Any:
    """The shaded area between the repeats."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "fill", "") == "between")


def smoothed_curve(shown: Any) -> Any:
    """The bold curve."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "stroke_width", 0) == 2.6)


def raw_curve(shown: Any) -> Any:
    """The faint curve."""
    return next(mark for mark in shown.figure.marks if getattr(mark, "opacities", []) == [0.55])


def earlier_curves(shown: Any) -> list[Any]:
    """The thin curves of earlier runs, those without points included."""
    return [mark for mark in shown.figure.marks if getattr(mark, "opacities", []) == [0.65]]


def vertical_lines(shown: Any) -> list[float]:
    """The rates that are marked by a vertical line: the suggestion, then the pick."""
    xs = [np.asarray(mark.x) for mark in shown.figure.marks if hasattr(mark, "x")]
    return [float(x[0]) for x in xs if x.size == 2 and x[0] == x[1]]


def label(shown: Any, start: str) -> Any:
    """The label whose text starts with a word, or None."""
    labels = [mark for mark in shown.figure.marks if hasattr(mark, "font_weight")]
    return next((mark for mark in labels if len(mark.text) and str(mark.text[0]).startswith(start)), None)
