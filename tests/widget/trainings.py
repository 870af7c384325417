"""A trainer that keeps its rate in `args`, as keywords of an adapter: no framework is needed for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from lr_widget.adapters.adapted import Adapted, adapted

BATCHES = [(torch.tensor([[0.0, 1.0], [1.0, 0.5], [2.0, 1.0]]), torch.tensor([[1.0], [2.0], [4.0]]))]


class Trainer:
    """A trainer without an optimizer, as before its `train()`."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.args = SimpleNamespace(learning_rate=5e-5)
        self.error: Exception | None = None
        self.place = "args.learning_rate"

    def step(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch."""
        return nn.functional.mse_loss(model(batch[0]), batch[1])


def make_trainer() -> Trainer:
    """Make a trainer whose weights do not depend on the test before."""
    torch.manual_seed(0)
    return Trainer(nn.Linear(2, 1))


def keywords_of(trainer: Trainer, **keywords: Any) -> Adapted:
    """Stand in for `adapters.transformers`."""

    def put(lr: float) -> list[str]:
        if trainer.error is not None:
            raise trainer.error
        trainer.args.learning_rate = lr
        return [trainer.place]

    found = {
        "model": trainer.model,
        "optimizer": torch.optim.SGD(trainer.model.parameters(), lr=trainer.args.learning_rate),
        "loss_fn": None,
        "train_data": BATCHES,
        "train_step": trainer.step,
        "start_lr": 1e-4,
        "end_lr": 10.0,
        "train_steps": 60,
        "train_schedule": "linear",
    }
    return adapted(("transformers", {"trainer": trainer}), found, keywords, put)


keywords_of.__name__ = "transformers"
