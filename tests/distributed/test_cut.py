"""Failures for which the others wait in an operation of the model: they are cut loose, and told to start anew."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import range_test

from .team import Team
from .trained import SHARDED, Trained, untouched

mse = nn.functional.mse_loss


class Spot(torch.autograd.Function):
    """Does nothing in the forward pass, and `action` in the backward pass."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, action: Callable[[], object]) -> torch.Tensor:
        ctx.action = action
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        ctx.action()
        return gradients[0], None


def boom() -> None:
    raise ValueError("boom")


def nothing() -> None:
    pass


def run(ours: Trained, loss_fn: Any) -> Any:
    return range_test(ours.model, ours.optimizer, loss_fn, ours.data, num_steps=9, diverge_factor=None, progress=False)


def in_backward(kind: str, rank: int, size: int, action: Callable[[], object] = boom) -> Any:
    calls = []

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return mse(Spot.apply(output, action if rank == 1 and len(calls) == 4 else nothing), targets)

    begun = time.monotonic()
    result = untouched(kind, rank, size, lambda ours: run(ours, loss_fn), goes_on=False)
    assert time.monotonic() - begun < 40
    return result


def backward_of_ddp(rank: int, size: int) -> Any:
    return in_backward("ddp", rank, size)


def backward_of_fsdp1(rank: int, size: int) -> Any:
    return in_backward("fsdp1", rank, size)


def backward_of_fsdp2(rank: int, size: int) -> Any:
    return in_backward("fsdp2", rank, size)


BACKWARD = [backward_of_ddp, backward_of_fsdp1, *([backward_of_fsdp2] if "fsdp2" in SHARDED else [])]


def check(results: list[Any]) -> None:
    one, failed, *others = results
    assert failed[:3] == ("raised", "ValueError", "boom")
    for result in [one, *others]:
        assert result[:2] == ("raised", "RuntimeError")
        assert result[2] == "rank 1 failed: ValueError: boom; the range test has ended on every rank"
    for result in results:
        assert any("start the processes anew" in note for note in result[3])


@pytest.mark.parametrize("scenario", BACKWARD)
def test_a_failure_in_backward_hangs_nobody(pair: Team, scenario: Any) -> None:
    """The others come out of their all-reduce; every shard is back, and the error says what to do."""
    check(pair.run(scenario, survives=False))


def test_a_failure_in_backward_hangs_none_of_four(four: Team) -> None:
    """Also a rank that has no message to wait for from the one that failed."""
    check(four.run(backward_of_ddp, survives=False))


def before_the_model_is_called(rank: int, size: int) -> Any:
    """The others have broadcast their buffers and wait for nobody: the next broadcast would meet nobody."""
    calls = []

    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        calls.append(1)
        if rank == 1 and len(calls) == 4:
            boom()
        return mse(model(batch[0]), batch[1])

    def test(ours: Trained) -> Any:
        return range_test(ours.model, ours.optimizer, None, ours.data, train_step=train_step, progress=False)

    return untouched("ddp", rank, size, test, goes_on=False)


def before_an_operation_that_is_not_waited_for(rank: int, size: int) -> Any:
    """Rank 0 goes on to the next exchange with an operation under way that rank 1 never begins."""
    works: list[Any] = []

    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        if len(works) == 3 and rank == 1:
            boom()
        works.append(torch.distributed.all_reduce(torch.zeros(1), async_op=True))
        return mse(model(batch[0]), batch[1])

    def test(ours: Trained) -> Any:
        return range_test(ours.model, ours.optimizer, None, ours.data, train_step=train_step, progress=False)

    return untouched("plain", rank, size, test, goes_on=False)


@pytest.mark.parametrize("scenario", [before_the_model_is_called, before_an_operation_that_is_not_waited_for])
def test_ranks_out_of_step_are_told(pair: Team, scenario: Any) -> None:
    """A process group whose ranks have begun different operations would hang or mix up later, so it is cut."""
    check(pair.run(scenario, survives=False))


def killed(rank: int, size: int) -> Any:
    return in_backward("ddp", rank, size, lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_killed_process_hangs_nobody(pair: Team) -> None:
    """The other rank raises, and its model is back."""
    result = pair.run(killed, survives=False, expected=[0])[0]
    assert result[:2] == ("raised", "RuntimeError")
    assert "onnection" in result[2]
