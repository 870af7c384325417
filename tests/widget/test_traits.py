"""Traits of the widget take and refuse the same values as the engine's arguments, with the same message."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from torch import nn

from lr_widget import LRFinderWidget, iter_range_test

VALUES: list[tuple[str, Any]] = [
    *[("start_lr", value) for value in (Fraction(1, 1000), np.float32(0.001), np.float64(0.001), np.int64(1), 1)],
    *[("start_lr", value) for value in ("1e-3", True, np.bool_(True), np.complex64(0.001), 0.001j, Decimal("0.001"))],
    *[("start_lr", value) for value in (0, -1.0, float("nan"), float("inf"), 10**400, None, [0.001])],
    ("start_lr", torch.tensor(0.001)),
    *[("num_steps", value) for value in (100, np.int64(100), np.uint8(100), 2)],
    *[("num_steps", value) for value in (100.0, 2.5, "100", True, 1, 0, -5, None, float("inf"), Fraction(100, 1))],
]


def outcome(assign: Any) -> tuple[str, str]:
    """Taken with the value that is kept, or refused with the message."""
    try:
        return "taken", repr(assign())
    except (TypeError, ValueError, traitlets.TraitError) as error:
        return "refused", str(error)


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_engine_and_widget_agree_on_every_value(name: str, value: Any) -> None:
    """One check a kind: what one takes, the other takes, and both refuse with the same sentence."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    given = (model, optimizer, nn.functional.mse_loss, [(torch.ones(4, 2), torch.ones(4, 1))])
    widget = LRFinderWidget(*given)

    def in_engine() -> Any:
        steps = iter_range_test(*given, **{name: value})
        steps.close()
        return float(value) if name == "start_lr" else int(value)

    def in_widget() -> Any:
        setattr(widget, name, value)
        return getattr(widget, name)

    assert outcome(in_widget) == outcome(in_engine)
    widget.close()


def test_the_default_bounds_are_a_sweep() -> None:
    """The traits' own defaults pass the widget's validator."""
    start, end = (LRFinderWidget.class_traits()[name].default_value for name in ("start_lr", "end_lr"))
    assert (start, end) == (1e-7, 10.0)


@pytest.mark.parametrize("value", [1.0, -0.1, "x", True, None, float("nan")])
def test_a_wrong_smoothing_is_refused_as_records_refuse_a_wrong_beta(value: Any) -> None:
    """The name is another one, the rule is the same."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    widget = LRFinderWidget(model, optimizer, nn.functional.mse_loss, [(torch.ones(4, 2), torch.ones(4, 1))])
    with pytest.raises(traitlets.TraitError, match=r"smoothing must be in \[0, 1\), got .*; use 0 for no smoothing"):
        widget.smoothing = value
    assert widget.smoothing == 0.9
    widget.close()


@pytest.mark.parametrize("name", ["model", "optimizer", "loss_fn", "train_data", "val_data", "schedule"])
def test_what_is_given_once_cannot_be_set(name: str):
    """An attribute of that name would be taken in silence, and the next run would test what it tested before."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = [(torch.ones(4, 2), torch.ones(4, 1))]
    widget = LRFinderWidget(model, optimizer, nn.functional.mse_loss, batches)
    with pytest.raises(AttributeError, match=f"^{name} is given when a widget is made; to test another one, make the"):
        setattr(widget, name, optimizer)
    widget.note_of_mine = "kept"
    assert widget.note_of_mine == "kept"
    widget.close()
