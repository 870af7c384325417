"""The swept rate in the optimizer's param groups: proportions kept, or the same rate for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch


class RateSetter:
    """Writes a rate into the param groups of some optimizers and reads back what they hold.

    Args:
        optimizers: their groups are counted through in this order.
        mode: "ratio" gives the rate to the first group and keeps the proportions of all the others to it;
            "equal" gives it to all.

    Raises:
        ValueError: the mode is unknown, or the first group's rate is 0, so that there are no proportions. A rate of 0
            as a warm-up leaves it is fine: the scheduler's ``initial_lr`` counts then. When called: there are more or
            fewer groups than at first.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer], mode: str = "ratio") -> None:
        if mode not in ("ratio", "equal"):
            raise ValueError(f'group_lrs must be "ratio" or "equal", got {mode!r}')
        self._optimizers = optimizers
        groups = self._groups()
        _refuse_own_rates(groups)
        self._factors = _proportions(groups) if mode == "ratio" and len(groups) > 1 else [1.0] * len(groups)

    def __call__(self, lr: float) -> tuple[float, ...]:
        """Set the rate ``lr`` and return the rates that the groups now hold; tensor rates round it to their dtype."""
        groups = self._groups()
        if len(groups) != len(self._factors):
            raise ValueError(
                f"the number of param groups must stay as it was at first, {len(self._factors)}, got {len(groups)}; "
                "add or remove groups before the range test"
            )
        for group, factor in zip(groups, self._factors, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(lr * factor)  # in place: a captured or compiled step reads this very tensor
            else:
                group["lr"] = lr * factor
        return tuple(_rounded(lr * factor, group["lr"]) for group, factor in zip(groups, self._factors, strict=True))

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups as they are now: ``load_state_dict()`` puts new ones in their place."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


def _refuse_own_rates(groups: Sequence[dict[str, Any]]) -> None:
    for index, group in enumerate(groups):
        if not isinstance(group.get("lr"), (int, float, torch.Tensor)):
            raise ValueError(
                f"param group {index} has lr {group.get('lr')!r}, so its optimizer sets its own rate and none can be "
                "swept; give the optimizer a numeric lr"
            )


def _proportions(groups: Sequence[dict[str, Any]]) -> list[float]:
    for key in ("lr", "initial_lr"):
        rates = [float(group.get(key, 0.0)) for group in groups]
        if rates[0] > 0 and all(math.isfinite(rate) for rate in rates):
            return [rate / rates[0] for rate in rates]
    raise ValueError(
        f"the param groups have no proportions to keep: the first one's lr is {float(groups[0]['lr'])!r}; "
        'give it a positive lr, or use group_lrs="equal"'
    )


def _rounded(lr: float, held: Any) -> float:
    """Return the rate as ``held`` holds it, without reading it back from an accelerator."""
    return float(torch.tensor(lr, dtype=held.dtype, device="cpu")) if isinstance(held, torch.Tensor) else lr
