"""The picture of the chart: a small SVG document with curves, ticks and marks at their places."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from lr_widget import Evidence, LRRecords, ProbeRun, Suggestion
from lr_widget.schedule import Sweep
from lr_widget.widget.chart import DrawnRun, LiveChart, look

SVG = "{http://www.w3.org/2000/svg}"
SWEEP = Sweep(1e-6, 10.0, 100)
SUGGESTED = Suggestion(1e-2, "auto", "Here.", low=1e-3, high=1e-1)
LEFT, RIGHT = 78, 740
WIDTH = RIGHT - LEFT


def records(size: int = 100, height: float = 1.0, reason: str = "diverged", **fields: Any) -> LRRecords:
    """Losses that fall and then explode."""
    lrs = np.logspace(-6, 1, size)
    raw = height * (2 - 1 / (1 + 1e-2 / lrs)) + (lrs / 3) ** 8
    return LRRecords(lrs, raw, reason, start_lr=1e-6, end_lr=10.0, **fields)


def chart_of(current: LRRecords | None = None, *earlier: LRRecords) -> LiveChart:
    """A finished test from 1e-6 to 10, the first one of some."""
    chart = LiveChart(SWEEP, 0.9)
    chart.show_runs(
        None if current is None else DrawnRun(0, current, 0),
        [DrawnRun(place, each, place) for place, each in enumerate(earlier, start=1)],
    )
    return chart


def read(chart: LiveChart, **options: Any) -> ET.Element:
    """Draw a chart and parse it."""
    return ET.fromstring(chart.picture(**options))


def texts(root: ET.Element) -> list[str]:
    """All texts of a picture."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def places(root: ET.Element, kind: str = "polyline") -> list[np.ndarray]:
    """The points of all lines of a picture."""
    found = [element.get("points", "").split() for element in root.iter(f"{SVG}{kind}")]
    return [np.array([[float(v) for v in point.split(",")] for point in points]).reshape(-1, 2) for points in found]


def with_stroke(root: ET.Element, kind: str, tone: look.Tone, width: float) -> list[ET.Element]:
    """The elements with a line of this colour and width."""
    wanted = (tone.light, f"{width:g}")
    return [each for each in root.iter(f"{SVG}{kind}") if (each.get("stroke"), each.get("stroke-width")) == wanted]


def test_the_curve_goes_from_edge_to_edge_over_named_ticks() -> None:
    """1e-6 is at the left end of the axis and 10 at the right, a decade apart for each tick."""
    root = read(chart_of(records()))
    raw, smoothed = places(root)
    assert [raw[0, 0], raw[-1, 0], smoothed[0, 0]] == pytest.approx([LEFT, RIGHT, LEFT], abs=0.2)
    assert len(raw) == len(smoothed) == 100
    assert set(texts(root)) >= {"1e-6", "1e-5", "0.1", "1", "10", "learning rate", "loss", "raw loss", "smoothed"}
    [clipped] = [group for group in root.iter(f"{SVG}g") if group.get("clip-path")]
    assert len(list(clipped.iter(f"{SVG}polyline"))) == 2  # an exploding tail ends at the edge of the plot area
    assert raw[50, 1] > raw[0, 1]  # a lower loss is further down


def test_suggestion_range_and_pick_are_marked() -> None:
    """The suggestion, four sevenths of the axis from the left, with its rate in words."""
    chart = chart_of(records())
    chart.mark(SUGGESTED, 1e-4)
    root = read(chart)
    x = LEFT + WIDTH * 4 / 7
    [suggested] = with_stroke(root, "line", look.SUGGESTION, 2)
    [pick] = with_stroke(root, "line", look.PICK, 2)
    assert [float(line.get("x1", 0)) for line in (suggested, pick)] == pytest.approx([x, LEFT + WIDTH * 2 / 7], abs=0.1)
    band = with_stroke(root, "rect", look.SUGGESTION, 1)[0]
    assert [float(band.get(name, 0)) for name in ("x", "width")] == pytest.approx(
        [x - WIDTH / 7, 2 * WIDTH / 7], abs=0.2
    )
    assert {"suggested 0.01", "your pick 1e-4", "range of good rates"} <= set(texts(root))


