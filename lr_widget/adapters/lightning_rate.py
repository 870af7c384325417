"""The attribute of a LightningModule that holds its learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..training import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

_USUAL = ("lr", "learning_rate")


class PlaceOfRate:
    """Sets the rate of a module, and makes sure that its optimizers take it.

    Args:
        module: the LightningModule.
        name: where it keeps the rate, with dots; None for one of the usual places.
        optimizers: calls `configure_optimizers`.
    """

    def __init__(self, module: Any, name: str | None, optimizers: Callable[[], Any]) -> None:
        self._module = module
        self._name = name
        self._optimizers = optimizers

    def put(self, lr: float) -> list[str]:
        """Set the rate and return the names of the places.

        Raises:
            ValueError: there is no such place, or `configure_optimizers` does not take its rate from it.
        """
        places = [self._name] if self._name is not None else _usual_places(self._module)
        if not places:
            raise ValueError(
                "the module keeps no learning rate as lr or learning_rate, itself or in its hparams; name the place "
                'with rate_name="…", or write the rate into configure_optimizers'
            )
        before = [_get(self._module, place) for place in places]
        for place in places:
            _set(self._module, place, lr)
        got = _top(self._optimizers())
        if not math.isclose(got, lr, rel_tol=1e-6):
            for place, value in zip(places, before, strict=True):
                _set(self._module, place, value)
            raise ValueError(
                f"configure_optimizers does not take its rate from {' or '.join(places)}, as it makes one with "
                f'{got:g}; name the place with rate_name="…", or write the rate into it'
            )
        return places


def _usual_places(module: Any) -> list[str]:
    own = [name for name in _USUAL if isinstance(getattr(module, name, None), Real)]
    hparams = getattr(module, "hparams", {})
    return own + [f"hparams.{name}" for name in _USUAL if isinstance(hparams.get(name), Real)]


def _get(thing: Any, place: str) -> Any:
    for name in place.split("."):
        thing = thing[name] if isinstance(thing, Mapping) and name in thing else getattr(thing, name)
    return thing


def _set(thing: Any, place: str, value: Any) -> None:
    *path, name = place.split(".")
    holder = _get(thing, ".".join(path)) if path else thing
    if isinstance(holder, MutableMapping):
        holder[name] = value
    else:
        setattr(holder, name, value)


def _top(given: Any) -> float:
    group = unpacked(given)[0][0].param_groups[0]
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))
