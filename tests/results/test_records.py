"""Records: arrays in, pandas, files, pictures and suggestions out."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lr_widget import LRRecords, StepRecord
from lr_widget.results.plot import visible_range
from lr_widget.suggest.suggestion import Suggestion, with_spread

mpl.use("agg")


def make_records(**changes: object) -> LRRecords:
    lr = 10.0 ** np.linspace(-6, 0, 61)
    loss = 2.3 - 1.5 / (1 + np.exp(-4 * (np.log10(lr) + 2.5))) + 1e3 * lr**4
    return LRRecords(lr=lr, loss=loss, **{"stop_reason": "diverged", "num_steps": 61, **changes})  # type: ignore[arg-type]


def test_from_steps_keeps_every_step_raw() -> None:
    steps = [StepRecord(1, 0.1, 3.0, (0.1, 0.01)), StepRecord(2, 0.2, -1.0, (0.2, 0.02), val_loss=5.0, skipped=True)]
    table = LRRecords.from_steps(steps, stop_reason="completed").to_pandas()
    expected = pd.DataFrame(
        {
            "lr": [0.1, 0.2],
            "loss": [3.0, -1.0],
            "lr_group_0": [0.1, 0.2],
            "lr_group_1": [0.01, 0.02],
            "val_loss": [np.nan, 5.0],
            "skipped": [False, True],
        }
    )
    pd.testing.assert_frame_equal(table, expected)


def test_a_plain_test_has_just_the_columns_lr_and_loss() -> None:
    records = LRRecords.from_steps([StepRecord(1, 0.1, 3.0, (0.1,))], stop_reason="stopped")
    assert records.to_pandas().columns.tolist() == ["lr", "loss"]
    assert records.lr.dtype == records.loss.dtype == np.float64


def test_no_step_at_all_makes_empty_records() -> None:
    records = LRRecords.from_steps([], stop_reason="stopped")
    assert len(records) == len(records.to_pandas()) == 0
    assert records.suggest().lr is None


def test_smoothed_loss_is_the_bias_corrected_average() -> None:
    records = LRRecords(lr=[1, 2, 3], loss=[1.0, 2.0, 4.0])  # type: ignore[arg-type]
    # (0.5·1)/0.5; (0.25·1 + 0.5·2)/0.75; (0.125·1 + 0.25·2 + 0.5·4)/0.875
    assert records.smoothed_loss(0.5).tolist() == pytest.approx([1.0, 1.25 / 0.75, 2.625 / 0.875])
    assert records.smoothed_loss(0).tolist() == [1.0, 2.0, 4.0]


def test_repeats_are_averaged_over_the_steps_that_all_of_them_reached() -> None:
    one = LRRecords(lr=[1, 2, 3], loss=[1.0, 2.0, 3.0])  # type: ignore[arg-type]
    two = LRRecords(lr=[1, 2], loss=[3.0, 6.0], stop_reason="diverged")  # type: ignore[arg-type]
    both = LRRecords.from_repeats([one, two])
    assert (both.lr.tolist(), both.loss.tolist(), both.stop_reason) == ([1, 2], [2.0, 4.0], "diverged")
    assert both.to_pandas().columns.tolist() == ["lr", "loss", "loss_repeat_0", "loss_repeat_1"]
    with pytest.raises(ValueError, match="from_repeats needs at least one sweep, got none"):
        LRRecords.from_repeats([])


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet", ".JSON"])
def test_saved_records_come_back_to_the_last_bit(tmp_path: Path, suffix: str) -> None:
    steps = [
        StepRecord(k, 0.1 * k, 1 / (3 * k), (0.1 * k, k / 7), val_loss=k / 11 if k % 2 else None) for k in range(1, 9)
    ]
    records = LRRecords.from_steps([*steps, StepRecord(9, 0.9, float("nan"), (0.9, 1.0))], stop_reason="non_finite")
    path = tmp_path / f"curve{suffix}"
    records.save(path)
    loaded = LRRecords.load(str(path))
    pd.testing.assert_frame_equal(loaded.to_pandas(), records.to_pandas(), check_exact=True)


def test_json_keeps_the_sweep_and_the_repeats_as_well(tmp_path: Path) -> None:
    both = LRRecords.from_repeats([make_records(start_lr=1e-6, end_lr=1.0), make_records(schedule="linear")])
    both.save(tmp_path / "curve.json")
    loaded = LRRecords.load(tmp_path / "curve.json")
    assert (loaded.stop_reason, loaded.start_lr, loaded.end_lr, loaded.num_steps) == ("diverged", 1e-6, 1.0, 61)
    assert [repeat.schedule for repeat in loaded.repeats] == ["exponential", "linear"]


def test_wrong_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the file name must end in .json, .csv, .parquet, got 'curve.txt'"):
        make_records().save(tmp_path / "curve.txt")
    (tmp_path / "other.csv").write_text("lr,accuracy\n1,2\n")
    with pytest.raises(ValueError, match=r"other\.csv has no column 'loss', only"):
        LRRecords.load(tmp_path / "other.csv")


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two arrays of one length, got shapes \(2,\) and \(3,\)"):
        LRRecords(lr=[1, 2], loss=[1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"stop_reason must be one of completed, .*, got 'done'"):
        make_records(stop_reason="done")


def test_plot_has_a_log_axis_raw_and_smoothed_loss_and_the_suggestion() -> None:
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
    import matplotlib.pyplot as plt

    axes = plt.figure().subplots()
    assert make_records().plot(axes, ylim=(0, 3), rule=None) is axes
    assert axes.get_ylim() == (0, 3)
    assert len(axes.get_lines()) == 2


def test_an_exploding_tail_does_not_flatten_the_plot() -> None:
    records = make_records()
    bottom, top = records.plot().get_ylim()
    assert records.loss.max() > 100
    assert bottom < records.smoothed_loss().min()
    assert 2.3 < top < 4


def test_plot_of_nothing_and_of_nan_is_empty_but_no_error() -> None:
    LRRecords(lr=np.array([]), loss=np.array([])).plot()
    nan = np.array([np.nan, np.nan])
    LRRecords(lr=np.array([0.1, 0.2]), loss=nan, stop_reason="non_finite").plot()
    assert visible_range(nan, nan) is None


def test_json_is_strict_and_keeps_what_is_not_finite_bit_for_bit(tmp_path: Path) -> None:
    """NaN of either sign and infinities are texts in the file, and the same bits when they are loaded."""
    loss = np.array([1.0, np.inf, -np.inf, np.nan, -np.nan])
    records = LRRecords(lr=np.arange(1.0, 6), loss=loss, stop_reason="non_finite", val_loss=loss[::-1].copy())
    path = tmp_path / "curve.json"
    records.save(path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(path.read_text(), parse_constant=refuse)["loss"] == [1.0, "Infinity", "-Infinity", "NaN", "-NaN"]
    loaded = LRRecords.load(path)
    assert loaded.loss.tobytes() == loss.tobytes()
    assert loaded.val_loss is not None
    assert loaded.val_loss.tobytes() == loss[::-1].tobytes()


def test_json_of_before_with_bare_nan_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"lr": [0.1, 0.2], "loss": [1.0, NaN], "stop_reason": "non_finite"}')
    assert np.isnan(LRRecords.load(tmp_path / "old.json").loss[1])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_keeps_the_repeats_and_tells_a_nan_end(tmp_path: Path, suffix: str) -> None:
    """Each sweep's losses come back as a repeat; the one that ended in NaN, and the mean, ended as non_finite."""
    lr = np.array([0.1, 0.2])
    sweeps = [LRRecords(lr=lr, loss=np.array([1.0, 2.0])), LRRecords(lr=lr, loss=np.array([3.0, np.nan]))]
    LRRecords.from_repeats(sweeps).save(tmp_path / f"curve{suffix}")
    loaded = LRRecords.load(tmp_path / f"curve{suffix}")
    assert [repeat.loss.tolist()[0] for repeat in loaded.repeats] == [1.0, 3.0]
    assert [repeat.stop_reason for repeat in loaded.repeats] == ["completed", "non_finite"]
    assert loaded.stop_reason == "non_finite"


