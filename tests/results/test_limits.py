"""The part of the loss axis that matters, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.results import is_flat, joined_limits, seen, thin, y_limits


def test_an_exploding_tail_does_not_flatten_the_curve() -> None:
    """From 2.3 down to 0.3 and then up to 1e9: the axis ends a little above 2.3."""
    loss = np.concatenate([np.full(40, 2.3), np.linspace(2.3, 0.3, 40), np.geomspace(0.3, 1e9, 20)])
    low, high = y_limits(loss, loss) or (0.0, 0.0)
    assert 0.0 <= low < 0.3
    # top 2.3, plus 0.6 of the height 2.0, plus 6 % of the whole: (2.3 + 1.2) + 0.06 * 3.2
    assert high == pytest.approx(3.692)


@pytest.mark.parametrize(
    ("losses", "inside"),
    [
        ([-3.0, -5.0, -9.0], (-9.0, -3.0)),
        ([7.0], (7.0, 7.0)),
        ([2.0, 2.0, 2.0], (2.0, 2.0)),
        ([1.0, 2.0, 4.0, 8.0], (1.0, 3.0)),
        ([3.0, np.inf, np.nan], (3.0, 3.0)),
        ([0.0, 0.0], (0.0, 0.0)),
        ([1e6, 1e6 + 1, 1e6 - 1], (1e6 - 1, 1e6 + 1)),
    ],
)
def test_limits_enclose_what_matters(losses: list[float], inside: tuple[float, float]) -> None:
    """Negative, single, constant, rising, non-finite and offset losses get a proper axis."""
    low, high = y_limits(np.array(losses), np.array(losses)) or (np.nan, np.nan)
    assert low < inside[0] <= inside[1] < high


def test_no_finite_loss_has_no_limits() -> None:
    """The chart then keeps the axis that it has."""
    assert y_limits(np.array([np.nan]), np.array([np.nan])) is None


def test_limits_of_positive_losses_hardly_go_below_zero() -> None:
    """A loss that cannot be negative has no axis that says so."""
    losses = np.array([2.0, 1.0, 0.0])
    assert (y_limits(losses, losses) or (0.0, 0.0))[0] == pytest.approx(-0.06)


def test_no_raw_loss_falls_out_of_the_picture_at_the_bottom() -> None:
    """From 2 down to 0.5 smoothed, a raw 0.1 among them; at the top 0.6 of 1.9 stays, and 6 % of 3.04 at both ends."""
    smoothed = np.array([2.0, 1.0, 0.5, 50.0])
    raw = np.array([2.0, 0.1, 0.5, 50.0])
    assert y_limits(raw, smoothed) == pytest.approx((0.1 - 0.1824, 2.0 + 1.14 + 0.1824))


def test_a_rising_curve_shows_its_lower_half() -> None:
    """From 1 to the median, 3, and 0.6 of 2 above it; with 6 % of 3.2 at both ends."""
    losses = np.array([1.0, 2.0, 4.0, 8.0])
    assert y_limits(losses, losses) == pytest.approx((1.0 - 0.192, 3.0 + 1.2 + 0.192))


def test_an_end_in_nan_changes_nothing() -> None:
    """A step counts where both of its losses are finite."""
    losses = np.array([3.0, 2.0, 1.0, 9.0])
    ended = np.append(losses, np.nan)
    assert y_limits(ended, ended) == y_limits(losses, losses)
    assert y_limits(np.append(losses, -50.0), ended) == y_limits(losses, losses)


@pytest.mark.parametrize("losses", [[2.3025848865509033, 2.3025851249694824], [2.3, 2.3 + 4e-16], [-7.0, -7.0 - 1e-15]])
def test_rounding_noise_is_flat(losses: list[float]) -> None:
    """Neighbouring float32 numbers, and float64 numbers that differ in the last digits: 6 % of the loss on both sides."""
    noise = np.array(losses * 20)
    level = abs(losses[0])
    assert y_limits(noise, noise) == pytest.approx((losses[0] - 0.06 * level, losses[0] + 0.06 * level))
    assert is_flat(noise)


def test_small_differences_of_large_losses_are_no_noise() -> None:
    """A float64 loss from 123456.001 to 123456.009 fills the axis, with 6 % of 0.008 at both ends."""
    losses = np.linspace(123456.009, 123456.001, 50)
    assert y_limits(losses, losses) == pytest.approx((123456.001 - 0.00048, 123456.009 + 0.00048), abs=1e-9)
    assert not is_flat(losses)


def test_the_size_of_an_explosion_does_not_make_the_fall_before_it_noise() -> None:
    """Float32 losses that fall from 2 to 1 and end at 2 to the 40th: 1 … 2.6, and 6 % of 1.6 at both ends."""
    losses = np.array([2.0, 1.5, 1.0, 2.0**40])
    assert y_limits(losses, losses) == pytest.approx((1 - 0.096, 2.6 + 0.096))


def test_noise_that_explodes_shows_the_explosion() -> None:
    """Before it, a flat line at the bottom: 2.3 … 2.3 + 0.6 * 7.7, and 6 % of that at both ends."""
    losses = np.array([2.3, 2.3 + 4e-16, 2.3, 2.3, 10.0])
    assert y_limits(losses, losses) == pytest.approx((2.3 - 0.06 * 4.62, 2.3 + 4.62 + 0.06 * 4.62))


def test_losses_that_no_axis_can_show_do_not_count() -> None:
    """Beyond 1e300, where differences are no longer finite."""
    losses = np.array([3.0, 2.0, 1.0, 1e301, -1e301])
    assert y_limits(losses, losses) == y_limits(losses[:3], losses[:3])


def test_a_logarithmic_axis_has_its_own_limits() -> None:
    """From 1 to 100 with 6 % of two decades at both ends; the tail has 60 % of them; what is not positive does not count."""
    losses = np.array([100.0, 10.0, 1.0, 0.0, -5.0, 1e9])
    assert y_limits(losses, losses, is_log=True) == pytest.approx((10 ** (-0.06 * 3.2), 10 ** (3.2 + 0.06 * 3.2)))
    assert y_limits(losses[3:5], losses[3:5], is_log=True) is None
    flat = np.array([5.0, 5.0])
    assert y_limits(flat, flat, is_log=True) == pytest.approx((4.7, 5.3))


def test_joined_limits_suit_all_curves() -> None:
    """The lowest and the highest of them; none without any loss."""
    first, second, none = np.array([3.0, 2.0, 1.0]), np.array([9.0, 8.0]), np.array([np.nan])
    assert joined_limits([(first, first), (none, none), (second, second)]) == pytest.approx((0.88, 9.06))
    assert joined_limits([(none, none)]) is None
    assert joined_limits([]) is None


def test_places_of_thinning() -> None:
    """Those of finite values, in ascending order."""
    assert seen(np.array([1.0, np.nan, 3.0]), 10).tolist() == [0, 2]
    kept = seen(np.sin(np.arange(1000.0)), 20)
    assert len(kept) <= 20
    assert (np.diff(kept) > 0).all()


def test_thinning_keeps_the_ends_and_every_extremum() -> None:
    """A million points become 600 at most, among them a single spike in either direction."""
    x, y = np.arange(1.0, 1_000_001.0), np.zeros(1_000_000)
    y[654_321], y[123_456] = 40.0, -50.0
    thin_x, thin_y = thin(x, y, 600)
    assert len(thin_x) <= 600
    assert (thin_x[0], thin_x[-1]) == (1.0, 1_000_000.0)
    assert dict(zip(thin_x, thin_y))[654_322.0] == 40.0
    assert dict(zip(thin_x, thin_y))[123_457.0] == -50.0
    assert (np.diff(thin_x) > 0).all()


def test_thinning_leaves_short_curves_alone_and_drops_what_no_axis_can_show() -> None:
    """Four points, two of them finite; and none at all."""
    x, y = thin(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, np.nan, 6.0, np.inf]), 600)
    assert (x.tolist(), y.tolist()) == ([1.0, 3.0], [5.0, 6.0])
    assert thin(np.array([]), np.array([]), 600)[0].size == 0
