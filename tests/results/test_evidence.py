"""The evidence of short trainings: rate, range, confidence and reason; every answer worked out by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.results import Evidence, ProbeRun
from lr_widget.schedule import rate_text
from lr_widget.suggest import Suggestion
from lr_widget.suggest.horizon import shift

from .helpers import ended, longer, some_rounds, some_runs

HOLDS = "the suggestion holds for about 8 steps at a constant rate; for a longer training, say its length."


def test_the_suggestion_is_the_middle_of_the_rates_that_ended_about_as_low():
    """The best one learns 8; those that lose 0.4 of it count half, the ones that lose more than 0.8 not at all."""
    runs = (ended(0.01, 2.4), ended(0.1, 2.0), ended(1.0, 2.9), ended(10.0, 9.0), ended(0.001, 2.4))
    suggestion = Evidence(0.01, runs, 8).suggestion
    assert suggestion.lr == pytest.approx(10 ** ((-3 * 0.5 - 2 * 0.5 - 1 * 1.0) / 2))
    assert suggestion.low == 0.001
    assert suggestion.high == pytest.approx(10**-0.5)
    assert suggestion.reason == (
        "In 5 short trainings (40 steps in all), the rate 0.1 ended with the lowest loss, 2, and the suggestion is "
        f"the middle of the 3 that ended about as low; at 0.01, where they began, it was 2.4; {HOLDS}"
    )


def test_the_outcome_has_a_range_a_confidence_and_its_cost():
    """A clearly worse rate on both sides is high confidence; the range goes half-way to them."""
    runs = (
        ended(0.01, 4.0),
        ended(0.0316, 1.0),
        ended(0.1, 2.8),
        ProbeRun(0.316, np.full(5, 9.0), "diverged"),
    )
    evidence = Evidence(0.01, runs, 8)
    suggestion = evidence.suggestion
    assert suggestion.lr == 0.0316
    assert suggestion.low == pytest.approx((0.01 * 0.0316) ** 0.5)
    assert suggestion.high == pytest.approx((0.1 * 0.0316) ** 0.5)
    assert (suggestion.rule, suggestion.confidence) == ("probe", "high")
    assert evidence.num_steps == 29
    assert suggestion.reason == (
        "In 4 short trainings (29 steps in all), the rate 0.032 ended with the lowest loss, 1; at 0.01, where "
        f"they began, it was 4; {HOLDS}"
    )
    table = evidence.to_pandas()
    assert table["lr"].tolist() == [0.01, 0.0316, 0.1, 0.316]
    assert table["steps"].tolist() == [8, 8, 8, 5]
    assert table["end_loss"].tolist()[:3] == pytest.approx([4.0, 1.0, 2.8])
    assert table["lost"].tolist()[:3] == pytest.approx([3 / 9, 0.0, 0.2])
    assert math.isnan(table["end_loss"][3])
    assert math.isnan(table["lost"][3])
    assert table["round"].tolist() == [1, 1, 1, 1]


def test_where_nothing_is_learnt_the_lowest_end_stands_alone_and_says_so():
    """A share of nothing is no measure."""
    runs = (ended(0.1, 10.0), ended(0.3, 10.1), ended(0.03, 10.2))
    suggestion = Evidence(0.1, runs, 8).suggestion
    assert (suggestion.lr, suggestion.confidence) == (0.1, "low")
    assert suggestion.reason == (
        "In 3 short trainings (24 steps in all), the rate 0.1, where they began, ended with the lowest loss, 10; "
        f"but no training loss fell below the first one; {HOLDS}"
    )


def test_in_a_longer_round_its_start_is_no_measure() -> None:
    """It comes from the shorter trainings: those half as close as the best one count half, however far away."""
    runs = (*FIRST, longer(0.01, 2.4), longer(0.1, 2.0), longer(1.0, 2.9), longer(0.001, 2.4))
    found = Evidence(0.1, runs, 8, Horizon(32, "cosine")).suggestion
    assert found.lr == pytest.approx(10 ** ((-3 * 0.5 - 2 * 0.5 - 1 * 1.0) / 2))


def test_a_start_far_from_all_that_trains_is_no_obstacle() -> None:
    """30 decades above it, where no weight is left of the distance."""
    runs = (ProbeRun(1e-30, np.full(8, 10.0), "completed"), ended(1.0, 1.0), ended(10**0.5, 1.45))
    assert 1.0 <= lr_of(Evidence(1e-30, runs, 8)) <= 10**0.5
    plateau = (
        ProbeRun(1e-300, np.full(8, 10.0), "completed"),
        *(ended(10.0**k, 1.0) for k in range(-150, 0)),
        ended(1.0, 0.99),
    )
    assert lr_of(Evidence(1e-300, plateau, 8)) == pytest.approx(1e-150)


def test_a_rate_further_away_that_is_clearly_worse_makes_the_bracket() -> None:
    """The nearest ones on both sides end alike, the next ones do not."""
    runs = tuple(ended(lr, end) for lr, end in [(0.1, 1.0), (0.2, 1.0), (0.05, 1.0), (0.4, 2.0), (0.02, 2.0)])
    assert Evidence(0.1, runs, 100).suggest(100).confidence == "high"


@pytest.mark.parametrize(
    ("ends", "confidence"),
    [([1.0], "low"), ([1.0, 2.0], "low"), ([1.0, 1.0, 1.0], "medium"), ([1.0, 2.0, 2.0], "high")],
)
def test_the_confidence_grows_with_what_was_tried_around(ends: list[float], confidence: str):
    """One side alone is no bracket; a bracket that is not clearly worse is a medium one."""
    runs = tuple(ended(lr, end) for lr, end in zip([0.1, 0.3, 0.03], ends, strict=False))
    assert Evidence(0.1, runs, 8).suggestion.confidence == confidence


@pytest.mark.parametrize(
    ("rates", "untried"),
    [([0.1], "higher or lower"), ([0.1, 0.01], "higher"), ([0.1, 1.0], "lower"), ([0.1, 0.01, 1.0], None)],
)
def test_a_side_that_was_not_tried_is_named(rates: list[float], untried: str | None):
    """The best may lie there; the steps were spent."""
    runs = tuple(ended(lr, 1.0 if lr == 0.1 else 5.0) for lr in rates)
    reason = Evidence(0.1, runs, 8).suggestion.reason
    assert (f"; no {untried} rate was tried: that takes more steps;" in reason) == (untried is not None)
    assert ("tried" in reason) == (untried is not None)


def test_a_training_that_was_interrupted_says_nothing():
    """It is on record with its cost, but is no worse rate."""
    runs = (ended(0.1, 1.0), ended(0.03, 2.0), ProbeRun(0.3, np.full(4, 9.0), "interrupted"))
    evidence = Evidence(0.1, runs, 8)
    assert evidence.suggestion.confidence == "low"
    assert evidence.suggestion.high == 0.1
    assert evidence.num_steps == 20


def test_a_bad_rate_between_ends_the_stretch():
    """A rate beyond it is not about as good, however it ended."""
    runs = (ended(0.1, 1.0), ProbeRun(0.178, np.full(5, 9.0), "diverged"), ended(0.316, 1.05))
    suggestion = Evidence(0.1, runs, 8).suggestion
    assert suggestion.lr == 0.1
    assert suggestion.high == pytest.approx((0.1 * 0.178) ** 0.5)
    assert "middle" not in suggestion.reason


def test_with_validation_data_the_best_one_stands_alone():
    """The reason speaks of the validation loss; the share that the other one lost is unknown."""
    runs = tuple(ProbeRun(lr, np.repeat([10.0, 1.0], 4), "completed", val) for lr, val in [(0.1, 2.0), (0.3, 2.01)])
    evidence = Evidence(0.1, runs, 8)
    assert evidence.suggestion.lr == 0.1
    assert evidence.suggestion.high == pytest.approx((0.1 * 0.3) ** 0.5)
    assert "ended with the lowest validation loss, 2;" in evidence.suggestion.reason
    assert evidence.to_pandas()["lost"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ([("non_finite", 3)], "In one short training (3 steps), none got to a finite end; try lower rates."),
        ([("diverged", 10)] * 2, "In 2 short trainings (20 steps in all), none got to a finite end; try lower rates."),
        (
            [("non_finite", 5)] * 2,
            "In 2 short trainings (10 steps in all), each loss of step 5 was not finite; try lower rates or check its "
            "batch.",
        ),
        (
            [("non_finite", 1)],
            "In one short training (1 step), the first loss was not finite, whatever the rate; look at the batch and the "
            "model.",
        ),
        (
            [("non_finite", 5), ("non_finite", 4)],
            "In 2 short trainings (9 steps in all), none got to a finite end; try lower rates.",
        ),
        (
            [("exhausted", 5)],
            "In one short training (5 steps), the data ended before 8 steps; give more, or fewer probe_steps.",
        ),
        ([("interrupted", 1)], "In one short training (1 step), the stop came before any end."),
    ],
)
def test_without_an_end_there_is_no_suggestion(ends: list[tuple[str, int]], reason: str):
    """The reason gives a remedy: the same step at every rate is not the rate's fault, nor are data that end."""
    runs = tuple(ProbeRun(0.1**place, np.ones(steps), why) for place, (why, steps) in enumerate(ends))
    suggestion = Evidence(1.0, runs, 8).suggestion
    assert (suggestion.lr, suggestion.reason) == (None, reason)


