"""Runs as they are drawn: points, bands, limits of the loss axis, and where a run becomes unstable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget import LRRecords, StepRecord
from lr_widget.smoothing import ema
from lr_widget.widget.chart.points import (
    MAX_BAND_POINTS,
    MAX_POINTS,
    Columns,
    DrawnRun,
    Growing,
    Probe,
    Run,
    band,
    flat,
    loss_limits,
    settled,
)


def run_of(
    losses: Any, lrs: Any = None, *, beta: float = 0.0, stop_reason: str = "completed", val_loss: Any = None
) -> Run:
    """A run with these losses, at the rates 1, 2, 3 … unless others are given."""
    raw = np.array(losses, dtype=float)
    rates = np.arange(1.0, raw.size + 1) if lrs is None else np.array(lrs, dtype=float)
    return Run(1, 0, Columns(rates, raw, val_loss), beta, stop_reason)


def test_a_band_goes_from_the_lowest_to_the_highest_loss() -> None:
    """It goes as far as all curves do, leaves rates out where one of them is not finite, and needs two curves."""
    runs = [run_of([5.0, 6.0, 1.0, 9.0]), run_of([4.0, np.nan, 3.0])]
    x, low_and_high = band(runs)
    assert (x.tolist(), low_and_high.tolist()) == ([1.0], [[4.0], [5.0]])
    x, low_and_high = band(runs[:1])
    assert (x.shape, low_and_high.shape) == ((0,), (2, 0))


def test_a_long_band_is_drawn_with_few_points() -> None:
    """Evenly spaced, the first and the last among them; within a window, those inside and a neighbour on both sides."""
    lrs = np.arange(1.0, 1001.0)
    runs = [run_of(lrs), run_of(-lrs)]
    x, low_and_high = band(runs)
    assert (len(x), x[0], x[-1]) == (MAX_BAND_POINTS, 1.0, 1000.0)
    assert low_and_high.tolist() == [(-x).tolist(), x.tolist()]
    assert band(runs, (10.5, 13.5))[0].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_a_band_on_a_logarithmic_axis_stays_above_zero() -> None:
    """Where only the lower loss is not positive, it goes to the bottom; where none is, it ends."""
    x, (low, high) = band([run_of([3.0, 2.0, -1.0]), run_of([4.0, -1.0, -2.0])], is_log=True)
    assert (x.tolist(), high.tolist()) == ([1.0, 2.0], [4.0, 2.0])
    assert low[0] == 3.0
    assert 0 < low[1] < 1e-300


def test_raw_and_smoothed_losses_have_the_same_rates() -> None:
    """280 of a million, with the extremes of the raw losses among them; less than 5 kB a curve."""
    raw = np.random.default_rng(0).random(1_000_000)
    raw[654_321], raw[123_456] = 40.0, -50.0
    run = run_of(raw, beta=0.9)
    line = run.line(None, is_log=False)
    assert len(line.x) == len(line.raw) == len(line.smoothed) <= MAX_POINTS
    assert 2 * line.x.nbytes < 4600
    assert (line.x[0], line.x[-1], line.raw.max(), line.raw.min()) == (1.0, 1e6, 40.0, -50.0)
    assert line.smoothed.tolist() == ema(raw, 0.9)[line.x.astype(int) - 1].tolist()


def test_a_window_shows_the_detail_and_lines_go_on_to_its_edges() -> None:
    """All 101 points inside and one on either side; a window between two steps has their line."""
    run = run_of(np.random.default_rng(0).random(100_000))
    assert run.line((500.0, 600.0), is_log=False).x.tolist() == list(range(499, 602))
    assert run.line((500.2, 500.8), is_log=False).x.tolist() == [500.0, 501.0]
    assert run.line((2e5, 3e5), is_log=False).x.size == 0


def test_a_logarithmic_axis_leaves_gaps() -> None:
    """A loss that is not positive has no place; at the end there is no gap but no point."""
    line = run_of([2.0, 0.0, -1.0, 3.0, 0.0]).line(None, is_log=True)
    assert line.x.tolist() == [1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(line.raw, [2.0, np.nan, np.nan, 3.0])
    assert run_of([0.0, -1.0]).line(None, is_log=True).x.size == 0


def test_validation_losses_are_where_they_were_evaluated() -> None:
    """Neither NaN nor an infinite one has a point."""
    run = run_of([1.0, 1.0, 1.0, 1.0], val_loss=np.array([np.nan, 5.0, np.inf, 4.0]))
    assert [column.tolist() for column in run.validation(None, is_log=False)] == [[2.0, 4.0], [5.0, 4.0]]
    assert run_of([1.0]).validation(None, is_log=False)[0].size == 0


def test_validation_losses_have_a_say_in_the_limits() -> None:
    """Losses from 2 to 1 have 0.94 … 2.06, validation losses from 4 to 3 reach 4.06."""
    run = run_of([2.0, 1.0], val_loss=np.array([4.0, 3.0]))
    assert run.limits(is_log=False) == pytest.approx((0.94, 4.06))


def test_a_kept_run_has_the_columns_of_its_records() -> None:
    """The smoothing is the chart's."""
    records = LRRecords([0.1, 0.2], [2.0, 1.0], "diverged", val_loss=np.array([3.0, np.nan]))
    run = Run.of(DrawnRun(7, records, 3), 0.5)
    assert (run.run_id, run.color, run.stop_reason) == (7, 3, "diverged")
    assert run.smoothed.tolist() == records.smoothed_loss(0.5).tolist()
    assert run.validation(None, is_log=False)[1].tolist() == [3.0]


