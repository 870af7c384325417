"""The adapter's call behind keywords, found again after `**` has taken them out of their `Adapted`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..checks import check_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..suggest import Suggestion


@dataclass(frozen=True, eq=False, repr=False)
class Origin:
    """An adapter's call, and the place where its framework keeps the rate.

    Attributes:
        adapter: the adapter's name.
        arguments: its arguments by name, as they were given.
        given: the keywords that were given to it.
        found: the keywords that it has found itself, but `also_restore`.
        put: puts a rate where the framework keeps it, and returns the names of these places.
    """

    adapter: str
    arguments: Mapping[str, Any]
    given: Mapping[str, Any]
    found: Mapping[str, Any]
    put: Callable[[float], list[str]]

    @property
    def receiver(self) -> str:
        """The name of the argument that a rate is put into, such as "trainer"."""
        return "optimizer" if "optimizer" in self.arguments else next(iter(self.arguments))

    def apply(self, lr: float | Suggestion) -> list[str]:
        """Put a rate where the framework keeps its own; see `Adapted.apply`."""
        if hasattr(lr, "suggest"):
            raise TypeError("apply takes a rate or a suggestion, got records; give records.suggest()")
        return self.put(check_rate("lr", float(lr) if hasattr(lr, "reason") else lr))

    def apply_to_places(self, lr: float) -> list[str]:
        """Do the same, and return the places with the argument that they belong to: `trainer.args.learning_rate`."""
        return [self._in_full(place) for place in self.apply(lr)]

    def _in_full(self, place: str) -> str:
        is_attribute = place not in self.arguments and all(part.isidentifier() for part in place.split("."))
        return f"{self.receiver}.{place}" if is_attribute else place


class Stateless:
    """An entry of `also_restore` without a state of its own: what it leads to is kept by reference."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class Mark(Stateless):
    """The entry of `also_restore` that leads to an origin."""


# Beside the marks and not in them: a test keeps all that an entry of `also_restore` leads to, which would be the
# framework's objects and their data.
_ORIGINS: WeakKeyDictionary[Mark, Origin] = WeakKeyDictionary()


def mark_of(origin: Origin) -> Mark:
    """Return a new mark of an origin; the origin must not lead to it, or neither would ever be freed."""
    mark = Mark()
    _ORIGINS[mark] = origin
    return mark


def origin_of(also_restore: Iterable[Any]) -> Origin | None:
    """Return the origin of the keywords that these objects were given in; None where they are from no adapter."""
    marks = [each for each in also_restore if isinstance(each, Mark)]
    return _ORIGINS.get(marks[-1]) if marks else None


def unmarked(also_restore: Iterable[Any]) -> list[Any]:
    """Return the objects without marks."""
    return [each for each in also_restore if not isinstance(each, Mark)]
