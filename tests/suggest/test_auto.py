"""The default rule: rate, range, confidence and reason on curves with a known answer, and none where there is none."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lr_widget.suggest import suggest_lr

from .helpers import LRS, noisy_sweep


@pytest.mark.parametrize("num_steps", [5, 8, 12, 30])
@pytest.mark.parametrize(("decades", "at_most"), [(1, 10), (8, 20)])
def test_noise_alone_is_seldom_taken_for_a_curve(num_steps: int, decades: int, at_most: int):
    """It gives a rate in at most 1 of 20 tests that were stopped after a decade, in at most 1 of 10 whole ones."""
    rng = np.random.default_rng(0)
    lrs = np.logspace(-7, decades - 7, num_steps)
    rates = [suggest_lr(lrs, 1 + 0.1 * rng.standard_normal(num_steps)).lr for _ in range(200)]
    assert sum(lr is not None for lr in rates) <= at_most


def errors_with_memory(memory: float, num_steps: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of variance 1 in which a share of each error stays in the next."""
    errors = rng.standard_normal(num_steps)
    for i in range(1, num_steps):
        errors[i] = memory * errors[i - 1] + (1 - memory**2) ** 0.5 * errors[i]
    return errors


@pytest.mark.parametrize("num_steps", [100, 200, 300])
@pytest.mark.parametrize(("memory", "at_most"), [(0.0, 5), (0.4, 10), (0.8, 10)])
def test_a_drift_of_the_noise_is_no_fall(memory: float, at_most: int, num_steps: int):
    """At most 5 of 100 curves of independent noise get a rate, at most 10 where noise stays in the next losses."""
    lrs, rng = np.logspace(-7, 1, num_steps), np.random.default_rng(1)
    rates = [suggest_lr(lrs, errors_with_memory(memory, num_steps, rng)).lr for _ in range(100)]
    assert sum(lr is not None for lr in rates) <= at_most


@pytest.mark.parametrize("num_steps", [400, 1600])
def test_a_smooth_curve_without_noise_is_not_taken_for_drift(num_steps: int):
    """Straight lines miss a smooth curve by much the same at neighbouring rates; its fall and its jump stay clear."""
    suggestion = suggest_lr(*noisy_sweep(0.0, num_steps))
    assert suggestion.confidence == "high"
    assert suggestion.lr == pytest.approx(suggest_lr(*noisy_sweep(0.0)).lr, rel=0.2)


def test_a_clear_curve_of_ten_points_is_enough():
    """A step of 7/9 of a decade below the bottom, 1e-2, and a tenth of the jump, at 0.16 to 0.9; nine are too few."""
    lrs = np.logspace(-6, 1, 10)
    losses = np.where(lrs > 0.3, 9.0, np.interp(np.log10(lrs), [-5, -2], [2, 1]))
    lr = suggest_lr(lrs, losses).lr
    assert lr is not None
    assert 1e-2 <= lr * 10 ** (7 / 9) <= 9e-2
    assert suggest_lr(lrs[:9], losses[:9]).reason == (
        "9 points are too few to tell a fall from noise; at least 10 are needed: "
        "take more steps or, for validation losses, lower val_every."
    )


@pytest.mark.parametrize(("jump", "middle"), [(-1.6, -2.712), (-1.0, -2.280)])
def test_auto_lies_between_the_end_of_the_fall_and_a_tenth_of_the_jump(jump: float, middle: float):
    """Straight lines with corners at 1e-5 and 1e-3, and a jump; the two readings have errors of 0.45 and 0.28 decades.

    So they count 4.94 and 12.76 times: -3 and -2.6 have the mean -2.712, -3 and -2 the mean -2.280. Its deviation is
    17.7 ** -0.5, and the range goes two of these to either side. One step of 0.04 decades is taken off.
    """
    lrs = np.logspace(-7, 1, 201)
    losses = np.where(np.log10(lrs) > jump + 0.001, 9.0, np.interp(np.log10(lrs), [-5, -3], [2, 1]))
    suggestion = suggest_lr(lrs, losses)
    log_rates = np.log10([suggestion.lr, suggestion.low, suggestion.high]) + 0.04
    spread = 2 * 17.7**-0.5
    assert log_rates == pytest.approx([middle, middle - spread, middle + spread], abs=0.01)
    assert suggestion.confidence == "high"


