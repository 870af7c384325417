"""The selected rate: the suggestion of the chosen rule, or the user's own pick."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...engine import rate_of
from ...errors import NoSuggestionError, NotebookError
from ...horizon import Horizon
from ...suggest import RULES, Suggestion
from .. import words

if TYPE_CHECKING:
    from ...results import Evidence, LRRecords

DEFAULT_RULE = RULES[0]
PROBE_RULE = "probe"
NO_RATE = "none"  # in place of a rate


@dataclass
class Selection:
    """The suggestions at hand, the rule that is chosen among them, and the user's pick; the pick wins.

    Attributes:
        suggestions: by rule, in the order in which they are shown; "probe" comes with the first probes.
        rule: the chosen rule; it may have no suggestion yet.
        pick: the user's own rate, or None.
        earlier: rules whose suggestions are of a run before the one that is shown.
        horizon: the training that the rate is for.
        suggest_from: the loss that the rules read, "loss" or "val_loss"; probes have their own.
        as_read: by rule, the rate as it was read, for a training as short as the test or the probes, before it was
            carried over to the training of the horizon.
    """

    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    rule: str = DEFAULT_RULE
    pick: float | None = None
    earlier: set[str] = field(default_factory=set)
    horizon: Horizon = field(default_factory=Horizon)
    suggest_from: str = "loss"
    as_read: dict[str, float | None] = field(default_factory=dict)

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
        """The reason of the chosen suggestion, after a remark if it is of an earlier run or of the validation loss."""
        reason = "" if self.suggestion is None else self.suggestion.reason
        is_read = reason not in ("", words.NO_VALIDATION) and self.rule != PROBE_RULE
        if is_read and self.suggest_from == "val_loss":
            reason = words.of_validation(reason)
        return words.earlier(reason) if self.rule in self.earlier else reason

    @property
    def to_probe(self) -> float | None:
        """The rate that probes start from: the pick or the chosen rule's for a short training, else auto's."""
        chosen = self.as_read.get(self.rule, self.lr) if self.pick is None else self.pick
        return self.as_read.get(DEFAULT_RULE) if chosen is None else chosen

    @property
    def around(self) -> str:
        """The rate that probes start from, in words: where it is not the one that is shown, why."""
        if self.to_probe is None:
            return "a picked or suggested rate"
        shown = self.pick is not None or words.rate(self.to_probe) == self.text
        return words.rate(self.to_probe) + ("" if shown else " (for short trainings)")

    @property
    def to_improve(self) -> Suggestion | None:
        """The suggestion that advice is for: the chosen rule's, or auto's where another rule finds no rate.

        None where it is of an earlier run.
        """
        found = self.suggestion
        is_lost = found is not None and found.lr is None and self.rule != PROBE_RULE
        rule = DEFAULT_RULE if is_lost else self.rule
        return None if rule in self.earlier else self.suggestions.get(rule)

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

    def forget(self) -> None:
        """Have no suggestion any more."""
        self.suggestions, self.as_read, self.earlier, self.pick = {}, {}, set(), None

    def take_records(self, records: LRRecords) -> None:
        """Replace the suggestions by those of a new range test; earlier probes belong to another curve."""
        self.suggestions, self.as_read, self.earlier = {}, {}, set()
        self._read(records)
        if self.rule not in self.suggestions:
            self.rule = DEFAULT_RULE

    def aim(self, horizon: Horizon, records: LRRecords | None, evidence: Evidence | None) -> None:
        """Read the latest records and the evidence that are kept again, for another training or off another loss."""
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
        self.rule, self.as_read[PROBE_RULE] = PROBE_RULE, replace(evidence, horizon=Horizon()).suggestion.lr
        if suggestion.lr is not None:
            self.pick = None
        return True

    def _read(self, records: LRRecords) -> None:
        horizon, of_validation = self.horizon, self.suggest_from == "val_loss"
        if of_validation and records.val_loss is None:
            self.suggestions |= {rule: Suggestion(None, rule, words.NO_VALIDATION) for rule in RULES}
        else:
            aimed = replace(records, train_steps=horizon.steps, train_schedule=horizon.schedule)
            self.suggestions |= aimed.suggestions(self.suggest_from)  # those of probes stay behind them
        self.as_read.pop(DEFAULT_RULE, None)
        with suppress(NoSuggestionError):
            self.as_read[DEFAULT_RULE] = rate_of(records)
        if of_validation and records.val_loss is not None:
            with suppress(NoSuggestionError):  # where it gives none, probes start from that of the training loss
                self.as_read[DEFAULT_RULE] = rate_of(replace(records, loss=records.val_loss, repeats=()))

    def _aimed(self, evidence: Evidence) -> Suggestion:
        return replace(evidence, horizon=self.horizon).suggestion
