"""Every rank's share comes back bit for bit, and training goes on as a twin's does, for every kind of wrapper."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from lr_widget import range_test

from .trained import MODELS, Trained, untouched

mse = nn.functional.mse_loss


def completed(rank: int, size: int) -> Any:
    def test(ours: Trained) -> Any:
        return range_test(ours.model, ours.optimizer, mse, ours.data, num_steps=12, diverge_factor=None, progress=False)

    return {kind: untouched(kind, rank, size, test) for kind in MODELS}


def seeded_with_validation(rank: int, size: int) -> Any:
    def test(ours: Trained) -> Any:
        ours.model.eval()
        keywords: Any = {"num_steps": 6, "seed": 3, "val_data": ours.data[:2], "val_every": 2, "progress": False}
        records = range_test(ours.model, ours.optimizer, mse, ours.data, max_grad_norm=0.5, **keywords)
        assert not ours.model.training
        ours.model.train()
        return records

    return {kind: untouched(kind, rank, size, test) for kind in MODELS if kind != "plain"}


@pytest.mark.parametrize("scenario", [completed, seeded_with_validation])
@pytest.mark.parametrize("team", ["pair", "four"])
def test_a_test_leaves_no_trace_on_any_rank(request: pytest.FixtureRequest, team: str, scenario: Any) -> None:
    """DDP, FSDP1 with flat and with original parameters, FSDP2: shards, buffers, optimizer state, random numbers."""
    results = request.getfixturevalue(team).run(scenario)
    assert all(result == results[0] for result in results)
    sharded = [losses for kind, (_, losses, _) in results[0].items() if kind != "plain"]
    assert all(losses == pytest.approx(sharded[0], rel=1e-3) for losses in sharded)
