"""Which rate is tried next, who is out of the race, and what the outcome says; every answer worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lr_widget.evidence import Evidence, ProbeRun, is_clearly_worse, is_outrun, next_rate


def ended(lr: float, end: float, steps: int = 8) -> ProbeRun:
    """A training that got to its end with this loss all along."""
    return ProbeRun(lr, np.full(steps, end), "completed")


def tried_until(start: float, end_of: dict[float, float], most: int = 20) -> list[float]:
    """The rates that are tried where the training at a rate (in two digits) ends as told; others end at 9."""
    runs: list[ProbeRun] = []
    while (lr := next_rate(runs, start)) is not None and len(runs) < most:
        runs.append(ended(lr, end_of.get(float(f"{lr:.1e}"), 9.0)))
    return [float(f"{run.lr:.1e}") for run in runs]


def test_a_right_suggestion_is_tried_with_its_four_neighbours():
    """Half a decade up and down, then a quarter up and down."""
    assert tried_until(1e-2, {1e-2: 1.0}) == [1e-2, 3.2e-2, 3.2e-3, 1.8e-2, 5.6e-3]


def test_a_low_suggestion_is_left_upwards():
    """While half a decade more is better, it goes on; then the quarters around the best."""
    ends = {1e-2: 3.0, 3.2e-2: 2.0, 1e-1: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 1e-1, 3.2e-1, 1.8e-1, 5.6e-2]


def test_a_high_suggestion_is_left_downwards():
    """Down to where half a decade less is worse; what was tried is not tried again."""
    ends = {1e-2: 3.0, 3.2e-3: 2.0, 1e-3: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 3.2e-3, 1e-3, 3.2e-4, 1.8e-3, 5.6e-4]


def test_where_nothing_trains_lower_rates_are_tried():
    """Trainings that explode have no end to compare."""
    runs = [ProbeRun(1.0, np.ones(3), "diverged")]
    assert next_rate(runs, 1.0) == pytest.approx(10**-0.5)
    runs.append(ProbeRun(10**-0.5, np.ones(3), "non_finite"))
    assert next_rate(runs, 1.0) == pytest.approx(0.1)


def test_a_training_is_outrun_when_it_is_behind_step_by_step():
    """A gap that is far above its own scatter counts, however much both scatter together."""
    noise = np.random.default_rng(0).normal(size=80)
    best = 1.0 + noise
    assert is_outrun(1.1 + noise[:40] + np.tile([0.01, -0.01], 20), best)
    assert not is_outrun(0.9 + noise[:40] + np.tile([0.01, -0.01], 20), best)
    assert not is_outrun(1.1 + np.random.default_rng(1).normal(size=40), best)


def test_nobody_is_outrun_in_the_first_quarter():
    """However far behind: a high rate may begin badly."""
    best = np.ones(80)
    assert not is_outrun(np.full(20, 5.0) + np.arange(20), best)
    assert is_outrun(np.full(21, 5.0) + np.arange(21), best)


def test_equal_losses_do_not_outrun():
    """Zero difference with zero scatter is a draw; so is a training longer than the best one."""
    assert not is_outrun(np.ones(40), np.ones(80))
    assert not is_outrun(np.full(81, 9.0), np.ones(80))


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, -50.0), (1.0, 1e4)])
def test_the_scale_and_the_sign_of_the_losses_do_not_matter(scale: float, shift: float):
    """As for the curve: the comparison asks for differences against their own scatter."""
    best = np.linspace(2, 1, 40)
    behind = best + 0.2 + np.tile([0.05, -0.05], 20)
    level = best + np.tile([0.3, -0.25], 20)
    assert is_outrun(scale * behind + shift, scale * best + shift)
    assert not is_outrun(scale * level + shift, scale * best + shift)


def test_a_validation_loss_decides_where_there_is_one():
    """The training loss would say the other rate."""
    low_train = ProbeRun(0.1, np.full(8, 1.0), "completed", val_loss=3.0)
    low_val = ProbeRun(0.2, np.full(8, 2.0), "completed", val_loss=2.0)
    evidence = Evidence(0.1, (low_train, low_val), 8)
    assert evidence.best is low_val
    assert is_clearly_worse(low_train, low_val)
    assert "lowest validation loss, 2;" in evidence.suggestion.reason


def test_the_outcome_has_a_range_a_confidence_and_its_cost():
    """A clearly worse rate on both sides is high confidence; the range goes half-way to them."""
    wobble = np.tile([0.1, -0.1], 4)
    runs = (
        ProbeRun(0.01, np.full(8, 2.0), "completed"),
        ProbeRun(0.0316, 1.0 + wobble, "completed"),
        ProbeRun(0.1, 1.01 - wobble, "completed"),
        ProbeRun(0.316, np.full(5, 9.0), "diverged"),
    )
    evidence = Evidence(0.01, runs, 8)
    suggestion = evidence.suggestion
    assert suggestion.lr == 0.0316
    assert suggestion.low == pytest.approx((0.01 * 0.0316) ** 0.5)
    assert suggestion.high == pytest.approx((0.1 * 0.316) ** 0.5)
    assert (suggestion.rule, suggestion.confidence, suggestion.evidence) == ("probe", "high", evidence)
    assert evidence.num_steps == 29
    assert suggestion.reason == (
        "Of 4 short trainings (29 steps in all), the one at 3.2e-02 ended with the lowest loss, 1; at 1.0e-02, where "
        "they began, it was 2."
    )
    table = evidence.to_pandas()
    assert table["lr"].tolist() == [0.01, 0.0316, 0.1, 0.316]
    assert table["steps"].tolist() == [8, 8, 8, 5]
    assert table["end_loss"].tolist()[:3] == pytest.approx([2.0, 1.0, 1.01])
    assert math.isnan(table["end_loss"][3])


@pytest.mark.parametrize(
    ("ends", "confidence"),
    [([1.0], "low"), ([1.0, 2.0], "low"), ([1.0, 1.0, 1.0], "medium"), ([1.0, 2.0, 2.0], "high")],
)
def test_the_confidence_grows_with_what_was_tried_around(ends: list[float], confidence: str):
    """One side alone is no bracket; a bracket that is not clearly worse is a medium one."""
    runs = tuple(ended(lr, end) for lr, end in zip([0.1, 0.3, 0.03], ends, strict=False))
    assert Evidence(0.1, runs, 8).suggestion.confidence == confidence


def test_a_training_that_was_interrupted_says_nothing():
    """It is on record with its cost, but is no worse rate."""
    runs = (ended(0.1, 1.0), ended(0.03, 2.0), ProbeRun(0.3, np.full(4, 9.0), "interrupted"))
    evidence = Evidence(0.1, runs, 8)
    assert evidence.suggestion.confidence == "low"
    assert evidence.suggestion.high == 0.1
    assert evidence.num_steps == 20


def test_without_an_end_there_is_no_suggestion():
    """The reason says what to do."""
    suggestion = Evidence(1.0, (ProbeRun(1.0, np.ones(3), "non_finite"),), 8).suggestion
    assert suggestion.lr is None
    assert suggestion.reason == "Of the one short training (3 steps in all), none got to its end; try lower rates."
