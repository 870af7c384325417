"""The result where no live widget is: in the notebook's file, and in a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...results import write_whole
from .. import words
from ..chart import PALETTE
from ..kernel import Outputs
from .page import NamedRun, page, part

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from ..chart import LiveChart
    from ..failures import Failure
    from ..results import Results


class Source(Protocol):
    """The part of the screen that is written down."""

    chart: LiveChart
    results: Results
    failure: Failure | None

    @property
    def lock(self) -> threading.RLock:
        """Held while the screen is read."""

    @property
    def is_running(self) -> bool:
        """A run is in progress."""

    @property
    def has_run(self) -> bool:
        """There is something on the chart."""

    def summary(self) -> str:
        """Return the widget in one line."""

    def code(self) -> str:
        """Return the script for *Copy code*."""


class Pages:
    """Write the result down.

    Args:
        source: the screen.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._class = f"lrw-picture-{source.chart.figure.model_id}"  # a closed figure has no id any more
        self._outputs = Outputs()

    def display(self, model_id: str | None) -> None:
        """Show the widget in the cell that is running; only its result for None, if it is closed."""
        with self._source.lock:
            self._outputs.show(model_id, self.stored())

    def keep(self) -> None:
        """Let the notebook keep the result as it is now."""
        with self._source.lock:
            self._outputs.update(self.stored())

    def stored(self) -> Mapping[str, str]:
        """Return the result as a notebook keeps it, by MIME type."""
        source = self._source
        picture = self.picture() if source.has_run else None
        html = part(self._sentence(), picture, self._class, source.chart.text())
        return {"text/plain": source.summary(), "text/html": html}

    def write(self, path: Path) -> None:
        """Write the result as a page of its own."""
        source = self._source
        with source.lock:
            suggestions, chart = source.results.selection.suggestions, source.chart
            text = page(self._sentence(), self.picture(), suggestions, source.code(), self._named(), chart.text())
        write_whole(path, text.encode("utf-8", "backslashreplace"))  # a file name in an error may be no UTF-8

    def picture(self) -> str:
        """Return the chart as an SVG document, with the names of its runs where there are several."""
        return self._source.chart.picture({run.run_id: run.name for run in self._source.results.runs.shown})

    def _named(self) -> list[NamedRun]:
        results = self._source.results
        runs = [
            NamedRun(f"{run.name}: {results.rates[run.run_id]}", PALETTE[run.color].light) for run in results.runs.shown
        ]
        return runs if len(runs) > 1 else []

    def _sentence(self) -> str:
        source, selection = self._source, self._source.results.selection
        found = (selection.pick, selection.suggestion, selection.reason)
        results = source.results
        whose = f"{results.current_name}: " if len(results.runs.entries) > 1 and results.current is not None else ""
        return whose + words.result(*found, source.failure, is_running=source.is_running)
