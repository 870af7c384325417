"""Records as files: every bit comes back, and wrong files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lr_widget import LRRecords, StepRecord

from .helpers import make_records


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet", ".JSON"])
def test_saved_records_come_back_to_the_last_bit(tmp_path: Path, suffix: str) -> None:
    """Thirds, sevenths and elevenths, a NaN among them, in every format."""
    steps = [
        StepRecord(k, 0.1 * k, 1 / (3 * k), (0.1 * k, k / 7), val_loss=k / 11 if k % 2 else None) for k in range(1, 9)
    ]
    records = LRRecords.from_steps([*steps, StepRecord(9, 0.9, float("nan"), (0.9, 1.0))], stop_reason="non_finite")
    path = tmp_path / f"curve{suffix}"
    records.save(path)
    loaded = LRRecords.load(str(path))
    pd.testing.assert_frame_equal(loaded.to_pandas(), records.to_pandas(), check_exact=True)


def test_json_keeps_the_sweep_and_the_repeats_as_well(tmp_path: Path) -> None:
    """A table has no place for them."""
    both = LRRecords.from_repeats([make_records(start_lr=1e-6, end_lr=1.0), make_records(schedule="linear")])
    both.save(tmp_path / "curve.json")
    loaded = LRRecords.load(tmp_path / "curve.json")
    assert (loaded.stop_reason, loaded.start_lr, loaded.end_lr, loaded.num_steps) == ("diverged", 1e-6, 1.0, 61)
    assert [repeat.schedule for repeat in loaded.repeats] == ["exponential", "linear"]


def test_wrong_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    """A suffix without a format and a table without the needed columns."""
    with pytest.raises(ValueError, match=r"the file name must end in .json, .csv, .parquet, got 'curve.txt'"):
        make_records().save(tmp_path / "curve.txt")
    (tmp_path / "other.csv").write_text("lr,accuracy\n1,2\n")
    with pytest.raises(ValueError, match=r"other\.csv has no column 'loss', only"):
        LRRecords.load(tmp_path / "other.csv")


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
    """Files that are no strict JSON were written once."""
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