def test_a_growing_sweep_is_read_step_by_step() -> None:
    """Each step once, validation losses from the first one on, beyond the room that there was at first."""
    steps = [StepRecord(k, k / 10, -float(k), (k / 10,), float(k) if k % 300 == 0 else None) for k in range(1, 1001)]
    growing, taken = Growing(), growing_sizes(Growing(), steps)
    assert taken == [1, 2, 256, 257, 1000]
    columns = growing.take(steps[:299])
    assert columns.validation is None
    columns = growing.take(steps)
    assert columns.lrs.tolist() == [step.lr for step in steps]
    assert columns.raw.tolist() == [step.loss for step in steps]
    assert columns.validation is not None
    assert np.flatnonzero(np.isfinite(columns.validation)).tolist() == [299, 599, 899]


def growing_sizes(growing: Growing, steps: list[StepRecord]) -> list[int]:
    """The lengths of the columns after some of the steps, whose losses must be those of the steps."""
    sizes = []
    for size in (1, 2, 256, 257, 1000):
        columns = growing.take(steps[:size])
        assert columns.raw.tolist() == [step.loss for step in steps[:size]]
        sizes.append(len(columns.lrs))
    return sizes


def test_a_probe_just_above_the_edge_has_room_for_its_dot() -> None:
    """The losses 3, 2, 1 give limits of 0.88 and 3.12; a dot at 0.9 needs 0.9 - 0.04 * (3.12 - 0.9)."""
    run = run_of([3.0, 2.0, 1.0])
    assert loss_limits([run], []) == pytest.approx((0.88, 3.12))
    probe = Probe(1e-3, 0.9, is_complete=True)
    assert loss_limits([run], [probe]) == pytest.approx((0.8112, 3.12))
    assert loss_limits([run], [probe._replace(is_complete=False)]) == pytest.approx((0.88, 3.12))


def test_on_a_logarithmic_axis_the_room_is_that_on_the_axis() -> None:
    """From 1 to 100 with 6 % of two decades at both ends; a dot at 0.01 needs 4 % of 4.12 decades below it."""
    run = run_of([100.0, 10.0, 1.0])
    assert loss_limits([run], [], is_log=True) == pytest.approx((10**-0.12, 10**2.12))
    probes = [Probe(1e-3, 0.01, is_complete=True), Probe(1e-3, -1.0, is_complete=True)]
    assert loss_limits([run], probes, is_log=True) == pytest.approx((10 ** (-2 - 0.04 * 4.12), 10**2.12))
    assert loss_limits([run_of([0.0, -1.0])], [], is_log=True) is None


def test_limits_of_a_growing_curve_change_seldom() -> None:
    """They stay while they suit, give way with 15 % to spare, and close in where half of their height is empty."""
    assert settled(None, (1.0, 2.0)) == (1.0, 2.0)
    assert settled((1.0, 3.0), (1.5, 2.6)) == (1.0, 3.0)
    assert settled((1.0, 3.0), (0.9, 2.9)) == pytest.approx((0.9 - 0.15 * 2.0, 3.0))
    assert settled((1.0, 3.0), (1.0, 5.0)) == pytest.approx((1.0, 5.0 + 0.15 * 4.0))
    assert settled((1.0, 9.0), (1.0, 3.0)) == (1.0, 3.0)
    assert settled((0.5, 2.0), (-0.05, 2.0)) == pytest.approx((-0.05, 2.0))  # the foot of positive losses
    assert settled((0.5, 2.0), (0.01, 2.0)) == pytest.approx((0.0, 2.0))
    assert settled((10.0, 100.0), (10.0, 1000.0), is_log=True) == pytest.approx((10.0, 10**3.3))
    assert settled((0.3, 0.7), (0.31, 0.69), is_log=True) == (0.3, 0.7)  # not moved by rounding


