"""The selected rate: the suggestion of the chosen rule, or the user's own pick."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..engine import rate_of
from ..errors import NoSuggestionError, NotebookError
from ..horizon import Horizon
from ..suggest import RULES
from . import words

if TYPE_CHECKING:
    from ..results import Evidence, LRRecords
    from ..suggest import Suggestion

DEFAULT_RULE = RULES[0]
PROBE_RULE = "probe"


@dataclass
class Selection:
    """The suggestions at hand, the rule that is chosen among them, and the user's pick; the pick wins.

    Attributes:
        suggestions: by rule, in the order in which they are shown; "probe" comes with the first probes.
        rule: the chosen rule; it may have no suggestion yet.
        pick: the user's own rate, or None.
        earlier: rules whose suggestions are of a run before the one that is shown.
        horizon: the training that the rate is for.
        near: by rule, the rate for a training as short as the test or the probes themselves, where the suggestion is
            for another one.
    """

    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    rule: str = DEFAULT_RULE
    pick: float | None = None
    earlier: set[str] = field(default_factory=set)
    horizon: Horizon = field(default_factory=Horizon)
    near: dict[str, float | None] = field(default_factory=dict)

    @property
    def suggestion(self) -> Suggestion | None:
        """The suggestion of the chosen rule, or None before there is one."""
        return self.suggestions.get(self.rule)

    @property
    def lr(self) -> float | None:
        """The pick, else the suggested rate, else None."""
        if self.pick is not None:
            return self.pick
        return self.suggestion.lr if self.suggestion is not None else None

    @property
    def reason(self) -> str:
        """The reason of the chosen suggestion, after a remark if it is of an earlier run."""
        reason = "" if self.suggestion is None else self.suggestion.reason
        return words.earlier(reason) if self.rule in self.earlier else reason

    @property
    def to_probe(self) -> float | None:
        """The rate that probes start from: the pick or the chosen rule's for a short training, else auto's."""
        chosen = self.near.get(self.rule, self.lr) if self.pick is None else self.pick
        return self.near.get(DEFAULT_RULE) if chosen is None else chosen

    @property
    def text(self) -> str:
        """The selected rate as it is shown, a suggested one in two digits; empty without one."""
        if self.pick is not None:
            return words.pick(self.pick)
        return "" if self.lr is None else words.rate(self.lr)

    def need(self, purpose: str) -> float:
        """Return the selected rate.

        Raises:
            NotebookError: there is none; the message names the purpose.
        """
        if self.lr is None:
            if self.suggestion is not None:
                raise NotebookError(f"there is no rate to {purpose}: {self.suggestion.reason}")
            raise NotebookError(f"there is no rate to {purpose} yet; run the test, or pick a rate on the chart")
        return float(self.lr)

    def need_to_probe(self) -> float:
        """Return the rate that probes start from; errors as `need`."""
        return self.need("probe around") if self.to_probe is None else self.to_probe

    def need_as_shown(self, purpose: str) -> float:
        """Return the selected rate with the digits that are shown; errors as `need`."""
        self.need(purpose)
        return float(self.text)

    def begin(self) -> None:
        """Take the pick back for a new range test, until whose end the suggestions are those of an earlier run."""
        self.pick, self.earlier = None, set(self.suggestions)

    def take_records(self, records: LRRecords) -> None:
        """Replace the suggestions by those of a new range test; earlier probes belong to another curve."""
        self.suggestions, self.near, self.earlier = {}, {}, set()
        self._read(records)
        if self.rule not in self.suggestions:
            self.rule = DEFAULT_RULE

    def aim(self, horizon: Horizon, records: LRRecords | None, evidence: Evidence | None) -> None:
        """Read the latest records and the evidence that are kept again, for another training."""
        self.horizon = horizon
        if records is not None:
            self._read(records)
        if evidence is not None:
            self.suggestions[PROBE_RULE] = self._aimed(evidence)

    def take_evidence(self, evidence: Evidence) -> bool:
        """Choose the suggestion of new probes; if it has a rate, it replaces a pick.

        Returns:
            False for probes that were stopped before one got to its end: nothing changes then.
        """
        suggestion = self._aimed(evidence)
        if suggestion.lr is None and (not evidence.runs or evidence.runs[-1].stop_reason == "interrupted"):
            return False
        self.suggestions = {**self.suggestions, PROBE_RULE: suggestion}
        self.earlier.discard(PROBE_RULE)
        self.rule, self.near[PROBE_RULE] = PROBE_RULE, replace(evidence, horizon=Horizon()).suggestion.lr
        if suggestion.lr is not None:
            self.pick = None
        return True

    def _read(self, records: LRRecords) -> None:
        horizon = self.horizon
        aimed = replace(records, train_steps=horizon.steps, train_schedule=horizon.schedule)
        self.suggestions |= aimed.suggestions()  # those of probes stay behind them
        with suppress(NoSuggestionError):
            self.near[DEFAULT_RULE] = rate_of(records)

    def _aimed(self, evidence: Evidence) -> Suggestion:
        return replace(evidence, horizon=self.horizon).suggestion
