"""The outputs of a cell that shows a widget: the live view, and what the notebook stores beside it.

The stored part is an output of its own, which the live view hides. In one output with the view, every update would make
the page draw the view anew; and a page that finds no widget would have only an error to show.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from . import hosts

if TYPE_CHECKING:
    from collections.abc import Mapping

_VIEW = "application/vnd.jupyter.widget-view+json"
_TITLE = "Learning-rate range test"  # stands above the stored part where the view cannot be shown
_MAX_OUTPUTS = 3  # the latest that are kept up to date; a cell that is run again leaves its old output behind


class Outputs:
    """The outputs of all cells that show one widget."""

    def __init__(self) -> None:
        self._handles: deque[Any] = deque(maxlen=_MAX_OUTPUTS)

    def show(self, model_id: str | None, stored: Mapping[str, str]) -> None:
        """Show a widget in the cell that is running.

        Args:
            model_id: of the widget; None for one that is closed.
            stored: what the notebook keeps, by MIME type.
        """
        from IPython.display import display

        if not hasattr(hosts.shell(), "kernel"):  # a terminal has no place for a view, and prints every update
            display(dict(stored), raw=True)
            return
        if model_id is not None:
            # To display it, and to no result of a cell, Colab adds where its page finds its widget manager.
            view = {"version_major": 2, "version_minor": 0, "model_id": model_id}
            display({_VIEW: view, "text/plain": _TITLE}, raw=True)
        self._handles.append(display(dict(stored), raw=True, display_id=True))

    def update(self, stored: Mapping[str, str]) -> None:
        """Replace what the notebook keeps, in place."""
        for handle in self._handles:
            with contextlib.suppress(Exception):  # a copy that cannot be kept is no error of the run
                handle.update(dict(stored), raw=True)
