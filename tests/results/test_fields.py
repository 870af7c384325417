"""The fields of records: arrays that go together, and files with every kind of wrong content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget import LRRecords
from lr_widget.results.fields import ARRAYS, checked_arrays, checked_fields, saved_fields

WRONG_ARRAYS = {
    "a rate of zero": ({"lr": [0.1, 0.0]}, r"^lr must be positive and finite, got 0\.0; leave such steps out$"),
    "a negative rate": ({"lr": [-0.1, 0.2]}, r"^lr must be positive and finite, got -0\.1; leave such steps out$"),
    "a rate that is none": ({"lr": [0.1, np.nan]}, r"^lr must be positive and finite, got nan; leave such steps out$"),
    "an infinite rate": ({"lr": [0.1, np.inf]}, r"^lr must be positive and finite, got inf; leave such steps out$"),
    "one loss too many": ({"loss": [1.0, 2.0, 3.0]}, r"two arrays of one length, got shapes \(2,\) and \(3,\)"),
    "no list at all": ({"lr": None}, r"two arrays of one length, got shapes \(\) and \(2,\)"),
    "rates in rows": (
        {"lr": [[0.1], [0.2]], "loss": [[1.0], [2.0]]},
        r"two arrays of one length, got shapes \(2, 1\) and \(2, 1\)",
    ),
    "a validation loss too few": (
        {"val_loss": [1.0]},
        r"^val_loss must have one entry a step, got shape \(1,\) for 2 steps$",
    ),
    "a flag too many": ({"skipped": [True] * 3}, r"^skipped must have one entry a step, got shape \(3,\) for 2 steps$"),
    "group rates of one group without their own rows": (
        {"group_lrs": [0.1, 0.2]},
        r"^group_lrs must have one entry a step, got shape \(2,\) for 2 steps$",
    ),
    "group rates by group": (
        {"group_lrs": [[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]]},
        r"^group_lrs must have one entry a step, got shape \(3, 2\) for 2 steps$",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_arrays_that_do_not_go_together_make_no_records(changes: dict[str, Any], message: str) -> None:
    """Found when the records are made, not when something is read off them."""
    with pytest.raises(ValueError, match=message):
        LRRecords(**{"lr": [0.1, 0.2], "loss": [1.0, 2.0], **changes})


def test_lists_become_arrays_of_one_type_and_arrays_are_not_copied() -> None:
    """A million steps are kept once."""
    lr, loss = np.array([0.1, 0.2]), np.array([1.0, np.nan])
    given = {"lr": lr, "loss": loss, "group_lrs": [[1, 0], [2, 0]], "val_loss": None, "skipped": [0, 1]}
    arrays = checked_arrays(given)
    assert arrays["lr"] is lr
    assert arrays["loss"] is loss
    assert arrays["group_lrs"].tolist() == [[1.0, 0.0], [2.0, 0.0]]
    assert arrays["skipped"].tolist() == [False, True]
    assert {name: array.dtype for name, array in arrays.items()} == {
        "lr": np.float64,
        "loss": np.float64,
        "group_lrs": np.float64,
        "skipped": np.bool_,
    }


def test_a_repeat_is_no_shorter_than_the_mean() -> None:
    """The table of all sweeps would have holes."""
    with pytest.raises(ValueError, match="repeats must be no shorter than their mean, 2 steps; cut the mean"):
        LRRecords([0.1, 0.2], [1.0, 2.0], repeats=[LRRecords([0.1], [1.0])])  # type: ignore[arg-type]


WRONG_FIELDS = {
    "a list": ([1, 2], r"^records are an object with the fields 'lr' and 'loss', got a list of length 2$"),
    "a number": (3, r"got 3 of type int$"),
    "nothing": (None, r"got None of type NoneType$"),
    "of something else": (
        {"lr": None, "loss": None, "accuracy": [1]},
        r"^it has no field 'lr' or 'loss', only \['accuracy'\]$",
    ),
    "without losses": ({"lr": [1], "loss": None}, r"^it has no field 'loss', only \['lr'\]$"),
    "of the future": ({"colour": 3}, r"^the field 'colour' is unknown; a newer lr_widget may have written it$"),
    "rate alone": ({"lr": 0.1}, r"^lr must be a list of numbers, got 0\.1 of type float$"),
    "rates by step": ({"lr": {"1": 0.1}}, r"^lr must be a list of numbers, got \{'1': 0\.1\} of type dict$"),
    "rates as texts": ({"lr": [0.1, "0.2"]}, r"^lr must be a list of numbers, but holds '0\.2' of type str$"),
    "a hole": ({"loss": [1.0, None]}, r"^loss must be a list of numbers, but holds None of type NoneType$"),
    "flags for losses": ({"loss": [True, False]}, r"^loss must be a list of numbers, but holds True of type bool$"),
    "lists for losses": ({"loss": [[1.0], [2.0, 3.0]]}, r"^loss must be a list of numbers, but its entries differ in"),
    "too large": ({"loss": [1, 10**400]}, r"^loss must be a list of numbers, but holds 10{59} of type int$"),
    "a loss for flags": ({"skipped": [0, 1]}, r"^skipped must be a list of true and false, but holds 0 of type int$"),
    "an unknown flag": (
        {"skipped": [True, None]},
        r"^skipped must be a list of true and false, but holds None of type",
    ),
    "a number for a text": ({"stop_reason": 3}, r"^stop_reason must be a text, got 3 of type int$"),
    "a list for a text": ({"schedule": []}, r"^schedule must be a text, got a list of length 0$"),
    "a negative bound": ({"start_lr": -1}, r"^start_lr must be a positive, finite learning rate, got -1; give"),
    "a text for a bound": ({"end_lr": "1"}, r"^end_lr must be a number, got '1' of type str; give"),
    "half a step": ({"num_steps": 2.5}, r"^num_steps must be an integer, got 2\.5 of type float"),
    "half a training": ({"train_steps": 2.5}, r"^train_steps must be an integer, got 2\.5 of type float"),
    "a number for a training": ({"train_schedule": 3}, r"^train_schedule must be a text, got 3 of type int$"),
    "repeats by name": ({"repeats": {}}, r"^repeats must be a list of records, got \{\} of type dict$"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_wrong_fields_are_refused_one_by_one(changes: Any, message: str) -> None:
    """Each message has the field, the value and its type."""
    given = {"lr": [0.1, 0.2], "loss": [1.0, 2.0], **changes} if isinstance(changes, dict) else changes
    with pytest.raises((ValueError, TypeError), match=message):
        checked_fields(given)


def test_right_fields_come_back_with_arrays_for_lists() -> None:
    """Integers are numbers, empty lists are lists of anything, and what is None is left out."""
    fields = {"lr": [1, 2], "loss": [], "skipped": [], "start_lr": 1, "num_steps": None, "repeats": [3]}
    checked = checked_fields(fields)
    assert checked["lr"].tolist() == [1, 2]
    assert checked["loss"].size == checked["skipped"].size == 0
    assert (checked["start_lr"], checked["repeats"]) == (1.0, [3])
    assert list(checked) == ["lr", "loss", "skipped", "start_lr", "repeats"]


def test_fields_are_saved_without_those_that_are_none_and_with_those_of_repeats() -> None:
    """The rates of one group are named, not written twice."""
    sweep = LRRecords([0.1], [1.0], group_lrs=[[0.1]], train_steps=30)  # type: ignore[arg-type]
    saved = saved_fields(vars(LRRecords.from_repeats([sweep, sweep])))
    assert saved["repeats"] == [saved_fields(vars(sweep))] * 2
    plain = {"lr": [0.1], "loss": [1.0], "group_lrs": "lr", "train_steps": 30, "train_schedule": "constant"}
    assert saved_fields(vars(sweep)) == plain | {"stop_reason": "completed", "schedule": "exponential", "repeats": []}


@pytest.mark.parametrize(
    ("group", "error", "message"),
    [
        (2, ValueError, r"^group must be below the number of groups, 2, got 2; count from 0$"),
        (-1, ValueError, r"^group must be at least 0, got -1; 0 is usual$"),
        (0.0, TypeError, r"^group must be an integer, got 0\.0 of type float; 0 is usual$"),
    ],
)
def test_a_group_that_is_none_of_the_groups_is_refused(group: Any, error: type[Exception], message: str) -> None:
    """It is an index into their rates, which the records count from 0."""
    with pytest.raises(error, match=message):
        LRRecords([0.1, 0.2], [2.0, 1.0], group_lrs=[[0.1, 1.0], [0.2, 1.0]], group=group)


def test_a_negative_rate_of_a_group_is_refused() -> None:
    """One of 0 freezes a group and is no mistake."""
    fields = dict.fromkeys(ARRAYS) | {"lr": [0.1], "loss": [1.0]}
    assert checked_arrays({**fields, "group_lrs": [[0.0]]})["group_lrs"].tolist() == [[0.0]]
    with pytest.raises(ValueError, match=r"group_lrs must be finite and not negative, got -1.0"):
        checked_arrays({**fields, "group_lrs": [[-1.0]]})
