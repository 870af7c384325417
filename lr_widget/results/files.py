"""Records as files: strict JSON, and columns of CSV and parquet."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .records import LRRecords

_SUFFIXES = (".json", ".csv", ".parquet")
_NOT_FINITE = ("NaN", "-NaN", "Infinity", "-Infinity")  # as texts, for JSON has no such numbers; float() reads them


def checked_path(path: str | Path) -> tuple[Path, str]:
    """Return the path and its suffix in lower case, or raise a ValueError."""
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"the file name must end in {', '.join(_SUFFIXES)}, got {path.name!r}")
    return path, path.suffix.lower()


def columns_of(records: LRRecords) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of the records' table; see `LRRecords.to_pandas`."""
    columns: dict[str, npt.NDArray[Any]] = {"lr": records.lr, "loss": records.loss}
    if records.group_lrs is not None and records.group_lrs.shape[1] > 1:
        columns |= {f"lr_group_{index}": rates for index, rates in enumerate(records.group_lrs.T)}
    if records.val_loss is not None:
        columns["val_loss"] = records.val_loss
    if records.skipped is not None:
        columns["skipped"] = records.skipped
    for index, repeat in enumerate(records.repeats):
        columns[f"loss_repeat_{index}"] = repeat.loss[: len(records)]
    return columns


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the content, in which every number that JSON cannot hold becomes a text."""
    path.write_text(json.dumps(_encoded(content), indent=1, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    content: dict[str, Any] = _decoded(json.loads(path.read_text(encoding="utf-8")))
    return content


def read_table(path: Path, suffix: str) -> dict[str, npt.NDArray[Any]]:
    """Read the columns of a CSV or parquet file; every float of a CSV to its last bit."""
    import pandas as pd

    if suffix == ".parquet":
        table = pd.read_parquet(path)
        return {name: table[name].to_numpy() for name in table.columns}
    # pandas' own float parser can be off by one unit in the last place.
    texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    return {name: _parsed(name, texts[name].tolist()) for name in texts.columns}


def _parsed(name: str, texts: list[str]) -> npt.NDArray[Any]:
    if name == "skipped":
        return np.array([text == "True" for text in texts])
    return np.array([float(text or "nan") for text in texts])


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
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
