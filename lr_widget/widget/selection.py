"""The selected rate: the suggestion of the chosen rule, or the user's own pick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import NotebookError
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
    """

    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    rule: str = DEFAULT_RULE
    pick: float | None = None
    earlier: set[str] = field(default_factory=set)

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
    def is_earlier(self) -> bool:
        """True if the chosen suggestion is of an earlier run."""
        return self.rule in self.earlier

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
            raise NotebookError(f"there is no rate to {purpose} yet; run the test, or pick a rate on the chart")
        return float(self.lr)

    def need_as_shown(self, purpose: str) -> float:
        """Return the selected rate with the digits that are shown; errors as `need`."""
        self.need(purpose)
        return float(self.text)

    def begin(self) -> None:
        """Take the pick back for a new range test, until whose end the suggestions are those of an earlier run."""
        self.pick, self.earlier = None, set(self.suggestions)

    def take_records(self, records: LRRecords) -> None:
        """Replace the suggestions by those of a new range test; earlier probes belong to another curve."""
        self.suggestions, self.earlier = records.suggestions(), set()
        if self.rule not in self.suggestions:
            self.rule = DEFAULT_RULE

    def take_evidence(self, evidence: Evidence) -> bool:
        """Choose the suggestion of new probes; if it has a rate, it replaces a pick.

        Returns:
            False for probes that were stopped before one got to its end: nothing changes then.
        """
        suggestion = evidence.suggestion
        if suggestion.lr is None and (not evidence.runs or evidence.runs[-1].stop_reason == "interrupted"):
            return False
        self.suggestions = {**self.suggestions, PROBE_RULE: suggestion}
        self.earlier.discard(PROBE_RULE)
        self.rule = PROBE_RULE
        if suggestion.lr is not None:
            self.pick = None
        return True