# --- rounds and the training that the rate is for ---------------------------------------------------------------------

FIRST = (ended(0.1, 2.0), ended(0.316, 4.0), ended(0.0316, 4.0))
EXPLODED = ProbeRun(0.2, np.array([10.0, 90.0]), "diverged", None, 32, "cosine")
CUT = ProbeRun(0.2, np.full(5, 10.0), "interrupted", None, 32, "cosine")


def lr_of(evidence: Evidence, **training: Any) -> float:
    """The suggested rate, which is there."""
    return float(evidence.suggest(**training))


def test_the_longest_trainings_decide() -> None:
    """Where two of them say another rate than the short ones, and the sentence is about those; all of them cost."""
    runs = (*FIRST, longer(0.13, 4.0), longer(0.042, 1.0), longer(0.013, 3.0))
    evidence = Evidence(0.1, runs, 8, Horizon(32, "cosine"))
    assert evidence.compared == runs[3:]
    assert evidence.best is runs[4]
    found = evidence.suggestion
    assert found == Suggestion(
        0.042,
        "probe",
        "In 6 short trainings (120 steps in all), the rate 0.042 ended with the lowest loss after 32 steps with a "
        "cosine schedule, 1; at 0.13, where those of 32 steps began, it was 4; for a training of 32 steps with a "
        "cosine schedule the suggestion is about the same.",
        low=pytest.approx((0.013 * 0.042) ** 0.5),
        high=pytest.approx((0.13 * 0.042) ** 0.5),
        confidence="high",
    )
    table = evidence.to_pandas()
    assert table["round"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["lr"].tolist() == [0.0316, 0.1, 0.316, 0.013, 0.042, 0.13]
    assert table["lost"].tolist() == pytest.approx([0.25, 0.0, 0.25, 2 / 9, 0.0, 3 / 9])


@pytest.mark.parametrize(
    ("later", "decides"),
    [
        ((), False),
        ((CUT,), False),
        ((longer(0.13, 1.0),), False),
        ((longer(0.13, 1.0), CUT), False),
        ((EXPLODED,), False),
        ((EXPLODED, CUT), False),
        ((EXPLODED, longer(0.0632, 1.0)), True),
        ((longer(0.13, 1.0), longer(0.042, 3.0)), True),
        ((longer(0.13, 1.0), longer(0.042, 3.0), CUT), True),
    ],
)
def test_a_round_decides_from_its_second_training_on(later: tuple[ProbeRun, ...], decides: bool) -> None:
    """One alone tells no rates apart, nor do several that all failed; one that was cut short does not count."""
    evidence = Evidence(0.1, (*FIRST, *later), 8)
    assert evidence.compared == (later if decides else FIRST)
    assert evidence.best is (min(later, key=lambda run: run.end_loss) if decides else FIRST[0])


def test_of_three_rounds_the_last_one_that_tells_decides() -> None:
    """The third has failed, so it is the second, below the rates that failed in the third."""
    failed = tuple(ProbeRun(lr, np.array([9.0, np.inf]), "non_finite", None, 128, "cosine") for lr in (0.2, 0.15))
    middle = (longer(0.13, 1.0), longer(0.042, 3.0), longer(0.42, 3.0))
    evidence = Evidence(0.1, (*FIRST, *middle, *failed), 8, Horizon(32, "cosine"))
    assert evidence.compared == middle
    found = evidence.suggestion
    limit = 0.15 / 10**0.5
    assert (found.lr, found.high) == pytest.approx((limit, limit))
    assert found.low == limit < (0.13 * 0.042) ** 0.5
    assert found.reason == (
        "In 8 short trainings (124 steps in all), the rate 0.13, where those of 32 steps began, ended with the lowest "
        "loss after 32 steps with a cosine schedule, 1; for a training of 32 steps with a cosine schedule the suggestion "
        "is about the same; that would be 0.13, so it is kept at 0.047, half a decade below those that failed for longer."
    )


def test_of_three_rounds_that_tell_the_last_one_decides() -> None:
    """What failed within it is a worse rate, to which the range goes half-way, and no cap."""
    middle = (longer(0.13, 1.0), longer(0.042, 3.0))
    failed = ProbeRun(0.05, np.array([10.0, 90.0]), "diverged", None, 128, "cosine")
    last = (longer(0.03, 1.0, num_steps=128), failed, longer(0.009, 4.0, num_steps=128))
    found = Evidence(0.1, (*FIRST, *middle, *last), 8, Horizon(128, "cosine")).suggestion
    assert found.lr == 0.03
    assert found.high == pytest.approx((0.03 * 0.05) ** 0.5)
    assert "kept" not in found.reason


def test_longer_trainings_that_failed_cap_the_range_alone_where_the_rate_is_low_enough() -> None:
    """Half a decade below 1.0 is 0.316: the rate stays at 0.1, and the range's end comes down from 0.56."""
    first = (ended(0.1, 2.0), ended(0.316, 2.7), ended(1.0, 4.0), ended(0.0316, 4.0))
    failed = ProbeRun(0.5, np.array([10.0, 90.0]), "diverged", None, 32, "constant")
    found, capped = Evidence(0.1, first, 8).suggestion, Evidence(0.1, (*first, failed), 8).suggestion
    assert found.high == pytest.approx((0.316 * 1.0) ** 0.5)
    assert capped.high == pytest.approx(0.5 / 10**0.5)
    assert (capped.lr, capped.low) == (found.lr, found.low)
    assert "kept" not in capped.reason


def test_a_rate_that_goes_up_stays_at_one_that_was_stable() -> None:
    """The best one is the highest that did not explode, and the top of a cosine may not be above it."""
    first = (ended(0.1, 2.0), ProbeRun(0.316, np.array([10.0, 90.0]), "diverged"), ended(0.0316, 4.0))
    found = Evidence(0.1, first, 8, Horizon(8, "cosine")).suggestion
    assert (found.lr, found.confidence) == (0.1, "high")
    up = shift(Horizon(8, "cosine"), 8)[0]
    assert found.high == pytest.approx((0.1 * 0.316) ** 0.5 * 10**up)
    assert found.reason.endswith(
        f", as the rate will not stay at its top; that would be {rate_text(0.1 * 10**up)}, so it is kept at 0.1, the highest "
        "rate that was stable."
    )


def test_the_range_ends_below_a_rate_that_these_trainings_saw_fail() -> None:
    """A cosine would raise both ends by 1.8; and a rate above the failed one that happened to end is not stable."""
    failed = ProbeRun(0.178, np.array([10.0, 90.0]), "diverged")
    found = Evidence(0.1, (ended(0.1, 2.0), failed, ended(0.0316, 4.0), ended(0.316, 9.0)), 100).suggest(100, "cosine")
    assert (found.lr, found.high) == (0.1, 0.178)


@pytest.mark.parametrize(
    ("training", "horizon"),
    [
        ({}, Horizon(100, "linear")),
        ({"train_steps": 500}, Horizon(500, "linear")),
        ({"train_schedule": "constant"}, Horizon(100)),
        ({"train_steps": 700, "train_schedule": "one_cycle"}, Horizon(700, "one_cycle")),
    ],
)
def test_the_same_evidence_answers_for_another_training(training: dict[str, Any], horizon: Horizon) -> None:
    """By the shift from the longest trainings, of 32 steps in a cosine; not given, it is the training of the probes."""
    runs = (*FIRST, longer(0.042, 1.0), longer(0.13, 4.0), longer(0.013, 3.0), longer(0.42, 9.9))
    evidence = Evidence(0.1, runs, 8, Horizon(100, "linear"))
    up, error = shift(horizon, 32, from_decaying=True)
    found = evidence.suggest(**training)
    assert found.lr == pytest.approx(0.042 * 10**up)
    assert found.low == pytest.approx((0.013 * 0.042) ** 0.5 * 10 ** (up - error))
    assert f"; for {horizon.words} the suggestion is lowered by a factor of " in found.reason
    if not training:
        assert evidence.suggestion == found


def test_for_a_training_far_too_long_there_is_no_rate_but_a_remedy() -> None:
    """With the probes' rate in the reason; a shorter training still has its rate, from the same evidence."""
    evidence = Evidence(0.1, FIRST, 8, Horizon(100_000))
    found = evidence.suggestion
    assert (found.lr, found.low, found.high, found.confidence) == (None, None, None, None)
    assert found.reason == (
        "The rate for a training of 100,000 steps at a constant rate is not known from a test this short: for about 8 "
        "steps it is 0.1; let probes take more steps, until the longest take 317 each."
    )
    assert repr(evidence) == (
        "<Evidence: 3 trainings from lr 0.1 on, 24 steps in all, lowest end 2 at lr 0.1, suggestion none>"
    )
    assert lr_of(evidence, train_steps=8) == 0.1


def test_a_training_that_does_not_exist_is_refused() -> None:
    """As everywhere."""
    evidence = Evidence(0.1, FIRST, 8)
    with pytest.raises(ValueError, match=r"^train_steps must be at least 1, got 0"):
        evidence.suggest(train_steps=0)
    with pytest.raises(ValueError, match=r'^train_schedule must be one of "constant", .*, got \'exponential\''):
        evidence.suggest(train_schedule="exponential")


def test_trainings_of_unsaid_length_are_those_of_the_first_round() -> None:
    """Told apart from longer ones by the evidence's probe_steps, also in words."""
    said = replace(FIRST[1], num_steps=8)
    evidence = Evidence(0.1, (FIRST[0], said, FIRST[2], longer(0.13, 1.0)), 8)
    assert evidence.compared == (FIRST[0], said, FIRST[2])
    assert evidence.to_pandas()["round"].tolist() == [1, 1, 1, 2]
    assert evidence.suggestion.reason.startswith(
        "In 4 short trainings (56 steps in all), the rate 0.1, where they began, ended with the lowest loss after "
        "8 steps at a constant rate, 2; the suggestion holds for about 8 steps"
    )


def test_large_numbers_of_steps_are_grouped() -> None:
    """Of all trainings, of a longer one and of the training alike."""
    runs = (*FIRST, longer(0.1, 1.0, "constant", 2000), longer(0.3, 0.5, "constant", 2000))
    evidence = Evidence(0.1, runs, 8, Horizon(2000))
    assert repr(evidence).startswith("<Evidence: 5 trainings from lr 0.1 on, 4,024 steps in all, ")
    assert evidence.suggestion.reason == (
        "In 5 short trainings (4,024 steps in all), the rate 0.3 ended with the lowest loss after 2,000 steps at a "
        "constant rate, 0.5, and the suggestion is the middle of the 2 that ended about as low; at 0.1, where those "
        "of 2,000 steps began, it was 1; no higher rate was tried for as long: that takes more steps; for a training of "
        "2,000 steps at a constant rate the suggestion is about the same."
    )


@given(some_rounds(), st.builds(Horizon, st.none() | st.integers(1, 10**7), st.sampled_from(TRAIN_SCHEDULES)))
def test_a_rate_for_any_training_is_in_its_range_and_below_what_failed(
    runs: tuple[ProbeRun, ...], horizon: Horizon
) -> None:
    """Or there is none, and a sentence says why; the table has a row each, by round and rate."""
    evidence = Evidence(runs[0].lr, runs, 8, horizon)
    found, compared = evidence.suggestion, evidence.compared
    assert found.reason.endswith(".")
    assert not re.search(r"None|nan|[.;,]{2}|\.;|  ", found.reason)
    assert repr(evidence).startswith("<Evidence: ")
    assert "None" not in repr(evidence)
    table = evidence.to_pandas()
    assert len(table) == len(runs)
    assert table.sort_values(["round", "lr"], kind="stable").equals(table)
    if found.lr is None:
        assert evidence.best is None or "not known from a test this short" in found.reason
        assert (found.low, found.high, found.confidence) == (None, None, None)
        return
    assert evidence.best in compared
    assert found.low <= found.lr * (1 + 1e-9)
    assert found.lr <= found.high * (1 + 1e-9)
    assert found.lr <= max(run.lr for run in compared if run.is_complete)
    failed = [run for run in runs if run.num_steps == 128 and run.stop_reason == "diverged"]
    if failed and not any(run.num_steps == 128 for run in compared):
        assert found.high <= min(run.lr for run in failed) / 3


def test_of_one_group_the_others_may_be_the_reason_for_none() -> None:
    """Lower rates for this group do not help where another one's rate explodes."""
    runs = (ProbeRun(0.1, np.ones(10), "diverged"), ProbeRun(0.03, np.ones(9), "diverged"))
    assert Evidence(0.1, runs, 20, group=1).suggestion.reason == (
        "In 2 short trainings (19 steps in all), none got to a finite end; look at the rates of the other param groups, too."
    )


@given(some_runs())
def test_whatever_ends_there_are_the_range_holds_the_rate(runs: tuple[ProbeRun, ...]):
    """The range reaches over no rate that was not tried, and the table has a row each."""
    evidence = Evidence(runs[0].lr, runs, 8)
    suggestion = evidence.suggestion
    assert (suggestion.lr is None) == (evidence.best is None)
    if suggestion.lr is not None:
        assert suggestion.low <= suggestion.lr * (1 + 1e-9)
        assert suggestion.lr <= suggestion.high * (1 + 1e-9)
        assert min(run.lr for run in runs) <= suggestion.low * (1 + 1e-9)
        assert suggestion.high <= max(run.lr for run in runs) * (1 + 1e-9)
    assert len(evidence.to_pandas()) == len(runs)


def test_the_evidence_is_printed_in_one_line():
    """Trainings, cost and suggestion, not their losses; the same for a single training, and with a group's index."""
    runs = (ended(0.1, 2.0), ended(0.3, 1.0), ended(1.0, 4.0))
    assert repr(Evidence(0.1, runs, 8)) == (
        "<Evidence: 3 trainings from lr 0.1 on, 24 steps in all, lowest end 1 at lr 0.3, high confidence, "
        "suggestion 0.3 (0.17 … 0.55)>"
    )
    none = (ProbeRun(0.1, np.ones(3), "diverged"),)
    assert repr(Evidence(0.1, none, 8)) == "<Evidence: 1 training from lr 0.1 on, 3 steps in all, suggestion none>"
    of_group = Evidence(0.1, none, 8, group=2)
    assert repr(of_group) == ("<Evidence: 1 training from lr 0.1 on, 3 steps in all, param group 2, suggestion none>")
