"""The outcome of an adapter, and the parts that all adapters share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..checks import describe
from ..engine import DEFAULTS, refuse_unknown, restorable
from .origin import Origin, Stateless, mark_of, unmarked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from ..suggest import Suggestion

KEYWORDS = (*DEFAULTS, "groups", "repeats", "progress")  # of range_test; the last three are none of a sweep
_MANY = 5  # members of a list that would fill a line


class Adapted(dict[str, Any]):
    """Keywords of a range test, made of a framework's objects, that know where the framework keeps its rate.

    Args:
        keywords: model, optimizer, loss_fn and train_data, and what the framework says of the training.
        origin: the adapter's call, and where the framework keeps the rate.
    """

    def __init__(self, keywords: Mapping[str, Any], origin: Origin) -> None:
        super().__init__(keywords)
        self.origin = origin

    @property
    def call(self) -> tuple[str, Mapping[str, Any]]:
        """The adapter's name, and its arguments by name as they were given."""
        return self.origin.adapter, self.origin.arguments

    def apply(self, lr: float | Suggestion) -> list[str]:
        """Put a rate where the framework keeps its own, so that its next training starts with it.

        Args:
            lr: the rate of the first param group; other groups keep their proportions to it.

        Returns:
            The names of the places that hold it now.

        Raises:
            NoSuggestionError: this is a suggestion without a rate.
            TypeError, ValueError: it is no positive, finite number, or the framework has no place for it.
        """
        return self.origin.apply(lr)

    def __repr__(self) -> str:
        """Return one line a keyword; a model is named, not spelled out."""
        lines = [f"    {name}={_in_short(value)}," for name, value in self.items()]
        return "\n".join([f"Adapted(  # by adapters.{self.origin.adapter}", *lines, ")"])


def adapted(
    call: tuple[str, Mapping[str, Any]],
    found: Mapping[str, Any],
    given: Mapping[str, Any],
    put: Callable[[float], list[str]],
) -> Adapted:
    """Join the keywords of a framework and those of the user, who has the last word.

    Of `also_restore`, all that either of them names is put back.

    Args:
        call: the adapter's name, and its arguments by name as they were given.
        found: keywords as the framework says.
        given: keywords of the user.
        put: puts a rate where the framework keeps it, and returns the names of these places.

    Raises:
        TypeError: a keyword is none of `range_test`, or `also_restore` has something that cannot be put back.
    """
    refuse_unknown(f"adapters.{call[0]}", given, KEYWORDS)
    also = [thing for keywords in (found, given) for thing in restorable(keywords.get("also_restore", ()))]
    kept = {name: value for name, value in found.items() if name != "also_restore"}
    origin = Origin(call[0], call[1], given, kept, put)
    return Adapted({**kept, **given, "also_restore": [*also, mark_of(origin)]}, origin)


def framework(name: str, extra: str) -> ModuleType:
    """Import a framework, or a module of it.

    Raises:
        ImportError: it is not installed; the message says how to. One that is installed and cannot be imported says
            why by itself.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        if (error.name or name).partition(".")[0] != package:
            raise
        raise ImportError(f"{package} is not installed; get it with pip install 'lr_widget[{extra}]'") from error


class Held(Stateless):
    """Objects beside the model whose attributes come back after a test, for `also_restore`.

    Args:
        things: the objects; whatever they hold comes back, too.
    """

    def __init__(self, *things: Any) -> None:
        self.things = things


def _in_short(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        value = unmarked(value)
        return f"[{', '.join(_in_short(each) for each in value)}]" if len(value) <= 4 else describe(value)
    return type(value).__name__
