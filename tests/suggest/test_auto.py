import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lr_widget.errors import NoSuggestionError
from lr_widget.suggest import Suggestion, suggest_all, suggest_lr

LRS = np.logspace(-6, 1, 141)


def logistic_fall(steepest_at: float) -> np.ndarray:
    """Return losses that fall steepest against log rate at the given rate."""
    return 1 / (1 + (LRS / steepest_at) ** 2)


def test_steepest_finds_the_analytic_steepest_point():
    """A logistic fall in log rate is steepest at its middle."""
    assert suggest_lr(LRS, logistic_fall(3.16e-3), rule="steepest").lr == pytest.approx(3.16e-3, rel=0.02)


def test_minimum_tenth_is_an_order_of_magnitude_before_a_parabolas_minimum():
    """A parabola in log rate with its minimum at 1e-1 gives 1e-2."""
    assert suggest_lr(LRS, (np.log10(LRS) + 1) ** 2, rule="minimum/10").lr == pytest.approx(1e-2, rel=0.15)


def test_a_suggestion_without_a_rate_says_why_when_asked_for_its_number():
    """Code that wants a number must not go on with a made-up one."""
    with pytest.raises(NoSuggestionError, match=r"^flat as a plate$"):
        float(Suggestion(lr=None, rule="auto", reason="flat as a plate"))


def test_unknown_rule_is_refused_with_the_known_ones():
    """The message is the list to choose from."""
    with pytest.raises(ValueError, match=r"rule must be one of 'auto', .*, got 'best'"):
        suggest_lr([1.0], [1.0], rule="best")


def test_unequal_lengths_are_refused():
    """A silent zip would pair losses with the wrong rates."""
    with pytest.raises(ValueError, match=r"equally long, got 2 and 1; give one loss a rate"):
        suggest_lr([1.0, 2.0], [1.0])


@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan"), float("inf")])
def test_rates_without_a_logarithm_are_refused(rate: float):
    """Every rule reads the curve against the logarithm of the rate."""
    with pytest.raises(ValueError, match=r"lrs must be positive and finite, got .*; leave such points out"):
        suggest_lr([1e-3, rate], [1.0, 1.0])


def test_too_few_points_and_a_constant_curve_give_a_reason_from_every_rule():
    """No rule invents a rate where there is nothing to read."""
    for suggestion in (*suggest_all([1e-3], [1.0]).values(), *suggest_all(LRS, np.ones(141)).values()):
        assert suggestion.lr is None
        assert suggestion.reason.endswith(".")


@pytest.mark.parametrize("num_steps", [5, 8, 12, 30])
@pytest.mark.parametrize(("decades", "at_most"), [(1, 10), (8, 20)])
def test_noise_alone_is_seldom_taken_for_a_curve(num_steps: int, decades: int, at_most: int):
    """It gives a rate in at most 1 of 20 tests that were stopped after a decade, in at most 1 of 10 whole ones."""
    rng = np.random.default_rng(0)
    lrs = np.logspace(-7, decades - 7, num_steps)
    rates = [suggest_lr(lrs, 1 + 0.1 * rng.standard_normal(num_steps)).lr for _ in range(200)]
    assert sum(lr is not None for lr in rates) <= at_most


