"""The results: the kept runs, the rate that is read off the current one, and the traits that show them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ..engine import DEFAULT_MAX_STEPS
from . import words
from .chart import DrawnRun
from .choice import NO_RATE, Selection
from .runs import Runs

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ..horizon import Horizon
    from ..results import Evidence, LRRecords
    from ..schedule import Sweep
    from ..suggest import Suggestion
    from .jobs import Job, Place
    from .kernel import Runner
    from .runs import KeptRun


class Owner(Protocol):
    """The part of the widget that its results and its screen read and write."""

    lock: threading.RLock
    runner: Runner[Job]
    sweep: Sweep
    start_lr: float
    end_lr: float
    num_steps: int
    repeats: int
    max_probe_steps: int
    smoothing: float
    loss_scale: str
    loss_min: float | None
    loss_max: float | None
    variable: str
    status: str
    progress: Mapping[str, Any]
    view_state: Mapping[str, Any]
    answer: Mapping[str, Any]
    chart_state: Mapping[str, Any]
    picture: str
    rule: str
    horizon: Horizon
    suggest_from: str
    selected_lr: float | None
    suggestion: Suggestion | None
    records: LRRecords | None
    evidence: Evidence | None
    history: Sequence[LRRecords]

    def hold_sync(self) -> AbstractContextManager[None]:
        """Hold the messages to the browser back until the block ends."""

    def holding_errors(self) -> AbstractContextManager[list[Exception]]:
        """Collect the errors of the user's observers until the block ends."""

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Tell observers of changed traits when the block ends, and all of them the new values."""


class Results:
    """Keep runs and evidence, and read a rate off the current ones.

    Args:
        owner: the widget; its traits for results are set here and nowhere else.
        horizon: the training that the rate is for.

    Attributes:
        selection: the suggestions, the rule and the pick.
        runs: the kept runs.
        current: the id of the kept run whose suggestion is shown, or None.
        growing: the place of the run whose curve grows, or None.
        rates: by the id of a kept run, the rate that the usual rule reads off it, in words.
        is_probing: short trainings around the rate of the current run are going on.
        max_probe_steps: what the probes that are kept were allowed to cost together.
    """

    def __init__(self, owner: Owner, horizon: Horizon) -> None:
        self.selection = Selection(horizon=horizon)
        self.runs = Runs()
        self.current: int | None = None
        self.growing: Place | None = None
        self.rates: dict[int, str] = {}
        self.is_probing = False
        self.max_probe_steps = DEFAULT_MAX_STEPS
        self._facts: Mapping[str, str] = {}
        self._owner = owner
        self._is_mirroring = False

    @property
    def has_validation(self) -> bool:
        """There are validation losses to read, or they are asked for."""
        records = self._owner.records
        return self._owner.suggest_from == "val_loss" or (records is not None and records.val_loss is not None)

    @property
    def current_name(self) -> str:
        """The name of the current run, or an empty text."""
        return next((run.name for run in self.runs.entries if run.run_id == self.current), "")

    @property
    def is_foreign(self) -> bool:
        """The current run is one of elsewhere."""
        return self.current is not None and self.current < 0

    def begin(self, place: Place, facts: Mapping[str, str]) -> None:
        """Take the pick back for a new range test, whose curve grows at this place."""
        self.growing, self._facts = place, facts
        self.selection.begin()
        self.mirror()

    def keep_records(self, records: LRRecords) -> bool:
        """Keep the records of a range test and the suggestion of every rule for them; True where they give a rate."""
        if self.growing is not None:
            run_id, color = self.growing
            self.growing = None
            with self._mirrored():
                self._make_current(self._add(records, self._facts, run_id=run_id, color=color))
        return self.selection.lr is not None

    def keep_evidence(self, evidence: Evidence, max_steps: int) -> None:
        """Keep the evidence of probes and choose their suggestion; probes without any end change nothing.

        Args:
            evidence: of the probes.
            max_steps: what they were allowed to cost together.
        """
        if self.selection.take_evidence(evidence):
            self.max_probe_steps = max_steps
            with self._mirrored():
                self._owner.evidence = evidence

    def add(self, records: LRRecords, name: str | None) -> None:
        """Keep records of elsewhere; the suggestion is read off them where there is none yet."""
        with self._mirrored():
            kept = self._add(records, {}, name)
            if self.current is None and self.growing is None and self._owner.evidence is None:
                self._make_current(kept)

    def open(self, runs: Sequence[tuple[str | None, LRRecords]]) -> None:
        """Keep several runs of elsewhere, by name; the suggestion is read off the last one."""
        with self._mirrored():
            kept = [self._add(records, {}, name) for name, records in runs]
            self._make_current(kept[-1])

    def remove(self, run_id: int) -> None:
        """Forget a run; in place of the current one comes the latest of this widget, or of all, that is left.

        Raises:
            ValueError: there is no such run, or short trainings around its rate are going on.
        """
        if self.is_probing and run_id == self.current:
            raise ValueError("this run is being probed, so it was kept; stop the probes first")
        with self._mirrored():
            self.runs.remove(run_id)
            self._list()
            if run_id == self.current:
                self.selection.pick = None
                own = [run for run in self.runs.entries if run.run_id >= 0]
                left = own or self.runs.entries
                self._make_current(left[-1] if left else None)

    def drawn(self) -> tuple[DrawnRun | None, list[DrawnRun]]:
        """Return the current run, unless it is hidden or another one grows, and the others that are not hidden."""
        shown = {run.run_id: DrawnRun(run.run_id, run.records, run.color) for run in self.runs.shown}
        current = None if self.current is None or self.growing is not None else shown.pop(self.current, None)
        return current, [*shown.values()]

    def change(self, name: str, value: Any) -> bool:
        """Take a changed setting over; True where the selection or the suggestion follows it."""
        selection = self.selection
        if name == "rule" and not (self._is_mirroring and value == selection.rule):
            selection.rule = value
        elif name == "selected_lr" and not (self._is_mirroring and value == selection.lr):
            selection.pick = value
        elif name in ("train_steps", "train_schedule", "suggest_from"):
            self.read_again()
        else:
            return False
        self.mirror()
        return True

    def read_again(self) -> None:
        """Read the records and the evidence again, for the training and off the losses that are set."""
        owner = self._owner
        self.selection.suggest_from = owner.suggest_from
        self.selection.aim(owner.horizon, owner.records, owner.evidence)
        self.rates = {run.run_id: self._rate(run.records) for run in self.runs.entries}

    def mirror(self) -> None:
        """Set the traits that show the selection, all of them before an observer hears of one."""
        with self._mirrored():
            pass

    @contextmanager
    def _mirrored(self) -> Iterator[None]:
        """Show the selection at the end of the block; observers of anything set in it hear of it after that."""
        was_mirroring, self._is_mirroring = self._is_mirroring, True
        try:
            with self._owner.hold_trait_notifications():
                yield
                self._owner.rule = self.selection.rule
                self._owner.suggestion = self.selection.suggestion
                self._owner.selected_lr = self.selection.lr
        finally:
            self._is_mirroring = was_mirroring

    def _add(self, records: LRRecords, facts: Mapping[str, str], name: str | None = None, **place: int) -> KeptRun:
        kept = self.runs.add(records, facts, name, keep=self.current, **place)
        self.rates[kept.run_id] = self._rate(records)
        self._list()
        return kept

    def _make_current(self, run: KeptRun | None) -> None:
        self.current = None if run is None else run.run_id
        if run is None:
            self.selection.forget()
        else:
            self.selection.take_records(run.records)
        self._owner.evidence = None
        self._owner.records = None if run is None else run.records

    def _list(self) -> None:
        self.rates = {run.run_id: self.rates[run.run_id] for run in self.runs.entries}
        self._owner.history = tuple(run.records for run in self.runs.entries)

    def _rate(self, records: LRRecords) -> str:
        of, horizon = self.selection.suggest_from, self._owner.horizon
        if of == "val_loss" and records.val_loss is None:
            return NO_RATE
        lr = records.suggest(of=of, train_steps=horizon.steps, train_schedule=horizon.schedule).lr
        return NO_RATE if lr is None else words.rate(lr)
