"""Several runs as one CSV, for a spreadsheet or pandas."""

from __future__ import annotations

import csv
import io
import math
from itertools import count, repeat
from typing import TYPE_CHECKING

from ...checks import legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...results import LRRecords

_OF_A_FORMULA = ("=", "+", "-", "@", "\t")  # first characters at which a spreadsheet starts to calculate


def table(runs: Sequence[tuple[str, LRRecords]], beta: float) -> str:
    """Write runs as a CSV with one row a step; every number is there to its last bit.

    The columns are "run", "step", "lr", "loss", "smoothed" and, where any run has one, "val_loss", which is empty in
    the steps without. A name that a spreadsheet would calculate has an apostrophe in front.

    Args:
        runs: names and records.
        beta: smoothing of the column "smoothed", in [0, 1).

    >>> from lr_widget import LRRecords
    >>> print(table([("first", LRRecords(lr=[0.1, 0.2], loss=[3.0, 2.0]))], beta=0.0), end="")
    run,step,lr,loss,smoothed
    first,1,0.1,3.0,3.0
    first,2,0.2,2.0,2.0
    """
    has_validation = any(records.val_loss is not None for _, records in runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "step", "lr", "loss", "smoothed", *(["val_loss"] if has_validation else [])])
    for name, records in runs:
        # Lists, as Python's floats are written to their last bit, and those of NumPy slowly.
        columns = [records.lr.tolist(), records.loss.tolist(), records.smoothed_loss(beta).tolist()]
        columns += [_validation(records)] if has_validation else []
        writer.writerows(zip(repeat(_cell(name)), count(1), *columns, strict=False))
    return text.getvalue()


def _validation(records: LRRecords) -> list[float | str]:
    if records.val_loss is None:
        return [""] * len(records)
    return ["" if math.isnan(loss) else loss for loss in records.val_loss.tolist()]


def _cell(name: str) -> str:
    name = legible(name)
    return f"'{name}" if name.startswith(_OF_A_FORMULA) else name
