"""Mixed precision of forward passes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget.adapters.precision import half_precision, in_half_precision

autocast = partial(torch.autocast, "cpu", dtype=torch.bfloat16)


def test_a_forward_pass_computes_in_half_and_answers_in_single() -> None:
    """Its name and its documentation stay."""
    inner: list[torch.dtype] = []

    def forward(x: torch.Tensor) -> dict[str, torch.Tensor]:
        product = x @ x.T
        inner.append(product.dtype)
        return {"product": product}

    wrapped = in_half_precision(forward, autocast)
    assert wrapped(torch.ones(2, 2))["product"].dtype == torch.float32
    assert inner == [torch.bfloat16]


class Failing(nn.Linear):
    """Fails in its forward pass."""

    def forward(self, x: torch.Tensor) -> Any:
        raise OSError("the disk is gone")


@pytest.mark.parametrize("has_own", [False, True])
def test_models_have_their_forward_passes_back(has_own: bool) -> None:
    """Of the class, or of the model alone; after an error, too."""
    models = [nn.Linear(2, 2), Failing(2, 2)]
    if has_own:
        models[0].forward = partial(nn.Linear.forward, models[0])  # type: ignore[method-assign]  # as libraries do
    before = [dict(vars(model)) for model in models]
    x = torch.tensor([[1.0, 1 / 3]])
    with pytest.raises(OSError, match="the disk is gone"), half_precision(models, autocast):
        assert models[0](x).dtype == torch.float32
        assert not torch.equal(models[0](x), nn.functional.linear(x, models[0].weight, models[0].bias))
        models[1](x)
    assert [dict(vars(model)) for model in models] == before
