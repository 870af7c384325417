"""The length and the schedule of the training that a trainer's arguments plan."""

from __future__ import annotations

import copy
import math
import sys
from typing import Any

import torch

from ..schedules import schedule_of


def length_of(loader: Any) -> int | None:
    """Return the number of batches of a pass; None where it is not known."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def planned_steps(args: Any, loader: Any) -> int | None:
    """Return the number of optimizer steps of `train()`; None where its data has no length."""
    if args.max_steps > 0:
        return int(args.max_steps)
    updates = _updates(args, loader)
    return None if updates is None else int(max(1, math.ceil(float(args.num_train_epochs) * updates)))


def planned_epochs(args: Any, loader: Any) -> int:
    """Return the number of epochs that `train()` begins; where its data has no length, as many as there can be."""
    updates = _updates(args, loader)
    if updates is None:
        return sys.maxsize
    return math.ceil(args.max_steps / updates if args.max_steps > 0 else float(args.num_train_epochs))


def _updates(args: Any, loader: Any) -> int | None:
    batches = length_of(loader)
    return None if batches is None else max(1, math.ceil(batches / args.gradient_accumulation_steps))


def planned_schedule(twin: Any, num_steps: int | None) -> str:
    """Return the schedule of ours that is most like the trainer's.

    Its scheduler is looked at, so a warm-up, a rate that stays at the end and a scheduler of its own count; one that is
    like none of ours, such as an inverse square root, is "constant" where it keeps a tenth of its top.

    Args:
        twin: a copy of the trainer, with its optimizer; its scheduler is made for an optimizer of the same groups.
        num_steps: of its training, or None.
    """
    if twin.lr_scheduler is not None and not twin._created_lr_scheduler:  # noqa: SLF001  # there is no public name
        return schedule_of(twin.lr_scheduler, num_steps)
    maker, rate = copy.copy(twin), twin.args.learning_rate
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in twin.optimizer.param_groups]
    maker.optimizer, maker.lr_scheduler = torch.optim.SGD(groups, lr=rate, momentum=0.9), None
    return schedule_of(maker.create_scheduler(num_steps or 1, maker.optimizer), num_steps)
