"""What the widget has found: records, suggestions and evidence, and which rate is selected."""

from __future__ import annotations

from typing import Any

import traitlets

from ..results.evidence import Evidence
from ..results.records import LRRecords
from ..suggest import rules as suggest
from ..suggest.rules import Suggestion
from .traits import Rate

_MAX_HISTORY = 20


class Outcome(traitlets.HasTraits):
    """Keeps what runs give, and selects the suggestion of the chosen rule where the user has picked no rate.

    A subclass says in `show_outcome` what to do when the selection has changed.
    """

    rule = traitlets.Enum([*suggest.RULES, "probe"], default_value="auto").tag(sync=True)
    selected_lr = Rate(default_value=None, allow_none=True).tag(sync=True)

    records = traitlets.Instance(LRRecords, allow_none=True)
    evidence = traitlets.Instance(Evidence, allow_none=True)
    suggestion = traitlets.Instance(Suggestion, allow_none=True)
    history = traitlets.Tuple()

    def __init__(self, **traits: Any) -> None:
        self.rule_suggestions: dict[str, Suggestion] = {}
        self.is_picked = self._is_selecting = False
        super().__init__(**traits)

    def show_outcome(self) -> None:
        """Show what is selected now."""
        raise NotImplementedError

    def keep_records(self, records: LRRecords) -> None:
        """Keep the records of a test and what every rule suggests for them."""
        self.evidence = None
        self.history = (*self.history, records)[-_MAX_HISTORY:]
        self.rule_suggestions = records.suggestions()
        self.records = records  # whose observers may probe at once
        if self.rule not in self.rule_suggestions:
            self.rule = "auto"
        self.suggestion = self.rule_suggestions[self.rule]

    def keep_evidence(self, evidence: Evidence) -> None:
        """Keep what probes have shown; it was asked for, so it is what is shown, and their rate takes a pick's place.

        Trainings that were stopped before one got to its end have shown nothing; what was there before stays.
        """
        suggestion = evidence.suggestion
        if suggestion.lr is None and (not evidence.runs or evidence.runs[-1].stop_reason == "interrupted"):
            return
        self.evidence = evidence
        self.rule_suggestions = {**self.rule_suggestions, "probe": suggestion}
        if suggestion.lr is not None:
            self.is_picked = False
        self.rule = "probe"
        self.suggestion = suggestion

    def select_suggestion(self) -> None:
        """Select the suggested rate where the user has not picked one."""
        if not self.is_picked:
            self._is_selecting = True
            try:
                self.selected_lr = self.suggestion.lr if self.suggestion is not None else None
            finally:
                self._is_selecting = False

    @traitlets.validate("rule")
    def _check_rule(self, proposal: Any) -> str:
        if proposal["value"] == "probe" and "probe" not in self.rule_suggestions:
            raise traitlets.TraitError("rule cannot be 'probe' before there were probes; call probe() first")
        return str(proposal["value"])

    @traitlets.observe("rule")
    def _on_rule(self, _: Any) -> None:
        if self.rule_suggestions:
            self.suggestion = self.rule_suggestions.get(self.rule)  # probes around a pick need no test before
            self.select_suggestion()
            self.show_outcome()

    @traitlets.observe("selected_lr")
    def _on_selected(self, _: Any) -> None:
        if not self._is_selecting:
            self.is_picked = self.selected_lr is not None
            self.select_suggestion()
            self.show_outcome()
