"""The outcome of an adapter, and the parts that all adapters share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..checks import check_rate
from ..engine import DEFAULTS, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from ..suggest import Suggestion

_OF_A_TEST = ("groups", "repeats", "progress")  # keywords of range_test that are none of a sweep


class Adapted(dict[str, Any]):
    """Keywords of a range test, made of a framework's objects, that know where the framework keeps its rate.

    Args:
        keywords: model, optimizer, loss_fn and train_data, and what the framework says of the training.
        put: puts a rate where the framework keeps it, and returns the names of these places.
        call: the adapter's name, and its arguments by name as they were given.
    """

    def __init__(
        self, keywords: Mapping[str, Any], put: Callable[[float], list[str]], call: tuple[str, Mapping[str, Any]]
    ) -> None:
        super().__init__(keywords)
        self.call = call
        self._put = put

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
        return self._put(check_rate("lr", float(lr) if hasattr(lr, "reason") else lr))


def adapted(
    call: tuple[str, Mapping[str, Any]],
    found: Mapping[str, Any],
    given: Mapping[str, Any],
    put: Callable[[float], list[str]],
) -> Adapted:
    """Join what the framework says of a training and the keywords that the user gave, which win.

    Raises:
        TypeError: a keyword is none of `range_test`.
    """
    refuse_unknown(f"adapters.{call[0]}", given, [*DEFAULTS, *_OF_A_TEST])
    return Adapted({**found, **given}, put, call)


def framework(name: str, extra: str) -> ModuleType:
    """Import a framework.

    Raises:
        ImportError: it is not installed; the message says how to.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is not installed; get it with pip install 'lr_widget[{extra}]'") from error


class Held:
    """Objects beside the model whose attributes come back after a test, for `also_restore`.

    Args:
        things: the objects; whatever they hold comes back, too.
    """

    def __init__(self, *things: Any) -> None:
        self.things = things

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the attributes are kept by reference."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""
