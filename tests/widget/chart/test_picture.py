"""The picture of the chart: a small SVG document with curves, ticks and marks at their places."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from lr_widget import Suggestion
from lr_widget.smoothing import ema
from lr_widget.widget.chart.picture import Scene, picture
from lr_widget.widget.chart.points import Curve, Probe

SVG = "{http://www.w3.org/2000/svg}"
NOTHING = np.array([])
SUGGESTED = Suggestion(1e-2, "auto", "Here.", low=1e-3, high=1e-1)


def curve(size: int = 100, height: float = 1.0) -> Curve:
    """Losses that fall and then explode."""
    lrs = np.logspace(-6, 1, size)
    raw = height * (2 - 1 / (1 + 1e-2 / lrs)) + (lrs / 3) ** 8
    return lrs, raw, ema(raw, 0.9)


def scene(**changes: Any) -> Scene:
    """A finished test from 1e-6 to 10, but for the changes."""
    plain = Scene((1e-6, 10.0), curve(), [], [], [], SUGGESTED, None)
    return plain._replace(**changes)


def read(scene: Scene) -> ET.Element:
    """Draw a scene and parse it."""
    return ET.fromstring(picture(scene))


def texts(root: ET.Element) -> list[str]:
    """All texts of a picture."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def places(root: ET.Element, kind: str = "polyline") -> list[np.ndarray]:
    """The points of all lines of a picture."""
    found = [element.get("points", "").split() for element in root.iter(f"{SVG}{kind}")]
    return [np.array([[float(v) for v in point.split(",")] for point in points]).reshape(-1, 2) for points in found]


def test_the_curve_goes_from_edge_to_edge_over_named_ticks() -> None:
    """1e-6 is at the left end of the axis and 10 at the right, a decade apart for each tick."""
    root = read(scene())
    raw, smoothed = places(root)
    assert [raw[0, 0], raw[-1, 0], smoothed[0, 0]] == pytest.approx([64, 740, 64], abs=0.2)
    assert len(raw) == len(smoothed) == 100
    assert set(texts(root)) >= {"1e-6", "1e-5", "1e-1", "1e+0", "1e+1", "learning rate", "loss", "raw loss", "smoothed"}
    [clipped] = [group for group in root.iter(f"{SVG}g") if group.get("clip-path")]
    assert len(list(clipped.iter(f"{SVG}polyline"))) == 2  # an exploding tail ends at the edge of the plot area
    assert raw[50, 1] > raw[0, 1]  # a lower loss is further down


def test_suggestion_range_and_pick_are_marked() -> None:
    """The suggestion, four sevenths of the axis from the left, with its rate in words."""
    root = read(scene(pick=1e-4))
    x = 64 + 676 * 4 / 7
    lines = [float(line.get("x1", 0)) for line in root.iter(f"{SVG}line") if line.get("stroke-dasharray")]
    assert lines == pytest.approx([x, 64 + 676 * 2 / 7], abs=0.1)
    [band] = [rect for rect in root.iter(f"{SVG}rect") if rect.get("fill-opacity") == "0.13"]
    assert [float(band.get("x", 0)), float(band.get("width", 0))] == pytest.approx([x - 676 / 7, 2 * 676 / 7], abs=0.2)
    assert {"suggested 1.0e-02", "your pick 1.0e-04"} <= set(texts(root))


def test_no_suggestion_no_mark() -> None:
    """Nor for a rate beyond the axis."""
    for nothing in (None, Suggestion(None, "auto", "No fall."), Suggestion(1e3, "auto", "Beyond.")):
        assert not [text for text in texts(read(scene(suggestion=nothing))) if text.startswith("suggested")]


def test_repeats_earlier_runs_and_probes_have_their_marks() -> None:
    """A band, a line each, a dot for a complete probe, a diamond for another length and a cross for a stop."""
    probes = [
        Probe(1e-3, 1.5, is_complete=True),
        Probe(1e-2, 1.5, is_complete=True, is_compared=False),
        Probe(1.0, 1e9, is_complete=False),
        Probe(1e-9, 1.0, is_complete=True),
    ]
    root = read(scene(earlier=[curve(), curve()], repeats=[curve(), curve(height=1.1)], probes=probes))
    assert len(places(root)) == 4
    assert len(places(root, "polygon")) == 1
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    for mark in ("l8 8", "l5 5"):
        assert len([path for path in root.iter(f"{SVG}path") if mark in path.get("d", "")]) == 1
    assert {"earlier runs", "short trainings"} <= set(texts(root))


def test_an_empty_chart_and_losses_without_a_number_are_drawn() -> None:
    """Axes alone, without losses that nobody measured; and no point that is not a number."""
    empty = read(scene(current=(NOTHING, NOTHING, NOTHING), suggestion=None))
    assert "1e-6" in texts(empty)
    assert not {"0", "1", "raw loss"} & set(texts(empty))
    lrs, raw, _ = curve()
    raw[-2:] = np.nan, np.inf
    assert len(places(read(scene(current=(lrs, raw, ema(raw, 0.9)))))[0]) == 98


def test_the_longest_run_makes_a_picture_that_a_notebook_can_keep() -> None:
    """Below 60 KB as text in an image, with everything in it that there can be."""
    noise = np.random.default_rng(0)
    lrs = np.logspace(-6, 1, 100_000)
    raw = noise.random(100_000)
    full = (lrs, raw, ema(raw, 0.9))
    probes = [Probe(10.0**-k, 0.5, is_complete=True) for k in range(6)]
    drawn = picture(scene(current=full, earlier=[full] * 4, repeats=[full] * 5, probes=probes, pick=1e-3))
    assert len(drawn) * 4 / 3 < 58_000
