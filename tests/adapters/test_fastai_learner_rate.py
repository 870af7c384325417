"""The adapter of fastai: the rate in the learner's own fit, refusals, and the scripts of the first tutorials."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from lr_widget import adapters, range_test
from lr_widget.adapters import fastai_learner

from .learners import fai, fit, halves, pictures, seed_everything, tabular

# Warnings of fastai, of torch about fastai, and of pandas are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

# --- the rate ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tabular, pictures])
def test_fit_begins_with_the_rate(make: Any) -> None:
    """`fit` trains at the rate, and `fit_one_cycle` with it as its top, before and after a first training."""
    learner = make()
    assert adapters.fastai(learner).apply(3e-3) == ["lr"]
    assert learner.lr == pytest.approx(3e-3)
    assert fit(learner).rates[0] == pytest.approx([3e-3])
    assert max(rates[0] for rates in fit(learner, 5, "fit_one_cycle").rates) == pytest.approx(3e-3, rel=0.01)
    adapters.fastai(learner).apply(7e-3)
    assert fit(learner).rates[0] == pytest.approx([7e-3])


@pytest.mark.parametrize(
    ("lr", "expected", "share"),
    [
        (0.1, 3e-3, 1),
        (slice(0.1), slice(None, 3e-2), 10),
        (slice(1e-4, 1e-2), slice(3e-3, 0.3), 100),
        ([0.1, 0.4], [3e-3, 1.2e-2], 4),
        (np.array([0.1, 0.4]), [3e-3, 1.2e-2], 4),
    ],
)
def test_rates_of_groups_keep_their_proportions(lr: Any, expected: Any, share: float) -> None:
    """The rate is that of the first group, in the form that the learner has it."""
    learner = pictures(lr=lr, splitter=halves)
    setup = adapters.fastai(learner)
    assert range_test(**setup, num_steps=10, progress=False).group_lrs[-1].tolist() == pytest.approx([10, 10 * share])
    setup.apply(3e-3)
    if isinstance(expected, slice):
        assert (learner.lr.start, learner.lr.stop) == pytest.approx((expected.start, expected.stop))
    else:
        assert learner.lr == pytest.approx(expected)
    assert fit(learner).rates[0] == pytest.approx([3e-3, 3e-3 * share])


def test_a_rate_of_the_optimizer_is_replaced() -> None:
    """A rate that stands in `opt_func` would take the place of the learner's."""
    learner = pictures(opt_func=partial(fai.SGD, lr=0.7, mom=0.9))
    setup = adapters.fastai(learner)
    assert setup["optimizer"].param_groups[0]["lr"] == pytest.approx(0.7)
    assert setup.apply(3e-3) == ["lr", "opt_func"]
    noted = fit(learner)
    assert noted.rates[0] == [3e-3]
    assert learner.opt.hypers[0]["mom"] == pytest.approx(0.9)


def test_a_learner_with_a_built_torch_optimizer_keeps_its_state() -> None:
    """An optimizer that was given in its wrapper is used as it is, and is not cleared."""
    seed_everything()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    inner = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inner.state[model[1].weight]["momentum_buffer"] = torch.ones(3, 64)
    learner = pictures(model, opt_func=fai.OptimWrapper(opt=inner))
    setup = adapters.fastai(learner)
    range_test(**setup, num_steps=10, progress=False)
    assert learner.opt is None
    assert inner.state[model[1].weight]["momentum_buffer"].sum() == 192
    setup.apply(3e-3)
    assert fit(learner).rates[0] == [3e-3]


# --- refusals ------------------------------------------------------------------------------------------------------------