def test_a_curve_that_never_jumps_has_a_wider_range():
    """Only the end of the fall is known then, by 0.45 decades; two of these lie on either side, 1.8 in all."""
    lrs = np.logspace(-7, 1, 201)
    suggestion = suggest_lr(lrs, np.interp(np.log10(lrs), [-5, -3], [2, 1]))
    assert np.log10(suggestion.high / suggestion.low) == pytest.approx(1.8, abs=0.05)
    assert suggestion.confidence == "medium"


def test_without_a_jump_the_rate_is_where_the_fall_ends_wherever_the_sweep_ends():
    """Half of 1 / (1 + (lr / 3.16e-3)^2) is lost at 3.16e-3, nine tenths at 1e-2; nothing is seen that is too high."""
    rates = []
    for end in (0, 1, 2):
        lrs = np.logspace(-6, end, 141)
        suggestion = suggest_lr(lrs, 1 / (1 + (lrs / 3.16e-3) ** 2))
        rates.append(suggestion.lr)
        assert suggestion.reason.startswith("Where the loss levels out, ")
        assert "it does not jump up to the end" in suggestion.reason
        assert suggestion.confidence == "medium"
    assert rates == pytest.approx([1e-2] * 3, rel=0.25)


def test_a_noisy_rise_from_the_start_has_no_answer():
    """Nothing falls, and most losses lie above the first ones: lower rates are needed, for every seed."""
    lrs = np.logspace(-6, 0, 100)
    for seed in range(20):
        losses = np.exp(np.log10(lrs) + 6) / 50 + 0.05 * np.random.default_rng(seed).normal(size=100)
        suggestion = suggest_lr(lrs, losses)
        assert suggestion.lr is None
        assert suggestion.reason.endswith("lower the start.")


def test_autos_reason_names_both_readings_and_the_other_rules():
    """The user reads the reason, not only the rate."""
    reason = suggest_lr(*noisy_sweep(0.0)).reason
    assert reason.startswith("Between ")
    assert ", where the loss levels out, and " in reason
    assert ", a tenth of the last rate before it jumps up; " in reason
    assert reason.endswith(" of 9 other rules lie within a factor of 3.")


@pytest.mark.parametrize("num_steps", [20, 100])
@pytest.mark.parametrize("seed", range(5))
def test_the_rate_lies_between_the_rates_that_its_reason_names(num_steps: int, seed: int):
    """To the two digits that are printed, also with few steps, whose distance counts for much."""
    suggestion = suggest_lr(*noisy_sweep(0.01, num_steps, seed))
    low, high = (float(each) for each in re.findall(r"(?:Between |and )([\d.e-]+), (?:a|where) ", suggestion.reason))
    assert 0.94 * low <= suggestion.lr <= 1.06 * high
    assert low < high


def test_the_reason_names_the_lower_rate_first():
    """Where the fall goes on almost to the jump, it ends above a tenth of the last rate before it."""
    x = np.linspace(-7, 1, 300)
    losses = 1 + 1 / (1 + np.exp(4 * (x + 1))) + 1e3 * (x > 0)
    pattern = r"Between (\S+), a tenth of the last rate before the loss jumps up, and (\S+), where it levels out; "
    low, high = re.match(pattern, suggest_lr(10**x, losses).reason).groups()
    assert float(low) == pytest.approx(0.1, rel=0.1)
    assert 0.1 < float(high) < 1


def test_the_reason_names_one_rate_where_both_are_the_same():
    """To two digits."""
    x = np.linspace(-7, 1, 300)
    falls = 1 + np.clip(-(x + 1) / 2, 0, 1) + 1e3 * (x > 0)
    reason = suggest_lr(10**x, falls).reason
    assert re.match(r"At \S+, where the loss levels out, a tenth of the last rate before it jumps up; ", reason), reason


