"""A suggestion for the training that the user will run: its rate, its range, how sure it is, and its reason."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.suggest import RULES, Suggestion, for_training
from lr_widget.suggest.horizon import (
    CARRIES,
    DECAYING_GAIN,
    DECAYING_SLOPE,
    SLOPE,
    SLOPE_DEVIATION,
    SURE_DECADES,
    shift,
)

FOUND = Suggestion(1e-3, "auto", "Here; 3 of 9 other rules agree.", low=5e-4, high=2e-3, confidence="high")
LENGTHS = st.integers(1, 10**9)
HORIZONS = st.builds(Horizon, st.none() | LENGTHS, st.sampled_from(TRAIN_SCHEDULES))


@pytest.mark.parametrize(
    ("horizon", "from_steps", "expected"),
    [
        (Horizon(1000), 100, (-SLOPE, SLOPE_DEVIATION)),
        (Horizon(100_000, "constant_with_warmup"), 1000, (-2 * SLOPE, 2 * SLOPE_DEVIATION)),
        (Horizon(1000, "cosine"), 100, (DECAYING_GAIN - DECAYING_SLOPE, SLOPE_DEVIATION)),
        (Horizon(100, "linear_with_warmup"), 1, (DECAYING_GAIN - 2 * SLOPE, 2 * SLOPE_DEVIATION)),
        (Horizon(10_000, "one_cycle"), 1000, (DECAYING_GAIN - 2 * DECAYING_SLOPE + SLOPE, SLOPE_DEVIATION)),
        (Horizon(100, "cosine"), 100, (DECAYING_GAIN, 0.0)),
        (Horizon(None, "cosine"), 100, (DECAYING_GAIN, 0.0)),
        (Horizon(100), 100, (0.0, 0.0)),
        (Horizon(1), 100, (0.0, 0.0)),
        (Horizon(None), 100, (0.0, 0.0)),
    ],
)
def test_the_best_rate_moves_by_a_slope_for_each_decade_of_length(
    horizon: Horizon, from_steps: int, expected: tuple[float, float]
) -> None:
    """Down along one line for rates that are kept, along another for decaying ones, which is higher at 100 steps.

    A training that is not longer counts as as long, but has its own schedule.
    """
    assert shift(horizon, from_steps) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("horizon", "up"),
    [
        (Horizon(1000, "linear"), -DECAYING_SLOPE),
        (Horizon(100, "one_cycle"), 0.0),
        (Horizon(100), -DECAYING_GAIN),
        (Horizon(1000), -DECAYING_GAIN - SLOPE),
    ],
)
def test_from_a_decaying_training_it_moves_along_the_line_of_those(horizon: Horizon, up: float) -> None:
    """Probes in the schedule of the training are on its line already; a kept rate is below them."""
    assert shift(horizon, 100, from_decaying=True)[0] == pytest.approx(up)


def test_the_longest_training_has_a_shift() -> None:
    """Nine decades from a single step."""
    assert shift(Horizon(10**9), 1)[0] == pytest.approx(-9 * SLOPE)


@given(horizon=HORIZONS, first=LENGTHS, second=LENGTHS, from_decaying=st.booleans())
def test_two_shifts_one_after_another_are_as_far_as_one(
    horizon: Horizon, first: int, second: int, from_decaying: bool
) -> None:
    """From the test to the probes and on to the training, or at once."""
    short, long = sorted([first, second])
    middle = replace(horizon, steps=long)
    end = replace(horizon, steps=10**9)
    there = shift(middle, short, from_decaying=from_decaying)
    on = shift(end, long, from_decaying=middle.is_decaying)
    assert [there[k] + on[k] for k in (0, 1)] == pytest.approx(shift(end, short, from_decaying=from_decaying))


def test_a_constant_rate_for_a_longer_training_is_lower_less_sure_and_says_so() -> None:
    """Ten times as long, by hand: the rate goes by the slope, the ends also apart by its deviation."""
    found = for_training(FOUND, Horizon(1000), 100)
    assert found.lr == pytest.approx(1e-3 * 10**-SLOPE)
    assert found.low == pytest.approx(5e-4 * 10 ** (-SLOPE - SLOPE_DEVIATION))
    assert found.high == pytest.approx(2e-3 * 10 ** (-SLOPE + SLOPE_DEVIATION))
    assert (found.rule, found.confidence) == ("auto", "high")
    assert found.reason == (
        "Here; 3 of 9 other rules agree; for a training of 1,000 steps at a constant rate the suggestion is lowered by a "
        f"factor of {10**SLOPE:.2g}, as the best rate usually falls when a training gets longer."
    )


def test_the_top_of_a_decaying_training_is_higher_and_says_why() -> None:
    """For as many steps as the test has, and for fewer, by the gain alone; the range stays as wide."""
    for steps in (100, 50):
        found = for_training(FOUND, Horizon(steps, "linear"), 100)
        rates = [1e-3 * 10**DECAYING_GAIN, 5e-4 * 10**DECAYING_GAIN, 2e-3 * 10**DECAYING_GAIN]
        assert [found.lr, found.low, found.high] == pytest.approx(rates)
        assert found.confidence == "high"
        assert found.reason == (
            f"Here; 3 of 9 other rules agree; for a training of {steps} steps with a linear schedule the suggestion is raised "
            f"by a factor of {10**DECAYING_GAIN:.2g}, as the rate will not stay at its top."
        )


def test_a_kept_rate_from_decaying_trainings_is_lower_and_says_why() -> None:
    """Also where the training is no longer than they were: the length is not the reason then."""
    found = for_training(replace(FOUND, rule="probe"), Horizon(300), 300, from_decaying=True)
    lower = DECAYING_GAIN + (SLOPE - DECAYING_SLOPE) * math.log10(3)
    assert found.lr == pytest.approx(1e-3 * 10**-lower)
    assert found.reason.endswith(
        f"; for a training of 300 steps at a constant rate the suggestion is lowered by a factor of {10**lower:.2g}, as a rate "
        "that is kept must be lower than the top of a schedule that falls."
    )
    longer = for_training(replace(FOUND, rule="probe"), Horizon(301), 300, from_decaying=True)
    assert longer.reason.endswith(" than the top of a schedule that falls, the more so in a longer training.")


def test_it_counts_how_much_longer_the_training_is_than_the_test() -> None:
    """A test of 1,000 steps is about a training of as many."""
    assert for_training(FOUND, Horizon(10_000), 1000).lr == for_training(FOUND, Horizon(1000), 100).lr
    assert for_training(FOUND, Horizon(1000), 1000).lr == FOUND.lr


@pytest.mark.parametrize("steps", [1, 50, 100])
def test_a_training_that_is_not_longer_than_the_test_has_its_rate(steps: int) -> None:
    """Nothing changes but the reason."""
    horizon = Horizon(steps, "constant_with_warmup")
    reason = f"Here; 3 of 9 other rules agree; for {horizon.words} the suggestion is about the same."
    assert for_training(FOUND, horizon, 100) == replace(FOUND, reason=reason)


def test_without_a_length_the_reason_says_for_what_length_the_rate_holds() -> None:
    """And how to ask for another; the rest stays, but for the schedule's part."""
    reason = "Here; 3 of 9 other rules agree; the suggestion holds for about {} steps {}; for a longer training, say its length."
    kept = for_training(FOUND, Horizon(), 1500)
    assert kept == replace(FOUND, reason=reason.format("1,500", "at a constant rate"))
    decaying = for_training(FOUND, Horizon(None, "cosine"), 100)
    assert decaying.lr == pytest.approx(1e-3 * 10**DECAYING_GAIN)
    raised = f"with a cosine schedule, raised by a factor of {10**DECAYING_GAIN:.2g} for that"
    assert decaying.reason == reason.format("100", raised)


