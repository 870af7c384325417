"""Schedulers of torch by the names of our schedules."""

from __future__ import annotations

from typing import Any

from ..horizon import TRAIN_SCHEDULES

_BY_CLASS = {
    "OneCycleLR": "one_cycle",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "cosine",
    "PolynomialLR": "linear",
}
_LEAST_AT_END = 0.1  # of the top; a schedule that keeps more counts as constant


def schedule_of(scheduler: Any, num_steps: int | None) -> str:
    """Return the name of the schedule that is most like a scheduler.

    Args:
        scheduler: one of torch, stepped once an optimizer step or an epoch; its lambda is looked at where it has one,
            and of a sequence the last part, after a warm-up.
        num_steps: the number of its steps in the training, or None.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    >>> schedule_of(torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 100), 100)
    'linear'
    """
    name = type(scheduler).__name__
    parts = getattr(scheduler, "_schedulers", ())
    if name == "SequentialLR" and parts:
        kind = schedule_of(parts[-1], num_steps)
        warmed = f"{kind}_with_warmup"
        return warmed if _rises(parts[0]) and warmed in TRAIN_SCHEDULES else kind
    if name == "LinearLR":
        return "linear" if scheduler.end_factor <= _LEAST_AT_END * scheduler.start_factor else "constant"
    lambdas = getattr(scheduler, "lr_lambdas", None)
    if name != "LambdaLR" or not lambdas or num_steps is None:
        return _BY_CLASS.get(name, "constant")
    factors = [float(lambdas[0](step)) for step in (0, num_steps // 4, 3 * num_steps // 4, num_steps)]
    return _of_factors(*factors)


def _rises(scheduler: Any) -> bool:
    """Return True for a scheduler that warms up."""
    if type(scheduler).__name__ == "LinearLR":
        return bool(scheduler.start_factor < scheduler.end_factor)
    lambdas = getattr(scheduler, "lr_lambdas", ())
    return any(float(each(0)) < float(each(1)) for each in lambdas)


def _of_factors(first: float, quarter: float, late: float, last: float) -> str:
    top = max(first, quarter, late)
    stays = not top > 0 or last > _LEAST_AT_END * top
    # After three quarters of the steps, a line has kept a quarter of its top and a cosine a seventh.
    kind = "constant" if stays else "cosine" if late < 0.22 * top else "linear"
    return f"{kind}_with_warmup" if first < 0.5 * top else kind
