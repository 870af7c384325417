"""The CSV of several runs: pandas reads it back, and a spreadsheet calculates nothing."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget import LRRecords
from lr_widget.smoothing import ema
from lr_widget.widget.takeaway import table


def read(text: str) -> pd.DataFrame:
    """The table as it was written: names as texts, numbers to the last bit, NaN where there is nothing."""
    found = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    return found.apply(lambda column: column if column.name == "run" else column.map(lambda cell: float(cell or "nan")))


def test_every_run_has_one_row_a_step() -> None:
    """By hand, with the running average of one half: 2 * (4 / 4 + 2 / 2) / 3 of the second loss."""
    runs = [("SGD", LRRecords(lr=[1e-3, 0.1], loss=[4.0, 2.5])), ("Adam", LRRecords(lr=[1e-7], loss=[3.0]))]
    assert table(runs, beta=0.5).splitlines() == [
        "run,step,lr,loss,smoothed",
        "SGD,1,0.001,4.0,4.0",
        "SGD,2,0.1,2.5,3.0",
        "Adam,1,1e-07,3.0,3.0",
    ]


def test_validation_losses_have_a_column_where_any_run_has_some() -> None:
    """Those that were not measured are empty; without any, so is the table."""
    with_some = LRRecords(lr=[0.1, 0.2], loss=[4.0, 2.0], val_loss=[np.nan, 3.5])
    runs = [("a", with_some), ("b", LRRecords(lr=[0.1], loss=[1.0]))]
    assert table(runs, 0.0).splitlines() == [
        "run,step,lr,loss,smoothed,val_loss",
        "a,1,0.1,4.0,4.0,",
        "a,2,0.2,2.0,2.0,3.5",
        "b,1,0.1,1.0,1.0,",
    ]
    assert "val_loss" not in table(runs[1:], 0.0)


def test_without_a_run_there_is_only_the_head() -> None:
    """So the file can still be read."""
    assert table([], 0.9) == "run,step,lr,loss,smoothed\n"
    assert list(read(table([], 0.9)).columns) == ["run", "step", "lr", "loss", "smoothed"]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Cn"])),
            st.lists(st.floats(width=64), min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=4,
    ),
    st.floats(0, 0.99),
)
def test_pandas_reads_names_and_numbers_back(given_runs: list[tuple[str, list[float]]], beta: float) -> None:
    """To the last bit, NaN and the infinities too; only a formula's name has an apostrophe in front."""
    runs = [(name, LRRecords(lr=np.logspace(-5, 0, len(loss)), loss=loss)) for name, loss in given_runs]
    found = read(table(runs, beta))
    shown = [f"'{name}" if name[:1] in ("=", "+", "-", "@") else name for name, _ in runs]
    assert found["run"].tolist() == [name for name, (_, loss) in zip(shown, given_runs) for _ in loss]
    assert found["step"].tolist() == [step for _, loss in given_runs for step in range(1, len(loss) + 1)]
    for column, arrays in {
        "lr": [records.lr for _, records in runs],
        "loss": [records.loss for _, records in runs],
        "smoothed": [ema(records.loss, beta) for _, records in runs],
    }.items():
        np.testing.assert_array_equal(found[column], np.concatenate(arrays))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_a_name_is_no_formula(name: str) -> None:
    """A spreadsheet would calculate what begins like one."""
    assert read(table([(name, LRRecords(lr=[0.1], loss=[1.0]))], 0.0))["run"].tolist() == [f"'{name}"]


@pytest.mark.parametrize("name", ['a, "b"', "two\nlines", "'quoted'", "1e5", "NA", "", "größe 64 · β"])
def test_a_name_of_any_text_stays_in_its_cell(name: str) -> None:
    """Commas, quotes and line ends are quoted."""
    found = read(table([(name, LRRecords(lr=[0.1, 0.2], loss=[1.0, 2.0]))], 0.0))
    assert (found["run"].tolist(), len(found)) == ([name, name], 2)


def test_a_name_that_is_no_unicode_can_be_sent() -> None:
    """A half of a surrogate pair, as a file's name can have, would not be encoded."""
    text = table([("a\udc80\0", LRRecords(lr=[0.1], loss=[1.0]))], 0.0)
    assert read(text)["run"].tolist() == ["a��"]
    text.encode()
