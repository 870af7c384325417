"""The schedules give the rates of the luz article, meet their end exactly and refuse impossible sweeps."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget.schedule import exponential, linear, make_schedule


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
        ((1.0, 1.0, 10), r"start_lr must be below end_lr, got 1.0 and 1.0; swap or widen them"),
        ((2.0, 1.0, 10), r"start_lr must be below end_lr, got 2.0 and 1.0"),
        ((0.0, 1.0, 10), r"start_lr must be a positive, finite learning rate, got 0.0"),
        ((-1e-3, 1.0, 10), r"start_lr must be a positive, finite learning rate, got -0.001"),
        ((1e-3, math.inf, 10), r"end_lr must be a positive, finite learning rate, got inf"),
        ((1e-3, math.nan, 10), r"end_lr must be a positive, finite learning rate, got nan"),
        ((1e-3, 1.0, 1), r"num_steps must be at least 2, got 1; 100 is a good start"),
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
        ValueError, match='schedule must be "exponential", "linear" or a function of the step, got \'cosine\''
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