def test_no_suggestion_no_mark() -> None:
    """A rate beyond the axis is an arrow without a line."""
    chart = chart_of(records())
    for nothing in (None, Suggestion(None, "auto", "No fall.")):
        chart.mark(nothing, None)
        assert not [text for text in texts(read(chart)) if text.startswith("suggested")]
    chart.mark(Suggestion(1e3, "auto", "Beyond."), None)
    root = read(chart)
    assert with_stroke(root, "line", look.SUGGESTION, 2) == []
    assert "suggested 1000 →" in texts(root)


def test_unstable_rates_are_named() -> None:
    """In the region and in the legend."""
    root = read(chart_of(records()))
    region = with_stroke(root, "rect", look.UNSTABLE, 1)[0]
    assert float(region.get("x", 0)) + float(region.get("width", 0)) == pytest.approx(RIGHT, abs=0.2)
    assert texts(root).count("unstable") == 2


def test_repeats_other_runs_and_probes_have_their_marks() -> None:
    """A band, a line each, a dot for a complete probe, a diamond for another length and a cross for a stop."""
    repeats = (records(), records(height=1.1))
    chart = chart_of(records(repeats=repeats), records(), records(height=0.5))
    runs = [
        ProbeRun(1e-9, np.array([2.0, 1.0]), "completed", None, 2),
        ProbeRun(1e-3, np.array([2.0, 1.5]), "completed", None, 2),
        ProbeRun(2e-3, np.array([2.0, 1.4]), "completed", None, 2),
        ProbeRun(1e-2, np.array([2.0, 1.5, 1.5]), "completed", None, 3),
        ProbeRun(1.0, np.array([1e9]), "diverged", None, 2),
    ]
    chart.probe(Evidence(1e-2, tuple(runs), 2))
    root = read(chart)
    assert len(places(root)) == 4
    assert len(places(root, "polygon")) == 1
    [clipped] = [group for group in root.iter(f"{SVG}g") if group.get("clip-path")]
    assert len(list(clipped.iter(f"{SVG}circle"))) == 2
    for mark in ("l8 8", "l5 5"):
        assert len([path for path in clipped.iter(f"{SVG}path") if mark in path.get("d", "")]) == 1
    assert {"short training of 2 steps", "another length, not compared", "stopped early or still running"} <= set(
        texts(root)
    )


def test_runs_have_their_colours_and_names() -> None:
    """A name is text, whatever is in it, and cut where it is long; a run without one has no entry."""
    chart = chart_of(records(), records(), records(height=0.5))
    root = read(chart, names={0: "<b>&", 1: "x" * 100})
    assert {"<b>&", f"{'x' * 39}…"} <= set(texts(root))
    assert len(with_stroke(root, "polyline", look.PALETTE[1], look.EARLIER_WIDTH)) == 1
    assert len(with_stroke(root, "polyline", look.PALETTE[0], look.SMOOTHED_WIDTH)) == 1
    assert len(with_stroke(root, "line", look.PALETTE[2], look.EARLIER_WIDTH)) == 0


def test_many_entries_of_the_legend_take_several_rows() -> None:
    """None goes beyond the right edge, and the plot area begins below them."""
    chart = chart_of(*[records()] * 8)
    root = read(chart, names={k: f"batch size {2**k}, a long label" for k in range(8)})
    moves = [group.get("transform", "") for group in root.iter(f"{SVG}g") if "translate" in group.get("transform", "")]
    rows = {float(move.split()[1].rstrip(")")) for move in moves}
    assert len(rows) >= 3
    [area] = [rect for clip in root.iter(f"{SVG}clipPath") for rect in clip]
    assert float(area.get("y", 0)) > max(rows)
    assert float(root.get("height", 0)) == float(area.get("y", 0)) + float(area.get("height", 0)) + 44


