"""Records: steps and repeats in, tables, smoothed losses and suggestions out."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lr_widget import LRRecords, StepRecord
from lr_widget.schedule import rate_text
from lr_widget.suggest.horizon import SLOPE

from .helpers import make_records


def test_from_steps_keeps_every_step_raw() -> None:
    """One row a step: both groups, the validation loss where there is one, the skipped update."""
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
    """One param group, no validation data, no grad scaler; both are float64."""
    records = LRRecords.from_steps([StepRecord(1, 0.1, 3.0, (0.1,))], stop_reason="stopped")
    assert records.to_pandas().columns.tolist() == ["lr", "loss"]
    assert records.lr.dtype == records.loss.dtype == np.float64


def test_no_step_at_all_makes_empty_records() -> None:
    """An early stop leaves a table without rows and no suggestion."""
    records = LRRecords.from_steps([], stop_reason="stopped")
    assert len(records) == len(records.to_pandas()) == 0
    assert records.suggest().lr is None


def test_smoothed_loss_is_the_bias_corrected_average() -> None:
    """Three losses by hand, and the raw ones for a beta of 0."""
    records = LRRecords(lr=[1, 2, 3], loss=[1.0, 2.0, 4.0])  # type: ignore[arg-type]
    # (0.5·1)/0.5; (0.25·1 + 0.5·2)/0.75; (0.125·1 + 0.25·2 + 0.5·4)/0.875
    assert records.smoothed_loss(0.5).tolist() == pytest.approx([1.0, 1.25 / 0.75, 2.625 / 0.875])
    assert records.smoothed_loss(0).tolist() == [1.0, 2.0, 4.0]


def test_repeats_are_averaged_over_the_steps_that_all_of_them_reached() -> None:
    """The shorter of two sweeps gives the length and the stop reason."""
    one = LRRecords(lr=[1, 2, 3], loss=[1.0, 2.0, 3.0])  # type: ignore[arg-type]
    two = LRRecords(lr=[1, 2], loss=[3.0, 6.0], stop_reason="diverged")  # type: ignore[arg-type]
    both = LRRecords.from_repeats([one, two])
    assert (both.lr.tolist(), both.loss.tolist(), both.stop_reason) == ([1, 2], [2.0, 4.0], "diverged")
    assert both.to_pandas().columns.tolist() == ["lr", "loss", "loss_repeat_0", "loss_repeat_1"]
    with pytest.raises(ValueError, match="from_repeats needs at least one sweep, got none"):
        LRRecords.from_repeats([])


def test_arrays_of_unequal_length_are_refused() -> None:
    """An unknown stop reason, too."""
    with pytest.raises(ValueError, match=r"two arrays of one length, got shapes \(2,\) and \(3,\)"):
        LRRecords(lr=[1, 2], loss=[1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"stop_reason must be one of completed, .*, got 'done'"):
        make_records(stop_reason="done")


def test_repeats_keep_which_steps_any_of_them_skipped() -> None:
    """As far as all sweeps went; sweeps without a scaler have skipped nothing."""
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
    """No validation data, or an unknown name."""
    with pytest.raises(
        ValueError, match=r'of="val_loss" needs validation losses, got records without; run .* val_data'
    ):
        make_records().suggest(of="val_loss")
    with pytest.raises(ValueError, match='of must be "loss" or "val_loss", got \'accuracy\''):
        make_records().suggestions(of="accuracy")


def test_a_suggestion_is_for_the_training_that_is_asked_for_or_that_of_the_records() -> None:
    """What is asked for goes before what the records say, each by itself; other rules give what they give."""
    plain = make_records(num_steps=100)
    aimed = replace(plain, train_steps=10_000, train_schedule="cosine")
    assert aimed.suggest() == plain.suggest(train_steps=10_000, train_schedule="cosine")
    assert aimed.suggest(train_steps=1000) == plain.suggest(train_steps=1000, train_schedule="cosine")
    assert aimed.suggest(train_schedule="constant") == plain.suggest(train_steps=10_000)
    rates = [float(plain.suggest(train_steps=steps)) for steps in (100, 1000, 10_000)]
    assert rates[0] == float(plain.suggest())
    assert rates[1:] == pytest.approx([rates[0] * 10**-SLOPE, rates[0] * 100**-SLOPE])
    assert aimed.suggestions(train_steps=1000)["auto"] == aimed.suggest(train_steps=1000)
    found, before = aimed.suggestions(), plain.suggestions()
    assert [rule for rule in found if found[rule] != before[rule]] == ["auto"]


def test_records_have_the_training_in_plain_numbers_and_texts() -> None:
    """NumPy's counts and the names in enums of other libraries are saved as well."""
    schedule = Enum("SchedulerType", {"COSINE": "cosine"}, type=str).COSINE
    records = LRRecords.from_steps([], stop_reason="stopped", train_steps=np.int64(30), train_schedule=schedule)  # type: ignore[arg-type]
    assert (records.train_steps, records.train_schedule) == (30, "cosine")
    assert (type(records.train_steps), type(records.train_schedule)) == (int, str)


