"""The rate of a net in the places where it keeps it."""

from __future__ import annotations

from typing import Any

from ..accelerated import unprepared
from ..rates import put_rate, scaled
from .rules import refuse_other_top


class Rate:
    """The places of a net that hold its rates.

    Args:
        net: the net.
        names: of its optimizers.
        callbacks: those of its copy, which are initialized.
        made_with: the rate that the first param group of its optimizers has.
    """

    def __init__(self, net: Any, names: list[str], callbacks: list[Any], made_with: float) -> None:
        self._net = net
        self._names = names
        self._callbacks = callbacks
        first = self._first()
        # Compared once, for an applied rate, or one that the user sets later, is not that of the test's optimizer.
        is_own = not net.initialized_ and made_with != first
        self._own = f"the rate {made_with:g} and not with its lr, {first:g}" if is_own else None

    def __call__(self, lr: float) -> list[str]:
        """Make `lr` the rate of the first param group, and return the places; others keep their proportions to it.

        The rates are set as attributes, for `set_params` would make new optimizers.

        Raises:
            ValueError: the net makes its optimizer with a rate of its own, or a scheduler has one.
        """
        refuse_other_top(self._callbacks, lr)
        net, first = self._net, self._first()
        if self._own is not None:
            raise ValueError(
                f"{type(net).__name__} makes its optimizer with {self._own}; let its initialize_optimizer use "
                f"get_params_for_optimizer, or set {lr:.3g} there"
            )
        places = dict.fromkeys(self._place(name) for name in self._names)
        for place in places:
            setattr(net, place, scaled(getattr(net, place), first, lr))
        for name in (f"{name}__param_groups" for name in self._names):
            groups = getattr(net, name, ())
            if any("lr" in group for _, group in groups):
                setattr(net, name, [(pattern, _with_rate(group, first, lr)) for pattern, group in groups])
                places[name] = None
        if net.initialized_:
            put_rate([unprepared(getattr(net, f"{name}_")) for name in self._names], (), lr)
            places["optimizer_"] = None
        return [*places]

    def _place(self, optimizer: str) -> str:
        """Return the name of the parameter with the rate of an optimizer."""
        return f"{optimizer}__lr" if hasattr(self._net, f"{optimizer}__lr") else "lr"

    def _first(self) -> float:
        """Return the rate of the first param group as the net's parameters say it."""
        groups = getattr(self._net, f"{self._names[0]}__param_groups", ())
        rate = groups[0][1].get("lr") if groups else None
        return float(getattr(self._net, self._place(self._names[0])) if rate is None else rate)


def _with_rate(group: dict[str, Any], first: float, lr: float) -> dict[str, Any]:
    return {**group, "lr": scaled(group["lr"], first, lr)} if "lr" in group else group
