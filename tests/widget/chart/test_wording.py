"""The chart in words: its legend, and the text in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget import Evidence, LRRecords, ProbeRun, Suggestion
from lr_widget.schedule import Sweep
from lr_widget.widget.chart import DrawnRun, LiveChart

LRS = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
FALLING = [3.0, 2.5, 1.0, 0.41, 0.5]
SUGGESTED = Suggestion(3.16e-3, "auto", "Here.", low=1e-3, high=1e-2)


def chart_of(losses: list[float], reason: str = "completed", **fields: Any) -> LiveChart:
    """A chart from 1e-5 to 1 with one run, without smoothing."""
    chart = LiveChart(Sweep(1e-5, 1.0, 5), 0.0)
    chart.show_runs(DrawnRun(1, LRRecords(LRS[: len(losses)], losses, reason, **fields), 0), [])
    return chart


@pytest.mark.parametrize(
    ("losses", "reason", "course"),
    [
        (FALLING, "completed", "It falls from 3 to 0.41 at 0.1."),
        ([*FALLING[:4], 2.0], "completed", "It falls from 3 to 0.41 at 0.1, then rises."),
        ([*FALLING[:4], 500.0], "diverged", "It falls from 3 to 0.41 at 0.1, then explodes."),
        ([1.0, 2.0, 3.0], "completed", "It starts at 1, then rises."),
        ([1.0, 2.0, 300.0], "diverged", "It starts at 1, then explodes."),
        ([2.3, 2.3, 2.3], "completed", "It stays at 2.3."),
        ([1.5e-6, 1e-6], "completed", "It falls from 1.5e-6 to 1e-6 at 1e-3."),
        ([np.nan], "non_finite", "It has no finite loss."),
    ],
)
def test_the_course_of_a_curve_is_told_by_its_numbers(losses: list[float], reason: str, course: str) -> None:
    """Of the smoothed loss, in three digits."""
    assert chart_of(losses, reason).text() == f"Loss over the learning rate, from 1e-5 to 1. {course}"


def test_the_text_says_what_else_is_there() -> None:
    """Nothing at first; other runs, short trainings, the suggestion and the pick, also one beyond the axis."""
    chart = LiveChart(Sweep(1e-5, 1.0, 5), 0.0)
    begin = "Loss over the learning rate, from 1e-5 to 1."
    assert chart.text() == f"{begin} No run yet."
    chart.begin(1, Sweep(1e-5, 1.0, 5), 0, [DrawnRun(k, LRRecords(LRS, FALLING), k) for k in (2, 3)])
    assert chart.text() == f"{begin} The curve is growing. 2 other runs for comparison."
    chart.show_runs(None, [DrawnRun(2, LRRecords(LRS, FALLING), 2)])
    chart.end(LRRecords(LRS, FALLING))
    chart.show_runs(DrawnRun(1, LRRecords(LRS, FALLING), 0), [])
    chart.probe(Evidence(1e-2, (ProbeRun(1e-3, np.array([2.0, 1.0]), "completed"),), 300))
    chart.mark(SUGGESTED, 50.0)
    ends = "1 short training. Suggested: 3.2e-3. Your pick: 50."
    assert chart.text() == f"{begin} It falls from 3 to 0.41 at 0.1. {ends}"


def test_runs_alone_are_counted() -> None:
    """Where the current one is hidden, or there is none."""
    chart = LiveChart(Sweep(1e-5, 1.0, 5), 0.0)
    chart.show_runs(None, [DrawnRun(2, LRRecords(LRS, FALLING), 2)])
    assert chart.text() == "Loss over the learning rate, from 1e-5 to 1. 1 run for comparison."


def test_the_legend_names_every_kind_of_mark_that_is_there() -> None:
    """And no other; the probes by their length."""
    assert LiveChart(Sweep(1e-5, 1.0, 5), 0.0).legend() == []
    plain = [{"kind": "raw", "text": "raw loss"}, {"kind": "smoothed", "text": "smoothed"}]
    assert chart_of(FALLING).legend() == plain
    repeats = tuple(LRRecords(LRS, np.add(FALLING, k)) for k in (-0.1, 0.0, 0.1))
    chart = chart_of([*FALLING[:4], 500.0], "diverged", val_loss=np.full(5, 2.0), repeats=repeats)
    runs = [
        ProbeRun(1e-3, np.array([3.0] + [2.0] * 7), "completed", None, 1500),
        ProbeRun(2e-3, np.array([3.0] + [1.0] * 7), "completed", None, 1500),
        ProbeRun(2e-3, np.array([3.0] + [1.0] * 15), "completed", None, 3000),
        ProbeRun(2e-2, np.array([3.0]), "stopped", None, 1500),
    ]
    chart.probe(Evidence(1e-2, tuple(runs), 1500))
    chart.mark(SUGGESTED, None)
    assert chart.legend() == [
        *plain,
        {"kind": "validation", "text": "validation loss"},
        {"kind": "band", "text": "between the lowest and the highest of 3 sweeps"},
        {"kind": "range", "text": "range of good rates"},
        {"kind": "unstable", "text": "unstable"},
        {"kind": "probe", "text": "short training of 1,500 steps"},
        {"kind": "probe_aside", "text": "another length, not compared"},
        {"kind": "probe_cut", "text": "stopped early or still running"},
    ]
    chart.show_runs(None, [DrawnRun(2, LRRecords(LRS, FALLING), 2)])
    assert chart.legend()[0] == {"kind": "smoothed", "text": "smoothed"}
