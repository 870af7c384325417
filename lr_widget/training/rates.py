"""The swept rate in the optimizers' param groups: proportions kept, the same rate for all, or one group alone."""

from __future__ import annotations

import math
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch

from ..checks import shown
from ..schedule import rate_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class RateSetter:
    """Writes a rate into the param groups of some optimizers and returns the rates that they then hold.

    A group's rate is `lr * share + held`, where one of the two is 0: it has a share of the swept rate or is held.

    Args:
        optimizers: their groups are counted through in this order.
        mode: "ratio" gives the rate to the first group and keeps the proportions of all others to it; "equal" gives
            the same rate to all.
        groups: "together" for all of them, or the index of the only group that gets the rate.
        held: with an index, rates of other groups: {index: rate}. Those that are not in it are held at the rate that
            they have now; at the scheduler's `initial_lr` where a warm-up has left all rates of their optimizer at 0.

    Attributes:
        group: index of the only group that gets the rate; None where all do.

    Raises:
        TypeError: the index is no integer.
        ValueError: the mode or the group is unknown; a group has no rate of its own; the first group's rate is 0, so
            that there are no proportions (a rate of 0 as a warm-up leaves it is fine: the scheduler's `initial_lr`
            counts then); a rate to hold is negative or not finite; or the only group has nothing to train.

    >>> weight, bias = torch.nn.Linear(2, 1).parameters()
    >>> optimizer = torch.optim.SGD([{"params": weight, "lr": 0.2}, {"params": bias, "lr": 0.1}])
    >>> set_rate = RateSetter([optimizer])
    >>> set_rate.shares, set_rate(3.0)
    ((1.0, 0.5), (3.0, 1.5))
    >>> RateSetter([optimizer], groups=1)(0.7), RateSetter([optimizer], groups=1, held={0: 0.3})(0.7)
    ((3.0, 0.7), (0.3, 0.7))
    """

    def __init__(
        self,
        optimizers: Sequence[torch.optim.Optimizer],
        mode: str = "ratio",
        groups: int | str = "together",
        held: Mapping[int, float] | None = None,
    ) -> None:
        if mode not in ("ratio", "equal"):
            raise ValueError(f'group_lrs must be "ratio" or "equal", got {mode!r}')
        self._optimizers = optimizers
        self._only = optimizers[0] if len(optimizers) == 1 else None
        all_groups = self._groups()
        _refuse_own_rates(all_groups)
        count = len(all_groups)
        self.group = None if groups == "together" else _checked_index(groups, all_groups)
        self._held: tuple[float, ...] = (0.0,) * count
        if self.group is not None:
            self._shares = tuple(float(index == self.group) for index in range(count))
            self._held = _held_rates(optimizers, self.group, held or {})
        else:
            self._shares = _proportions(all_groups) if mode == "ratio" and count > 1 else (1.0,) * count

    @property
    def shares(self) -> tuple[float, ...]:
        """Each group's rate as a share of the swept rate; 0 where it is held."""
        return self._shares

    @property
    def leader(self) -> int:
        """Index of the group whose rate is the swept rate: the only one, or the first of all."""
        return self.group or 0

    @property
    def words(self) -> str:
        """The groups that get the rate: "together" or "1 of 3", counted from 0."""
        return "together" if self.group is None else f"{self.group} of {len(self._shares)}"

    def of_each_group(self) -> list[RateSetter]:
        """Return one setter a group, for it alone."""
        return [RateSetter(self._optimizers, groups=index) for index in range(len(self._shares))]

    def holding(self, rates: Mapping[int, float]) -> RateSetter:
        """Return a setter for the same group alone that holds these rates of others: {index: rate}."""
        assert self.group is not None, "where all groups get the rate, none is held"
        return RateSetter(self._optimizers, groups=self.group, held=rates)

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
        rates = zip(groups, self._shares, self._held, strict=True)
        return tuple([_write(group, lr * share + held) for group, share, held in rates])

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups of all optimizers."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


@contextmanager
def refusing_other_rates(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Refuse a step of an optimizer at other rates than its groups have now, as after a step of a scheduler.

    Args:
        optimizers: those that torch tells of; a step of another one is not seen.

    Raises:
        RuntimeError: an optimizer is to make such a step; it has not made it.
    """
    rates = {id(optimizer): _rates(optimizer) for optimizer in optimizers}

    def before_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        now, swept = _rates(optimizer), rates[id(optimizer)]
        if now != swept:
            raise RuntimeError(
                f"{type(optimizer).__name__} must step at the swept rate, {_words(swept)}, but its train_step has set "
                f"{_words(now)} before the step; step schedulers and set rates after all optimizers only"
            )

    hooked = [optimizer for optimizer in optimizers if hasattr(optimizer, "register_step_pre_hook")]
    handles = [optimizer.register_step_pre_hook(before_step) for optimizer in hooked]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _words(rates: Sequence[float]) -> str:
    return " and ".join(rate_text(rate, 3) for rate in rates)


def _refuse_own_rates(groups: Sequence[dict[str, Any]]) -> None:
    for index, group in enumerate(groups):
        if not isinstance(group.get("lr"), (int, float, torch.Tensor)):
            raise ValueError(
                f"param group {index} has lr {group.get('lr')!r}, so its optimizer sets its own rate and none can be "
                "swept; give the optimizer a numeric lr"
            )


def _checked_index(given: Any, groups: Sequence[dict[str, Any]]) -> int:
    message = (
        f'groups must be "together", "each" or the index of one of the {len(groups)} param groups, counted from 0, '
        f"got {shown(given)}"
    )
    if isinstance(given, bool) or not isinstance(given, (str, Integral)):
        raise TypeError(message)
    if isinstance(given, str) or not 0 <= int(given) < len(groups):
        raise ValueError(message)
    index = int(given)
    if not any(parameter.requires_grad for parameter in groups[index]["params"]):
        raise ValueError(
            f"param group {index} must have a parameter that requires grad, for its rate to have an effect, got frozen "
            "ones only; give groups the index of another one"
        )
    return index


def _held_rates(
    optimizers: Sequence[torch.optim.Optimizer], group: int, given: Mapping[int, float]
) -> tuple[float, ...]:
    rates = []
    for optimizer in optimizers:
        now = [float(each["lr"]) for each in optimizer.param_groups]
        rates += now if any(now) else [float(each.get("initial_lr", 0.0)) for each in optimizer.param_groups]
    held = [0.0 if index == group else float(given.get(index, rate)) for index, rate in enumerate(rates)]
    for index, rate in enumerate(held):
        if not 0 <= rate < math.inf:
            raise ValueError(
                f"the rate of param group {index}, which is held, must be finite and not negative, got {rate!r}; "
                "give its optimizer the rate that you train it with"
            )
    return tuple(held)


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
    # Rounded here instead of read back, which would wait for an accelerator. In two steps, as torch 2.4 makes no
    # float16 of 1e5 in one.
    rounded = float(torch.tensor(rate, dtype=torch.float64, device="cpu").to(held.dtype))
    if rate > 0 and not 0 < rounded < math.inf:
        raise ValueError(
            f"the optimizer's rate is a {held.dtype} tensor, in which {rate_text(rate, 3)} becomes {rounded:g}; give "
            "it a float32 tensor or a number, or a narrower range of rates"
        )
    held.fill_(rate)  # in place: a captured or compiled step reads this very tensor
    return rounded
