"""Options for gradients: the norm to clip to, the scaler, and neither beside a step that makes the update."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lr_widget.training.gradients import (
    checked_norm,
    checked_scaler,
    closure_with_scaler,
    refuse_beside_own_update,
)


@pytest.mark.parametrize(
    ("norm", "error", "message"),
    [
        ("1", TypeError, "max_grad_norm must be a number or None for no clipping, got '1' of type str"),
        (True, TypeError, "max_grad_norm must be a number .*, got True of type bool"),
        (0, ValueError, "max_grad_norm must be positive or None for no clipping, got 0"),
        (-1.0, ValueError, "max_grad_norm must be positive .*, got -1.0"),
        (float("nan"), ValueError, "max_grad_norm must be positive .*, got nan"),
    ],
)
def test_a_norm_to_clip_to_must_be_positive(norm: Any, error: type[Exception], message: str) -> None:
    """Zero, NaN and anything that is no number are refused; infinity clips nothing and is fine."""
    with pytest.raises(error, match=message):
        checked_norm(norm)
    assert (checked_norm(None), checked_norm(2), checked_norm(float("inf"))) == (None, 2.0, float("inf"))


@pytest.mark.parametrize("scaler", [True, torch.amp.GradScaler, nn.Linear(1, 1)])
def test_a_scaler_that_lacks_the_methods_of_one_is_refused(scaler: Any) -> None:
    """So is the class in place of an object of it."""
    with pytest.raises(TypeError, match=r"grad_scaler must be a gradient scaler or None, got .*GradScaler\(\)$"):
        checked_scaler(scaler)
    assert checked_scaler(None) is None


def test_options_beside_a_step_that_makes_the_update_are_refused() -> None:
    """They would have no effect there."""
    with pytest.raises(
        ValueError, match=r"max_grad_norm must be left out where .* the update itself, got 0.5; scale and"
    ):
        refuse_beside_own_update(None, 0.5)
    with pytest.raises(
        ValueError, match="grad_scaler must be left out where the train_step makes the update itself, got"
    ):
        refuse_beside_own_update(torch.amp.GradScaler("cpu"), None)
    refuse_beside_own_update(None, None)


def test_a_closure_beside_a_scaler_is_an_error_that_names_the_optimizer() -> None:
    """It says to leave the scaler out."""
    error = closure_with_scaler(torch.optim.LBFGS(nn.Linear(1, 1).parameters()))
    assert str(error) == "LBFGS needs a closure, which a grad_scaler cannot serve; leave grad_scaler out"
