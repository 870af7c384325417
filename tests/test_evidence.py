"""Which rate is tried next, who is out of the race, and what the outcome says; every answer worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lr_widget.evidence import Evidence, ProbeRun, is_clearly_worse, is_outrun, lost, next_rate


def ended(lr: float, end: float, start: float = 10.0) -> ProbeRun:
    """A training of eight steps that got to its end: four losses at the start, four at the end."""
    return ProbeRun(lr, np.repeat([start, end], 4), "completed")


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
    """While half a decade more is better, it goes on; then the quarters, first towards the better neighbour."""
    ends = {1e-2: 3.0, 3.2e-2: 2.0, 1e-1: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 1e-1, 3.2e-1, 5.6e-2, 1.8e-1]


def test_a_high_suggestion_is_left_downwards():
    """Down to where half a decade less is worse; what was tried is not tried again."""
    ends = {1e-2: 3.0, 3.2e-3: 2.0, 1e-3: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 3.2e-3, 1e-3, 3.2e-4, 1.8e-3, 5.6e-4]


def test_a_plateau_is_walked_to_both_of_its_ends():
    """Rates that lose less than a tenth of what is learnt (0.9 of 9 here) are about as good, and have neighbours, too."""
    ends = {1e-2: 1.0, 3.2e-2: 1.8, 3.2e-3: 1.8}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 3.2e-3, 1e-1, 1e-3, 1.8e-2, 5.6e-3]


def test_a_better_rate_between_has_its_own_neighbours():
    """The quarter that is better than the half beside it is the last word on that side."""
    ends = {1e-2: 2.0, 1.8e-2: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 3.2e-3, 1.8e-2]


def test_where_nothing_trains_lower_rates_are_tried():
    """Trainings that explode have no end to compare."""
    runs = [ProbeRun(1.0, np.ones(3), "diverged")]
    assert next_rate(runs, 1.0) == pytest.approx(10**-0.5)
    runs.append(ProbeRun(10**-0.5, np.ones(3), "non_finite"))
    assert next_rate(runs, 1.0) == pytest.approx(0.1)


def test_where_nothing_trains_four_decades_down_it_is_not_the_rate():
    """A batch that gives NaN does so at every rate; the reason names the step, unless they ended at different ones."""
    runs: list[ProbeRun] = []
    while (lr := next_rate(runs, 1.0)) is not None:
        runs.append(ProbeRun(lr, np.ones(5), "non_finite"))
    assert [run.lr for run in runs] == pytest.approx([10 ** (-place / 2) for place in range(9)])
    assert Evidence(1.0, tuple(runs), 8).suggestion.reason == (
        "Of 9 short trainings (45 steps in all), all ended at step 5; look at the batch of that step and at the model."
    )
    runs[-1] = ProbeRun(1e-4, np.ones(4), "non_finite")
    assert "try lower rates" in Evidence(1.0, tuple(runs), 8).suggestion.reason


WOBBLE = np.tile([0.1, -0.1], 40)


def falling_to(end: float) -> ProbeRun:
    """A training of 80 steps that falls from 10 at once, with a wobble."""
    return ProbeRun(0.1, np.r_[np.full(4, 10.0), end + WOBBLE[:76]], "completed")


def test_a_training_is_outrun_when_it_has_learnt_less_than_half():
    """The best one has learnt 8 of 10 by then; a gap of 4.1 is too much, one of 3.9 is not."""
    best = falling_to(2.0)
    assert is_outrun(best.loss[:40] + 4.1, [best])
    assert not is_outrun(best.loss[:40] + 3.9, [best])
    assert not is_outrun(best.loss[:40] - 4.1, [best])


def test_a_gap_that_may_be_noise_does_not_outrun():
    """The mean gap is 5, more than the half (4), but the steps of the second half (20 to 40) scatter by 4: 3 errors are 2.7."""
    best, gap = falling_to(2.0), np.tile([1.0, 9.0], 20)
    assert not is_outrun(best.loss[:40] + gap, [best])
    assert is_outrun(best.loss[:40] + gap + 2.0, [best])


def test_nobody_is_outrun_in_the_first_quarter():
    """However far behind: a high rate may begin badly. Nor without anybody to compare with."""
    best = falling_to(2.0)
    assert not is_outrun(np.full(20, 50.0), [best])
    assert is_outrun(np.full(21, 50.0), [best])
    assert not is_outrun(np.full(21, 50.0), [])


def test_what_is_longer_than_the_best_one_is_not_outrun():
    """There is nothing to compare with."""
    assert not is_outrun(np.full(81, 50.0), [falling_to(2.0)])


def test_where_nothing_is_learnt_any_clear_gap_outruns():
    """Half of nothing is nothing; equal losses are a draw."""
    level = ProbeRun(0.1, 1.0 + WOBBLE, "completed")
    assert is_outrun(level.loss[:40] + 0.01, [level])
    assert not is_outrun(level.loss[:40], [level])


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, -50.0), (1.0, 1e4)])
def test_the_scale_and_the_sign_of_the_losses_do_not_matter(scale: float, shift: float):
    """As for the curve: shares of what is learnt, and differences against their own scatter."""
    best = ProbeRun(0.1, scale * falling_to(2.0).loss + shift, "completed")
    behind, close = (scale * (falling_to(end).loss) + shift for end in (6.1, 2.4))
    assert is_outrun(behind[:40], [best])
    assert not is_outrun(close[:40], [best])
    near = ProbeRun(0.2, close, "completed")
    assert lost(near, [best, near]) == pytest.approx(0.05)  # 0.4 of 8


def test_a_validation_loss_decides_where_there_is_one():
    """The training loss would say the other rate; it only says how much was learnt, 9 here."""
    low_train = ProbeRun(0.1, np.repeat([10.0, 1.0], 4), "completed", val_loss=3.35)
    low_val = ProbeRun(0.2, np.repeat([10.0, 2.0], 4), "completed", val_loss=2.0)
    evidence = Evidence(0.1, (low_train, low_val), 8)
    assert evidence.best is low_val
    assert is_clearly_worse(low_train, low_val)
    assert lost(low_train, evidence.runs) == pytest.approx(0.15)
    assert evidence.suggestion.lr == 0.2
    assert "lowest validation loss, 2;" in evidence.suggestion.reason


def test_the_suggestion_is_the_middle_of_the_rates_that_ended_about_as_low():
    """The best one learns 8; those that lose 0.4 of it count half, the ones that lose more than 0.8 not at all."""
    runs = (ended(0.01, 2.4), ended(0.1, 2.0), ended(1.0, 2.9), ended(10.0, 9.0), ended(0.001, 2.4))
    suggestion = Evidence(0.01, runs, 8).suggestion
    assert suggestion.lr == pytest.approx(10 ** ((-3 * 0.5 - 2 * 0.5 - 1 * 1.0) / 2))
    assert suggestion.low == 0.001
    assert suggestion.high == pytest.approx(10**-0.5)
    assert suggestion.reason == (
        "Of 5 short trainings (40 steps in all), the one at 1.0e-01 ended with the lowest loss, 2, and this is the middle "
        "of the 3 that ended about as low; at 1.0e-02, where they began, it was 2.4."
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
    assert (suggestion.rule, suggestion.confidence, suggestion.evidence) == ("probe", "high", evidence)
    assert evidence.num_steps == 29
    assert suggestion.reason == (
        "Of 4 short trainings (29 steps in all), the one at 3.2e-02 ended with the lowest loss, 1; at 1.0e-02, where "
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
        "Of 3 short trainings (24 steps in all), the one at 1.0e-01, where they began, ended with the lowest loss, 10; "
        "but none ended below the loss before training."
    )


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