def test_a_training_far_longer_than_the_test_has_no_rate_but_a_remedy() -> None:
    """2,000 times as long: the usual fall of the rate is too uncertain; the rate of the test stands in the reason."""
    assert for_training(FOUND, Horizon(200_000), 100) == Suggestion(
        None,
        "auto",
        "The rate for a training of 200,000 steps at a constant rate is not known from a test this short: for about 100 "
        "steps it is 1e-3; probe, or take a test of at least 633 steps.",
        remedies=("num_steps",),
    )


def test_probes_far_shorter_than_the_training_have_no_rate_but_a_remedy() -> None:
    """Theirs is longer probes, which cost more steps."""
    assert for_training(replace(FOUND, rule="probe"), Horizon(200_000, "cosine"), 75) == Suggestion(
        None,
        "probe",
        "The rate for a training of 200,000 steps with a cosine schedule is not known from a test this short: for about "
        "75 steps it is 1e-3; let probes take more steps, until the longest take 633 each.",
        remedies=("max_steps",),
    )


@given(horizon=HORIZONS, num_steps=st.integers(1, 1000), rule=st.sampled_from(["auto", "probe"]))
def test_a_test_as_long_as_the_remedy_says_has_a_rate_for_the_training(
    horizon: Horizon, num_steps: int, rule: str
) -> None:
    """And one that is a hundredth shorter has none, where a hundredth is a step."""
    found = replace(FOUND, rule=rule)
    answer = for_training(found, horizon, num_steps)
    lengths = re.findall(r"(?:take a test of at least|until the longest take) ([\d,]+)(?: steps| each)", answer.reason)
    assert len(lengths) == (answer.lr is None)
    for length in lengths:
        enough = int(length.replace(",", ""))
        assert for_training(found, horizon, enough).lr is not None
        assert enough < 100 or for_training(found, horizon, enough - 1 - enough // 100).lr is None


@pytest.mark.parametrize(
    ("confidence", "lower"), [("high", "medium"), ("medium", "medium"), ("low", "low"), (None, None)]
)
def test_the_confidence_is_not_high_where_the_range_gets_wide(confidence: str | None, lower: str | None) -> None:
    """From a hundredth of a decade beyond the limit on, not before it: by the distance, or as it was."""
    room = SURE_DECADES - math.log10(2e-3 / 5e-4)
    beyond, within = (int(100 * 10 ** ((room + more) / 2 / SLOPE_DEVIATION)) for more in (0.01, -0.01))
    found = replace(FOUND, confidence=confidence)
    assert for_training(found, Horizon(beyond), 100).confidence == lower
    assert for_training(found, Horizon(within), 100).confidence == confidence
    for wider, expected in ((0.01, lower), (-0.01, confidence)):
        wide = replace(found, low=1e-4, high=1e-4 * 10 ** (SURE_DECADES + wider))
        assert for_training(wide, Horizon(), 100).confidence == expected


@given(rule=st.sampled_from(RULES[1:]), horizon=HORIZONS, num_steps=LENGTHS)
def test_other_rules_and_answers_without_a_rate_stay_as_they_are(rule: str, horizon: Horizon, num_steps: int) -> None:
    """They give what they give elsewhere."""
    other, none = replace(FOUND, rule=rule), Suggestion(None, "auto", "Flat.")
    assert for_training(other, horizon, num_steps) == other
    assert for_training(none, horizon, num_steps) == none


@given(horizon=HORIZONS, num_steps=LENGTHS, width=st.floats(0, 2), from_decaying=st.booleans())
def test_the_range_moves_with_the_rate_and_never_gets_narrower(
    horizon: Horizon, num_steps: int, width: float, from_decaying: bool
) -> None:
    """For any training the rate is in it, or there is neither; a rate that is there carries at most the limit."""
    found = replace(FOUND, low=1e-3 * 10**-width, high=1e-3 * 10**width)
    moved = for_training(found, horizon, num_steps, from_decaying=from_decaying)
    assert moved.reason.endswith(".")
    assert ".;" not in moved.reason
    if moved.lr is None:
        assert (moved.low, moved.high, moved.confidence) == (None, None, None)
        assert shift(horizon, num_steps)[1] >= CARRIES
        return
    assert moved.low is not None
    assert moved.high is not None
    assert moved.lr == pytest.approx(1e-3 * 10 ** shift(horizon, num_steps, from_decaying=from_decaying)[0])
    down, up = math.log10(moved.lr / moved.low), math.log10(moved.high / moved.lr)
    assert down == pytest.approx(up, abs=1e-6)
    assert width - 1e-6 <= down <= width + CARRIES + 1e-6


def test_a_range_without_ends_stays_open() -> None:
    """An end that no rule knows cannot move, nor be too far from the other one."""
    found = for_training(replace(FOUND, low=None, high=None), Horizon(1000), 100)
    assert (found.low, found.high, found.confidence) == (None, None, "high")


def test_the_range_does_not_go_beyond_the_highest_rate_that_was_tried() -> None:
    """A cosine raises rate and range; the rate itself stays in it."""
    wide = replace(FOUND, high=4e-3)
    assert for_training(wide, Horizon(100, "cosine"), 100, highest=5e-3).high == 5e-3
    assert for_training(wide, Horizon(100, "cosine"), 100, highest=1e-6).high == pytest.approx(1e-3 * 10**DECAYING_GAIN)
