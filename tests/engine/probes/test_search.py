"""The rate to try next, and trainings out of the race; every answer worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given

from lr_widget.engine.probes.search import is_outrun, next_rate
from lr_widget.results import ProbeRun, lost

from ...results.helpers import WOBBLE, ended, falling_to, some_runs


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
    """Down to where half a decade less is worse; no rate is tried twice."""
    ends = {1e-2: 3.0, 3.2e-3: 2.0, 1e-3: 1.0}
    assert tried_until(1e-2, ends) == [1e-2, 3.2e-2, 3.2e-3, 1e-3, 3.2e-4, 1.8e-3, 5.6e-4]


def test_a_plateau_is_walked_to_both_of_its_ends():
    """Rates that lose less than a tenth of everything learnt (0.9 of 9) are about as good, and have neighbours, too."""
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
    """A batch that gives NaN does so at every rate."""
    runs: list[ProbeRun] = []
    while (lr := next_rate(runs, 1.0)) is not None:
        runs.append(ProbeRun(lr, np.ones(5), "non_finite"))
    assert [run.lr for run in runs] == pytest.approx([10 ** (-place / 2) for place in range(9)])


def test_where_every_rate_would_end_alike_no_other_is_tried():
    """The first loss, before any update, is not finite, or the data end."""
    assert next_rate([ProbeRun(1.0, np.array([math.nan]), "non_finite")], 1.0) is None
    assert next_rate([ProbeRun(1.0, np.ones(5), "exhausted")], 1.0) is None


def test_a_constant_loss_is_not_walked_up_for_ever():
    """Where nothing is learnt, equal ends are no plateau: half a decade on both sides, then the quarters."""
    runs: list[ProbeRun] = []
    while (lr := next_rate(runs, 1e-2)) is not None and len(runs) < 50:
        runs.append(ProbeRun(lr, np.full(75, 2.302585), "completed"))  # whose mean is not exactly that
    assert len(runs) == 5
    assert lost(runs[1], runs) == math.inf


def test_where_nothing_is_learnt_lower_rates_come_first():
    """A training that ends above the first loss had too high a rate rather than too low a one."""
    assert next_rate([ended(1.0, 12.0)], 1.0) == pytest.approx(10**-0.5)
    assert next_rate([ended(1.0, 9.9)], 1.0) == pytest.approx(10**0.5)


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


def test_where_nothing_is_learnt_any_clear_gap_outruns():
    """Half of nothing is nothing; equal losses are a draw."""
    level = ProbeRun(0.1, 1.0 - WOBBLE, "completed")
    assert is_outrun(level.loss[:40] + 0.01, [level])
    assert not is_outrun(level.loss[:40], [level])


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, -50.0), (1.0, 1e4)])
def test_the_scale_and_the_sign_of_the_losses_do_not_matter(scale: float, shift: float):
    """As for the curve: shares of everything learnt, and differences against their own scatter."""
    best = ProbeRun(0.1, scale * falling_to(2.0).loss + shift, "completed")
    behind, close = (scale * (falling_to(end).loss) + shift for end in (6.1, 2.4))
    assert is_outrun(behind[:40], [best])
    assert not is_outrun(close[:40], [best])


@pytest.mark.parametrize("end", [math.nan, math.inf])
def test_after_a_validation_loss_that_is_not_finite_a_lower_rate_is_tried(end: float):
    """It is no end, so half a decade below comes next."""
    broken = ProbeRun(0.1, np.ones(8), "completed", val_loss=end)
    assert next_rate([broken], 0.1) == pytest.approx(10**-1.5)


@given(some_runs())
def test_the_next_rate_is_new_however_the_trainings_ended(runs: tuple[ProbeRun, ...]):
    """No rate is tried twice, nor one less than a quarter of a decade beside it."""
    asked = next_rate(runs, runs[0].lr)
    assert asked is None or all(abs(math.log10(asked / run.lr)) > 0.2 for run in runs)