CALM = [3.0, 3.1, 2.0, 1.0, 2.9]  # before the minimum, the highest loss is 3.1


@pytest.mark.parametrize(
    ("losses", "reason", "unstable"),
    [
        ([*CALM, 4.0, 50.0, 60.0], "diverged", 6.0),
        ([*CALM, 4.0, 3.0, 60.0], "diverged", 8.0),  # it came back below 3.1 once
        ([*CALM, 4.0, 50.0, 60.0], "", None),
        ([*CALM, 4.0, 50.0, 60.0], "stopped", None),
        ([*CALM, 40.0, 50.0, 60.0], "completed", 6.0),
        (CALM, "completed", None),
        ([*CALM, np.nan], "non_finite", 6.0),
        ([*CALM, 4.0, 9.0, np.inf], "non_finite", 6.0),
        ([np.nan], "non_finite", None),
        ([1.0, 1.0, 1.0, 1.001, 1.002, 1.003], "completed", None),
    ],
)
def test_the_unstable_rates_begin_where_the_loss_stayed_above_its_level(
    losses: list[float], reason: str, unstable: float | None
) -> None:
    """Of a run that ended by an explosion, or whose last three losses are three falls above the level before it."""
    assert run_of(losses, stop_reason=reason).unstable_from == unstable


@pytest.mark.parametrize("reason", ["completed", "stopped", "exhausted"])
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("num_steps", [10, 30, 100, 300])
def test_noise_alone_is_not_unstable(num_steps: int, beta: float, reason: str) -> None:
    """Where the first loss happens to be the lowest, the level before the minimum is not that of one loss."""
    rng = np.random.default_rng(num_steps)
    curves = np.abs(1 + 0.3 * rng.standard_normal((300, num_steps)))
    runs = [run_of(losses, beta=beta, stop_reason=reason) for losses in curves]
    assert [run.unstable_from for run in runs if run.unstable_from is not None] == []


def test_noise_that_stays_in_the_next_losses_is_not_unstable() -> None:
    """A long sweep begins with many losses that are low together; a tenth of them shows more of the level."""
    rng = np.random.default_rng(0)
    errors = rng.standard_normal((500, 500))
    for step in range(1, 500):
        errors[step] = 0.98 * errors[step - 1] + (1 - 0.98**2) ** 0.5 * errors[step]
    runs = [run_of(losses, beta=0.9) for losses in 1 + 0.1 * errors.T]
    assert [run.unstable_from for run in runs if run.unstable_from is not None] == []


@pytest.mark.parametrize("num_steps", [10, 30, 100, 300])
@pytest.mark.parametrize("calm", [0.0, 0.05, 0.6])
def test_an_explosion_up_to_the_end_is_unstable(num_steps: int, calm: float) -> None:
    """From 1 to 10,000 after a share of the sweep, even from its first step on; the range test went on to its end."""
    rng = np.random.default_rng(num_steps)
    begin = int(calm * num_steps)
    losses = np.append(np.ones(begin), np.geomspace(1, 1e4, num_steps - begin)) * rng.uniform(0.95, 1.05, num_steps)
    unstable = run_of(losses, beta=0.9).unstable_from
    assert unstable is not None
    assert begin < unstable <= begin + max(0.1 * num_steps, 10) + 1


def test_rates_that_do_not_increase_have_no_unstable_end() -> None:
    """A schedule of the user's own may go up and down."""
    run = run_of([*CALM, 4.0, 50.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 2.0], stop_reason="diverged")
    assert run.unstable_from is None


def test_flat_losses_differ_by_rounding_only() -> None:
    """Two neighbouring float32 numbers; not 0.001 of 2."""
    assert flat(run_of([2.3025848865509033, 2.3025851249694824, np.nan]))
    assert not flat(run_of([2.3, 2.301]))
