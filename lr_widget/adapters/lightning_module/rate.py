"""The attributes of a LightningModule that hold its learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, MutableMapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from ...checks import describe
from ...schedule import rate_text
from ...training import unpacked
from ..rates import scaled, top_rate

if TYPE_CHECKING:
    from collections.abc import Callable

_USUAL = ("lr", "learning_rate")
_HPARAMS = "hparams"
_AS_LOGGED = "_hparams_initial"  # Lightning's copy of the hyperparameters, which loggers write down in fit


class PlaceOfRate:
    """Sets the rate of a module, and makes sure that its optimizers take it.

    Args:
        module: the LightningModule.
        name: where it keeps the rate, with dots, or several such places; None for the usual places.
        optimizers: calls `configure_optimizers`.

    Raises:
        TypeError: the name is neither a text nor several.
        ValueError: there is no such place, or no number in it.
    """

    def __init__(self, module: Any, name: str | Iterable[str] | None, optimizers: Callable[[], Any]) -> None:
        self._module = module
        self._names = None if name is None else _checked(module, name)
        self._optimizers = optimizers

    def put(self, lr: float) -> list[str]:
        """Set the rate so that the first param group gets `lr`, and return the names of the places.

        Raises:
            ValueError: there is no such place, or `configure_optimizers` does not take all its rates from it.
        """
        places = _usual_places(self._module) if self._names is None else self._names
        if not places:
            raise ValueError(
                "the module keeps no learning rate as lr or learning_rate, itself or in its hparams; name the place "
                f"with rate_name={_example(self._module)}, or write {rate_text(lr, 3)} into configure_optimizers"
            )
        before = {place: _get(self._module, place) for place in places}
        tops = _tops(self._optimizers())
        try:
            self._set(before, lr, tops[0])
            self._check(places, lr, tops)
        except BaseException:
            self._write(before)
            raise
        return places

    def _set(self, before: Mapping[str, float], lr: float, top: float) -> None:
        """Scale several rates alike, or give the only one the value that makes the first group's `lr`."""
        if self._names is not None and len(before) > 1:
            self._write({place: scaled(rate, top, lr) for place, rate in before.items()})
            return
        self._write(dict.fromkeys(before, lr))
        share = _tops(self._optimizers())[0] / lr  # the first group may train at a part of the module's rate
        if not math.isclose(share, 1.0, rel_tol=1e-6):
            self._write(dict.fromkeys(before, lr / share))

    def _write(self, rates: Mapping[str, float]) -> None:
        for place, rate in rates.items():
            _set(self._module, place, rate)
            path = place.partition(f"{_HPARAMS}.")[2]
            logged = vars(self._module).get(_AS_LOGGED)
            if place.startswith(f"{_HPARAMS}.") and logged is not None and _has(logged, path):
                _set(logged, path, rate)

    def _check(self, places: list[str], lr: float, before: list[float]) -> None:
        tops, where = _tops(self._optimizers()), " or ".join(places)
        if not math.isclose(tops[0], lr, rel_tol=1e-6):
            raise ValueError(
                f"configure_optimizers does not take its rate from {where}, as it makes one with "
                f"{rate_text(tops[0], 3)}; name the place with rate_name={_example(self._module)}, or write "
                f"{rate_text(lr, 3)} into it"
            )
        wanted = [scaled(top, before[0], lr) if before[0] else top for top in before]
        for index, (top, want) in enumerate(zip(tops, wanted, strict=True)):
            if not math.isclose(top, want, rel_tol=1e-6):
                raise ValueError(
                    f"configure_optimizers takes the rate of param group {index} not from {where}, so that it would "
                    f"stay at {rate_text(top, 3)}, but was tested in its proportion to the first one; name all places "
                    f'with rate_name=["…", "…"], or write {" and ".join(rate_text(each, 3) for each in wanted)} into '
                    "configure_optimizers"
                )


def _checked(module: Any, name: Any) -> list[str]:
    names = [name] if isinstance(name, str) else name
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(each, str) for each in names):
        raise TypeError(
            f"rate_name must be the name of an attribute or a list of names, got {describe(name)}; name it as in "
            f"configure_optimizers, such as {_example(module)}"
        )
    for each in names:
        if not _is_rate(value := _get(module, each)):
            raise ValueError(
                f"rate_name must lead to a number, got {each!r}, which is {describe(value)}; name the rate itself, "
                f"such as {_example(module)}"
            )
    return [*names]


def _example(module: Any) -> str:
    """Return a name of a rate, or of several, that the module may have."""
    hparams = vars(module).get("_hparams") or {}
    found = [f"{_HPARAMS}.{name}" for name, value in hparams.items() if _is_rate(value) and "lr" in str(name).lower()]
    found += [name for name, value in vars(module).items() if _is_rate(value) and "lr" in name.lower()]
    if not found:
        return '"hparams.optimizer.lr"'
    words = ", ".join(f'"{name}"' for name in found)
    return f"[{words}]" if len(found) > 1 else words


def _usual_places(module: Any) -> list[str]:
    own = [name for name in _USUAL if _is_rate(getattr(module, name, None))]
    hparams = getattr(module, _HPARAMS, {})
    return own + [f"{_HPARAMS}.{name}" for name in _USUAL if _is_rate(hparams.get(name))]


def _is_rate(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _step(thing: Any, name: str) -> tuple[bool, Any]:
    """Return True and the member or attribute of this name, or False."""
    if isinstance(thing, Mapping):
        return name in thing, thing.get(name)
    return hasattr(thing, name), getattr(thing, name, None)


def _has(thing: Any, place: str) -> bool:
    found = True
    for name in place.split("."):
        has, thing = _step(thing, name)
        found = found and has
    return found


def _get(thing: Any, place: str) -> Any:
    whole = thing
    for name in place.split("."):
        has, thing = _step(thing, name)
        if not has:
            raise ValueError(
                f"rate_name must lead to an attribute or a hyperparameter of {type(whole).__name__}, got {place!r}, "
                f"but there is no {name!r}; name it as in configure_optimizers without self, such as {_example(whole)}"
            )
    return thing


def _set(thing: Any, place: str, value: Any) -> None:
    *path, name = place.split(".")
    holder = _get(thing, ".".join(path)) if path else thing
    if isinstance(holder, MutableMapping):
        holder[name] = value
    else:
        setattr(holder, name, value)


def _tops(answer: Any) -> list[float]:
    """Return the top rates of the param groups that an answer of `configure_optimizers` has."""
    optimizers, schedulers = unpacked(answer)
    tops = []
    for optimizer in optimizers:
        lists = [each.max_lrs for each in schedulers if hasattr(each, "max_lrs") and each.optimizer is optimizer]
        for index, group in enumerate(optimizer.param_groups):
            tops.append(float(lists[0][index]) if lists else top_rate(group))
    return tops
