"""The schedules give the rates of the luz article, meet their end exactly and refuse impossible sweeps."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from lr_widget import iter_range_test, range_test
from lr_widget.schedule import (
    constant,
    cosine_decay,
    exponential,
    linear,
    linear_decay,
    make_schedule,
    one_cycle,
    rate_text,
    warmed_up,
)

from .no_trace.state import Look
from .training.helpers import batches, mse, net, spy_on


def test_exponential_gives_the_rates_of_the_article() -> None:
    schedule = exponential(1e-6, 1.0, 100)
    assert [schedule(k) for k in range(1, 6)] == pytest.approx(
        [1.148154e-06, 1.318257e-06, 1.513561e-06, 1.737801e-06, 1.995262e-06], rel=1e-6
    )
    assert schedule(100) == 1.0


def test_exponential_goes_a_decade_a_step() -> None:
    schedule = exponential(1e-5, 1.0, 5)
    assert [schedule(k) for k in range(1, 6)] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_linear_adds_the_same_at_every_step() -> None:
    schedule = linear(0.1, 0.5, 4)
    assert [schedule(k) for k in range(1, 5)] == pytest.approx([0.2, 0.3, 0.4, 0.5])


@settings(deadline=None)
@given(
    name=st.sampled_from(["exponential", "linear"]),
    bounds=st.lists(st.floats(1e-12, 1e6), min_size=2, max_size=2, unique=True).map(sorted),
    num_steps=st.integers(2, 500),
)
def test_rates_never_fall_and_end_at_end_lr_exactly(name: str, bounds: list[float], num_steps: int) -> None:
    schedule = make_schedule(name, *bounds, num_steps)
    rates = [schedule(k) for k in range(1, num_steps + 1)]
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(rates))
    assert rates[0] >= bounds[0]
    assert rates[-1] == bounds[1]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1.0, 1.0, 10), r"start_lr must be below end_lr, got 1 and 1; lower start_lr or raise end_lr"),
        ((2.0, 1.0, 10), r"start_lr must be below end_lr, got 2 and 1"),
        ((0.0, 1.0, 10), r"start_lr must be a positive, finite learning rate, got 0.0"),
        ((-1e-3, 1.0, 10), r"start_lr must be a positive, finite learning rate, got -0.001"),
        ((1e-3, math.inf, 10), r"end_lr must be a positive, finite learning rate, got inf"),
        ((1e-3, math.nan, 10), r"end_lr must be a positive, finite learning rate, got nan"),
        ((1e-3, 1.0, 1), r"num_steps must be at least 2, got 1; 100 is usual"),
        ((1e-3, 1.0, 0), r"num_steps must be at least 2, got 0"),
    ],
)
def test_an_impossible_sweep_is_refused_with_value_and_remedy(bounds: tuple[float, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exponential(*bounds)


@pytest.mark.parametrize("bounds", [("1e-3", 1.0, 10), (1e-3, True, 10), (1e-3, 1.0, 10.0), (1e-3, None, 10)])
def test_a_bound_of_a_wrong_type_is_refused(bounds: tuple[float, float, int]) -> None:
    with pytest.raises(TypeError, match=r"must be an? (number|integer), got"):
        exponential(*bounds)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r'^schedule must be "exponential", "linear" or a function of the step, got .cosine.; it is that of the '
        r"test, and train_schedule is that of the training$",
    ):
        make_schedule("cosine", 1e-3, 1.0, 10)


@pytest.mark.parametrize("kind", ["exponential", "linear"])
def test_numbers_of_numpy_make_rates_of_python(kind: str) -> None:
    """float32 bounds and an int64 length are taken as the numbers that they are."""
    schedule = make_schedule(kind, np.float32(0.5), np.float64(2.0), np.int64(4))  # type: ignore[arg-type]
    assert (type(schedule(1)), type(schedule(4)), schedule(4)) == (float, float, 2.0)


def test_a_function_may_give_rates_of_numpy() -> None:
    schedule = make_schedule(np.float32, 1.0, 2.0, 4)  # type: ignore[arg-type,return-value]
    assert (type(schedule(2)), schedule(2)) == (float, 2.0)


# --- schedules as functions --------------------------------------------------------------------------------------------


def test_a_function_of_the_step_gives_the_applied_rates() -> None:
    """A zigzag function is asked for the steps 1 … n, and its answers are applied and on record."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied = spy_on(optimizer)

    def zigzag(step: int) -> float:
        return 0.01 * step if step % 2 else 0.001 * step

    records = range_test(model, optimizer, mse, batches(), schedule=zigzag, num_steps=5, progress=False)
    assert records.lr.tolist() == [rate for [rate] in applied] == [0.01, 0.002, 0.03, 0.004, 0.05]
    assert (records.schedule, records.start_lr, records.end_lr, records.num_steps) == ("custom", None, None, 5)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (0.0, ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got 0.0"),
        (-0.1, ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got -0.1"),
        (float("nan"), ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got nan"),
        (float("inf"), ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got inf"),
        ("fast", TypeError, "the schedule's rate for step 7 must be a number, got 'fast' of type str"),
        (None, TypeError, "the schedule's rate for step 7 must be a number, got None of type NoneType"),
    ],
)
def test_a_wrong_rate_of_a_function_is_refused_before_any_step(
    wrong: Any, error: type[Exception], message: str
) -> None:
    """Every rate is looked at when the arguments are, so a wrong one at step 7 costs no training."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied, before = spy_on(optimizer), Look(model, optimizer)
    with pytest.raises(error, match=message):
        iter_range_test(
            model, optimizer, mse, batches(), schedule=lambda step: wrong if step == 7 else 0.1, num_steps=10
        )
    assert applied == []
    before.assert_unchanged("after a refused schedule")


@pytest.mark.parametrize("num_steps", [5, 6, 7, 10, 11, 33, 50, 100, 101, 400])
@pytest.mark.parametrize("max_lr", [0.1, 3e-4])
def test_one_cycle_is_that_of_torch(num_steps: int, max_lr: float) -> None:
    """The rates of steps 1 … n are those of OneCycleLR with as many steps, of any length."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = OneCycleLR(optimizer, max_lr, total_steps=num_steps, cycle_momentum=False)
    rates = []
    for step in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < num_steps - 1:
            scheduler.step()
    schedule = one_cycle(max_lr, num_steps)
    assert [schedule(k) for k in range(1, num_steps + 1)] == pytest.approx(rates, rel=1e-9, abs=1e-15)


def test_a_very_short_one_cycle_still_goes_up() -> None:
    """Of three steps the second is three quarters of the way up, by hand: (1 + cos 60°) / 2."""
    schedule = one_cycle(1.0, 3)
    assert [schedule(k) for k in (1, 2, 3)] == pytest.approx([0.04, 0.75, 4e-6], rel=1e-5)


def test_a_decay_begins_at_its_top_and_would_be_over_in_the_step_after_the_last() -> None:
    """Of three steps, by hand: the cosines of 0, 60 and 120 degrees, and thirds; a single step is at the top."""
    cosine, line = cosine_decay(0.4, 3), linear_decay(0.3, 3)
    assert [cosine(k) for k in (1, 2, 3)] == pytest.approx([0.4, 0.3, 0.1])
    assert [line(k) for k in (1, 2, 3)] == pytest.approx([0.3, 0.2, 0.1])
    assert (cosine_decay(0.4, 1)(1), linear_decay(0.3, 1)(1)) == (0.4, 0.3)
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0; 100 is usual"):
        cosine_decay(0.1, 0)
    with pytest.raises(TypeError, match=r"num_steps must be an integer, got 3\.0"):
        linear_decay(0.1, 3.0)  # type: ignore[arg-type]


def test_a_warm_up_goes_to_the_top_and_then_the_other_schedule_begins() -> None:
    """Four steps up, and the rest counts its steps from 1."""
    schedule = warmed_up(lambda step: 10.0 * step, 2.0, 4)
    assert [schedule(k) for k in range(1, 7)] == [0.5, 1.0, 1.5, 2.0, 10.0, 20.0]


@pytest.mark.parametrize(
    "make",
    [lambda lr: one_cycle(lr, 10), lambda lr: cosine_decay(lr, 10), lambda lr: linear_decay(lr, 10), constant],
)
@pytest.mark.parametrize(
    ("lr", "error", "message"),
    [
        (0.0, ValueError, "must be a positive, finite learning rate, got 0.0"),
        (float("inf"), ValueError, "must be a positive, finite learning rate, got inf"),
        ("0.1", TypeError, "must be a number, got '0.1' of type str"),
    ],
)
def test_a_schedule_of_a_wrong_rate_is_refused(
    make: Callable[[Any], Any], lr: Any, error: type[Exception], message: str
) -> None:
    """A rate that is none is refused when the schedule is made, with its value."""
    with pytest.raises(error, match=message):
        make(lr)


def test_a_constant_schedule_is_one_rate_in_every_step() -> None:
    """A sweep at one rate is training at that rate: same losses as a bare loop."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    records = list(
        iter_range_test(model, optimizer, mse, batches(), schedule=constant(0.05), num_steps=6, diverge_factor=None)
    )
    assert [record.lr for record in records] == [0.05] * 6

    losses, data = [], batches()
    for step in range(6):
        inputs, targets = data[step % len(data)]
        loss = mse(model(inputs), targets)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients):
                parameter.sub_(gradient, alpha=0.05)
        losses.append(loss.item())
    assert [record.loss for record in records] == pytest.approx(losses, rel=1e-5)


def test_a_schedule_that_is_no_name_and_no_function_is_refused() -> None:
    """A list of rates is no schedule; the error names the three forms of one."""
    with pytest.raises(ValueError, match=r'schedule must be "exponential", "linear" or a function .*got \[0.1\]'):
        make_schedule([0.1], 1e-4, 0.1, 6)  # type: ignore[arg-type]


# --- the notation of rates --------------------------------------------------------------------------------------------

WRITTEN = re.compile(r"0\.0?[1-9]\d*|[1-9]\d{0,3}(\.\d*[1-9])?|[1-9](\.\d*[1-9])?e-?[1-9]\d*")


@pytest.mark.parametrize(
    ("lr", "digits", "text"),
    [
        (1e-7, 2, "1e-7"),
        (3.2e-3, 2, "3.2e-3"),
        (9.94e-3, 2, "9.9e-3"),
        (9.99e-3, 2, "0.01"),
        (0.01, 2, "0.01"),
        (0.316, 2, "0.32"),
        (0.125, 2, "0.13"),  # a tie, which JavaScript rounds up, too
        (0.375, 2, "0.38"),
        (1.0, 2, "1"),
        (10.0, 2, "10"),
        (1234, 2, "1200"),
        (1234, 6, "1234"),
        (9949.0, 2, "9900"),
        (9996.0, 2, "1e4"),
        (9996.0, 4, "9996"),
        (10_000.0, 6, "1e4"),
        (123_456.0, 2, "1.2e5"),
        (0.0123456, 6, "0.0123456"),
        (3.25e-3, 6, "3.25e-3"),
        (1 / 3, 17, "0.33333333333333331"),
        (0.1, 15, "0.1"),
        (5e-324, 2, "4.9e-324"),
        (1.7976931348623157e308, 2, "1.8e308"),
        (np.float32(0.1), 2, "0.1"),
        (np.float64(2e-5), 2, "2e-5"),
    ],
)
def test_a_rate_is_written_in_one_notation(lr: float, digits: int, text: str) -> None:
    """Plain from 0.01 to below 10,000, else with an exponent; worked out by hand."""
    assert rate_text(lr, digits) == text


@settings(deadline=None)
@given(lr=st.floats(min_value=5e-324, max_value=1.7e308), digits=st.integers(1, 17))
def test_the_text_of_a_rate_is_the_rate_in_that_many_digits(lr: float, digits: int) -> None:
    """No further away than half of the last digit, without a needless zero, and stable when it is written again."""
    text = rate_text(lr, digits)
    assert WRITTEN.fullmatch(text), text
    decimal = Decimal(text)
    assert len(decimal.normalize().as_tuple().digits) <= digits
    half = Fraction(1, 2) * Fraction(10) ** (Decimal(lr).adjusted() - digits + 1)
    assert abs(Fraction(decimal) - Fraction(lr)) <= half
    if digits <= 15 and 1e-300 <= lr <= 1e307:  # outside, floats have fewer digits or an end
        assert rate_text(float(text), digits) == text


@settings(deadline=None)
@given(lr=st.floats(min_value=1e-300, max_value=1e300))
def test_two_digits_of_a_rate_are_those_of_python_but_for_ties(lr: float) -> None:
    """The number is the one that `f"{lr:.1e}"` has."""
    exact = Decimal(lr)
    is_tie = exact.scaleb(-exact.adjusted() + 1) % 1 == Decimal("0.5")
    assert is_tie or float(rate_text(lr)) == float(f"{lr:.1e}")
