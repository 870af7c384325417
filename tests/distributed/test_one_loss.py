"""One loss on record, one decision, one suggestion, whatever the ranks see."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test, probe, range_test

from .team import Team
from .trained import Trained, data_of, net, untouched

mse = nn.functional.mse_loss


class Constant(nn.Module):
    """Its loss is the batch, whatever its weight is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch + 0 * self.weight


def losses_of_one_and_three(rank: int, size: int) -> Any:
    model = Constant()
    records = range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        None,
        [torch.tensor([1.0, 3.0][rank])],
        train_step=lambda model, batch: model(batch),
        num_steps=5,
        progress=False,
    )
    return records.loss.tolist(), records.stop_reason


def test_the_loss_on_record_is_the_mean_over_the_ranks(pair: Team) -> None:
    """Rank 0 has 1.0 and rank 1 has 3.0, so 2.0 is on record on both."""
    assert pair.run(losses_of_one_and_three) == [([2.0] * 5, "completed")] * 2


def joint_and_apart(rank: int, size: int) -> Any:
    """The same training in two ways: the ranks' batches together in one process's loss, and in all processes."""
    shares = [data_of(other) for other in range(size)]
    whole = [tuple(torch.cat([share[i][part] for share in shares]) for part in (0, 1)) for i in range(5)]
    losses = []
    for data in (whole, shares[rank]):
        model = nn.parallel.DistributedDataParallel(nn.Sequential(*[m for m in net() if isinstance(m, nn.Linear)]))
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        records = range_test(model, optimizer, mse, data, start_lr=1e-4, end_lr=1.0, progress=False)
        losses.append((records.loss.tolist(), records.stop_reason, records.suggest("steepest").lr))
    return losses


@pytest.mark.parametrize("size", [2, 4])
def test_the_test_is_that_of_one_process_with_the_joint_batch(request: pytest.FixtureRequest, size: int) -> None:
    """Losses, stop reason and suggestion are those of the joint batch, and the very same numbers on every rank."""
    team = request.getfixturevalue({2: "pair", 4: "four"}[size])
    results = team.run(joint_and_apart)
    (joint, joint_reason, joint_lr), (apart, reason, lr) = results[0]
    assert apart == pytest.approx(joint, rel=1e-4)
    assert reason == joint_reason
    assert lr == pytest.approx(joint_lr, rel=1e-3)
    assert len({repr(result[1]) for result in results}) == 1


def explodes_on_one(rank: int, size: int) -> Any:
    """Rank 1's loss explodes from step 12 on; those of the others fall all the time."""
    model = Constant()
    batches = [torch.tensor(10.0 - k / 10 if rank != 1 or k < 12 else 10.0 * 4.0**k) for k in range(40)]
    keywords: Any = {"train_step": lambda model, batch: model(batch), "num_steps": 40, "progress": False}
    return outcome_of(model, batches, keywords)


def never_finite_on_one(rank: int, size: int) -> Any:
    model = Constant()
    batches = [torch.tensor(math.nan if rank == 0 and k == 6 else 1.0) for k in range(40)]
    keywords: Any = {"train_step": lambda model, batch: model(batch), "num_steps": 40, "progress": False}
    return outcome_of(model, batches, keywords)


def outcome_of(model: nn.Module, batches: Any, keywords: Any) -> Any:
    records = range_test(model, torch.optim.SGD(model.parameters(), lr=1.0), None, batches, **keywords)
    return len(records), records.stop_reason


def test_all_diverge_at_the_same_step(pair: Team) -> None:
    """The mean explodes with the loss of rank 1: all stop there, also the one whose own loss falls."""
    assert pair.run(explodes_on_one) == [(15, "diverged")] * 2


def test_nan_on_one_rank_ends_all(pair: Team) -> None:
    """The seventh loss of rank 0 is NaN, and so is the mean."""
    assert pair.run(never_finite_on_one) == [(7, "non_finite")] * 2


def validated(rank: int, size: int) -> Any:
    """Rank 0 has batches of 1.0, and 3 of them; rank 1 has batches of 2.0 and 6.0, and more of them."""
    model = Constant()
    val_data = [torch.tensor(value) for value in ([1.0, 1.0, 1.0] if rank == 0 else [2.0, 6.0, 1.0, 100.0, 100.0])]
    keywords: Any = {"train_step": lambda model, batch: model(batch), "num_steps": 4, "val_every": 2}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    test = iter_range_test(model, optimizer, None, [torch.tensor(1.0)], val_data=val_data, **keywords)
    return [record.val_loss for record in test]


def test_the_validation_loss_is_a_mean_over_as_many_batches_as_all_have(pair: Team) -> None:
    """(1 + (2 + 6 + 1) / 3) / 2 = 2; the batches that rank 0 has no partner for do not count, and nobody hangs."""
    assert pair.run(validated) == [[None, 2.0, None, 2.0]] * 2


def accumulated(rank: int, size: int) -> Any:
    def test(ours: Trained) -> Any:
        return range_test(ours.model, ours.optimizer, mse, ours.data, accumulation_steps=3, num_steps=8, progress=False)

    return untouched("ddp", rank, size, test)


def test_accumulated_batches_count_on_every_rank(pair: Team) -> None:
    """The first loss on record is the mean of three batches on two ranks, and the test leaves no trace."""
    results = pair.run(accumulated)
    assert results[0] == results[1]
    assert len(results[0][1]) == 8


def repeated(rank: int, size: int) -> Any:
    """Without a seed, the ranks' random numbers differ; the repeats draw the same ones, from rank 0's seed."""
    model = Constant()
    drawn: list[float] = []

    def step(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        drawn.append(float(torch.rand(())))
        return model(batch)

    torch.manual_seed(rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    data = [torch.tensor(1.0)]
    range_test(model, optimizer, None, data, train_step=step, num_steps=2, repeats=3, progress=False)
    range_test(model, optimizer, None, data, train_step=step, num_steps=2, repeats=2, seed=5, progress=False)
    return drawn


def test_repeats_have_the_same_seeds_everywhere(pair: Team) -> None:
    """The first of the repeats without a seed keeps each rank's own random numbers; all others are alike."""
    one, other = pair.run(repeated)
    assert one[0] != other[0]
    assert one[2:] == other[2:]
    assert len(set(one)) == len(one)


def probed(rank: int, size: int) -> Any:
    def test(ours: Trained) -> Any:
        options = {"around": 0.01, "probe_steps": 8, "max_steps": 80, "train_steps": 500, "train_schedule": "cosine"}
        evidence = probe(ours.model, ours.optimizer, mse, ours.data, **options)
        runs = [(run.lr, run.loss.tolist(), run.stop_reason, run.num_steps) for run in evidence.runs]
        return runs, evidence.suggestion.lr

    return untouched("ddp", rank, size, test)


def test_probes_are_the_same_everywhere(pair: Team) -> None:
    """The same rates in the same order with the same losses, one suggestion, and no trace."""
    one, other = pair.run(probed)
    assert one == other
    assert len({num_steps for *_, num_steps in one[1][0]}) == 2  # of the first round and of the longer one


def shown(rank: int, size: int) -> Any:
    """The text of tqdm's bar."""
    import contextlib
    import io

    model = Constant()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with contextlib.redirect_stderr(io.StringIO()) as written:
        range_test(model, optimizer, None, [torch.tensor(1.0)], train_step=lambda m, batch: m(batch), num_steps=3)
    return "3/3" in written.getvalue(), bool(written.getvalue())


def test_the_bar_is_on_rank_0(pair: Team) -> None:
    """The other ranks write nothing."""
    assert pair.run(shown) == [(True, True), (False, False)]
