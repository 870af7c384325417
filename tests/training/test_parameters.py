"""Models and optimizers as users give them; those that nothing could be learnt with are refused."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.training.parameters import models_in, optimized_by, owner_of, parameters_of, writes_to

from .helpers import (
    BATCH,
    mse,
    one_weight,
    sgd,
)


def test_the_same_optimizer_twice_is_refused() -> None:
    """It would step twice at each step."""
    model = one_weight()
    optimizer = sgd(model)
    with pytest.raises(ValueError, match="each optimizer must be given once, got the same SGD twice; leave the second"):
        iter_range_test(model, [optimizer, optimizer], mse, [BATCH])


def test_frozen_optimized_parameters_are_refused() -> None:
    """Nothing would be learnt at any rate."""
    model = one_weight().requires_grad_(False)
    with pytest.raises(
        ValueError, match="at least one optimized parameter must require grad, but all 1 are frozen; call"
    ):
        iter_range_test(model, sgd(model), mse, [BATCH])


def test_an_optimizer_of_another_model_is_refused() -> None:
    """None of its parameters is the model's: the test would train something else."""
    with pytest.raises(
        ValueError, match="the optimizer SGD has none of the model's parameters, as if made for another"
    ):
        iter_range_test(one_weight(), sgd(one_weight()), mse, [BATCH])


def test_an_optimizer_without_parameters_is_refused() -> None:
    """The error says to make it with the model's parameters."""
    optimizer = sgd(one_weight())
    optimizer.param_groups[0]["params"] = []
    with pytest.raises(ValueError, match=r"the optimizer SGD has no parameters; make it with model.parameters\(\)"):
        parameters_of([one_weight()], [optimizer])


def test_all_parameters_are_found_once() -> None:
    """Shared ones, ones of an optimizer alone and ones that no optimizer has: each is there once, the models' first."""
    model, alone = nn.Sequential(one_weight(), nn.Linear(1, 1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([{"params": [model[0].weight]}, {"params": [alone]}], lr=0.1)
    found = parameters_of([model, model[0]], [optimizer])
    assert [id(p) for p in found] == [id(p) for p in (*model.parameters(), alone)]
    assert [id(p) for p in optimized_by(optimizer)] == [id(model[0].weight), id(alone)]


def test_one_or_several_are_listed() -> None:
    """A module alone, also one that is a sequence itself, a list, a tuple and a mapping."""
    a, b = one_weight(), nn.Sequential(one_weight())
    for given, expected in ((a, [a]), (b, [b]), ([a, b], [a, b]), ((a, b), [a, b]), ({"x": b, "y": a}, [b, a])):
        assert models_in(given) == expected


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, TypeError, "model must be a torch.nn.modules.module.Module or several, got None of type NoneType"),
        ([nn.Tanh(), 1], TypeError, "model must be a .* or several, got 1 of type int"),
        ([], ValueError, "model is empty; give at least one"),
    ],
)
def test_a_model_that_is_none_is_refused(given: Any, error: type[Exception], message: str) -> None:
    """Something else, something else among several, or nothing at all."""
    with pytest.raises(error, match=message):
        models_in(given)


def test_the_owner_of_a_function_is_found_through_partials() -> None:
    """A bound method leads to its object, a partial to its function; anything else is its own owner."""
    model = one_weight()
    assert owner_of(model.forward) is model
    assert owner_of(partial(partial(model.forward), 1)) is model
    assert owner_of(partial(mse, reduction="sum")) is mse
    assert owner_of(model) is model


def test_writes_to_weights_and_gradients_are_noticed() -> None:
    """In place or with a new gradient; reading is no write."""
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    seen = [writes_to([weight])]
    weight.sum().item()
    assert writes_to([weight]) == seen[-1]
    with torch.no_grad():
        weight.add_(1)
    seen.append(writes_to([weight]))
    weight.grad.mul_(2)
    seen.append(writes_to([weight]))
    old_grad, weight.grad = weight.grad, torch.ones(2)
    seen.append(writes_to([weight]))
    assert all(a != b for index, a in enumerate(seen) for b in seen[:index])
    assert old_grad is not weight.grad


def test_without_counts_of_writes_everything_counts_as_written_to() -> None:
    """Where a torch lacks the private count, a closure computes anew instead of trusting old gradients."""
    uncounted: Any = SimpleNamespace(grad=None)
    assert writes_to([uncounted]) != writes_to([uncounted])
