"""Models that are trained in several processes, with state to compare and twins that have no test."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.parallel import DistributedDataParallel

try:
    from torch.distributed import fsdp

    fully_shard: Any = fsdp.fully_shard
except AttributeError:  # before torch 2.6, where it needs CUDA
    fully_shard = None

Data = list[tuple[torch.Tensor, torch.Tensor]]


def net() -> nn.Module:
    """Buffers, dropout and batch norm; equal on all ranks."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))


def _fsdp1(*, use_orig_params: bool) -> nn.Module:
    return FullyShardedDataParallel(net(), device_id=torch.device("cpu"), use_orig_params=use_orig_params)


def _fsdp2(size: int) -> nn.Module:
    model, mesh = net(), init_device_mesh("cpu", (size,))
    for layer in model.children():
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


MODELS: dict[str, Callable[[int], nn.Module]] = {
    "plain": lambda size: net(),
    "ddp": lambda size: DistributedDataParallel(net()),
    "fsdp1": lambda size: _fsdp1(use_orig_params=False),
    "fsdp1_orig": lambda size: _fsdp1(use_orig_params=True),
    **({"fsdp2": _fsdp2} if fully_shard is not None else {}),
}
SHARDED = [kind for kind in MODELS if kind.startswith("fsdp")]


def data_of(rank: int, batches: int = 5) -> Data:
    """Batches that differ from rank to rank."""
    source = torch.Generator().manual_seed(100 + rank)
    return [(torch.randn(6, 4, generator=source), torch.randn(6, 1, generator=source)) for _ in range(batches)]


def seed(rank: int) -> None:
    """Give every rank random numbers of its own."""
    torch.manual_seed(rank)
    np.random.seed(rank)
    random.seed(rank)


class Trained:
    """A model in training on one rank: two steps are behind it."""

    def __init__(self, kind: str, rank: int, size: int, optimizer: Callable[..., Any] = torch.optim.AdamW) -> None:
        self.model = MODELS[kind](size)
        self.optimizer = optimizer(self.model.parameters(), lr=1e-3)
        self.data = data_of(rank)
        seed(rank)
        self.train(2)

    def train(self, steps: int) -> list[float]:
        """Train on and return the losses."""
        losses = []
        for step in range(steps):
            inputs, targets = self.data[step % len(self.data)]
            loss = nn.functional.mse_loss(self.model(inputs), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(float(loss.detach()))
        return losses

    def state(self) -> list[bytes]:
        """Everything, bit for bit: parameters and buffers, gradients, the optimizer's state, modes and random numbers."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        tensors += [t.grad for t in self.model.parameters() if t.grad is not None]
        tensors += [
            value
            for kept in self.optimizer.state.values()
            for value in kept.values()
            if isinstance(value, torch.Tensor)
        ]
        bits = [_local(tensor).detach().contiguous().numpy().tobytes() for tensor in tensors]
        modes = bytes(module.training for module in self.model.modules())
        rates = repr([group["lr"] for group in self.optimizer.param_groups]).encode()
        dice = [
            torch.get_rng_state().numpy().tobytes(),
            repr(np.random.get_state()).encode(),
            repr(random.getstate()).encode(),
        ]
        return [*bits, modes, rates, *dice]


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """The losses and the stop reason of a test, or its exception."""
    try:
        answer = call()
    except BaseException as error:  # noqa: BLE001  # the test looks at it
        return ("raised", type(error).__name__, str(error), [*getattr(error, "__notes__", [])])
    if hasattr(answer, "stop_reason"):
        return ("records", answer.loss.tolist(), answer.stop_reason)
    return ("answer", answer)


def untouched(
    kind: str, rank: int, size: int, test: Callable[[Trained], Any], *, goes_on: bool = True
) -> tuple[Any, ...]:
    """Run a test on a model in training and return its outcome.

    Asserts that it left no trace and, unless the process group is gone, that training goes on as a twin's does.
    """
    ours = Trained(kind, rank, size)
    before = ours.state()
    result = outcome(lambda: test(ours))
    after = ours.state()
    assert len(after) == len(before)
    changed = [index for index, (a, b) in enumerate(zip(before, after)) if a != b]
    assert not changed, f"parts {changed} changed after {result}"
    if goes_on:
        losses = ours.train(3)
        twin = Trained(kind, rank, size)
        assert twin.train(3) == losses
        assert twin.state() == ours.state()
    return result


def interrupt() -> None:
    """Press Ctrl-C in this process."""
    os.kill(os.getpid(), 2)
