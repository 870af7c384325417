"""The rules of other finders: their own published cases, and answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lr_widget.suggest import peers
from lr_widget.suggest.peers import PEERS


def original_valley(lrs: list[float], losses: list[float]) -> float:
    """Find the valley by comparing all pairs, as fastai's documentation describes it."""
    lengths = [1] * len(losses)
    for i in range(len(losses)):
        lengths[i] = 1 + max([lengths[j] for j in range(i) if losses[i] < losses[j]], default=0)
    end = lengths.index(max(lengths))
    start = end - lengths[end] if end else 0
    return lrs[start + int((end - start) / 3) + int((end - start) / 3 / 2)]


def test_ignite_agrees_with_its_own_published_case():
    """From ignite's test_lr_suggestion_single_param_group: a parabola against linear rates gives 0.110909089."""
    losses, lrs = np.linspace(-5.0, 5.0, num=100) ** 2 + 0.05, np.linspace(0.01, 10, num=100)
    assert peers.steepest_step_before_minimum(lrs, losses) == pytest.approx(0.110909089)


def test_lightning_agrees_with_its_own_published_case():
    """From Lightning's test_gradient_correctness: the sine falls steepest at pi."""
    lrs = np.linspace(0, 2 * math.pi, 1000)
    assert peers.steepest_in_rate(lrs[2:-2], np.sin(lrs)[2:-2]) == pytest.approx(math.pi, abs=1e-2)


def test_lightning_is_not_altered_by_a_nan_at_the_end():
    """From Lightning's test_suggestion_with_non_finite_values; the points are finite when they get here."""
    lrs = np.logspace(-8, 0, 100)
    losses = 1 / (1 + (lrs / 1e-2) ** 2)
    suggest = PEERS["lightning"][0]
    assert suggest(lrs[:-1], losses[:-1]) == suggest(lrs, losses)


def test_ignite_has_no_answer_where_the_lowest_loss_is_among_the_first_two():
    """Ignite raises there: the curve should be somehow U-shaped."""
    assert peers.steepest_step_before_minimum(np.arange(1.0, 6.0), np.array([2.0, 1.0, 3.0, 4.0, 5.0])) is None


@pytest.mark.parametrize("seed", range(20))
def test_valley_finds_the_same_as_comparing_all_pairs(seed: int):
    """Patience sorting gives the same lengths, with ties, walks and noise."""
    rng = np.random.default_rng(seed)
    lrs, losses = np.logspace(-7, 1, 60), np.round(np.cumsum(rng.normal(-0.1, 1, 60)), seed % 3)
    assert peers.longest_valley(lrs, losses) == original_valley(lrs.tolist(), losses.tolist())


def test_slide_stops_where_the_slopes_fifteen_steps_apart_agree():
    """Flat for 30 points, then rising ever faster by 0.02: the window stops when both of its ends are flat."""
    losses = np.concatenate([np.zeros(30), 0.01 * np.arange(1, 21) ** 2.0])
    lrs = np.logspace(-4, 0, 50)
    # The slope is 0.005 at point 29 and at least 0.02 after it: the window at 14 … 29 is the first still one.
    assert peers.slide(lrs, losses) == lrs[15]


def test_slide_answers_with_the_first_rate_when_it_never_stops():
    """An accelerating curve has other slopes at both ends of every window."""
    lrs = np.logspace(-4, 0, 50)
    assert peers.slide(lrs, np.arange(50) ** 2.0) == lrs[0]


def test_minimum_is_a_tenth_of_the_lowest_points_rate():
    """The lowest of three is at 1."""
    assert peers.tenth_of_minimum(np.array([0.1, 1.0, 10.0]), np.array([3.0, 2.0, 4.0])) == 0.1


def test_steep_takes_the_left_of_the_two_neighbours():
    """Between 1e-2 and 1e-1 the loss falls by 3, elsewhere by 1."""
    assert peers.steepest_pair(np.array([1e-3, 1e-2, 1e-1, 1.0]), np.array([9.0, 8.0, 5.0, 4.0])) == 1e-2


def test_torch_lr_finder_takes_the_largest_fall_a_step():
    """Central differences of 9, 8, 5, 1 are -1, -2, -3.5, -4."""
    assert peers.steepest_step(np.array([1e-3, 1e-2, 1e-1, 1.0]), np.array([9.0, 8.0, 5.0, 1.0])) == 1.0


@pytest.mark.parametrize("beta", [0.5, 0.95])
def test_the_plain_average_starts_at_the_first_loss(beta: float):
    """The recursion of torch-lr-finder and ignite, step by step."""
    losses = np.random.default_rng(0).normal(size=200)
    expected = [losses[0]]
    for loss in losses[1:]:
        expected.append(beta * expected[-1] + (1 - beta) * loss)
    assert peers.plain_average(losses, beta) == pytest.approx(expected)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("losses", [[], [1.0], [2.0, 1.0], [1.0] * 100, list(range(0, -40, -1)), [1e300, -1e300] * 30])
def test_every_rule_takes_any_curve(name: str, losses: list[float]):
    """Empty, short, constant, negative and huge: a rate or None, never an error."""
    lrs = np.logspace(-7, 1, len(losses))
    with np.errstate(all="ignore"):
        answer = PEERS[name][0](lrs, np.array(losses, dtype=float))
    assert answer is None or answer > 0
