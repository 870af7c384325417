"""Many trainings of one task at once: parameters stacked over seeds and rates, one batched step for all of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from .tasks import Task

Share = Callable[[int], float]  # step 1 … num_steps -> share of the rate


@dataclass
class StackedOptimizer:
    """The update of an optimizer of `torch.optim` with its defaults, for stacked parameters with a rate each.

    A test holds each against `torch.optim`.
    """

    name: str
    parameters: dict[str, Tensor]
    steps: int = 0
    first: dict[str, Tensor] = field(init=False)
    second: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.first = {key: torch.zeros_like(value) for key, value in self.parameters.items()}
        self.second = {key: torch.zeros_like(value) for key, value in self.parameters.items()}

    @torch.no_grad()
    def step(self, grads: dict[str, Tensor], rates: Tensor) -> None:
        """Update the parameters in place; `rates` has one entry a training."""
        self.steps += 1
        for key, parameter in self.parameters.items():
            rate = rates.view(-1, *[1] * (parameter.ndim - 1))
            if self.name == "AdamW":
                parameter.mul_(1 - rate * 0.01)
            parameter.sub_(rate * self._direction(key, grads[key]))

    def _direction(self, key: str, grad: Tensor) -> Tensor:
        first, second = self.first[key], self.second[key]
        if self.name == "SGD":
            return grad
        if self.name == "momentum":
            return first.mul_(0.9).add_(grad)
        if self.name == "RMSprop":
            return grad / (second.mul_(0.99).addcmul_(grad, grad, value=0.01).sqrt() + 1e-8)
        if self.name == "Adagrad":
            return grad / (second.addcmul_(grad, grad).sqrt() + 1e-10)
        first.mul_(0.9).add_(grad, alpha=0.1)
        second.mul_(0.999).addcmul_(grad, grad, value=0.001)
        root = second.sqrt() / math.sqrt(1 - 0.999**self.steps) + 1e-8
        return first / root / (1 - 0.9**self.steps)


class Stack:
    """Trainings of one task at all `rates` for all `seeds`; entry `seed * len(rates) + rate` of a stack."""

    def __init__(self, task: Task, rates: Tensor, seeds: int, device: str = "cpu") -> None:
        models = [task.start(seed)[0] for seed in range(seeds)]
        trained = {name for name, parameter in models[0].named_parameters() if parameter.requires_grad}
        stacked, buffers = stack_module_state(models)
        assert not buffers, "running statistics cannot be stacked"
        self.repeats, self.seeds, self.device = len(rates), seeds, device
        whole = {name: value.detach().repeat_interleave(self.repeats, 0).to(device) for name, value in stacked.items()}
        self.trained = {name: value for name, value in whole.items() if name in trained}
        self.frozen = {name: value for name, value in whole.items() if name not in trained}
        self.rates = rates.to(device).repeat(seeds)
        self.task = task
        self.model = copy.deepcopy(models[0]).to(device)
        self.model.requires_grad_(False)
        self.optimizer = StackedOptimizer(task.optimizer, self.trained)
        self.data = tuple(tensor.to(device) for tensor in task.data()[0])
        self.orders = [task.start(seed)[2].indices() for seed in range(seeds)]
        self._gradient = vmap(grad_and_value(self._loss), randomness="different")
        self._evaluate = vmap(self._loss, in_dims=(0, 0, None), randomness="same")

    def _loss(self, trained: dict[str, Tensor], frozen: dict[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        return self.task.loss(lambda x: functional_call(self.model, {**trained, **frozen}, (x,)), *batch)

    def train(self, num_steps: int, share: Share, at: tuple[int, ...] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        """Train on for some steps.

        Args:
            num_steps: how many.
            share: the schedule, as shares of the rates.
            at: steps after which the held-out losses are taken.

        Returns:
            The training losses, (steps, seeds, rates), and {step: held-out losses, (seeds, rates)}.
        """
        self.model.train()
        losses, ends = [], {}
        for step in range(1, num_steps + 1):
            chosen = torch.stack([next(order) for order in self.orders]).to(self.device)
            batch = tuple(tensor[chosen].repeat_interleave(self.repeats, 0) for tensor in self.data)
            grads, loss = self._gradient(self.trained, self.frozen, batch)
            self.optimizer.step(grads, self.rates * share(step))
            losses.append(loss)
            if step in at:
                ends[step] = self.held_out()
        return torch.stack(losses).view(num_steps, self.seeds, -1).cpu(), ends

    @torch.no_grad()
    def held_out(self) -> Tensor:
        """Return the mean loss over the held-out batches in eval mode, (seeds, rates)."""
        self.model.eval()
        torch.manual_seed(7)
        parts = [
            self._evaluate(self.trained, self.frozen, tuple(tensor.to(self.device) for tensor in part))
            for part in self.task.held_out()
        ]
        self.model.train()
        return torch.stack(parts).mean(0).view(self.seeds, -1).cpu()