def test_repeats_keep_which_steps_any_of_them_skipped() -> None:
    lr = np.array([0.1, 0.2, 0.3])
    sweeps = [
        LRRecords(lr=lr, loss=lr, skipped=np.array([True, False, False])),
        LRRecords(lr=lr, loss=lr),
        LRRecords(lr=lr[:2], loss=lr[:2], skipped=np.array([False, False])),
    ]
    joined = LRRecords.from_repeats(sweeps)
    assert joined.skipped is not None
    assert joined.skipped.tolist() == [True, False]
    assert LRRecords.from_repeats(sweeps[1:2] * 2).skipped is None


def falls_at(log_rate: float) -> LRRecords:
    """A curve whose loss falls steepest at this power of ten and explodes at the end; on validation, a decade later."""
    lr = 10.0 ** np.linspace(-6, 0, 61)
    losses = [2.3 - 1.5 / (1 + np.exp(-4 * (np.log10(lr) - at))) + 1e3 * lr**4 for at in (log_rate, log_rate + 1)]
    return LRRecords(lr=lr, loss=losses[0], val_loss=losses[1])


def test_a_suggestion_can_be_read_off_the_validation_loss() -> None:
    """The steepest fall is at 1e-3 for training and, by hand, a decade later for validation."""
    records = falls_at(-3)
    training, validation = records.suggest("steepest"), records.suggest("steepest", of="val_loss")
    assert float(validation) == pytest.approx(10 * float(training), rel=0.3)
    assert records.suggestions(of="val_loss")["steepest"] == validation


