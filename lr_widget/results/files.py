"""The files of records: strict JSON with every field, CSV and parquet with one column a quantity."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .fields import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

SUFFIXES = (".json", ".csv", ".parquet")

# As texts, for JSON has no such numbers.
_NOT_FINITE = {"NaN": math.nan, "-NaN": -math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

ROWS = "num_rows"  # the column of a CSV that tells a file that is cut off; JSON and parquet have an end of their own
_TRUTHS = {"True": True, "False": False}


def checked_path(path: str | Path) -> tuple[Path, str]:
    """Return the path and its suffix in lower case.

    Raises:
        ValueError: there is no format for this suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"the file name must end in {', '.join(SUFFIXES)}, got {path.name!r}")
    return path, path.suffix.lower()


def as_json(fields: dict[str, Any]) -> bytes:
    """Encode fields, nested ones too; arrays become lists, and numbers that JSON cannot hold become texts."""
    return json.dumps(_encoded(fields), allow_nan=False).encode()


def columns_of(fields: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the columns of a table of records: those that every file has, then those of fields that are there."""
    columns = {name: fields[name] for name in REQUIRED}
    if fields["group_lrs"] is not None and fields["group_lrs"].shape[1] > 1:
        columns |= {f"lr_group_{index}": rates for index, rates in enumerate(fields["group_lrs"].T)}
    columns |= {name: fields[name] for name in ("val_loss", "skipped") if fields[name] is not None}
    size = len(fields["lr"])
    return columns | {f"loss_repeat_{index}": repeat.loss[:size] for index, repeat in enumerate(fields["repeats"])}


def as_table(table: pd.DataFrame, suffix: str) -> bytes:
    """Encode a table as CSV, with a last column that says how many rows there are, or as parquet."""
    if suffix == ".parquet":
        data: bytes = table.to_parquet(index=False)
        return data
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.columns, ROWS])
    # Python's floats are written to their last bit.
    writer.writerows(zip(*(table[name].tolist() for name in table.columns), [len(table)] * len(table), strict=True))
    return text.getvalue().encode()


def read_fields(data: bytes, suffix: str) -> Any:
    """Decode the contents of a file, as far as its format goes; the rest is left to `checked_fields`.

    Raises:
        ValueError: the contents are cut off, or are not of this format.
        RecursionError: they are nested too deep.
    """
    if not data.strip():
        raise ValueError("the file is empty")
    if suffix == ".parquet":
        return _fields_of(_parquet_columns(data))
    return _from_json(data) if suffix == ".json" else _fields_of(_csv_columns(_text_of(data)))


def _from_json(data: bytes) -> Any:
    try:
        return _decoded(json.loads(data))
    except ValueError as error:  # of bytes that are no text as well
        raise ValueError(f"it is no JSON, or it is cut off ({error})") from error


def _text_of(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")  # with the mark that Excel begins with, or without
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 ({error})") from error


def _parquet_columns(data: bytes) -> dict[str, NDArray[Any]]:
    import pandas as pd

    try:
        table = pd.read_parquet(io.BytesIO(data))
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # pyarrow has errors of many kinds for a broken file
        raise ValueError(f"it is no parquet, or it is cut off ({error})") from error
    _refuse_missing([*table.columns])
    return {name: _plain(table[name]) for name in table.columns if _is_ours(str(name))}


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column of numbers as floats, NaN where one is missing, and any other as it is."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy()


def _csv_columns(text: str) -> dict[str, NDArray[Any]]:
    """Return the columns that are ours, each number to its last bit."""
    try:
        texts = _csv_texts(text)
    except csv.Error as error:
        raise ValueError(f"it is no CSV ({error})") from error
    _refuse_missing([*texts])
    columns = {name: _parsed(name, column) for name, column in texts.items() if _is_ours(name)}
    if ROWS in columns:
        _refuse_cut_off(columns.pop(ROWS), has_end=text.endswith(("\n", "\r")))
    return columns


def _csv_texts(text: str) -> dict[str, list[str]]:
    """Return the cells of each column.

    Not by pandas, which fills rows that are too short, and shifts all columns by one where rows end in a comma.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next((row for row in rows if row), [])
    twice = [name for name in header if _is_ours(name) and header.count(name) > 1]
    if twice:
        raise ValueError(f"there are two columns {twice[0]!r}; leave one")
    cells: list[str] = []
    for row in rows:
        if len(row) == len(header):
            cells += row
        elif len(row) > len(header) and not any(row[len(header) :]):
            cells += row[: len(header)]  # commas at the end, which add no column
        elif "".join(row).strip():
            raise ValueError(f"line {rows.line_num} has {len(row)} cells, the header {len(header)}; it may be cut off")
    if not cells:
        raise ValueError("there are no rows; it may be cut off, or no step was recorded")
    return {name: cells[index :: len(header)] for index, name in enumerate(header)}


def _is_ours(name: str) -> bool:
    return name in (*REQUIRED, "val_loss", "skipped", ROWS) or name.startswith(("lr_group_", "loss_repeat_"))


def _parsed(name: str, texts: list[str]) -> NDArray[Any]:
    try:
        if name == "skipped":
            return np.array([_TRUTHS[text] for text in texts])
        return np.array([float(text or "nan") for text in texts])  # pandas writes nothing for NaN
    except (KeyError, ValueError) as error:
        raise ValueError(f"column {name!r} holds a wrong value ({error})") from None


def _refuse_cut_off(rows: NDArray[Any], has_end: bool) -> None:
    """Compare the rows with the number that each of them names; without its end, a line may have a part of it."""
    complete = int((rows == rows[0]).sum()) if has_end else rows.size - 1
    if complete != rows[0]:
        raise ValueError(
            f"it is cut off or changed: its column {ROWS!r} says {rows[0]:g} rows, and {complete} are complete; "
            "get the whole file, or delete that column to load the rows that are there"
        )


def _refuse_missing(columns: list[str]) -> None:
    missing = [repr(name) for name in REQUIRED if name not in columns]
    if missing:
        raise ValueError(f"it has no column {' or '.join(missing)}, only {columns}")


def _fields_of(columns: dict[str, NDArray[Any]]) -> dict[str, Any]:
    fields = _curve(columns["lr"], columns["loss"])
    fields |= {name: columns[name] for name in ("val_loss", "skipped") if name in columns}
    groups = [column for name, column in columns.items() if name.startswith("lr_group_")]
    if groups:
        fields["group_lrs"] = np.column_stack(groups)
    repeats = [column for name, column in columns.items() if name.startswith("loss_repeat_")]
    return fields | {"repeats": [_curve(columns["lr"], loss) for loss in repeats]}


def _curve(lr: NDArray[Any], loss: NDArray[Any]) -> dict[str, Any]:
    is_finite = not loss.size or loss.dtype.kind != "f" or np.isfinite(loss[-1])
    return {"lr": lr, "loss": loss, "stop_reason": "completed" if is_finite else "non_finite"}


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist() if np.isfinite(value).all() else _encoded(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity"
        return name if math.copysign(1.0, value) > 0 else f"-{name}"
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item if isinstance(item, float) else _decoded(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value
