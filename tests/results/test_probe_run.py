"""Short trainings compared: the best end, the share that others lost, and noise; every answer worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lr_widget.results.probe_run import (
    ProbeRun,
    best_of,
    fallen,
    is_behind,
    is_clearly_worse,
    lost,
    second_half,
)

from .helpers import ended, falling_to


def test_what_was_learnt_counts_from_the_first_loss():
    """Later losses may have exploded already: a training that only came back from there is not about as good."""
    exploded = [
        ProbeRun(lr, np.array([2.3, 80.0, 50.0, 20.0, end, end, end, end]), "completed")
        for lr, end in ((3.0, 7.9), (1.0, 3.0), (0.3, 2.4))
    ]
    assert [lost(run, exploded) for run in exploded] == [math.inf, math.inf, 0.0]
    trained = [*exploded, ended(0.03, 0.3, start=2.3)]
    assert lost(trained[2], trained) == pytest.approx(2.1 / 2.0)


def test_a_validation_loss_decides_where_there_is_one():
    """The training loss would say the other rate. How far it fell is not known, so only the best one counts."""
    low_train = ProbeRun(0.1, np.repeat([10.0, 1.0], 4), "completed", val_loss=2.001)
    low_val = ProbeRun(0.2, np.repeat([10.0, 2.0], 4), "completed", val_loss=2.0)
    runs = [low_train, low_val]
    assert best_of(runs) is low_val
    assert is_clearly_worse(low_train, low_val)
    assert (lost(low_val, runs), lost(low_train, runs)) == (0.0, math.inf)


@pytest.mark.parametrize("end", [math.nan, math.inf])
def test_a_validation_loss_that_is_not_finite_is_no_end(end: float):
    """First or last, it is worse than any other."""
    broken = ProbeRun(0.1, np.ones(8), "completed", val_loss=end)
    good = ProbeRun(0.01, np.ones(8), "completed", val_loss=5.0)
    for runs in ([broken, good], [good, broken]):
        assert best_of(runs) is good
        assert lost(broken, runs) == math.inf
    assert is_clearly_worse(broken, good)
    assert best_of([broken]) is None


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, -50.0), (1.0, 1e4)])
def test_the_scale_and_the_sign_of_the_losses_do_not_matter(scale: float, shift: float):
    """The best one has learnt 8 of 10 and the other one 0.4 less, in any unit."""
    best, near = (ProbeRun(0.1, scale * falling_to(end).loss + shift, "completed") for end in (2.0, 2.4))
    assert lost(near, [best, near]) == pytest.approx(0.05)


def test_the_fall_counts_up_to_a_step_and_among_complete_trainings():
    """From 10 to 4 after all steps; to 7, the mean of 10 and 4, in the second half of six; the lower one was stopped."""
    runs = [ended(0.1, 4.0), ProbeRun(0.2, np.repeat([10.0, 1.0], 4), "stopped")]
    assert fallen(runs) == 6.0
    assert fallen(runs, 6) == 4.0
    assert fallen([ended(0.1, 12.0)]) == -2.0


def test_a_training_is_behind_by_its_mean_gap_less_three_errors():
    """Gaps of 1 and 3 in turn over the second half: mean 2, standard error 1.1547 / 2 of four steps, so 0.268 is left."""
    best = np.zeros(8)
    losses = np.array([50.0, 50.0, 50.0, 50.0, 1.0, 3.0, 1.0, 3.0])
    assert is_behind(losses, best, by=0.26)
    assert not is_behind(losses, best, by=0.27)


def test_the_middle_one_of_an_odd_number_belongs_to_the_second_half():
    """Three of five losses, and two of four."""
    assert second_half(np.arange(5.0)).tolist() == [2.0, 3.0, 4.0]
    assert second_half(np.arange(4.0)).tolist() == [2.0, 3.0]


def test_a_training_is_printed_in_one_line():
    """Its rate, its length and how it ended; an end only where it got there."""
    assert repr(ended(0.1, 2.0)) == "<ProbeRun: lr 0.1, 8 steps, end loss 2, completed>"
    assert repr(ProbeRun(0.1, np.ones(3), "diverged")) == "<ProbeRun: lr 0.1, 3 steps, diverged>"
