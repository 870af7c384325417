"""Lengths and schedules of trainings, compared with what the trainer itself plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lr_widget import adapters
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

EVALUATED: dict[str, Any] = {"eval_strategy": "epoch", "options": {"eval_dataset": hf.sentences(4)}}


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 12),
        ({"max_steps": 7}, 7),
        ({"num_train_epochs": 1.5}, 9),
        ({"num_train_epochs": 0.1}, 1),
        ({"per_device_train_batch_size": 5}, 10),
        ({"per_device_train_batch_size": 5, "dataloader_drop_last": True}, 8),
        ({"gradient_accumulation_steps": 4}, 4),
        ({"gradient_accumulation_steps": 9}, 2),
        ({"gradient_accumulation_steps": 4, "num_train_epochs": 1.1}, 3),
    ],
)
def test_the_length_is_that_of_train(tmp_path: Path, changes: Any, steps: int) -> None:
    """Epochs, also parts of one, smaller last batches, and accumulation."""
    trainer = hf.trainer_of(tmp_path, **changes)
    assert adapters.transformers(trainer)["train_steps"] == steps
    trainer.train()
    assert trainer.state.max_steps == trainer.state.global_step == steps


@pytest.mark.parametrize(
    ("changes", "schedule"),
    [
        ({}, "linear"),
        ({"warmup_steps": 10}, "linear_with_warmup"),
        ({"warmup_steps": 0.1}, "linear_with_warmup"),
        ({"lr_scheduler_type": "polynomial"}, "linear"),
        ({"lr_scheduler_type": "cosine"}, "cosine"),
        ({"lr_scheduler_type": "cosine", "warmup_steps": 10}, "cosine_with_warmup"),
        ({"lr_scheduler_type": "cosine_with_restarts"}, "cosine"),
        ({"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-5}}, "cosine"),
        ({"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.5}}, "constant"),
        ({"lr_scheduler_type": "constant"}, "constant"),
        ({"lr_scheduler_type": "constant", "warmup_steps": 10}, "constant"),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 10}, "constant_with_warmup"),
        ({"lr_scheduler_type": "inverse_sqrt"}, "constant"),
        ({"lr_scheduler_type": "inverse_sqrt", "warmup_steps": 10}, "constant_with_warmup"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau", **EVALUATED}, "constant"),
        (
            {
                "lr_scheduler_type": "warmup_stable_decay",
                "warmup_steps": 10,
                "lr_scheduler_kwargs": {"num_decay_steps": 50},
            },
            "linear_with_warmup",
        ),
    ],
)
def test_the_schedule_is_the_one_that_is_most_like_the_trainers(tmp_path: Path, changes: Any, schedule: str) -> None:
    """Each kind of the trainer's, with and without a warm-up."""
    given = {"max_steps": 100, **changes}
    assert adapters.transformers(hf.trainer_of(tmp_path, **given))["train_schedule"] == schedule


def test_a_given_scheduler_and_an_own_one_count(tmp_path: Path) -> None:
    """The scheduler that was given with the optimizer, or that a subclass makes, is the one of the training."""
    model = hf.bert()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    pair = (optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12))
    setup = adapters.transformers(hf.trainer_of(tmp_path, model, options={"optimizers": pair}))
    assert setup["train_schedule"] == "cosine"
    assert setup["optimizer"] is optimizer

    class OneCycle(hf.transformers.Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            return torch.optim.lr_scheduler.OneCycleLR(optimizer or self.optimizer, 1e-3, num_training_steps)

    assert adapters.transformers(hf.trainer_of(tmp_path, kind=OneCycle))["train_schedule"] == "one_cycle"


def test_the_scheduler_of_a_past_training_does_not_count(tmp_path: Path) -> None:
    """The next `train()` makes a new one."""
    trainer = hf.trainer_of(tmp_path)
    trainer.train()
    trainer.args.lr_scheduler_type = "cosine"
    assert adapters.transformers(trainer)["train_schedule"] == "cosine"
