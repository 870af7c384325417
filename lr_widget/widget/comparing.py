"""The part of the widget's interface that keeps runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..checks import describe, shown
from ..engine import refuse_unknown
from ..results import LRRecords
from .inputs import SETTINGS_OF_RECORDS, NoArguments
from .runs import MAX_RUNS

if TYPE_CHECKING:
    from typing_extensions import Self

    from .screen import Screen


class Comparing:
    """Add runs of elsewhere, and name, hide and remove runs; a run is meant by its number in `history` or its name."""

    screen: Screen

    def open_on(self, arguments: NoArguments, **settings: Any) -> None:
        """Make the widget; `LRFinderWidget` says how."""
        raise NotImplementedError

    @classmethod
    def from_records(cls, records: LRRecords | Mapping[Any, LRRecords] | Sequence[LRRecords], **settings: Any) -> Self:
        """Open a widget on records, without a model: to look at them, to compare them, to take a rate.

        Comparing three sizes of batches, where `records_of(size)` runs a range test:
        `LRFinderWidget.from_records({f"batch {size}": records_of(size) for size in (16, 64, 256)})`.

        Args:
            records: of a range test, of several by name, or of several in a list; the suggestion is for the last ones.
            **settings: `variable`, `smoothing`, `loss_scale`, `loss_min`, `loss_max`, `suggest_from`, `train_steps` and
                `train_schedule`, as for a widget with a model.

        Raises:
            TypeError: these are no records, or a setting has another name.
            ValueError: there are none, or more than 20.
        """
        refuse_unknown("LRFinderWidget.from_records", settings, SETTINGS_OF_RECORDS)
        runs = _named(records)
        widget = cls.__new__(cls)
        widget.open_on(NoArguments(runs[-1][1]), **settings)
        widget.screen.change_runs(lambda results: results.open(runs))
        return widget

    def add(self, records: LRRecords, *, name: str | None = None) -> None:
        """Add the records of another range test to the chart and to `history`.

        The suggestion stays that of the latest run here; in a widget without one, it is read off these.

        Args:
            records: what `range_test` returned or `LRRecords.load` read.
            name: of the run; None for one that is made of what differs.

        Raises:
            TypeError: these are no records, or the name is no text.
        """
        checked = checked_records(records)
        self.screen.change_runs(lambda results: results.add(checked, name))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the runs in `history`."""
        return self.screen.results.runs.names

    def rename(self, run: int | str, name: str) -> None:
        """Give a run another name; an empty one brings the automatic name back.

        Raises:
            ValueError: there is no such run.
            TypeError: the name is no text.
        """
        self.screen.change_runs(lambda results: results.runs.rename(self._id(run), name))

    def hide(self, run: int | str, *, is_hidden: bool = True) -> None:
        """Take a run off the chart, or put it back with `is_hidden=False`.

        Raises:
            ValueError: there is no such run.
        """
        self.screen.change_runs(lambda results: results.runs.hide(self._id(run), is_hidden=is_hidden))

    def remove(self, run: int | str) -> None:
        """Forget a run. Without the latest one here, the suggestion is read off the one before, or off added records.

        Raises:
            ValueError: there is no such run, or it is being probed.
        """
        self.screen.change_runs(lambda results: results.remove(self._id(run)))

    def _id(self, run: int | str) -> int:
        entries = self.screen.results.runs.entries
        for place, entry in enumerate(entries):
            if run in (entry.name, place, place - len(entries)) and not isinstance(run, bool):
                return entry.run_id
        raise ValueError(f"there is no run {shown(run)}; the runs are {', '.join(map(repr, self.names)) or 'none'}")


def checked_records(records: object) -> LRRecords:
    """Return the records.

    Raises:
        TypeError: these are none.
    """
    if not isinstance(records, LRRecords):
        raise TypeError(
            f"a run must be the records of a range test, got {describe(records)}; give what range_test returns"
        )
    return records


def _named(records: object) -> list[tuple[str | None, LRRecords]]:
    """Return records with their names, before anything is made of them.

    Raises:
        TypeError: these are no records.
        ValueError: there are none, or too many.
    """
    runs: list[tuple[str | None, LRRecords]]
    if isinstance(records, Mapping):
        runs = [(str(name), checked_records(each)) for name, each in records.items()]
    else:
        several = records if isinstance(records, (list, tuple)) else [records]
        runs = [(None, checked_records(each)) for each in several]
    if not 0 < len(runs) <= MAX_RUNS:
        raise ValueError(f"from_records takes 1 to {MAX_RUNS} runs, got {len(runs)}; give those that you compare")
    return runs