def test_a_callback_of_the_update_is_refused() -> None:
    """One that works on gradients cannot take part; the sentence says how to leave it out."""

    class Noisy(fai.Callback):
        def after_backward(self) -> None:
            """Do something with the gradients."""

    learner = pictures(cbs=Noisy())
    message = (
        r"Noisy takes part in the update \(with after_backward\), .* `with learner.removed_cbs\(learner.noisy\): …`"
    )
    with pytest.raises(ValueError, match=message):
        adapters.fastai(learner)
    with learner.removed_cbs(learner.noisy):
        assert adapters.fastai(learner)["model"] is learner.model


def test_an_update_of_the_learners_own_is_refused() -> None:
    """A class that steps in another way is known by its methods."""

    class Own(fai.Learner):
        def _step(self) -> None:
            """Step in another way."""

    dls = pictures().dls
    learner = Own(dls, nn.Linear(2, 2), loss_func=fai.CrossEntropyLossFlat())
    with pytest.raises(ValueError, match=r"Own has a _step of its own, .* call range_test with the learner's model"):
        adapters.fastai(learner)


def test_a_callback_that_cancels_the_batch_is_named() -> None:
    """A batch without a loss says so."""

    class Cancelling(fai.Callback):
        def before_batch(self) -> None:
            raise fai.CancelBatchException

    with pytest.raises(ValueError, match="has cancelled the batch before its loss; leave it out for the test"):
        range_test(**adapters.fastai(pictures(cbs=Cancelling())), progress=False)


def test_accumulation_over_parts_of_batches_is_refused() -> None:
    """fastai would weigh the gradients so that they are no mean."""
    message = "must add up whole batches of 16, .* got n_acc=40; give a multiple"
    with pytest.raises(ValueError, match=message):
        adapters.fastai(pictures(cbs=fai.GradientAccumulation(40)))


def test_clipping_by_another_norm_is_refused() -> None:
    """`max_grad_norm` is for the 2-norm."""
    with pytest.raises(ValueError, match="must clip the 2-norm for a range test, got norm_type=1"):
        adapters.fastai(pictures(cbs=fai.GradientClip(1.0, norm_type=1)))


def test_several_processes_and_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model elsewhere than its data, and a training in several processes, say what to do."""
    learner = pictures(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).to("meta"))
    learner.dls.train.device, learner.dls.valid.device = torch.device("cpu"), torch.device("cpu")
    learner.dls.device = torch.device("cpu")
    with pytest.raises(
        ValueError, match=r"the model is on meta, the data on cpu; call learner.model.to\(learner.dls.device"
    ):
        adapters.fastai(learner)
    monkeypatch.setattr(fastai_learner, "is_alone", lambda: False)
    with pytest.raises(ValueError, match=r"runs in one process; make it before torch\.distributed is initialized"):
        adapters.fastai(pictures())


# --- the scripts of the first tutorials ----------------------------------------------------------------------------------


def test_the_tabular_tutorial_with_one_line_added() -> None:
    """A tabular learner fits with the rate that the added lines have found."""
    learn = tabular(metrics=fai.accuracy)
    setup = adapters.fastai(learn, n_epoch=6)
    setup.apply(range_test(**setup, num_steps=60, progress=False).suggest())
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(6)
    assert learn.recorder.values[-1][-1] > 0.75


def test_the_tutorial_of_a_classifier_from_arrays_with_one_line_added() -> None:
    """A learner of digits, made from arrays and a model by hand, fits with the rate that the added lines have found."""
    seed_everything()
    images, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)[:600], torch.tensor(digits)[:600]
    train, valid = [*zip(x[:500], y[:500], strict=True)], [*zip(x[500:], y[500:], strict=True)]
    dls = fai.DataLoaders.from_dsets(train, valid, bs=32, device=torch.device("cpu"))
    model = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    learn = fai.Learner(dls, model, loss_func=nn.CrossEntropyLoss(), metrics=fai.accuracy)
    setup = adapters.fastai(learn, n_epoch=3)
    setup.apply(range_test(**setup, num_steps=100, progress=False).suggest())
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(3)
    assert learn.recorder.values[-1][-1] > 0.75  # 0.56 with the rate that a learner has by default