def test_a_suggestion_of_a_loss_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r'of="val_loss" needs validation losses, got records without; run .* val_data'
    ):
        make_records().suggest(of="val_loss")
    with pytest.raises(ValueError, match='of must be "loss" or "val_loss", got \'accuracy\''):
        make_records().suggestions(of="accuracy")


def test_with_repeats_a_suggestion_says_how_far_they_agree() -> None:
    """Sweeps that fall at 10^-3.2, 10^-3 and 10^-2.8: the range holds the outer two, and the reason names them."""
    sweeps = [falls_at(at) for at in (-3.2, -3.0, -2.8)]
    single = [float(sweep.suggest("steepest")) for sweep in sweeps]
    joined = LRRecords.from_repeats(sweeps).suggest("steepest")
    assert (joined.low, joined.high) == (single[0], single[2])
    assert joined.reason.endswith(f" The 3 sweeps by themselves give {single[0]:.1e} … {single[2]:.1e}.")
    assert LRRecords.from_repeats(sweeps).suggestions()["steepest"] == joined


def test_the_spread_leaves_out_sweeps_without_a_rate() -> None:
    """Three, one or none of the sweeps that have a rate, and a range that is already wider."""
    mean = Suggestion(1e-3, "auto", "Here.", low=1e-5, high=2e-3)
    none = Suggestion(None, "auto", "Flat.")
    at = [Suggestion(rate, "auto", "") for rate in (2.1e-4, 4e-3)]
    spread = with_spread(mean, [*at, none])
    assert (spread.low, spread.high, spread.reason) == (
        1e-5,
        4e-3,
        "Here. 2 of the 3 sweeps by themselves give 2.1e-04 … 4.0e-03.",
    )
    assert with_spread(mean, [at[0], none]).reason == "Here. 1 of the 2 sweeps by itself gives 2.1e-04."
    assert with_spread(mean, [at[0], at[0]]).reason == "Here. The 2 sweeps by themselves give 2.1e-04."
    assert with_spread(mean, [none, none]) == with_spread(mean, []) == mean
    assert with_spread(none, at) == none


def test_no_raw_loss_falls_out_of_the_picture_at_the_bottom() -> None:
    """From 2 down to 0.5 smoothed, a raw 0.1 among them: the axis begins a tenth of 1.9 below that."""
    smoothed = np.array([2.0, 1.0, 0.5, 50.0])
    raw = np.array([2.0, 0.1, 0.5, 50.0])
    assert visible_range(raw, smoothed) == pytest.approx((0.1 - 0.19, 2.0 + 0.95))
