"""The swept rate in the optimizers' param groups: proportions kept, or the same rate for all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


class RateSetter:
    """Writes a rate into the param groups of some optimizers and returns the rates that they then hold.

    Args:
        optimizers: their groups are counted through in this order.
        mode: "ratio" gives the rate to the first group and keeps the proportions of all others to it; "equal" gives
            the same rate to all.

    Raises:
        ValueError: the mode is unknown, a group has no rate of its own, or the first group's rate is 0, so that there
            are no proportions. A rate of 0 as a warm-up leaves it is fine: the scheduler's `initial_lr` counts then.

    >>> weight, bias = torch.nn.Linear(2, 1).parameters()
    >>> set_rate = RateSetter([torch.optim.SGD([{"params": weight, "lr": 0.2}, {"params": bias, "lr": 0.1}])])
    >>> set_rate.shares, set_rate(3.0)
    ((1.0, 0.5), (3.0, 1.5))
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer], mode: str = "ratio") -> None:
        if mode not in ("ratio", "equal"):
            raise ValueError(f'group_lrs must be "ratio" or "equal", got {mode!r}')
        self._optimizers = optimizers
        self._only = optimizers[0] if len(optimizers) == 1 else None
        groups = self._groups()
        _refuse_own_rates(groups)
        self._shares = _proportions(groups) if mode == "ratio" and len(groups) > 1 else (1.0,) * len(groups)

    @property
    def shares(self) -> tuple[float, ...]:
        """Each group's rate as a share of the swept rate, the first group's."""
        return self._shares

    def __call__(self, lr: float) -> tuple[float, ...]:
        """Set the swept rate to `lr` and return the groups' rates; tensor rates round theirs to their dtype.

        Raises:
            ValueError: there are more or fewer groups than at first.
        """
        # The groups as they are now: `load_state_dict()` puts new ones in their place.
        groups = self._only.param_groups if self._only is not None else self._groups()
        if len(groups) != len(self._shares):
            raise ValueError(
                f"the number of param groups must stay as it was at first, {len(self._shares)}, got {len(groups)}; "
                "add or remove groups before the range test"
            )
        if len(groups) == 1 and type(groups[0]["lr"]) is float:  # by far the commonest, twice a step
            groups[0]["lr"] = lr
            return (lr,)
        return tuple([_write(group, lr * share) for group, share in zip(groups, self._shares, strict=True)])

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups of all optimizers."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


def _refuse_own_rates(groups: Sequence[dict[str, Any]]) -> None:
    for index, group in enumerate(groups):
        if not isinstance(group.get("lr"), (int, float, torch.Tensor)):
            raise ValueError(
                f"param group {index} has lr {group.get('lr')!r}, so its optimizer sets its own rate and none can be "
                "swept; give the optimizer a numeric lr"
            )


def _proportions(groups: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    for key in ("lr", "initial_lr"):
        rates = [float(group.get(key, 0.0)) for group in groups]
        if rates[0] > 0 and all(math.isfinite(rate) for rate in rates):
            return tuple(rate / rates[0] for rate in rates)
    raise ValueError(
        f"the param groups have no proportions to keep: the first one's lr is {float(groups[0]['lr'])!r}; "
        'give it a positive lr, or use group_lrs="equal"'
    )


def _write(group: dict[str, Any], rate: float) -> float:
    """Write the rate into the group and return it as it is held there."""
    held = group["lr"]
    if not isinstance(held, torch.Tensor):
        group["lr"] = rate
        return rate
    held.fill_(rate)  # in place: a captured or compiled step reads this very tensor
    # Rounded here instead of read back, which would wait for an accelerator.
    rounded = float(torch.tensor(rate, dtype=held.dtype, device="cpu"))
    if rate > 0 and not 0 < rounded < math.inf:
        raise ValueError(
            f"the optimizer's rate is a {held.dtype} tensor, in which {rate:.3g} becomes {rounded:g}; give it a "
            "float32 tensor or a number, or a narrower range of rates"
        )
    return rounded
