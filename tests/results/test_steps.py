"""The arrays that records are made of, from their steps."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.results.steps import StepRecord, arrays_of, losses_of


def test_the_arrays_have_one_entry_a_step() -> None:
    """Both groups, a hole where there is no validation loss, the skipped update; any iterable will do."""
    steps = [StepRecord(1, 0.1, 3.0, (0.1, 0.01)), StepRecord(2, 0.2, -1.0, (0.2, 0.02), val_loss=5.0, skipped=True)]
    arrays = arrays_of(iter(steps))
    expected = {
        "lr": [0.1, 0.2],
        "loss": [3.0, -1.0],
        "group_lrs": [[0.1, 0.01], [0.2, 0.02]],
        "val_loss": [np.nan, 5.0],
        "skipped": [False, True],
    }
    assert list(arrays) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values)


def test_what_no_step_has_is_no_array() -> None:
    """A plain test has rates and losses alone, and no step at all has no groups."""
    arrays = arrays_of([StepRecord(1, 0.1, 3.0, (0.1,))])
    assert (arrays["val_loss"], arrays["skipped"]) == (None, None)
    assert arrays_of([])["group_lrs"] is None


def test_the_losses_that_are_asked_for_are_read():
    """The training loss or the validation loss as it is on record; any other name is refused, and so are missing ones."""
    loss, val_loss = np.array([2.0, 1.0]), np.array([np.nan, 3.0])
    assert losses_of(loss, val_loss, "loss") is loss
    assert losses_of(loss, val_loss, "val_loss") is val_loss
    with pytest.raises(ValueError, match=r'^of must be "loss" or "val_loss", got \'accuracy\'$'):
        losses_of(loss, val_loss, "accuracy")
    with pytest.raises(ValueError, match=r'^of="val_loss" needs validation losses, got records without; run the test'):
        losses_of(loss, None, "val_loss")
