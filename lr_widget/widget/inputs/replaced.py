"""Objects of a widget whose names in the notebook belong to others by now.

A cell that makes a new optimizer changes nothing for a widget that was made before it: its next run would test the old
one, and nobody would notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..failures import outside_text
from ..kernel import shell
from ..takeaway import is_of_the_user

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_NAME = 60  # characters
_PLAIN = (str, int, float, type(None))  # two variables with such a value have nothing to do with each other


class NamedObjects:
    """Objects with the names that the notebook has for them now.

    Args:
        objects: those that a widget is made with; of a list, its members.
    """

    def __init__(self, objects: Iterable[Any]) -> None:
        names: dict[int, list[str]] = {}
        for name, value in _variables().items():
            names.setdefault(id(value), []).append(name)
        self._named = [
            (each, names[id(each)])
            for given in objects
            for each in (given if type(given) in (list, tuple) else [given])
            if id(each) in names and not isinstance(each, _PLAIN)
        ]

    def remark(self) -> str:
        """Return a sentence on the objects that have no name any more, while their names are in use; or nothing."""
        variables = _variables()
        held = {id(value) for value in variables.values()}
        lost = [
            next((name for name in names if variables.get(name) is not None), "")
            for each, names in self._named
            if id(each) not in held
        ]
        named = [outside_text(name, _MAX_NAME) for name in dict.fromkeys(lost) if name]
        if not named:
            return ""
        other, them = ("another object", "it") if len(named) == 1 else ("other objects", "them")
        verb = "is" if len(named) == 1 else "are"
        return f"The notebook's {' and '.join(named)} {verb} {other} by now; to test {them}, run this cell again."


def _variables() -> dict[str, Any]:
    """Return the notebook's variables; none outside of one."""
    running = shell()
    everything = {} if running is None else list(running.user_ns.items())  # at once: a cell may be running
    return {name: value for name, value in dict(everything).items() if is_of_the_user(name)}