def test_confidence_sinks_with_the_noise():
    """The same curve, exploding from 0.0252 on, seen through more noise: always clear, clear for some seeds, for none."""
    grades = {None: 0, "low": 1, "medium": 2, "high": 3}

    def seen(noise: float) -> list[int]:
        sweeps = [noisy_sweep(noise, 300, seed) for seed in range(20)]
        return sorted(grades[suggest_lr(lrs, losses + 99 * (lrs > 0.0252)).confidence] for lrs, losses in sweeps)

    clear, doubtful, hidden = (seen(noise) for noise in (0.05, 0.8, 8.0))
    assert clear[0] == 3
    assert sum(hidden) < sum(doubtful) < sum(clear)
    assert hidden[-1] <= 1


def test_a_short_sweep_is_never_high_in_confidence():
    """With 30 steps, not even the clearest curve tells a near-best rate from others."""
    lrs, losses = noisy_sweep(0.0, 30)
    assert suggest_lr(lrs, losses + 99 * (lrs > 0.0252)).confidence == "medium"


def test_more_steps_make_the_suggestion_steadier():
    """Over 20 seeds the decades scatter less with 1600 noisy steps than with 100."""
    spread = [np.std([np.log10(suggest_lr(*noisy_sweep(0.3, n, seed)).lr) for seed in range(20)]) for n in (100, 1600)]
    assert spread[1] < 0.7 * spread[0]


@pytest.mark.parametrize(
    ("losses", "reason", "remedies"),
    [
        (2 - np.log10(LRS), "extend the end", ("end_lr",)),
        (np.exp(np.log10(LRS)), "lower the start", ("start_lr",)),
        (np.random.default_rng(1).normal(0, 1, 141), "take more steps or", ("num_steps", "repeats", "end_lr")),
        (np.full(141, -3.0), "check that the optimizer trains this model", ()),
    ],
    ids=["falling to the end", "rising from the start", "noise", "constant"],
)
def test_auto_has_no_rate_for_a_curve_without_an_answer_and_says_what_to_do(
    losses: np.ndarray, reason: str, remedies: tuple[str, ...]
):
    """A made-up rate is worse than none; the remedies are there for programs, too."""
    suggestion = suggest_lr(LRS, losses)
    assert (suggestion.lr, suggestion.remedies) == (None, remedies)
    assert reason in suggestion.reason


def test_a_curve_that_starts_in_the_middle_of_its_fall_is_low_in_confidence_and_says_so():
    """The fall before the first rate may matter."""
    lrs, losses = noisy_sweep(0.0, 400)
    suggestion = suggest_lr(lrs[lrs > 1e-3], losses[lrs > 1e-3])
    assert suggestion.confidence == "low"
    assert "a lower start would show more" in suggestion.reason
    assert suggestion.remedies == ("start_lr",)


def test_a_fall_that_may_go_on_beyond_the_sweep_is_low_in_confidence():
    """It ends at 2.5, shortly before the last twentieth of the sweep, and noise leaves open if it does."""
    lrs = np.logspace(-7, 1, 100)
    noise = 0.1 * np.random.default_rng(0).normal(size=100)
    suggestion = suggest_lr(lrs, np.interp(np.log10(lrs), [-5, 0.4], [2, 1]) + noise)
    assert suggestion.lr is not None
    assert suggestion.confidence == "low"


def test_noise_that_hides_the_fall_but_not_the_explosion_leaves_the_rule_of_thumb():
    """Losses of 0 or 2 in turn, exploding after 1e-2: a tenth of that, in low confidence."""
    lrs = np.logspace(-6, 0, 61)
    losses = np.where(lrs > 1.01e-2, 100 * lrs / 1e-2, 2.0 * (np.arange(61) % 2))
    suggestion = suggest_lr(lrs, losses)
    assert suggestion.lr == pytest.approx(1e-3, rel=0.3)
    assert suggestion.confidence == "low"
    assert "noise hides the fall" in suggestion.reason
    assert suggestion.remedies == ("num_steps", "repeats")
