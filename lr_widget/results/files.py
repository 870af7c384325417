"""The files of records: strict JSON with every field, CSV and parquet with one column a quantity."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SUFFIXES = (".json", ".csv", ".parquet")

_NOT_FINITE = ("NaN", "-NaN", "Infinity", "-Infinity")  # as texts, for JSON has no such numbers; float() reads them


def checked_path(path: str | Path) -> tuple[Path, str]:
    """Return the path and its suffix in lower case.

    Raises:
        ValueError: there is no format for this suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"the file name must end in {', '.join(SUFFIXES)}, got {path.name!r}")
    return path, path.suffix.lower()


def write_json(path: Path, fields: dict[str, Any]) -> None:
    """Write fields, nested ones too; arrays become lists, and numbers that JSON cannot hold become texts."""
    path.write_text(json.dumps(_encoded(fields), indent=1, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read the fields that `write_json` wrote; arrays come back as lists."""
    fields: dict[str, Any] = _decoded(json.loads(path.read_text(encoding="utf-8")))
    return fields


def write_table(path: Path, suffix: str, table: pd.DataFrame) -> None:
    """Write a table as CSV or parquet."""
    if suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)


def read_table(path: Path, suffix: str) -> dict[str, Any]:
    """Read the fields of records off a CSV or parquet file; every float of a CSV to its last bit.

    Raises:
        ValueError: the columns "lr" and "loss" are missing.
    """
    import pandas as pd

    if suffix == ".parquet":
        table = pd.read_parquet(path)
        return _fields_of({name: table[name].to_numpy() for name in table.columns}, path)
    # As texts, for pandas' own float parser can be off by one unit in the last place.
    texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    return _fields_of({name: _parsed(name, texts[name].tolist()) for name in texts.columns}, path)


def _fields_of(columns: dict[str, NDArray[Any]], path: Path) -> dict[str, Any]:
    missing = [name for name in ("lr", "loss") if name not in columns]
    if missing:
        raise ValueError(f"{path.name} has no column {' or '.join(map(repr, missing))}, only {list(columns)}")
    fields = _curve(columns["lr"], columns["loss"])
    fields |= {name: columns[name] for name in ("val_loss", "skipped") if name in columns}
    groups = [column for name, column in columns.items() if name.startswith("lr_group_")]
    if groups:
        fields["group_lrs"] = np.column_stack(groups)
    repeats = [column for name, column in columns.items() if name.startswith("loss_repeat_")]
    return fields | {"repeats": [_curve(columns["lr"], loss) for loss in repeats]}


def _curve(lr: NDArray[Any], loss: NDArray[Any]) -> dict[str, Any]:
    is_finite = not loss.size or np.isfinite(loss[-1])
    return {"lr": lr, "loss": loss, "stop_reason": "completed" if is_finite else "non_finite"}


def _parsed(name: str, texts: list[str]) -> NDArray[Any]:
    if name == "skipped":
        return np.array([text == "True" for text in texts])
    return np.array([float(text or "nan") for text in texts])


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _encoded(value.tolist())
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
        return [_decoded(item) for item in value]
    return float(value) if isinstance(value, str) and value in _NOT_FINITE else value
