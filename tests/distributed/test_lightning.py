"""The adapter of LightningModules in several processes that are there already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DistributedSampler

from lr_widget import adapters, probe, range_test

from ..adapters.lit import TEST, gan, loader, loss_of, regression, trainer
from .team import Team


@contextmanager
def by_torchrun(rank: int, size: int) -> Iterator[None]:
    """Say to Lightning that there are processes, as torchrun does."""
    names = {"RANK": rank, "GROUP_RANK": 0, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size, "WORLD_SIZE": size}
    os.environ.update({name: str(value) for name, value in names.items()})
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


def make(rank: int) -> Any:
    """Return a module whose weights differ from rank to rank, so that the first one's are to be taken."""
    torch.manual_seed(rank)
    module = regression()()
    module.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    return module


class Loss(nn.Module):
    """The loss of a module as a forward pass, which DistributedDataParallel sees."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.net = module.net

    def forward(self, batch: Any) -> torch.Tensor:
        return functional.mse_loss(self.net(batch[0]), batch[1])


def lightning_and_plain(rank: int, size: int) -> Any:
    with by_torchrun(rank, size):
        train = trainer(devices=size, strategy="ddp", accumulate_grad_batches=2)
        setup = adapters.lightning(make(rank), loader(), train)
        records = range_test(**setup, **TEST)
    model = nn.parallel.DistributedDataParallel(Loss(make(0)))
    sampler = DistributedSampler(loader().dataset, size, rank, shuffle=True, seed=0)
    plain = range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        None,
        loader(shuffle=False, sampler=sampler),
        train_step=lambda model, batch: model(batch),
        accumulation_steps=2,
        **TEST,
    )
    return records.loss.tolist(), plain.loss.tolist(), setup["train_steps"], len(setup["train_data"])


def test_all_ranks_have_one_curve_of_batches_as_fit_gives_them_out(pair: Team) -> None:
    """It is that of the plain engine: each rank has its part by Lightning's sampler, and the first rank's weights."""
    results = pair.run(lightning_and_plain)
    assert results[0] == results[1]
    losses, plain, steps, num_batches = results[0]
    assert (len(losses), steps, num_batches) == (12, 6, 5)
    assert losses == plain


def fit_with_and_without(rank: int, size: int) -> Any:
    ends = []
    for is_tested in (False, True):
        module, batches = make(0), loader()
        with by_torchrun(rank, size):
            train = trainer(devices=size, strategy="ddp")
            torch.manual_seed(5)
            if is_tested:
                setup = adapters.lightning(module, batches, train)
                assert (range_test(**setup, **TEST).loss == range_test(**setup, **TEST).loss).all()
                probe(**setup, num_steps=12, max_steps=24, progress=False)
            train.fit(module, batches)
        weights = [p.tolist() for p in module.parameters()]
        ends.append((weights, train.global_step, torch.get_rng_state().tolist(), train.callback_metrics["train_loss"]))
    return ends[0] == ends[1], ends[0][1], ends[0][0]


def test_fit_after_a_test_is_fit_without_one(pair: Team) -> None:
    """On both ranks, in the processes that there are, bit for bit."""
    first, second = pair.run(fit_with_and_without)
    assert first == second
    assert first[:2] == (True, 10)


def gathered(rank: int, size: int) -> Any:
    seen = []

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        loss = loss_of(self, batch)
        everyones = self.all_gather(torch.tensor(float(self.trainer.global_rank)))
        seen.append((everyones.tolist(), self.trainer.world_size, self.trainer.is_global_zero))
        seen.append(float(self.trainer.strategy.reduce(torch.tensor(float(rank)), reduce_op="sum")))
        seen.append(self.trainer.strategy.broadcast(rank))
        self.trainer.strategy.barrier()
        return loss

    range_test(**adapters.lightning(regression(training_step=training_step)(), loader()), num_steps=2, progress=False)
    return seen[:3]


def test_a_step_sees_the_other_processes(pair: Team) -> None:
    """It can gather, reduce and broadcast, as under Lightning's own strategy; without a trainer, too."""
    assert pair.run(gathered) == [[([0.0, 1.0], 2, rank == 0), 1.0, 0] for rank in (0, 1)]


def refused(rank: int, size: int) -> Any:
    hooked = regression(optimizer_step=lambda self, epoch, i, optimizer, closure: optimizer.step(closure=closure))
    with pytest.raises(
        ValueError, match=r"Gan makes its updates in its own way \(manual optimization\), which a range"
    ):
        adapters.lightning(gan()(), loader())
    with pytest.raises(ValueError, match=r"Regression makes its updates in its own way \(optimizer_step\), which a ra"):
        adapters.lightning(hooked(), loader())
    with pytest.raises(
        ValueError, match=r"this Trainer trains in 1 process, but torch.distributed has 2 here; make it"
    ):
        adapters.lightning(regression()(), loader(), trainer(devices=1))
    with by_torchrun(rank, size):
        train = trainer(devices=size, strategy="ddp", sync_batchnorm=True)
        with pytest.raises(
            ValueError, match="sync_batchnorm=True makes fit replace layers of the module; replace them"
        ):
            adapters.lightning(regression()(), loader(), train)
    return "all refused"


def test_a_module_with_updates_of_its_own_is_refused(pair: Team) -> None:
    """Nobody would know on the other ranks how a step ends; nor is a trainer taken that knows nothing of the others."""
    assert pair.run(refused) == ["all refused"] * 2


def by_itself(model: Any, batch: Any) -> torch.Tensor:
    """Claim to make the update."""
    raise AssertionError


by_itself.makes_update = True  # type: ignore[attr-defined]  # a function may have attributes


def engine_refuses(rank: int, size: int) -> str:
    module = make(0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"makes the update itself .* can be tested in one process only; run the test"):
        range_test(module, optimizer, None, loader(), train_step=by_itself, **TEST)
    return "refused"


def test_the_engine_refuses_a_step_that_makes_the_update(pair: Team) -> None:
    """Before any rank waits for another."""
    assert pair.run(engine_refuses) == ["refused"] * 2
