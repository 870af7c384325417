"""The adapter of fastai: the losses are those of the plain engine, and those of a learner's own fit."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from lr_widget import adapters, range_test

from .learners import Clamped, Frozen, fai, fit, halves, language, pictures, tabular

# Warnings of fastai, of torch about fastai, and of pandas are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 12, "progress": False}
TORCH_ADAM = partial(fai.OptimWrapper, opt=torch.optim.AdamW)
OPTIMIZERS = [
    fai.Adam,
    fai.SGD,
    partial(fai.SGD, mom=0.9),
    fai.RMSProp,
    fai.ranger,
    fai.Lamb,
    TORCH_ADAM,
    partial(fai.Adam, lr=0.02),
]


def at_one_rate(learner: fai.Learner, lr: float) -> list[float]:
    """Return the losses of a test of ten steps whose rate stays as it is in a fit."""
    setup = adapters.fastai(learner, num_steps=10, schedule=lambda step: lr, diverge_factor=None)
    return list(range_test(**setup, progress=False).loss)


@pytest.mark.parametrize("make", [tabular, pictures])
def test_the_curve_is_that_of_the_plain_engine(make: Any) -> None:
    """A learner gives the losses that its model, its batches and the optimizer give without fastai."""
    learner = make(opt_func=partial(fai.OptimWrapper, opt=torch.optim.SGD))
    records = range_test(**adapters.fastai(learner), **SWEEP)
    plain = make()
    optimizer = torch.optim.SGD(plain.model.parameters(), lr=1e-3)

    def step(model: Any, batch: Any) -> Any:
        return plain.loss_func(model(*batch[:-1]), batch[-1])

    expected = range_test(plain.model, optimizer, None, plain.dls.train, train_step=step, **SWEEP)
    assert list(records.loss) == list(expected.loss)


@pytest.mark.parametrize("make", [tabular, pictures])
@pytest.mark.parametrize("opt_func", OPTIMIZERS)
def test_the_losses_are_those_of_fit(make: Any, opt_func: Any) -> None:
    """With each optimizer, and with weight decay, an update is that of fit."""
    settings = {"opt_func": opt_func, "lr": 0.02, "wd": 0.1}
    assert at_one_rate(make(**settings), 0.02) == fit(make(**settings)).losses


LEARNERS: dict[str, Any] = {
    "mixed pictures": lambda: pictures(cbs=fai.MixUp(0.4)),
    "cut pictures": lambda: pictures(cbs=fai.CutMix()),
    "clipped": lambda: pictures(cbs=fai.GradientClip(0.1), opt_func=fai.SGD),
    "whole batches": lambda: pictures(cbs=fai.GradientAccumulation(16)),
    "half precision, where there is none": lambda: pictures().to_fp16(),
    "frozen norms without training": lambda: pictures(train_bn=False),
    "decay of norms and biases": lambda: pictures(wd_bn_bias=True, wd=0.3),
    "recurrent": language,
    "frozen when the fit starts": lambda: pictures(cbs=Frozen("before_fit")),
    "frozen when an epoch starts": lambda: pictures(cbs=Frozen("before_epoch")),
    "clamped after the update": lambda: pictures(cbs=Clamped()),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_callbacks_and_settings_take_part(name: str) -> None:
    """The losses are those of fit with callbacks that mix, clip, accumulate or regularise."""
    learner = LEARNERS[name]()
    assert at_one_rate(learner, 0.02) == fit(LEARNERS[name](), lr=0.02).losses[:10]


def test_validations_between_the_steps_change_no_loss() -> None:
    """The end of a batch is heard once, after its update, with `val_data`, too."""
    learner = pictures(cbs=Clamped())
    setup = adapters.fastai(learner, val_data=learner.dls.valid, val_every=1, num_steps=10, schedule=lambda step: 0.02)
    records = range_test(**setup, diverge_factor=None, progress=False)
    assert list(records.loss) == fit(pictures(cbs=Clamped()), lr=0.02).losses


def test_what_others_do_after_a_batch_plays_no_part() -> None:
    """A callback without a part in the batch itself, such as one that logs or stops, does not hear of its end."""

    class Stopping(fai.Callback):
        def before_fit(self) -> None:
            self.least = 0.0

        def after_batch(self) -> None:
            raise fai.CancelFitException

    class Logging(fai.Callback):
        def after_batch(self) -> None:
            raise AssertionError

    assert at_one_rate(pictures(cbs=[Stopping(), Logging()]), 0.02) == at_one_rate(pictures(), 0.02)


def test_frozen_norms_stay_in_eval_mode() -> None:
    """`BnFreeze` puts them there when a training starts, and so it does in a test."""

    def make() -> fai.Learner:
        learner = pictures(cbs=fai.BnFreeze(), train_bn=False, splitter=halves)
        learner.freeze()
        learner.model[0][1].running_mean += 2
        return learner

    found = at_one_rate(make(), 0.02)
    assert found == fit(make(), lr=0.02).losses
    other = pictures(train_bn=False, splitter=halves)
    other.freeze()
    other.model[0][1].running_mean += 2
    assert found != at_one_rate(other, 0.02)


@pytest.mark.parametrize("lr", [0.01, slice(0.02), slice(1e-3, 1e-2), [0.01, 0.03]])
@pytest.mark.parametrize("state", ["new", "frozen", "unfrozen", "fitted", "cycled"])
def test_groups_have_the_rates_of_the_learner(lr: Any, state: str) -> None:
    """Discriminative rates are those that the next fit begins with, whatever the last one has left."""

    def make() -> fai.Learner:
        learner = pictures(lr=lr, splitter=halves, wd=0.1)
        if state in ("frozen", "unfrozen"):
            learner.freeze()
        if state == "unfrozen":
            fit(learner)
            learner.unfreeze()
        if state in ("fitted", "cycled"):
            fit(learner, how="fit" if state == "fitted" else "fit_one_cycle")
        return learner

    noted = fit(make())
    assert at_one_rate(make(), noted.rates[0][0]) == noted.losses
    records = range_test(**adapters.fastai(make()), **SWEEP)
    shares = [rate / noted.rates[0][0] for rate in noted.rates[0]]
    assert records.group_lrs[-1].tolist() == pytest.approx(shares)


def test_accumulated_gradients_are_those_of_larger_batches() -> None:
    """The loss on record is the mean of the batches of an update."""
    records = range_test(**adapters.fastai(pictures(cbs=fai.GradientAccumulation(32))), **SWEEP)
    assert len(records) == SWEEP["num_steps"]
    setup = adapters.fastai(pictures(), accumulation_steps=2)
    assert list(records.loss) == list(range_test(**setup, **SWEEP).loss)


def test_the_loss_of_validation_data_is_without_training_callbacks() -> None:
    """`val_data` may be the learner's own; MixUp and dropout are for the training."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 3))
    learner = pictures(model, cbs=fai.MixUp())
    with learner.no_bar():
        expected = learner.validate()[0]
    setup = adapters.fastai(learner, val_data=learner.dls.valid, val_every=1, schedule=lambda step: 1e-12, num_steps=2)
    assert range_test(**setup, progress=False).val_loss[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("accumulated", [16, 32])
def test_the_length_is_that_of_the_fit(accumulated: int) -> None:
    """With `n_epoch`, the updates of a fit in one cycle are the training that the rate is for."""
    setup = adapters.fastai(pictures(cbs=fai.GradientAccumulation(accumulated)), n_epoch=3)
    assert (setup["train_steps"], setup["train_schedule"]) == (3 * 160 // accumulated, "one_cycle")
    assert "train_steps" not in adapters.fastai(pictures())
