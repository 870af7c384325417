"""Arguments of a wrong type or value are refused before anything is changed; NumPy's numbers are numbers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import iter_range_test, range_test

mse_loss = nn.functional.mse_loss


class Session:
    """A model, its optimizer and one batch."""

    def __init__(self) -> None:
        self.model, self.data = nn.Linear(2, 1), [(torch.ones(4, 2), torch.ones(4, 1))]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def sweep(self, **options: Any) -> Any:
        return iter_range_test(self.model, self.optimizer, options.pop("loss_fn", mse_loss), self.data, **options)


def one_shot_context() -> Any:
    @contextmanager
    def context() -> Any:
        yield

    return context()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stop": 5}, TypeError, "stop must be a function of a record or None, got 5 of type int"),
        ({"seed": "1"}, TypeError, "seed must be an integer or None, got '1' of type str"),
        ({"seed": True}, TypeError, "seed must be an integer or None, got True of type bool"),
        ({"seed": -1}, ValueError, r"seed must be at least 0 and below 2\*\*63, got -1"),
        ({"seed": 2**63}, ValueError, r"seed must be at least 0 and below 2\*\*63, got 9223372036854775808"),
        ({"loss_fn": nn.MSELoss}, TypeError, r"loss_fn must be .*, got the class MSELoss; make one of it: MSELoss\(\)"),
        ({"also_restore": None}, TypeError, "also_restore takes objects .*, got None of type NoneType; leave it out"),
        (
            {"also_restore": 5},
            TypeError,
            "also_restore takes objects with state_dict.*, got 5 of type int; leave it out",
        ),
        ({"grad_scaler": True}, TypeError, "grad_scaler must be a gradient scaler or None, got True .*; make one with"),
        ({"device": "gpu"}, ValueError, "^device must be a device that torch has here, .*, got 'gpu'"),
        (
            {"snapshot_device": "gpu"},
            ValueError,
            "^snapshot_device must be a device that torch has here, .*, got 'gpu'",
        ),
        (
            {"max_grad_norm": "1"},
            TypeError,
            "max_grad_norm must be a number or None for no clipping, got '1' of type str",
        ),
        (
            {"autocast": one_shot_context()},
            TypeError,
            "serves only once; give the function that makes it, without calling",
        ),
        ({"start_lr": "1"}, TypeError, "start_lr must be a number, got '1' of type str"),
        ({"num_steps": 5.0}, TypeError, "num_steps must be an integer, got 5.0 of type float"),
    ],
)
def test_an_argument_of_a_wrong_type_gets_one_clear_sentence(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Rule, value and remedy, at once and in one line."""
    session = Session()
    with pytest.raises(error, match=message) as caught:
        session.sweep(**options)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_taken_for_numbers() -> None:
    """float32 and int64 arguments run, and Python's numbers are on record, as JSON wants it."""
    session = Session()
    numbers: dict[str, Any] = {"start_lr": np.float32(0.25), "end_lr": np.float64(0.5), "num_steps": np.int64(4)}
    counts = {"accumulation_steps": np.int64(1), "repeats": np.int64(2), "seed": np.int64(2**63 - 1)}
    options = {**numbers, **counts, "max_grad_norm": np.float32(1.0), "progress": False}
    records = range_test(session.model, session.optimizer, mse_loss, session.data, **options)
    assert (records.start_lr, records.end_lr, records.num_steps) == (0.25, 0.5, 4)
    assert [type(value) for value in (records.start_lr, records.end_lr, records.num_steps)] == [float, float, int]
    assert len(records.repeats) == 2


def test_inference_mode_is_refused_when_the_test_is_made_and_when_it_begins() -> None:
    """Torch computes no gradients there; a test made outside is refused at its first step, without a trace."""
    session = Session()
    sweep = session.sweep()
    with torch.inference_mode():
        with pytest.raises(
            RuntimeError, match=r"which torch.inference_mode\(\) rules out; run it outside of that block"
        ):
            session.sweep()
        with pytest.raises(RuntimeError, match=r"which torch.inference_mode\(\) rules out"):
            next(sweep)
