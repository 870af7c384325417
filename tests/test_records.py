"""Records: arrays in, pandas, files, pictures and suggestions out."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lr_widget import LRRecords, StepRecord
from lr_widget.plot import visible_range

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