def test_a_suggestion_on_validation_is_for_the_training_as_well() -> None:
    """It moves as far as that on the training loss."""
    records = falls_at(-3)
    rates = [float(records.suggest(of="val_loss", train_steps=steps)) for steps in (61, 610)]
    assert rates[1] == pytest.approx(rates[0] * 10**-SLOPE)


def test_the_length_of_the_test_is_the_one_asked_for_or_at_least_the_steps_taken() -> None:
    """A test of 100 steps that explodes in step 61 has had the rates of 100; a table from elsewhere has its rows."""
    for num_steps, length in ((100, 100), (None, 61), (7, 61)):
        reason = make_records(num_steps=num_steps).suggest().reason
        assert f"the suggestion holds for about {length} steps at a constant rate" in reason


@pytest.mark.parametrize(
    ("training", "error", "message"),
    [
        ({"train_steps": 0}, ValueError, "train_steps must be at least 1, got 0"),
        ({"train_steps": 2.5}, TypeError, "train_steps must be an integer, got 2.5"),
        ({"train_schedule": ""}, ValueError, "train_schedule must be one of .*, got ''; give the one"),
        ({"train_schedule": 3}, TypeError, "train_schedule must be one of .*, got 3 of type int; give its name"),
    ],
)
def test_no_training_is_refused_by_records_and_their_suggestions(
    training: dict[str, Any], error: type[Exception], message: str
) -> None:
    """When they are made or asked, by whatever rule."""
    with pytest.raises(error, match=message):
        make_records(**training)
    with pytest.raises(error, match=message):
        make_records().suggest("steepest", **training)
    with pytest.raises(error, match=message):
        make_records().suggestions(**training)


def test_with_repeats_every_sweep_answers_for_the_training() -> None:
    """The rates that the reason names are lowered like the rate of their mean, and the range holds them."""
    sweeps = [replace(falls_at(at), num_steps=61, train_steps=6100) for at in (-3.2, -3.0, -2.8)]
    single = [float(sweep.suggest()) for sweep in sweeps]
    assert single == pytest.approx([float(falls_at(at).suggest()) * 100**-SLOPE for at in (-3.2, -3.0, -2.8)])
    joined = LRRecords.from_repeats(sweeps)
    assert joined.train_steps == 6100
    found = joined.suggest()
    assert found.reason.endswith(
        f" The 3 sweeps by themselves give {rate_text(min(single))} … {rate_text(max(single))}."
    )
    assert found.low is not None
    assert found.low <= min(single) < max(single) <= found.high  # type: ignore[operator]
    beyond = joined.suggest(train_steps=10**6)
    assert (beyond.lr, beyond.low) == (None, None)
    assert beyond.reason.endswith("; probe, or take a test of at least 3,165 steps.")


def test_with_repeats_a_suggestion_says_how_far_they_agree() -> None:
    """Sweeps that fall at 10^-3.2, 10^-3 and 10^-2.8: the range holds the outer two, and the reason names them."""
    sweeps = [falls_at(at) for at in (-3.2, -3.0, -2.8)]
    single = [float(sweep.suggest("steepest")) for sweep in sweeps]
    joined = LRRecords.from_repeats(sweeps).suggest("steepest")
    assert (joined.low, joined.high) == (single[0], single[2])
    assert joined.reason.endswith(f" The 3 sweeps by themselves give {rate_text(single[0])} … {rate_text(single[2])}.")
    assert LRRecords.from_repeats(sweeps).suggestions()["steepest"] == joined


@pytest.mark.parametrize(
    ("records", "line"),
    [
        (
            make_records(num_steps=100),
            "<LRRecords: 61 of 100 steps, lr 1e-6 … 1, loss 2.3 … 1001, lowest 0.8186, diverged>",
        ),
        (
            LRRecords.from_repeats([LRRecords(np.array([0.1, 0.2]), np.array([3.0, np.nan]), "non_finite")] * 2),
            "<LRRecords: mean of 2 sweeps, 2 of 2 steps, lr 0.1 … 0.2, loss 3 … nan, lowest 3, non_finite>",
        ),
        (
            LRRecords(np.array([0.1]), np.array([np.inf]), "non_finite"),
            "<LRRecords: 1 of 1 steps, lr 0.1 … 0.1, loss inf … inf, non_finite>",
        ),
        (LRRecords.from_steps([], stop_reason="stopped"), "<LRRecords: 0 of 0 steps, stopped>"),
    ],
)
def test_records_are_printed_in_one_line(records: LRRecords, line: str) -> None:
    """Steps, rates, losses and the end, not a million numbers."""
    assert str(records) == repr(records) == line


def test_a_million_steps_need_memory_for_a_few_arrays_more() -> None:
    """Smoothing, suggesting and joining take no more than a hundred numbers a step at their peak, nothing squared."""
    steps = 200_000
    lr = np.geomspace(1e-7, 1.0, steps)
    records = LRRecords(lr, 2 - 1 / (1 + (1e-3 / lr) ** 2) + 0.1 * np.random.default_rng(0).normal(size=steps))
    tracemalloc.start()
    try:
        records.smoothed_loss()
        suggestions = records.suggestions()
        LRRecords.from_repeats([records, records])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert suggestions["auto"].lr is not None
    assert peak < 100 * 8 * steps
