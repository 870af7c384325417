"""The chart while a run grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget import StepRecord
from lr_widget.schedule import Sweep
from lr_widget.smoothing import ema
from lr_widget.widget.chart import LiveChart


def bold(chart: LiveChart) -> Any:
    """The smoothed curve."""
    return next(mark for mark in chart.figure.marks if getattr(mark, "stroke_width", 0) == 2.6)


def faint(chart: LiveChart) -> Any:
    """The raw curve."""
    return next(mark for mark in chart.figure.marks if getattr(mark, "opacities", []) == [0.45])


def test_a_growing_curve_equals_the_smoothing_of_the_whole() -> None:
    """Step by step gives the same as the records' smoothing, also after the beta was changed."""
    losses = np.random.default_rng(0).normal(size=200)
    chart, steps = LiveChart(Sweep(1e-7, 10.0, 200), 0.9), []
    for step, loss in enumerate(losses, start=1):
        steps.append(StepRecord(step, 10.0 ** (-step / 50), float(loss), (10.0 ** (-step / 50),)))
        chart.grow([steps])
    assert np.asarray(bold(chart).y) == pytest.approx(ema(losses, 0.9))
    chart.smooth(0.5)
    assert np.asarray(bold(chart).y) == pytest.approx(ema(losses, 0.5))
    assert np.asarray(faint(chart).y).tolist() == losses.tolist()
    assert np.asarray(faint(chart).x)[49] == pytest.approx(0.1)