def test_validation_losses_are_dots_on_a_line() -> None:
    """In a colour of their own, and in the legend."""
    val_loss = np.where(np.arange(100) % 10 == 0, 1.5, np.nan)
    root = read(chart_of(records(val_loss=val_loss)))
    [line] = with_stroke(root, "polyline", look.VALIDATION, look.EARLIER_WIDTH)
    assert len(line.get("points", "").split()) == 10
    circles = [each for each in root.iter(f"{SVG}circle") if each.get("fill") == look.VALIDATION.light]
    assert len(circles) == 10 + 1
    assert "validation loss" in texts(root)


def test_axes_of_both_kinds_are_drawn() -> None:
    """Half-way up a logarithmic loss axis from 1 to 100 is 10; half-way along a linear rate axis is 5."""
    chart = LiveChart(Sweep(1e-6, 10.0, 3, "linear"), 0.0)
    chart.show_runs(DrawnRun(0, LRRecords([1e-6, 5.0, 10.0], [100.0, 10.0, 1.0], schedule="linear"), 0), [])
    chart.set_axis("log", 1.0, 100.0)
    root = read(chart)
    raw, _ = places(root)
    assert raw[:, 0] == pytest.approx([LEFT, LEFT + WIDTH / 2, RIGHT], abs=0.1)
    assert raw[1, 1] == pytest.approx((raw[0, 1] + raw[2, 1]) / 2, abs=0.1)
    assert {"2", "4", "100", "10", "1"} <= set(texts(root))


def test_a_gap_splits_a_line() -> None:
    """A loss that a logarithmic axis has no place for."""
    chart = LiveChart(SWEEP, 0.0)
    chart.show_runs(DrawnRun(0, LRRecords([1e-5, 1e-4, 1e-3, 1e-2, 0.1], [2.0, 1.0, -1.0, 1.0, 2.0]), 0), [])
    chart.set_axis("log", None, None)
    assert [len(piece) for piece in places(read(chart))] == [2, 2, 2, 2]


def test_an_empty_chart_and_losses_without_a_number_are_drawn() -> None:
    """Axes alone, without losses that nobody measured; and no point that is not a number."""
    empty = read(chart_of())
    assert "1e-6" in texts(empty)
    assert not {"0", "raw loss"} & set(texts(empty))
    whole = records()
    raw = whole.loss.copy()
    raw[-2:] = np.nan, np.inf
    assert len(places(read(chart_of(LRRecords(whole.lr, raw, "non_finite"))))[0]) == 98


def test_a_tail_that_explodes_far_has_short_coordinates() -> None:
    """A loss of 1e300 would fill a picture with digits; it is drawn ten heights of the axis, of 244 pixels, above it."""
    chart = chart_of(LRRecords([1e-3, 1e-2, 0.1], [2.0, 1.0, 1e300], "diverged"))
    raw, _ = places(read(chart))
    assert raw[2, 1] == 32 + 244 - 10 * 244


def test_the_longest_run_makes_a_picture_that_a_notebook_can_keep() -> None:
    """Below 60 KB as text in an image, with everything in it that there can be."""
    noise = np.random.default_rng(0)
    lrs = np.logspace(-6, 1, 100_000)

    def full(**fields: Any) -> LRRecords:
        return LRRecords(lrs, noise.random(100_000), "diverged", **fields)

    chart = chart_of(full(repeats=[full()] * 5, val_loss=noise.random(100_000)), *[full()] * 7)
    runs = tuple(ProbeRun(10.0**-k, np.array([0.5, 0.5]), "completed") for k in range(6))
    chart.probe(Evidence(1e-2, runs, 2))
    chart.mark(SUGGESTED, 1e-3)
    drawn = chart.picture(names=dict.fromkeys(range(8), "x" * 100))
    assert len(drawn) * 4 / 3 < 60_000
