"""Rounds of trainings: every budget worked out by hand, and what holds for all of them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lr_widget.engine.probes.rounds import MIN_PROBE_STEPS, Round, first_round, next_round, planned_rounds
from lr_widget.horizon import Horizon

ANY = Horizon(None, "cosine")


def planned(max_steps: int, probe_steps: int | None, horizon: Horizon) -> list[tuple[int, str, int]]:
    """Length, schedule and budget of each round."""
    rounds = planned_rounds(max_steps, probe_steps, horizon)
    return [(each.num_steps, each.schedule, each.budget) for each in rounds]


@pytest.mark.parametrize(
    ("max_steps", "expected"),
    [
        (8, [(8, "constant", 8)]),
        (75, [(18, "constant", 75)]),
        (300, [(75, "constant", 300)]),
        (600, [(150, "constant", 600)]),
        (740, [(185, "constant", 740)]),
        (749, [(187, "constant", 749)]),
        (750, [(75, "constant", 300), (150, "cosine", 450)]),
        (1200, [(75, "constant", 300), (300, "cosine", 900)]),
        (2000, [(75, "constant", 300), (300, "cosine", 1700)]),
        (5000, [(75, "constant", 300), (300, "cosine", 1200), (1166, "cosine", 3500)]),
    ],
)
def test_a_budget_is_spent_on_longer_and_longer_trainings(max_steps: int, expected: list[tuple[int, str, int]]) -> None:
    """Four of 75 steps, then, from 750 steps on, as long ones as three of them can be paid, up to fourfold.

    Below that there is one round, of a quarter of the budget each.
    """
    assert planned(max_steps, None, ANY) == expected


@pytest.mark.parametrize(
    ("train_steps", "max_steps", "expected"),
    [
        (1, 300, [(8, "linear", 300)]),
        (50, 8, [(8, "constant", 8)]),
        (50, 75, [(18, "constant", 75)]),
        (50, 300, [(50, "linear", 300)]),
        (50, 5000, [(50, "linear", 5000)]),
        (100, 300, [(75, "constant", 300)]),
        (100, 600, [(100, "linear", 600)]),
        (100, 1200, [(100, "linear", 1200)]),
        (150, 599, [(149, "constant", 599)]),
        (150, 600, [(150, "linear", 600)]),
        (150, 1200, [(150, "linear", 1200)]),
        (151, 1200, [(75, "constant", 300), (151, "linear", 900)]),
        (400, 600, [(150, "constant", 600)]),
        (400, 1200, [(75, "constant", 300), (300, "linear", 900)]),
        (400, 5000, [(75, "constant", 300), (300, "linear", 4700)]),
        (1600, 1200, [(75, "constant", 300), (300, "linear", 900)]),
        (1600, 5000, [(75, "constant", 300), (300, "linear", 1200), (1166, "linear", 3500)]),
        (1600, 20_000, [(75, "constant", 300), (300, "linear", 1200), (1200, "linear", 18_500)]),
    ],
)
def test_no_training_is_longer_than_the_one_that_the_rate_is_for(
    train_steps: int, max_steps: int, expected: list[tuple[int, str, int]]
) -> None:
    """One that is short enough for the budget is probed as it is, at once."""
    assert planned(max_steps, None, Horizon(train_steps, "linear")) == expected


@pytest.mark.parametrize(
    ("probe_steps", "train_steps", "max_steps", "expected"),
    [
        (8, None, 8, [(8, "constant", 8)]),
        (8, None, 300, [(8, "constant", 32), (32, "one_cycle", 268)]),
        (8, None, 79, [(8, "constant", 79)]),
        (8, None, 80, [(8, "constant", 32), (16, "one_cycle", 48)]),
        (75, None, 600, [(75, "constant", 600)]),
        (100, 50, 1200, [(50, "one_cycle", 1200)]),
        (40, 500, 2000, [(40, "constant", 160), (160, "one_cycle", 640), (400, "one_cycle", 1200)]),
        (300, 5000, 300, [(300, "constant", 300)]),
        (300, 200, 300, [(200, "one_cycle", 300)]),
    ],
)
def test_the_length_of_the_first_trainings_may_be_given(
    probe_steps: int, train_steps: int | None, max_steps: int, expected: list[tuple[int, str, int]]
) -> None:
    """The longer ones follow from it, and where there are none, they stay as they are."""
    assert planned(max_steps, probe_steps, Horizon(train_steps, "one_cycle")) == expected


def test_steps_that_are_left_over_go_to_the_next_round() -> None:
    """The first one has cost 200 of its 300, so that the next one's trainings are longer than planned."""
    horizon = Horizon(5000)
    first = first_round(750, None, horizon)
    assert next_round(first, 450, horizon) == Round(150, "constant", 450)
    assert next_round(first, 550, horizon) == Round(183, "constant", 550)
    assert next_round(first, 449, horizon) is None


@example(max_steps=749, probe_steps=None, train_steps=10**6)
@given(
    max_steps=st.integers(8, 20_000),
    probe_steps=st.none() | st.integers(8, 500),
    train_steps=st.none() | st.integers(1, 10**6),
)
def test_every_plan_keeps_the_budget_and_grows(
    max_steps: int, probe_steps: int | None, train_steps: int | None
) -> None:
    """At least twofold, at most fourfold, within the training's length; all steps are given out.

    A longer round pays for three trainings at least, in the schedule of the training.
    """
    rounds = planned_rounds(max(max_steps, probe_steps or 8), probe_steps, Horizon(train_steps, "cosine"))
    assert sum(each.budget for each in rounds) == max(max_steps, probe_steps or 8)
    for before, after in itertools.pairwise(rounds):
        assert 2 * before.num_steps <= after.num_steps <= 4 * before.num_steps
        assert before.budget == 4 * before.num_steps
        assert after.budget >= 3 * after.num_steps
    assert rounds[0].budget >= rounds[0].num_steps
    assert all(each.num_steps >= MIN_PROBE_STEPS for each in rounds)
    if train_steps is not None:
        assert all(each.num_steps <= max(train_steps, MIN_PROBE_STEPS) for each in rounds)
        if rounds[0].num_steps < train_steps and len(rounds) == 1:
            assert rounds[0].schedule == "constant"
    assert {each.schedule for each in rounds[1:]} <= {"cosine"}
