"""The kept runs: their records, names and colours, shown or hidden. No torch, no widget."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..checks import describe, shown, type_name
from ..schedule import rate_text
from .failures import outside_text
from .words import steps

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from ..engine import RangeTest
    from ..results import LRRecords

MAX_RUNS = 20
NUM_COLORS = 8  # places in the chart's palette
MAX_NAME, MAX_FACT = 60, 30  # characters

_SELF_EVIDENT = ("model", "optimizer", "range", "steps", "schedule", "repeats")  # they read well without their name


@dataclass(eq=False)
class KeptRun:
    """A run that is kept.

    Attributes:
        run_id: below 0 for records of elsewhere.
        number: of the run among all that were ever added, from 1 on.
        records: of the run.
        facts: on the run in words, by name.
        given: the user's own name, or empty.
        color: its place in the palette.
        name: the given name or an automatic one, different from all others.
        is_hidden: it is not on the chart.
    """

    run_id: int
    number: int
    records: LRRecords
    facts: dict[str, str]
    given: str
    color: int
    name: str = ""
    is_hidden: bool = False


class Runs:
    """At most 20 runs, the oldest first, all of different names.

    An automatic name is made of the facts that differ among the runs: "batch 32 · Adam". Names and, where there are
    places, colours are told apart anew with every change. As long as at most 8 runs are shown, no two have one colour.
    """

    def __init__(self) -> None:
        self._entries: list[KeptRun] = []
        self._count = 0

    @property
    def entries(self) -> tuple[KeptRun, ...]:
        """All kept runs, the oldest first."""
        return tuple(self._entries)

    @property
    def shown(self) -> tuple[KeptRun, ...]:
        """Those that are not hidden."""
        return tuple(entry for entry in self._entries if not entry.is_hidden)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(entry.name for entry in self._entries)

    @property
    def next_color(self) -> int:
        """The place in the palette for the next run: the first of those that the fewest runs on the chart have."""
        used, kept = ([entry.color for entry in runs] for runs in (self.shown, self._entries))
        return min(range(NUM_COLORS), key=lambda color: (used.count(color), kept.count(color)))

    def add(
        self,
        records: LRRecords,
        facts: Mapping[str, str],
        name: str | None = None,
        *,
        run_id: int | None = None,
        color: int | None = None,
        keep: int | None = None,
    ) -> KeptRun:
        """Keep a run, in place of the oldest one where there are 20.

        Args:
            records: of the run; their sweep is added to the facts.
            facts: on the run, by name, as `facts_of` gives them.
            name: the user's own name; None for an automatic one.
            run_id: of a run of this widget; None for records of elsewhere.
            color: the place in the palette in which it was drawn while it grew; None for the next one.
            keep: the id of a run that stays, however old it is.

        Raises:
            TypeError: the name is no text.
        """
        given = "" if name is None else _checked_name(name)
        if len(self._entries) >= MAX_RUNS:
            self._entries.remove(next(entry for entry in self._entries if entry.run_id != keep))
        self._count += 1
        known = {**facts, **_sweep_of(records), **facts}  # in the order of the facts; theirs count
        entry = KeptRun(
            run_id=-self._count if run_id is None else run_id,
            number=self._count,
            records=records,
            facts={key: outside_text(value, MAX_FACT) for key, value in known.items()},
            given=given,
            color=self.next_color if color is None else color,
        )
        self._entries.append(entry)
        self._tell_apart()
        return entry

    def rename(self, run_id: int, text: str) -> None:
        """Give a run another name; an empty text brings the automatic one back.

        Of several runs with one name, all but the first get a number behind it.

        Raises:
            ValueError: there is no such run.
            TypeError: the name is no text.
        """
        self._find(run_id).given = _checked_name(text)
        self._tell_apart()

    def hide(self, run_id: int, *, is_hidden: bool = True) -> None:
        """Take a run off the chart, or put it back.

        Raises:
            ValueError: there is no such run.
        """
        self._find(run_id).is_hidden = is_hidden
        self._tell_apart()

    def remove(self, run_id: int) -> None:
        """Forget a run.

        Raises:
            ValueError: there is no such run.
        """
        self._entries.remove(self._find(run_id))
        self._tell_apart()

    def _find(self, run_id: int) -> KeptRun:
        for entry in self._entries:
            if entry.run_id == run_id:
                return entry
        raise ValueError(f"run_id must be that of a kept run, got {shown(run_id)}; it may have been removed meanwhile")

    def _tell_apart(self) -> None:
        """Give all runs different names, and those on the chart different colours as long as there are any."""
        wanted, taken = _automatic_names(self._entries), set[str]()
        for is_given in (True, False):  # so that a name that somebody gave gets no number because of an automatic one
            for entry, automatic in zip(self._entries, wanted, strict=True):
                if bool(entry.given) == is_given:
                    entry.name = _numbered(entry.given or automatic, taken)
                    taken.add(entry.name)
        earlier: list[int] = []
        for entry in self.shown:
            is_taken = entry.color in earlier
            if is_taken and self.next_color not in [other.color for other in self.shown]:
                entry.color = self.next_color
            earlier.append(entry.color)


def facts_of(test: RangeTest) -> dict[str, str]:
    """Return the facts on a range test that its records do not tell: model, optimizer, size of a batch.

    They are read from objects of the user's, so a fact that raises is left out.
    """
    plan, training, found = test.plan, test.plan.training, dict[str, str]()
    groups = [group for optimizer in training.optimizers for group in optimizer.param_groups]
    with suppress(Exception):
        found["model"] = type_name(training.modules[0])
    found["optimizer"] = ", ".join(dict.fromkeys(map(type_name, training.optimizers)))
    with suppress(Exception):
        found["batch"] = _batch_size(plan.train.loader)
    found["accumulation"] = f"{plan.accumulation_steps:,}"
    for name in ("weight_decay", "momentum"):
        with suppress(Exception):
            values = dict.fromkeys(f"{group[name]:g}" for group in groups)
            found[name.replace("_", " ")] = ", ".join(values)
    return found


def _batch_size(loader: Any) -> str:
    """Return the size of the batches; an AttributeError where the data does not say it."""
    size = loader.batch_size if getattr(loader, "batch_size", None) is not None else loader.batch_sampler.batch_size
    return f"{size:,}"


def _sweep_of(records: LRRecords) -> dict[str, str]:
    facts, repeats = dict[str, str](), max(len(records.repeats), 1)
    if records.start_lr is not None and records.end_lr is not None:
        facts["range"] = f"{rate_text(records.start_lr, 6)} … {rate_text(records.end_lr, 6)}"
    if records.num_steps is not None:
        facts["steps"] = steps(records.num_steps)
    facts["schedule"] = records.schedule
    facts["repeats"] = f"{repeats:,} repeat{'s' * (repeats != 1)}"
    facts["param group"] = "all" if records.group is None else f"{records.group:,}"
    return facts


def _automatic_names(entries: Sequence[KeptRun]) -> list[str]:
    """Name each run by its facts that differ among the runs that know them, or by its number."""
    values: dict[str, set[str]] = {}
    for entry in entries:
        for key, value in entry.facts.items():
            values.setdefault(key, set()).add(value)
    differing = [key for key, different in values.items() if len(different) > 1]
    return [
        _joined([_in_words(key, entry.facts[key]) for key in differing if key in entry.facts], entry.number)
        for entry in entries
    ]


def _joined(parts: Sequence[str], number: int) -> str:
    """Join as many parts as fit, or return the number of the run."""
    if not parts:
        return f"run {number}"
    name = parts[0]
    for part in parts[1:]:
        if len(f"{name} · {part}") > MAX_NAME:
            return f"{name} · …"
        name = f"{name} · {part}"
    return name


def _in_words(key: str, value: str) -> str:
    return value if key in _SELF_EVIDENT else f"{key} {value}"


def _numbered(name: str, taken: Container[str]) -> str:
    """Return the name, with a number behind it where it is taken."""
    return next(each for each in (name, *(f"{name} ({n})" for n in range(2, MAX_RUNS + 2))) if each not in taken)


def _checked_name(text: object) -> str:
    """Return a name as one line of text of at most 60 characters.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"the name of a run must be a text, got {describe(text)}; give one like 'batch 64'")
    return outside_text(" ".join(text.split()), MAX_NAME)
