"""Curves that are flat, fall, are flat and jump: where their corners are, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.suggest.shapes import _innovations, fit_shapes

X = np.linspace(-7, 1, 161)


def bent(x: np.ndarray, start: float, bottom: float, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses of 1 that fall to 0 between two corners and explode after a third; and a mask of the exploded ones."""
    is_exploded = x > edge + 1e-9
    return np.where(is_exploded, 1.0, np.interp(x, [start, bottom], [1, 0])), is_exploded


@pytest.mark.parametrize("corners", [(-5.0, -3.0, -1.0), (-7.0, -5.0, -1.0), (-3.0, -1.0, -0.8), (-6.0, -1.0, 0.0)])
def test_the_corners_of_a_bent_line_are_found(corners: tuple[float, float, float]):
    """To within a place of the grid, 0.2 decades here."""
    shapes = fit_shapes(X, *bent(X, *corners))
    for found, true in zip((shapes.start, shapes.bottom, shapes.edge), corners, strict=True):
        mean, deviation = shapes.mean_and_deviation(found)
        assert mean == pytest.approx(true, abs=0.2)
        assert deviation < 0.2


def test_noise_makes_the_corners_uncertain_not_wrong():
    """The true bottom lies within two standard deviations for nearly all seeds; these grow with the noise."""
    deviations = []
    for noise in (0.05, 0.3):
        errors = []
        for seed in range(40):
            y, is_exploded = bent(X, -5.0, -3.0, -1.0)
            noisy = y + noise * np.random.default_rng(seed).normal(size=y.size)
            mean, deviation = (s := fit_shapes(X, noisy, is_exploded)).mean_and_deviation(s.bottom)
            errors.append(abs(mean + 3.0) / deviation)
            deviations.append((noise, deviation))
        assert np.mean(np.array(errors) < 2) >= 0.85
    small, large = (np.median([d for n, d in deviations if n == noise]) for noise in (0.05, 0.3))
    assert large > 2 * small


def test_the_evidence_for_a_fall_is_the_likelihood_ratio_worked_out_by_hand():
    """A step from 1 to 0 with a wobble of 0.1 about it: n times the logarithm of the squares' ratio."""
    x = np.linspace(0, 4, 40)
    wobble = np.tile([0.1, -0.1], 20)
    y = np.where(x < 2, 1.0, 0.0) + wobble
    shapes = fit_shapes(x, y, np.zeros(40, bool))
    # A constant leaves 40 * (0.25 + 0.01), a step the wobble's 40 * 0.01; a corner may fit one more wobble by chance.
    assert shapes.evidence == pytest.approx(40 * np.log(0.26 / 0.01), rel=0.02)
    assert shapes.fall_evidence == pytest.approx(shapes.evidence)


def test_the_evidence_counts_what_is_new_in_each_error():
    """A step from 1 to 0 with a wobble of three up, three down: a third of each error stays in the next one.

    Of 120 errors of 0.1, 80 are like the one before and 39 the opposite, so their correlation is 41 / 120; without the
    bias of 10 parameters, that is 41 / 120 * 1.25 + 10 / 120, the memory. Squares of what is new: of the wobble
    (1 - memory) ** 2 or (1 + memory) ** 2 times 0.01; of a constant also 0.25 * (1 - memory) ** 2.
    """
    x = np.linspace(0, 4, 120)
    y = np.where(x < 2, 1.0, 0.0) + np.tile([0.1, 0.1, 0.1, -0.1, -0.1, -0.1], 20)
    shapes = fit_shapes(x, y, np.zeros(120, bool))
    memory = 41 / 120 * 1.25 + 10 / 120
    wobble = 0.01 * (80 * (1 - memory) ** 2 + 39 * (1 + memory) ** 2)
    constant = wobble + 120 * 0.25 * (1 - memory) ** 2
    # A corner may fit one more wobble by chance; without the memory it were 1.5 times as much.
    assert shapes.evidence == pytest.approx(120 * np.log(constant / wobble), rel=0.08)


def test_memory_after_the_first_half_alone_is_none_of_the_noise():
    """Straight lines miss a smooth fall; the losses before it, each independent, say that this is no drift."""
    rng, x = np.random.default_rng(0), np.linspace(-7, 1, 160)
    smooth = np.where(x < -2, 1.0, np.exp(-2 * (x + 2)))
    noise, nothing = 0.02 * rng.normal(size=160), np.zeros(160, bool)
    drifting = np.where(x < -3, np.convolve(noise, np.ones(9), "same"), noise)
    independent, drift = (fit_shapes(x, smooth + errors, nothing).evidence for errors in (noise, drifting))
    assert independent > 1.5 * drift > 0


def test_noise_with_memory_makes_the_corners_as_uncertain_as_they_are():
    """Where half of each error stays in the next, the true bottom still lies within two deviations for most seeds."""
    within = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y, is_exploded = bent(X, -5.0, -3.0, -1.0)
        errors = 0.2 * rng.normal(size=y.size)
        for i in range(1, y.size):
            errors[i] += 0.5 * errors[i - 1]
        mean, deviation = (s := fit_shapes(X, y + errors, is_exploded)).mean_and_deviation(s.bottom)
        within.append(abs(mean + 3.0) < 2 * deviation)
    assert np.mean(within) >= 0.85


def test_a_jump_is_no_fall():
    """A loss that is flat and then explodes has much evidence for something, and none for a fall."""
    y = np.where(X > 0, 1.0, 0.5) + 0.01 * np.random.default_rng(0).normal(size=X.size)
    shapes = fit_shapes(X, y.clip(0, 1), X > 0)
    assert shapes.evidence > 100
    assert shapes.fall_evidence < 17
    mean, _ = shapes.mean_and_deviation(shapes.edge)
    assert mean == pytest.approx(0.0, abs=0.3)


def test_probabilities_add_up_and_a_flat_curve_has_no_shape():
    """A straight line up has none either; one rate has no span; rounding is no evidence."""
    shapes = fit_shapes(X, *bent(X, -5.0, -3.0, -1.0))
    assert shapes.probability.sum() == pytest.approx(1.0)
    assert shapes.expected(shapes.bottom > -10) == pytest.approx(1.0)
    nothing = np.zeros(X.size, bool)
    flat = fit_shapes(X, np.ones(X.size), nothing)
    assert flat is None or flat.evidence == pytest.approx(0.0, abs=1e-6)
    assert fit_shapes(X, np.linspace(0, 1, X.size), nothing) is None
    assert fit_shapes(np.zeros(5), np.arange(5.0)[::-1], np.zeros(5, bool)) is None


def test_the_first_error_counts_as_one_that_nothing_came_before() -> None:
    """By hand, half of each error stays: 1 has 3/4 of the variance to itself, and 0 comes 1/2 after it."""
    assert _innovations(np.array([1.0, 0.0]), 0.5) == pytest.approx(0.75 + 0.25)
