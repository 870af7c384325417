"""The answer: the suggested rate and why, the ways on where there is none, and the code that gives it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import words
from ..choice import NO_RATE, PROBE_RULE, advice
from ..inputs import probe_plan, sweep_of
from ..kernel import shell
from ..takeaway import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...suggest import Suggestion
    from ...training import RateSetter
    from ..choice import Advice
    from ..inputs import Arguments, NoArguments
    from ..jobs import Job
    from ..kernel import Run
    from ..results import Owner, Results
    from . import messages


class Answers:
    """Answer with the selected rate, its reason and the ways on.

    Args:
        owner: the widget.
        arguments: what it was made with.
        results: what was found, and what is selected.
    """

    def __init__(self, owner: Owner, arguments: Arguments | NoArguments, results: Results) -> None:
        self._owner, self._arguments, self._results = owner, arguments, results
        self._selection = results.selection
        self._advice: Sequence[Advice] = ()

    def make(self, run: Run[Job] | None, rates: RateSetter | None) -> messages.Answer:
        """Say the suggested rate and why, or in its place announce the run or say that it goes on.

        Args:
            run: the run in progress, or None.
            rates: sets the rates of the optimizer; None without one.
        """
        selection = self._selection
        self._advice = self._ways_on() if run is None else ()
        suggested = selection.suggestion if run is None else None
        lr = None if suggested is None else suggested.lr
        return {
            "lr": "" if lr is None else words.rate(lr),
            "range": "" if lr is None or suggested is None else words.range_text(suggested),
            "confidence": "" if lr is None or suggested is None else words.confidence(suggested),
            "purpose": "" if lr is None else self._purpose(),
            "reason": run.job.waiting if run is not None else selection.reason or self._announcement(),
            "is_missing": suggested is not None and lr is None,
            "advice": [each.label for each in self._advice],
            "plan": probe_plan(selection.around, self._owner.max_probe_steps, self._owner.horizon),
            "rules": _rules(selection.suggestions),
            "selected": selection.text,
            "is_picked": selection.pick is not None,
            "receiver": self._arguments.receiver,
            "code": "" if run is not None else self.code(rates),
        }

    def find_advice(self, label: object) -> Advice:
        """Return the advice with this label.

        Raises:
            ValueError: it is not offered any more.
        """
        for each in self._advice:
            if each.label == label:
                return each
        raise ValueError("this advice is not offered any more, so nothing was done; choose one that is shown")

    def possible(self) -> list[messages.Possible]:
        """List the commands that make sense while no run is in progress."""
        selection, has_model = self._selection, self._arguments.can_run
        can: list[messages.Possible] = ["start", "set"] if has_model else []
        can.append("pick")
        if has_model and selection.to_probe is not None:
            can.append("probe")
        if selection.lr is not None:
            can += ["copy", "apply", "code"] if has_model else ["copy", "code"]
        if selection.pick is not None:
            can.append("clear")
        return can

    def code(self, rates: RateSetter | None) -> str:
        """Return the script for *Copy code*; empty without a rate."""
        owner, results, selection = self._owner, self._results, self._selection
        if not selection.text:
            return ""
        is_picked, is_probed = selection.pick is not None, selection.rule == PROBE_RULE
        running, records, evidence = shell(), owner.records, owner.evidence
        is_own = records is not None and not results.is_foreign
        choice = Choice(
            float(selection.text),
            None if is_picked else selection.rule,
            selection.suggest_from,
            None if evidence is None else evidence.suggested,
            results.max_probe_steps,
            evidence.horizon if evidence is not None and is_probed else owner.horizon,
            results.current_name if results.is_foreign and not (is_picked or is_probed) else "",
        )
        return self._arguments.script(
            choice,
            sweep=(sweep_of(records) if is_own and records is not None else None) or owner.sweep,
            repeats=max(len(records.repeats), 1) if is_own and records is not None else owner.repeats,
            horizon=owner.horizon,
            variable=owner.variable,
            shares=() if rates is None else rates.shares,
            namespace={} if running is None else running.user_ns,
        )

    def _purpose(self) -> str:
        """Say for what the rate is, and of which run among several."""
        whose = f'of the run "{self._results.current_name}"' if len(self._results.runs.entries) > 1 else ""
        return ", ".join(filter(None, [whose, words.purpose(self._selection.rule, self._selection.horizon)]))

    def _ways_on(self) -> Sequence[Advice]:
        selection, owner = self._selection, self._owner
        can_run = self._arguments.can_run
        can_probe = can_run and selection.to_probe is not None
        ways = advice(selection.to_improve, owner.records, owner, can_probe=can_probe)
        return [way for way in ways if can_run or way.action == "none"]

    def _announcement(self) -> str:
        owner = self._owner
        if not self._arguments.can_run:
            return "These are records without a model: there is nothing to run."
        return words.before_run(owner.sweep, owner.repeats, owner.horizon)


def _rules(suggestions: Mapping[str, Suggestion]) -> list[messages.Rule]:
    return [
        {"name": name, "lr": NO_RATE if s.lr is None else words.rate(s.lr), "reason": s.reason}
        for name, s in suggestions.items()
    ]
