"""The cases of fastai (nbs/14_callback.schedule.ipynb) as calls of ours; a commented check in a cell is a case."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRRecords

from .suite import Suite
from .trainings import Training

SUITE = Suite("fastai")


class Line(nn.Module):
    """A slope and an offset, a parameter each."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor([0.5])), nn.Parameter(torch.tensor([-0.5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * x + self.b


def synthetic() -> Training:
    """Fit points around the line 2x + 3, in ten shuffled batches of 16."""
    made = torch.Generator().manual_seed(1)
    x = torch.randn(160, 1, generator=made)
    y = 2 * x + 3 + 0.1 * torch.randn(160, 1, generator=made)
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    return Training(model, optimizer, nn.MSELoss(), DataLoader(TensorDataset(x, y), 16, shuffle=True))


def records() -> LRRecords:
    """A test from 1e-7 to 10 in 100 steps, which are the defaults of both."""
    return synthetic().test(seed=1)


@SUITE.case("LRFinder: one loss a rate")
def has_a_loss_for_each_rate() -> None:
    """At most 100 of each, and as many losses as rates."""
    found = records()
    assert len(found.lr) == len(found.loss) <= 100


@SUITE.case("LRFinder: stops where the loss explodes")
def stops_where_the_loss_explodes() -> None:
    """Above a rate of 1 the fit explodes: the test ends early, at more than four times the lowest loss."""
    found = records()
    assert (found.stop_reason, len(found) < 100, found.lr[-1] > 1) == ("diverged", True, True)
    assert found.loss[-1] > 4 * found.loss.min()
    assert synthetic().test(diverge_factor=None, end_lr=2.0).stop_reason == "completed"


@SUITE.case("LRFinder: the schedule")
def follows_the_schedule() -> None:
    """Step k has the rate 1e-7 · 1e8 ** (k / 100); theirs begin with k = 0."""
    found = records()
    steps = np.arange(1, len(found) + 1)
    np.testing.assert_allclose(found.lr, 1e-7 * 1e8 ** (steps / 100), rtol=1e-12)


@SUITE.case("LRFinder: no validation")
def does_not_validate() -> None:
    """Without validation data no loss is one of validation, and the model is never in eval mode."""
    training, modes = synthetic(), []
    hook = training.model.register_forward_pre_hook(lambda model, args: modes.append(model.training))
    found = training.test(seed=1)
    hook.remove()
    assert found.val_loss is None
    assert list(found.to_pandas().columns) == ["lr", "loss"]
    assert modes == [True] * len(found)


@SUITE.case("LRFinder: the model and the optimizer come back")
def puts_back() -> None:
    """Slope, offset and an optimizer that has no state yet."""
    training = synthetic()
    training.test()
    assert (training.model.a.item(), training.model.b.item()) == (0.5, -0.5)
    assert training.optimizer.state_dict()["state"] == {}


@SUITE.case("lr_find: four suggestions, and the weights stay")
def suggests_by_four_rules() -> None:
    """Each of their rules gives a rate of the sweep, below where the fit explodes."""
    training = synthetic()
    weights = copy.deepcopy(training.model.state_dict())
    found = training.test(seed=1).suggestions()
    assert training.model.state_dict() == weights
    for rule in ("minimum", "steep", "valley", "slide"):
        assert 1e-7 < float(found[rule]) < 1


@pytest.mark.parametrize("name", SUITE.expressed)
def test_a_case_of_fastai(name: str) -> None:
    """Each of their cases holds for a call of ours."""
    SUITE.expressed[name]()
