"""Marks of bqplot, and messages for the changes of them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bqplot import LinearScale

from lr_widget.widget.chart import look
from lr_widget.widget.chart.marks import Messages, RateMark, Region, line
from lr_widget.widget.chart.scene import Marker

from ..marks import points


@pytest.fixture
def scales() -> dict[str, Any]:
    """Two linear scales."""
    return {"x": LinearScale(), "y": LinearScale()}


def test_all_changes_of_a_mark_are_one_message(messages: list[dict[str, Any]], scales: dict[str, Any]) -> None:
    """With the changed traits alone; a value that is there already causes none."""
    counted, mark = Messages(), line(scales, look.RAW, 1.0)
    messages.clear()
    counted.set(mark, x=np.array([1.0, np.nan]), y=np.array([3.0, 4.0]), colors=[look.RAW.key])
    assert (counted.count, [set(sent["state"]) for sent in messages]) == (1, [{"x", "y"}])
    counted.set(mark, x=np.array([1.0, np.nan]), y=np.array([3.0, 4.0]))
    assert (counted.count, len(messages)) == (1, 1)
    counted.set(mark, x=np.array([1.0, 2.0]), y=np.array([3.0, 4.0]))
    counted.set(mark, scales=dict(scales), line_style="dashed")
    assert (counted.count, [set(sent["state"]) for sent in messages[1:]]) == (3, [{"x"}, {"line_style"}])


def test_a_mark_of_a_rate_is_a_line_and_a_label(scales: dict[str, Any]) -> None:
    """Beyond the axis it has no line; without a rate there is neither."""
    mark, counted = RateMark(scales, look.PICK, "solid", 0.86), Messages()
    vertical, text = mark.parts
    mark.show(Marker(0.1, "0.1", "your pick 0.1", is_inside=True, is_left=True), counted)
    assert points(vertical) == [(0.1, 0.0), (0.1, 1.0)]
    assert (list(text.text), points(text), text.align, text.x_offset) == (["your pick 0.1"], [(0.1, 0.86)], "end", -6)
    mark.show(Marker(1.0, "50", "your pick 50 →", is_inside=False, is_left=False), counted)
    assert (points(vertical), list(text.text), text.align, text.x_offset) == ([], ["your pick 50 →"], "start", 6)
    mark.show(None, counted)
    assert (points(vertical), points(text), list(text.text)) == ([], [], [])


def test_a_region_has_edges_over_the_whole_height(scales: dict[str, Any]) -> None:
    """Its line goes up, across and down, as the shade alone has too little contrast."""
    region, counted = Region(scales, look.UNSTABLE, 0.1, "dashed"), Messages()
    region.show((1.0, 2.0), counted)
    assert points(region.area) == [(1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (2.0, 0.0)]
    assert region.area.stroke_width > 0
    region.show(None, counted)
    assert points(region.area) == []
