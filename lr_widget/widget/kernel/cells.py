"""Cells that are run again: the widget that an earlier run of a cell showed goes with its view.

Jupyter keeps every widget until it is closed, as a page may still send it a click. When a cell is run again, the page
removes the old view, and nobody closes the widget; its model would stay, and on a GPU the third run of a cell may find
no room for another one.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakKeyDictionary

from . import hosts

_MAX_MEMBERS = 1000  # of a list of the user's that is looked through


class Closable(Protocol):
    """A widget that a cell shows."""

    @property
    def is_busy(self) -> bool:
        """A run is in progress; it is not cut off."""

    def close(self) -> None:
        """Remove it."""


# For each widget that is shown, the cells that show it: {cell: the run of the cell}.
_places: WeakKeyDictionary[Closable, dict[str, str]] = WeakKeyDictionary()


def show_in_cell(widget: Closable) -> None:
    """Note that the running cell shows a widget, and close those that only earlier runs of it have shown.

    One that a variable of the notebook refers to stays. Where the page does not say which cell runs, nothing is closed.
    """
    shell = hosts.shell()
    cell, run = _running_cell(getattr(shell, "kernel", None))
    if not cell:
        return
    for places in _places.values():
        if places.get(cell, run) != run:
            del places[cell]
    _places.setdefault(widget, {})[cell] = run
    for other, places in list(_places.items()):
        if not places and not other.is_busy and not _is_referred_to(other, shell):
            del _places[other]
            other.close()


def _running_cell(kernel: Any) -> tuple[str, str]:
    """Return the page's id of the running cell, and that of its run; both empty where they are not known."""
    try:
        message = kernel.get_parent("shell")
        return str(message["metadata"]["cellId"]), str(message["header"]["msg_id"])
    except (AttributeError, LookupError, TypeError):
        return "", ""


def _is_referred_to(widget: Closable, shell: Any) -> bool:
    """Look for a widget among the variables of the notebook, and in the lists and the like that they hold."""
    hidden = shell.user_ns_hidden  # IPython's own, such as the results of all cells
    own = [value for name, value in list(shell.user_ns.items()) if name not in hidden]
    members = (member for value in own for member in _members(value))
    return any(widget is value for value in (*own, *members))


def _members(value: Any) -> list[Any]:
    if type(value) not in (list, tuple, set, dict) or len(value) > _MAX_MEMBERS:
        return []
    return list(value.values() if type(value) is dict else value)
