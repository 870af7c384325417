"""Two processes that test one training together, each on data of its own."""

from __future__ import annotations

import shutil
from functools import cache
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from lr_widget import LRRecords, range_test

from ..distributed.team import Team
from ..no_trace.state import values
from .trainings import classes


@cache
def of_two_ranks(backend: str) -> list[dict[str, Any]]:
    """Return the results of both ranks, whose model communicates by "gloo" or "nccl"."""
    team = Team(2)
    try:
        return team.run({"gloo": with_gloo, "nccl": with_nccl}[backend], patience=240)
    finally:
        team.kill()
        for folder in team.folders:
            shutil.rmtree(folder, ignore_errors=True)


def with_gloo(rank: int, size: int) -> dict[str, Any]:
    return _results(rank, torch.device("cpu"), None)


def with_nccl(rank: int, size: int) -> dict[str, Any]:
    return _results(rank, torch.device("cuda", rank), distributed.new_group(backend="nccl"))


def _results(rank: int, device: torch.device, group: Any) -> dict[str, Any]:
    distributed.barrier()  # one may have come seconds before the other
    return {"means": _records_of_different_losses(rank, device).loss.tolist(), **_of_ddp(device, group)}


def _records_of_different_losses(rank: int, device: torch.device) -> LRRecords:
    """Test a weight that no gradient moves, with the losses 0.01 on rank 0 and 0.02 on rank 1."""
    model = nn.ParameterList([nn.Parameter(torch.ones((), device=device))])
    return range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        None,
        [torch.zeros((), device=device)],
        train_step=lambda model, batch: 0.01 * (rank + 1) + model[0] * batch,
        num_steps=5,
        progress=False,
    )


def _of_ddp(device: torch.device, group: Any) -> dict[str, Any]:
    """Test a classifier in DistributedDataParallel on a shard, and say what came of it on this rank."""
    training = classes()
    dataset = training.data.dataset
    loader = DataLoader(dataset, 32, sampler=DistributedSampler(dataset, seed=1))
    model = DistributedDataParallel(training.model.to(device), process_group=group)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    before = values(model), optimizer.state_dict()
    records = range_test(model, optimizer, training.loss_fn, loader, progress=False, device=device)
    return {
        "records": records,
        "suggested": float(records.suggest()),
        "is_unchanged": (values(model), optimizer.state_dict()) == before,
    }
