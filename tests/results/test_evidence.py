"""The evidence of short trainings: rate, range, confidence and reason; every answer worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given

from lr_widget.results import Evidence, ProbeRun

from .helpers import ended, some_runs


def test_the_suggestion_is_the_middle_of_the_rates_that_ended_about_as_low():
    """The best one learns 8; those that lose 0.4 of it count half, the ones that lose more than 0.8 not at all."""
    runs = (ended(0.01, 2.4), ended(0.1, 2.0), ended(1.0, 2.9), ended(10.0, 9.0), ended(0.001, 2.4))
    suggestion = Evidence(0.01, runs, 8).suggestion
    assert suggestion.lr == pytest.approx(10 ** ((-3 * 0.5 - 2 * 0.5 - 1 * 1.0) / 2))
    assert suggestion.low == 0.001
    assert suggestion.high == pytest.approx(10**-0.5)
    assert suggestion.reason == (
        "In 5 short trainings (40 steps in all), the rate 1.0e-01 ended with the lowest loss, 2, and the suggestion is "
        "the middle of the 3 that ended about as low; at 1.0e-02, where they began, it was 2.4."
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
        "In 4 short trainings (29 steps in all), the rate 3.2e-02 ended with the lowest loss, 1; at 1.0e-02, where "
        "they began, it was 4."
    )
    table = evidence.to_pandas()
    assert table["lr"].tolist() == [0.01, 0.0316, 0.1, 0.316]
    assert table["steps"].tolist() == [8, 8, 8, 5]
    assert table["end_loss"].tolist()[:3] == pytest.approx([4.0, 1.0, 2.8])
    assert table["lost"].tolist()[:3] == pytest.approx([3 / 9, 0.0, 0.2])
    assert math.isnan(table["end_loss"][3])
    assert math.isnan(table["lost"][3])


def test_where_nothing_is_learnt_the_lowest_end_stands_alone_and_says_so():
    """A share of nothing is no measure."""
    runs = (ended(0.1, 10.0), ended(0.3, 10.1), ended(0.03, 10.2))
    suggestion = Evidence(0.1, runs, 8).suggestion
    assert (suggestion.lr, suggestion.confidence) == (0.1, "low")
    assert suggestion.reason == (
        "In 3 short trainings (24 steps in all), the rate 1.0e-01, where they began, ended with the lowest loss, 10; "
        "but no training loss fell below the first one."
    )


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
    assert (f"; no {untried} rate was tried: that takes more steps." in reason) == (untried is not None)
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
    """Trainings, cost and suggestion, not their losses; the same for a single training."""
    runs = (ended(0.1, 2.0), ended(0.3, 1.0), ended(1.0, 4.0))
    assert repr(Evidence(0.1, runs, 8)) == (
        "<Evidence: 3 trainings from lr 1.0e-01 on, 24 steps in all, lowest end 1 at lr 3.0e-01, high confidence, "
        "suggestion 3.0e-01 (1.7e-01 … 5.5e-01)>"
    )
    none = (ProbeRun(0.1, np.ones(3), "diverged"),)
    assert repr(Evidence(0.1, none, 8)) == "<Evidence: 1 training from lr 1.0e-01 on, 3 steps in all, suggestion none>"
