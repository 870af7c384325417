"""Records as files: every bit comes back, and wrong files are refused."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lr_widget import LRRecords, StepRecord
from lr_widget.results.files import SUFFIXES

from .helpers import make_records, short_of_space

FIELDS = [field.name for field in fields(LRRecords)]


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


def test_a_parquet_file_without_pyarrow_is_not_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the one that names the library."""
    path = tmp_path / "curve.parquet"
    make_records().save(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pyarrow"):
        LRRecords.load(path)


def test_json_keeps_the_sweep_and_the_repeats_as_well(tmp_path: Path) -> None:
    """A table has no place for them."""
    training = {"train_steps": 5000, "train_schedule": "cosine"}
    sweeps = [make_records(start_lr=1e-6, end_lr=1.0, **training), make_records(schedule="linear")]
    both = LRRecords.from_repeats(sweeps)
    both.save(tmp_path / "curve.json")
    loaded = LRRecords.load(tmp_path / "curve.json")
    assert (loaded.stop_reason, loaded.start_lr, loaded.end_lr, loaded.num_steps) == ("diverged", 1e-6, 1.0, 61)
    assert (loaded.train_steps, loaded.train_schedule, loaded.repeats[1].train_steps) == (5000, "cosine", None)
    assert [repeat.schedule for repeat in loaded.repeats] == ["exponential", "linear"]


def test_json_has_the_rates_of_one_group_once(tmp_path: Path) -> None:
    """They are those of `lr`; others are written out, one row a step."""
    lr = np.array([0.1, 0.2])
    for groups, text in ((lr[:, None], "lr"), (2 * lr[:, None], [[0.2], [0.4]]), (np.ones((2, 2)), [[1, 1], [1, 1]])):
        LRRecords(lr, lr, group_lrs=groups).save(tmp_path / "curve.json")
        assert json.loads((tmp_path / "curve.json").read_text())["group_lrs"] == text
        np.testing.assert_array_equal(LRRecords.load(tmp_path / "curve.json").group_lrs, groups)


def test_a_file_name_without_a_format_is_refused(tmp_path: Path) -> None:
    """Before anything is written or read."""
    with pytest.raises(ValueError, match=r"the file name must end in .json, .csv, .parquet, got 'curve.txt'"):
        make_records().save(tmp_path / "curve.txt")
    with pytest.raises(ValueError, match=r"the file name must end in .json, .csv, .parquet, got 'curve'"):
        LRRecords.load(tmp_path / "curve")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_not_there_is_not_a_wrong_one(tmp_path: Path, suffix: str) -> None:
    """Python's own error says it best."""
    with pytest.raises(FileNotFoundError, match=rf"No such file or directory: .*curve{suffix}"):
        LRRecords.load(tmp_path / f"curve{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_is_full_leaves_the_records_of_before(tmp_path: Path, suffix: str) -> None:
    """The write fails in the middle, and the old file still loads."""
    path = tmp_path / f"curve{suffix}"
    LRRecords([0.1, 0.2], [1.0, 2.0]).save(path)  # type: ignore[arg-type]
    with short_of_space(), pytest.raises(OSError, match=rf"File too large: .*curve{suffix}"):
        LRRecords(np.linspace(0.1, 1, 999), np.random.default_rng(0).normal(size=999)).save(path)
    assert LRRecords.load(path).loss.tolist() == [1.0, 2.0]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    """The last line break of a CSV included: without it, nobody knows if the line is whole."""
    path = tmp_path / f"curve{suffix}"
    LRRecords(np.linspace(0.1, 1.2, 12), np.arange(12) / 7, val_loss=np.full(12, np.nan)).save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7 if suffix == ".parquet" else 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=rf"^curve{suffix} cannot be loaded: "):
            LRRecords.load(path)


def test_a_csv_that_lost_rows_says_how_many(tmp_path: Path) -> None:
    """At the end of a line, where the format itself shows nothing; without the column it is a table of elsewhere."""
    path = tmp_path / "curve.csv"
    make_records().save(path)
    lines = path.read_text().splitlines()
    assert lines[0] == "lr,loss,num_rows"
    path.write_text("\n".join([*lines[:18], ""]))
    with pytest.raises(
        ValueError,
        match=r"^curve\.csv cannot be loaded: it is cut off or changed: its column 'num_rows' says 61 rows, and 17 are "
        r"complete; get the whole file, or delete that column to load the rows that are there$",
    ):
        LRRecords.load(path)
    pd.read_csv(path).drop(columns="num_rows").to_csv(path, index=False)
    assert len(LRRecords.load(path)) == 17


def test_pandas_reads_a_csv_without_any_option(tmp_path: Path) -> None:
    """The columns of the table, and one more at the end."""
    records = make_records(val_loss=np.where(np.arange(61) % 5, np.nan, 1.0), skipped=np.arange(61) == 3)
    records.save(tmp_path / "curve.csv")
    table = pd.read_csv(tmp_path / "curve.csv")
    assert table.columns.tolist() == ["lr", "loss", "val_loss", "skipped", "num_rows"]
    assert table["num_rows"].tolist() == [61] * 61
    pd.testing.assert_frame_equal(table.drop(columns="num_rows"), records.to_pandas())


CSV_OF_ELSEWHERE = {
    "two columns": "lr,loss\n0.1,3\n0.2,2.5\n",
    "no line break at the end": "lr,loss\n0.1,3\n0.2,2.5",
    "a comma behind each row": "lr,loss\n0.1,3,\n0.2,2.5,\n",
    "a comma behind each line": "lr,loss,\n0.1,3,\n0.2,2.5,\n",
    "the index of pandas": ",lr,loss\n0,0.1,3\n1,0.2,2.5\n",
    "quotes": '"lr","loss"\n"0.1","3"\n"0.2","2.5"\n',
    "Windows": "\ufefflr,loss\r\n0.1,3\r\n0.2,2.5\r\n",
    "empty lines": "\nlr,loss\n\n0.1,3\n  \n0.2,2.5\n\n",
    "other columns": "step,loss,name,lr\n1,3,a,0.1\n2,2.5,b,0.2\n",
}


@pytest.mark.parametrize("text", CSV_OF_ELSEWHERE.values(), ids=CSV_OF_ELSEWHERE)
def test_a_csv_of_elsewhere_needs_just_two_columns(tmp_path: Path, text: str) -> None:
    """In any dialect with commas; a comma at the end shifts nothing."""
    path = tmp_path / "curve.csv"
    path.write_bytes(text.encode())
    loaded = LRRecords.load(path)
    assert (loaded.lr.tolist(), loaded.loss.tolist()) == ([0.1, 0.2], [3.0, 2.5])


WRONG_FILES = {
    "empty json": (".json", b"", "the file is empty"),
    "empty csv": (".csv", b" \n", "the file is empty"),
    "empty parquet": (".parquet", b"", "the file is empty"),
    "a picture as json": (".json", b"\x89PNG\r\n\x1a\n\x00\xff", "it is no JSON, or it is cut off"),
    "a picture as csv": (".csv", b"\x89PNG\r\n\x1a\n\x00\xff", "it is no text in UTF-8"),
    "a picture as parquet": (".parquet", b"\x89PNG\r\n\x1a\n\x00\xff", "it is no parquet, or it is cut off"),
    "csv as json": (".json", b"lr,loss\n1,2\n", "it is no JSON, or it is cut off"),
    "deep json": (".json", b"[" * 200_000, ""),
    "numbers as json": (".json", b"[1, 2]", "records are an object with the fields 'lr' and 'loss', got a list"),
    "other json": (".json", b'{"a": 1}', "it has no field 'lr' or 'loss', only"),
    "a rate that is none": (".json", b'{"lr": [NaN], "loss": [1]}', "lr must be positive and finite, got nan"),
    "a text as rate": (".json", b'{"lr": ["Infinity"], "loss": [1]}', "lr must be positive and finite, got inf"),
    "unequal": (".json", b'{"lr": [1], "loss": [1, 2]}', "lr and loss must be two arrays of one length"),
    "a word for group rates": (
        ".json",
        b'{"lr": [1], "loss": [1], "group_lrs": "a"}',
        "group_lrs must be a list of numbers, got 'a' of type str",
    ),
    "no rates for one group": (
        ".json",
        b'{"lr": [1, [2]], "loss": [1], "group_lrs": "lr"}',
        "lr must be a list of numbers, but its entries",
    ),
    "an unknown end": (".json", b'{"lr": [1], "loss": [1], "stop_reason": "done"}', "stop_reason must be one of"),
    "a wrong repeat": (
        ".json",
        b'{"lr": [1], "loss": [1], "repeats": [{"lr": [1], "loss": [1], "repeats": [{"lr": [-1], "loss": [1]}]}]}',
        r"lr must be positive and finite, got -1\.0",
    ),
    "a repeat that is none": (".json", b'{"lr": [1], "loss": [1], "repeats": [3]}', "records are an object with"),
    "one column": (".csv", b"lr,accuracy\n1,2\n", r"it has no column 'loss', only \['lr', 'accuracy'\]"),
    "semicolons": (".csv", b"lr;loss\n1;2\n", r"it has no column 'lr' or 'loss', only \['lr;loss'\]"),
    "a header alone": (".csv", b"lr,loss\n", "there are no rows; it may be cut off, or no step was recorded"),
    "a name twice": (".csv", b"lr,loss,lr\n1,2,3\n", "there are two columns 'lr'; leave one"),
    "rows that are too long": (".csv", b"lr,loss\n1,2,3\n", "line 2 has 3 cells, the header 2; it may be cut off"),
    "a row that is too short": (".csv", b"lr,loss\n1,2\n1", "line 3 has 1 cells, the header 2; it may be cut off"),
    "half a quote": (".csv", b'lr,loss\n1,"2\n', "it is no CSV"),
    "a word as loss": (".csv", b"lr,loss\n1,low\n", "column 'loss' holds a wrong value .*'low'"),
    "a word as flag": (".csv", b"lr,loss,skipped\n1,2,no\n", r"column 'skipped' holds a wrong value \('no'\)"),
    "no rate": (".csv", b"lr,loss\n,2\n", "lr must be positive and finite, got nan"),
    "a negative rate": (".csv", b"lr,loss\n-1,2\n", r"lr must be positive and finite, got -1\.0"),
}


@pytest.mark.parametrize(("suffix", "data", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_one_value_error_with_its_name(tmp_path: Path, suffix: str, data: bytes, message: str) -> None:
    """And with what is wrong."""
    (tmp_path / f"curve{suffix}").write_bytes(data)
    with pytest.raises(ValueError, match=rf"^curve{suffix} cannot be loaded: {message}"):
        LRRecords.load(tmp_path / f"curve{suffix}")


WRONG_TABLES = {
    "no losses": ({"lr": [0.1]}, r"it has no column 'loss', only \['lr'\]"),
    "numbers for names": ({0: [0.1], 1: [1.0]}, r"it has no column 'lr' or 'loss', only \['0', '1'\]"),
    "texts": ({"lr": ["0.1"], "loss": [1.0]}, r"lr must be a list of numbers, but holds '0\.1' of type str"),
    "lists": ({"lr": [0.1], "loss": [[1.0]]}, r"loss must be a list of numbers, but holds array"),
    "no rate": ({"lr": [0.0], "loss": [1.0]}, r"lr must be positive and finite, got 0\.0"),
    "texts for flags": ({"lr": [0.1], "loss": [1.0], "skipped": ["no"]}, "skipped must be a list of true and false"),
    "texts for a repeat": ({"lr": [0.1], "loss": [1.0], "loss_repeat_0": ["a"]}, "loss must be a list of numbers"),
    "texts for a group": ({"lr": [0.1], "loss": [1.0], "lr_group_0": ["a"]}, "group_lrs must be a list of numbers"),
}


@pytest.mark.parametrize(("columns", "message"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_parquet_of_other_content_is_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    """As any other wrong file."""
    pd.DataFrame(columns).rename(columns=str).to_parquet(tmp_path / "curve.parquet")
    with pytest.raises(ValueError, match=rf"^curve\.parquet cannot be loaded: {message}"):
        LRRecords.load(tmp_path / "curve.parquet")


def test_a_parquet_may_have_the_nullable_numbers_of_pandas(tmp_path: Path) -> None:
    """One that is missing is NaN."""
    table = pd.DataFrame({"lr": [0.1, 0.2], "loss": [1, None]}).convert_dtypes()
    assert str(table["loss"].dtype) == "Int64"
    table.to_parquet(tmp_path / "curve.parquet")
    loaded = LRRecords.load(tmp_path / "curve.parquet")
    np.testing.assert_array_equal(loaded.lr, [0.1, 0.2])
    np.testing.assert_array_equal(loaded.loss, [1.0, np.nan])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["NaN", "-Infinity", "completed", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda given: {"lr": [0.1], "loss": [2], **given}))
@example({"lr": [1], "loss": [2], "repeats": [{"lr": [1], "loss": [2], "repeats": {"lr": 1}}]})
@example({"lr": [1], "loss": ["NaN"], "num_steps": 2**70, "group_lrs": [["Infinity"]], "skipped": [True]})
def test_any_json_is_records_or_a_value_error(tmp_path: Path, content: dict[str, Any]) -> None:
    """Nothing else comes out of it, whatever it holds."""
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(content))
    try:
        records = LRRecords.load(path)
    except ValueError as error:
        assert str(error).startswith("curve.json cannot be loaded: ")  # noqa: PT017  # the other outcome is none, too
    else:
        records.save(path)
        assert len(LRRecords.load(path)) == len(records)


def test_files_of_the_version_before_are_still_read(tmp_path: Path) -> None:
    """They have no number of rows, and pandas wrote nothing for NaN."""
    (tmp_path / "old.csv").write_text("lr,loss,val_loss,skipped\n0.1,3.0,,False\n0.2,,2.0,True\n")
    loaded = LRRecords.load(tmp_path / "old.csv")
    np.testing.assert_array_equal(loaded.loss, [3.0, np.nan])
    np.testing.assert_array_equal(loaded.val_loss, [np.nan, 2.0])
    assert loaded.skipped.tolist() == [False, True]
    assert loaded.stop_reason == "non_finite"
    (tmp_path / "old.json").write_text(
        '{\n "lr": [\n  0.1\n ],\n "loss": [\n  3.0\n ],\n "stop_reason": "stopped",\n "num_steps": 5,\n "schedule": '
        '"linear",\n "group_lrs": [\n  [\n   0.1\n  ]\n ],\n "repeats": []\n}'
    )
    loaded = LRRecords.load(tmp_path / "old.json")
    assert (loaded.lr.tolist(), loaded.group_lrs.tolist(), loaded.num_steps) == ([0.1], [[0.1]], 5)
    assert (loaded.train_steps, loaded.train_schedule) == (None, "constant")


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_records_without_a_step_come_back(tmp_path: Path, suffix: str) -> None:
    """A CSV without a row could be one that is cut off, and is refused."""
    LRRecords.from_steps([], stop_reason="stopped").save(tmp_path / f"curve{suffix}")
    assert len(LRRecords.load(tmp_path / f"curve{suffix}")) == 0


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
