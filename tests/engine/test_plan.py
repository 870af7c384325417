"""Arguments of a wrong type or value are refused before anything is changed; NumPy's numbers are numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import iter_range_test, range_test

from ..no_trace.state import Look

mse_loss = nn.functional.mse_loss


class Session:
    """A model, its optimizer and one batch."""

    def __init__(self) -> None:
        self.model, self.data = nn.Linear(2, 1), [(torch.ones(4, 2), torch.ones(4, 1))]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    @property
    def given(self) -> tuple[Any, ...]:
        return self.model, self.optimizer, mse_loss, self.data

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
        ({"train_steps": 0}, ValueError, "train_steps must be at least 1, got 0; 1000 is usual"),
        ({"train_steps": "1000"}, TypeError, "train_steps must be an integer, got '1000' of type str"),
        ({"train_schedule": "step"}, ValueError, "train_schedule must be one of .*, got 'step'; give the one that is"),
        (
            {"train_schedule": torch.optim.lr_scheduler.OneCycleLR},
            TypeError,
            "train_schedule must be one of .*, got <class .*OneCycleLR'> of type type; give its name",
        ),
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


# --- optimizers with their schedulers ---------------------------------------------------------------------------------

Configure = Callable[[torch.optim.Optimizer, Any], Any]

CONFIGURED: dict[str, Configure] = {
    "lists": lambda optimizer, scheduler: ([optimizer], [scheduler]),
    "a dict": lambda optimizer, scheduler: {"optimizer": optimizer, "lr_scheduler": scheduler},
    "a dict with settings": lambda optimizer, scheduler: {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1, "monitor": "val_loss"},
        "monitor": "val_loss",
    },
    "a tuple of dicts": lambda optimizer, scheduler: ({"optimizer": optimizer, "lr_scheduler": scheduler},),
}


@pytest.mark.parametrize("form", CONFIGURED)
def test_schedulers_given_with_the_optimizer_are_not_stepped_and_come_back(form: str) -> None:
    """Not stepped by the test, which sets the rates; where the train_step steps one, its count comes back."""
    session = Session()
    scheduler = torch.optim.lr_scheduler.StepLR(session.optimizer, 3, gamma=0.5)
    out_of_sight: SimpleQueue[Any] = SimpleQueue()  # so that the train_step does not lead to it
    out_of_sight.put(scheduler)
    counts: list[int] = []

    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        found = out_of_sight.get()
        out_of_sight.put(found)
        counts.append(found.last_epoch)
        if is_stepped:
            found.step()
        return mse_loss(model(batch[0]), batch[1])

    configured = CONFIGURED[form](session.optimizer, scheduler)
    before = Look(session.model, session.optimizer, scheduler)
    for is_stepped in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the train_step steps it before the optimizer
            records = range_test(
                session.model, configured, None, session.data, train_step=train_step, num_steps=5, progress=False
            )
        assert counts == ([0, 1, 2, 3, 4] if is_stepped else [0] * 5)
        assert records.lr.tolist() == range_test(*session.given, num_steps=5, progress=False).lr.tolist()
        before.assert_unchanged(f"in the form of {form}")
        counts.clear()


def test_a_configuration_of_several_optimizers_steps_them_all() -> None:
    """The models of a generator and a critic, each with its dict, train as they do with a plain list."""
    curves = []
    for with_schedulers in (True, False):
        torch.manual_seed(0)
        models = [nn.Linear(2, 1), nn.Linear(2, 1)]
        optimizers: list[Any] = [
            torch.optim.SGD(model.parameters(), lr=rate) for model, rate in zip(models, (0.1, 0.2))
        ]
        if with_schedulers:
            scheduler = torch.optim.lr_scheduler.StepLR(optimizers[1], 1)
            optimizers[1] = {"optimizer": optimizers[1], "lr_scheduler": scheduler}
        sweep = iter_range_test(
            models,
            optimizers,
            None,
            Session().data,
            train_step=lambda models, batch: [mse_loss(model(batch[0]), batch[1]) for model in models],
            num_steps=5,
        )
        curves.append([(record.loss, record.group_lrs) for record in sweep])
    assert curves[0] == curves[1]
    assert len(curves[0][0][1]) == 2
