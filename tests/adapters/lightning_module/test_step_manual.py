"""A step of a LightningModule that optimizes manually."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from lr_widget import range_test

from ..lit import (
    TEST,
    L,
    assert_no_trace,
    curve,
    gan,
    loader,
    loss_of,
    regression,
    seeded,
    trainer,
)

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


# --- manual optimization ------------------------------------------------------------------------------------------------


def manual(step: Any, **methods: Any) -> Any:
    """Return the class of a `regression` that optimizes manually."""

    def __init__(self: Any, lr: float = 0.1) -> None:
        L.LightningModule.__init__(self)
        self.save_hyperparameters({"lr": lr})
        self.automatic_optimization = False
        self.net = nn.Linear(4, 1)

    return regression(training_step=step, __init__=__init__, **methods)


def _by_closure(self: Any, batch: Any, batch_idx: int) -> None:
    optimizer = self.optimizers()

    def closure() -> torch.Tensor:
        loss = loss_of(self, batch)
        optimizer.zero_grad()
        self.manual_backward(loss)
        return loss

    optimizer.step(closure=closure)


def _lbfgs(self: Any) -> Any:
    return torch.optim.LBFGS(self.parameters(), lr=self.hparams.lr, max_iter=3)


@pytest.mark.parametrize("methods", [{}, {"configure_optimizers": _lbfgs}])
def test_the_loss_of_a_closure_is_that_before_the_update(methods: dict[str, Any], tmp_path: Path) -> None:
    """However often an optimizer calls it."""
    assert_no_trace(manual(_by_closure, **methods), folder=tmp_path)
    module = seeded(manual(_by_closure, **methods))
    optimizer = _lbfgs(module) if methods else SGD(module.parameters(), lr=0.1)
    plain = range_test(module, optimizer, None, loader(), train_step=loss_of, **TEST, seed=1)
    assert curve(module) == pytest.approx(plain.loss, rel=1e-5)


def _gathering(self: Any, batch: Any, batch_idx: int) -> None:
    optimizer = self.optimizers()
    self.manual_backward(loss_of(self, batch) / 2)
    if (batch_idx + 1) % 2 == 0:
        optimizer.step()
        optimizer.zero_grad()


def test_a_module_that_gathers_gradients_itself_is_told_to_give_accumulation_steps() -> None:
    """A step of a test that steps no optimizer would record a rate that was not applied."""
    module = seeded(manual(_gathering))
    with pytest.raises(ValueError, match=r"must step an optimizer in each step .* give accumulation_steps=n"):
        curve(module)
    losses = curve(module, accumulation_steps=2)
    optimizer = SGD(module.parameters(), lr=0.1)
    plain = range_test(module, optimizer, None, loader(), train_step=loss_of, accumulation_steps=2, **TEST, seed=1)
    assert 2 * losses == pytest.approx(plain.loss, rel=1e-5)


def _scheduled(self: Any, batch: Any, batch_idx: int) -> torch.Tensor:
    optimizer, scheduler = self.optimizers(), self.lr_schedulers()
    loss = loss_of(self, batch)
    for _ in range(self.num_updates):
        optimizer.zero_grad()
        self.manual_backward(loss, retain_graph=True)
        optimizer.step()
        scheduler.step()
    return loss


def _with_scheduler(self: Any) -> Any:
    optimizer = SGD(self.parameters(), lr=self.hparams.lr)
    return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]


def test_a_scheduler_that_the_module_steps_changes_no_rate_on_record(tmp_path: Path) -> None:
    """After the update it does no harm; before another one of the same step it is refused."""
    methods = {"configure_optimizers": _with_scheduler}
    assert_no_trace(manual(_scheduled, num_updates=1, **methods), folder=tmp_path)
    module = seeded(manual(_scheduled, num_updates=1, **methods))
    plain = range_test(module, SGD(module.parameters(), lr=0.1), None, loader(), train_step=loss_of, **TEST, seed=1)
    assert curve(module) == pytest.approx(plain.loss, rel=1e-5)
    with pytest.raises(RuntimeError, match=r"SGD must step at the swept rate, .* step schedulers and set rates after"):
        curve(manual(_scheduled, num_updates=2, **methods)())


def test_options_for_gradients_are_refused_beside_manual_optimization() -> None:
    """The module clips and scales itself, and knows how to measure a validation batch."""
    with pytest.raises(ValueError, match="max_grad_norm must be left out where the train_step makes the update itself"):
        curve(gan()(), max_grad_norm=1.0)
    with pytest.raises(ValueError, match=r"val_data needs a val_step=callable.* for Gan, as its training_step makes"):
        curve(gan()(), val_data=loader())
    with pytest.raises(Exception, match="gradient clipping is not supported for manual optimization"):
        curve(gan()(), trainer(gradient_clip_val=1.0))
