"""The matplotlib picture: axes, lines, limits and marks."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

from lr_widget import LRRecords
from lr_widget.results import y_limits

from .helpers import make_records

mpl.use("agg")


def test_plot_has_a_log_axis_raw_and_smoothed_loss_and_the_suggestion() -> None:
    """The raw loss is faint, the smoothed one bold, and the mark is at the suggested rate."""
    records = make_records()
    axes = records.plot()
    assert axes.get_xscale() == "log"
    raw, smoothed, mark = axes.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), records.loss)
    np.testing.assert_array_equal(smoothed.get_ydata(), records.smoothed_loss())
    assert raw.get_alpha() == 0.35
    assert smoothed.get_linewidth() > raw.get_linewidth()
    assert mark.get_xdata()[0] == records.suggest().lr


def test_plot_draws_into_given_axes_with_given_limits() -> None:
    """The same axes come back, without a mark where no rule is asked for."""
    import matplotlib.pyplot as plt

    axes = plt.figure().subplots()
    assert make_records().plot(axes, ylim=(0, 3), rule=None) is axes
    assert axes.get_ylim() == (0, 3)
    assert len(axes.get_lines()) == 2


def test_an_exploding_tail_does_not_flatten_the_plot() -> None:
    """The loss starts at 2.3 and ends above 100; the axis ends below 4."""
    records = make_records()
    bottom, top = records.plot().get_ylim()
    assert records.loss.max() > 100
    assert bottom < records.smoothed_loss().min()
    assert 2.3 < top < 4


def test_plot_of_nothing_and_of_nan_is_empty_but_no_error() -> None:
    """The axis then has limits of matplotlib's own."""
    LRRecords(lr=np.array([]), loss=np.array([])).plot()
    nan = np.array([np.nan, np.nan])
    axes = LRRecords(lr=np.array([0.1, 0.2]), loss=nan, stop_reason="non_finite").plot()
    assert y_limits(nan, nan) is None
    assert np.isfinite(axes.get_ylim()).all()


def test_the_plot_has_the_limits_of_the_one_rule() -> None:
    """The widget's chart uses them, too."""
    records = make_records()
    assert records.plot().get_ylim() == y_limits(records.loss, records.smoothed_loss())


def test_the_limits_suit_everything_that_is_drawn() -> None:
    """Repeats and validation losses, too."""
    low, high = LRRecords([0.1, 0.2], [2.0, 1.0], val_loss=np.array([4.0, 3.0])).plot(rule=None).get_ylim()
    assert (low, high) == (0.94, 4.06)
    repeats = tuple(LRRecords([0.1, 0.2], [2.0 + k, 1.0 + k]) for k in (-0.5, 0.5))
    low, high = LRRecords([0.1, 0.2], [2.0, 1.0], repeats=repeats).plot(rule=None, beta=0.0).get_ylim()
    assert (low, high) == (0.44, 2.56)


def test_a_linear_sweep_has_a_linear_axis() -> None:
    """A logarithmic one would give a third of it to the first few steps."""
    assert LRRecords([0.1, 0.2], [2.0, 1.0], schedule="linear").plot(rule=None).get_xscale() == "linear"


def test_rounding_noise_is_a_flat_line() -> None:
    """In the middle of 12 % of the loss."""
    low, high = LRRecords([0.1, 0.2, 0.3], [2.3, 2.3 + 4e-16, 2.3]).plot(rule=None).get_ylim()
    assert high - low > 0.27


def test_plot_shows_repeats_and_validation_losses() -> None:
    """Each repeat is a faint line of its own; only the measured validation losses are drawn."""
    val_loss = np.where(np.arange(61) % 5 == 0, 1.0, np.nan)
    both = LRRecords.from_repeats([make_records(val_loss=val_loss), make_records(val_loss=val_loss)])
    lines = both.plot(rule=None).get_lines()
    assert [line.get_label() for line in lines[2:]] == ["raw loss", "smoothed loss (β = 0.9)", "validation loss"]
    assert len(lines) == 5
    assert lines[4].get_xdata().tolist() == both.lr[::5].tolist()


def test_without_a_suggestion_the_reason_is_the_title() -> None:
    """A flat curve has no mark."""
    records = LRRecords(lr=np.arange(1.0, 21.0), loss=np.ones(20))
    axes = records.plot()
    assert axes.get_title(loc="left") == records.suggest().reason
    assert len(axes.get_lines()) == 2


def test_a_long_curve_is_drawn_with_the_points_that_can_be_seen() -> None:
    """At most 10,000 a line, the highest loss among them; the limits and the suggestion are those of all points."""
    lr = np.geomspace(1e-6, 1.0, 50_000)
    loss = np.where(np.arange(50_000) == 30_001, 9.0, 2 - 1 / (1 + (1e-3 / lr) ** 2))
    axes = LRRecords(lr, loss, val_loss=loss, repeats=(LRRecords(lr, loss),)).plot()
    lines = axes.get_lines()[:4]
    assert [9_000 < len(line.get_xdata()) <= 10_000 for line in lines] == [True] * 4
    assert lines[1].get_ydata().max() == 9.0
    assert axes.get_ylim() == y_limits(loss, LRRecords(lr, loss).smoothed_loss())