def noisy_sweep(noise: float, num_steps: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a sweep that falls from 2 to 1 around 1e-3, rises from 1 on, and carries Gaussian noise."""
    lrs = np.logspace(-7, 1, num_steps)
    x = np.log10(lrs)
    losses = 1 + 1 / (1 + np.exp(4 * (x + 3))) + 4 * np.exp(3 * (x - 0.5))
    return lrs, losses + np.random.default_rng(seed).normal(0, noise, num_steps)


def test_a_clear_curve_of_twelve_points_is_enough():
    """A step of 7/11 of a decade below the bottom, 1e-2, and a tenth of the jump, at 0.12 to 0.53; eleven are too few."""
    lrs = np.logspace(-6, 1, 12)
    losses = np.where(lrs > 0.3, 9.0, np.interp(np.log10(lrs), [-5, -2], [2, 1]))
    lr = suggest_lr(lrs, losses).lr
    assert lr is not None
    assert 1e-2 <= lr * 10 ** (7 / 11) <= 5.3e-2
    assert suggest_lr(lrs[:11], losses[:11]).reason == (
        "11 points are too few to tell a fall from noise; take at least 12 steps."
    )


def test_auto_lies_between_the_end_of_the_fall_and_a_tenth_of_the_jump():
    """Straight lines with corners at 1e-5, 1e-3 and 1e-1, so between 1e-3 and 1e-2; the range is a factor of 2 wider."""
    lrs = np.logspace(-7, 1, 401)
    losses = np.where(lrs > 0.1001, 9.0, np.interp(np.log10(lrs), [-5, -3], [2, 1]))
    suggestion = suggest_lr(lrs, losses)
    assert suggestion.low == pytest.approx(1e-3 / 2, rel=0.15)
    assert suggestion.high == pytest.approx(1e-2 * 2, rel=0.15)
    assert suggestion.lr == pytest.approx(10**-2.5, rel=0.15)
    assert suggestion.confidence == "high"


def test_without_a_jump_the_rate_is_where_the_fall_ends_wherever_the_sweep_ends():
    """Half of 1 / (1 + (lr / 3.16e-3)^2) is lost at 3.16e-3, nine tenths at 1e-2; nothing is seen that is too high."""
    rates = []
    for end in (0, 1, 2):
        lrs = np.logspace(-6, end, 141)
        suggestion = suggest_lr(lrs, 1 / (1 + (lrs / 3.16e-3) ** 2))
        rates.append(suggestion.lr)
        assert suggestion.reason.startswith("Where the loss stops falling, ")
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
        assert suggestion.reason.endswith("lower start_lr.")


def test_autos_reason_names_both_readings_and_the_other_rules():
    """The user reads why, not only what."""
    reason = suggest_lr(*noisy_sweep(0.0)).reason
    assert reason.startswith("Between the rate where the loss stops falling, ")
    assert "and a tenth of the last one before it jumps up, " in reason
    assert reason.endswith(" of 9 other rules lie within a factor of 3.")


def test_confidence_sinks_with_the_noise():
    """The same curve, seen through more noise: always clear, clear for some seeds, for none."""
    grades = {None: 0, "low": 1, "medium": 2, "high": 3}

    def seen(noise: float) -> list[int]:
        return [grades[suggest_lr(*noisy_sweep(noise, seed=seed)).confidence] for seed in range(20)]

    clear, doubtful, hidden = (sorted(seen(noise)) for noise in (0.05, 0.8, 3.0))
    assert clear[0] == 3
    assert sum(hidden) < sum(doubtful) < sum(clear)
    assert hidden[-1] <= 1


def test_more_steps_make_the_suggestion_steadier():
    """Over 20 seeds the decades scatter less with 1600 noisy steps than with 100."""
    spread = [np.std([np.log10(suggest_lr(*noisy_sweep(0.3, n, seed)).lr) for seed in range(20)]) for n in (100, 1600)]
    assert spread[1] < 0.7 * spread[0]


def test_the_height_of_the_explosion_makes_no_difference():
    """That a rate is too high is known from the first rise; how far the loss goes is chance."""
    lrs, losses = noisy_sweep(0.05)
    exploded = np.where(losses > 2.3, losses * 1e6, losses)
    assert suggest_lr(lrs, exploded).lr == pytest.approx(suggest_lr(lrs, losses).lr)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (2 - np.log10(LRS), "extend end_lr"),
        (np.exp(np.log10(LRS)), "lower start_lr"),
        (np.random.default_rng(1).normal(0, 1, 141), "take more steps or a larger batch"),
        (np.full(141, -3.0), "check that the optimizer trains this model"),
    ],
    ids=["falling to the end", "rising from the start", "noise", "constant"],
)
def test_auto_has_no_rate_for_a_curve_without_an_answer_and_says_what_to_do(losses: np.ndarray, reason: str):
    """A made-up rate is worse than none."""
    suggestion = suggest_lr(LRS, losses)
    assert suggestion.lr is None
    assert reason in suggestion.reason


def test_a_curve_that_starts_in_the_middle_of_its_fall_is_low_in_confidence_and_says_so():
    """What lies before the first rate may matter."""
    lrs, losses = noisy_sweep(0.0)
    suggestion = suggest_lr(lrs[lrs > 1e-3], losses[lrs > 1e-3])
    assert suggestion.confidence == "low"
    assert "a lower start_lr would show more" in suggestion.reason


def test_several_losses_at_one_rate_count_as_their_mean():
    """Sweeps of several seeds over the same rates can be given as they are."""
    lrs, losses = noisy_sweep(0.05)
    up, down = losses + 0.125, losses - 0.125
    twice = suggest_lr(np.concatenate([lrs, lrs]), np.concatenate([up, down]))
    assert twice.lr == pytest.approx(suggest_lr(lrs, losses).lr)


OURS = ("auto", "steepest", "minimum/10")
finite = st.floats(allow_nan=False, allow_infinity=False)
curves = st.lists(st.tuples(st.floats(1e-300, 1e300), finite), max_size=60)


@example([(1.0, 1.7976931348623157e308)] * 3 + [(lr, 0.0) for lr in (2.0, 3.0, 4.0, 5.0)])
@settings(deadline=None)
@given(curves)
def test_no_finite_input_raises_in_any_rule(points: list[tuple[float, float]]):
    """Huge, denormal, unsorted, repeated, few or none."""
    lrs, losses = [lr for lr, _ in points], [loss for _, loss in points]
    for suggestion in suggest_all(lrs, losses).values():
        assert suggestion.lr is None or suggestion.lr >= 0


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_scale_and_offset_of_the_losses_change_nothing(seed: int, noise: float, scale: float, offset: float):
    """Negative and huge losses are as good as any."""
    lrs, losses = noisy_sweep(noise, seed=seed)
    for rule in OURS:
        plain, moved = suggest_lr(lrs, losses, rule), suggest_lr(lrs, scale * (losses + offset), rule)
        assert (plain.lr, plain.confidence) == (pytest.approx(moved.lr), moved.confidence)


@settings(deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_points_changes_nothing(seed: int, random: object):
    """Reversed or shuffled, the rates say where each loss belongs."""
    lrs, losses = noisy_sweep(0.2, seed=seed)
    order = list(range(100))
    random.shuffle(order)
    assert suggest_all(lrs[order], losses[order]) == suggest_all(lrs, losses) == suggest_all(lrs[::-1], losses[::-1])


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 30), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_tail_without_finite_losses_changes_nothing(seed: int, length: int, bad: float):
    """A test that ended in NaN is read up to there."""
    lrs, losses = noisy_sweep(0.2, seed=seed)
    tail = 10 * 1.1 ** np.arange(1, length + 1)
    assert suggest_all([*lrs, *tail], [*losses, *[bad] * length]) == suggest_all(lrs, losses)


def test_a_long_curve_is_thinned_and_answers_the_same():
    """With 50,000 steps the analytic curve gives the same rate as with 400, short of the step that is taken off."""
    few, many = (suggest_lr(*noisy_sweep(0.0, n)).lr for n in (400, 50_000))
    assert many == pytest.approx(few, rel=0.1)


def test_noise_that_hides_the_fall_but_not_the_explosion_leaves_the_rule_of_thumb():
    """Losses of 0 or 2 in turn, exploding after 1e-2: a tenth of that, in low confidence."""
    lrs = np.logspace(-6, 0, 61)
    losses = np.where(lrs > 1.01e-2, 100 * lrs / 1e-2, 2.0 * (np.arange(61) % 2))
    suggestion = suggest_lr(lrs, losses)
    assert suggestion.lr == pytest.approx(1e-3, rel=0.3)
    assert suggestion.confidence == "low"
    assert "noise hides the fall" in suggestion.reason
