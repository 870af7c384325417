"""Ticks: round values inside of an axis, with labels that tell them apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lr_widget.widget.chart.ticks import MAX_TICKS, MIN_TICKS, Ticks, loss_ticks, rate_ticks, tick_key

RATES = st.floats(1e-12, 1e6)
WIDTHS = st.floats(1.001, 1e12)
LOSSES = st.floats(-1e300, 1e300, allow_subnormal=False)


def check(ticks: Ticks, low: float, high: float) -> None:
    """Ticks are 3 to 10, ascending, inside but for rounding, and their labels differ."""
    slack = 1e-8 * (high - low)
    assert MIN_TICKS <= len(ticks.values) == len(ticks.labels) <= MAX_TICKS
    assert (np.diff(ticks.values) > 0).all()
    assert low - slack <= ticks.values[0]
    assert ticks.values[-1] <= high + slack
    assert len(set(ticks.labels)) == len(ticks.labels)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1e-7, 10.0, "1e-7 1e-6 1e-5 1e-4 1e-3 0.01 0.1 1 10"),
        (1e-3, 10.0, "1e-3 0.01 0.1 1 10"),
        (2e-3, 5e-2, "2e-3 5e-3 0.01 0.02 0.05"),
        (1e-20, 1.0, "1e-20 1e-17 1e-14 1e-11 1e-8 1e-5 0.01"),
        (3e-4, 4e-4, "3e-4 3.2e-4 3.4e-4 3.6e-4 3.8e-4 4e-4"),
        (1e-3, 3e-3, "1e-3 1.5e-3 2e-3 2.5e-3 3e-3"),
        (1.1e-4, 0.9, "1e-3 0.01 0.1"),
        (1e-3, 1.0002e-3, "1e-3 1.0001e-3 1.0002e-3"),
    ],
)
def test_rates_on_a_logarithmic_axis(low: float, high: float, labels: str) -> None:
    """Decades; fewer in a wide range; 1-2-5 in a narrow one; equal steps within half a decade."""
    assert rate_ticks(low, high, is_log=True).labels == tuple(labels.split())


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(1e-7, 0.1, "0.02 0.04 0.06 0.08 0.1"), (1e-4, 1e-2, "2e-3 4e-3 6e-3 8e-3 0.01"), (1e-3, 10.0, "2 4 6 8 10")],
)
def test_rates_on_a_linear_axis(low: float, high: float, labels: str) -> None:
    """Equal steps, in the one notation of rates."""
    assert rate_ticks(low, high, is_log=False).labels == tuple(labels.split())


@pytest.mark.parametrize(
    ("low", "high", "labels", "offset"),
    [
        (0.0, 2.4, "0 0.5 1 1.5 2", ""),
        (-9.4, -2.6, "-8 -6 -4", ""),
        (0.1, 12.2, "2 4 6 8 10 12", ""),
        (0.0, 3e-3, "0 0.0005 0.001 0.0015 0.002 0.0025 0.003", ""),
        (1.1e-6, 3.1e-6, "1.5e-6 2e-6 2.5e-6 3e-6", ""),
        (0.0, 1.1e5, "0 2e4 4e4 6e4 8e4 1e5", ""),
        (123456.0005, 123456.0095, "0.002 0.004 0.006 0.008", "123456"),
        (-1e300, 1e300, "-1e300 -5e299 0 5e299 1e300", ""),
        (1.0, 1.0 + 4e-12, "0 1e-12 2e-12 3e-12 4e-12", "1"),
    ],
)
def test_losses_on_a_linear_axis(low: float, high: float, labels: str, offset: str) -> None:
    """Round losses, short labels, and an offset where the differences would not be seen."""
    assert loss_ticks(low, high)[1:] == (tuple(labels.split()), offset)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.01, 200.0, "0.01 0.1 1 10 100"), (0.3, 4.0, "0.5 1 2"), (2.0, 2.5, "2 2.1 2.2 2.3 2.4 2.5")],
)
def test_losses_on_a_logarithmic_axis(low: float, high: float, labels: str) -> None:
    """Decades, 1-2-5, or equal steps."""
    assert loss_ticks(low, high, is_log=True).labels == tuple(labels.split())


@given(low=RATES, width=WIDTHS, is_log=st.booleans())
def test_any_rates_have_ticks(low: float, width: float, is_log: bool) -> None:
    """Of a range from a thousandth wide to twelve decades."""
    check(rate_ticks(low, low * width, is_log=is_log), low, low * width)


@given(one=LOSSES | st.floats(-100, 100), other=LOSSES | st.floats(-100, 100))
def test_any_losses_have_ticks(one: float, other: float) -> None:
    """Also far below zero, huge, tiny and close to each other."""
    low, high = min(one, other), max(one, other)
    high = max(high, low + 1e-9 * max(abs(low), 1e-280))
    ticks = loss_ticks(low, high)
    check(ticks, low, high)
    assert max(map(len, ticks.labels)) <= 8
    if low > 0:
        check(loss_ticks(low, high, is_log=True), low, high)


@given(value=st.floats(1e-30, 1e30))
@example(1e21)
@example(1e-6)
def test_the_key_of_a_label_is_the_number(value: float) -> None:
    """It is read back as the same number, and has an exponent below 1e-6 and from 1e21 on only, as in JavaScript."""
    key = tick_key(value)
    assert float(key) == value
    assert ("e" in key) == (value < 1e-6 or value >= 1e21)
    assert math.copysign(1, float(tick_key(-value))) == -1
