"""The two jobs of the widget, a range test and probes: how far they are, how they are drawn, how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from . import words
from .runs import facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..engine import Probing, RangeTest, Steps
    from ..results import Evidence, LRRecords, StepRecord
    from ..training import RateSetter
    from .chart import DrawnRun, LiveChart


class Place(NamedTuple):
    """The id of a run that begins, and the place of its colour in the palette."""

    run_id: int
    color: int


class Outcome(Protocol):
    """The keeper of results."""

    def keep_records(self, records: LRRecords) -> bool:
        """Keep the records of a range test, and tell if the chosen rule reads a rate off them."""

    def keep_evidence(self, evidence: Evidence, max_steps: int) -> None:
        """Keep the evidence of probes that were allowed to cost so many steps."""


class Job(Protocol):
    """A range test or probes, as the widget runs them."""

    hides_suggestion: bool  # the old suggestion is not marked on a new curve
    facts: Mapping[str, str]  # on which its curve depends, in words by subject

    @property
    def waiting(self) -> str:
        """Shown instead of a suggestion during the run."""

    @property
    def rates(self) -> RateSetter:
        """Sets the rates of the optimizer's groups, in the proportions of this job."""

    @property
    def num_steps(self) -> int:
        """The most steps that it takes."""

    def steps(self) -> Steps:
        """Return the generator of the job's steps."""

    def total(self, done: int, stop_reason: str | None) -> int:
        """Return the number of steps of a full progress bar."""

    def place(self, done: int, last: StepRecord | None) -> str:
        """Return how far it is, in words."""

    def begin(self, chart: LiveChart, place: Place, earlier: Sequence[DrawnRun]) -> None:
        """Prepare the chart."""

    def draw(self, chart: LiveChart) -> None:
        """Draw the results so far."""

    def end(self, chart: LiveChart, outcome: Outcome, reason: str, seconds: float) -> tuple[words.EndKind, str]:
        """Hand the result over, draw it, and return the kind of the end and a sentence on it."""

    def settle(self, chart: LiveChart, evidence: Evidence | None) -> None:
        """Leave the chart as it stays until the next run; `evidence` is the latest that is kept."""


Remark = Callable[[], str]  # what else is to say at the end, or nothing


class RangeTestJob:
    """A range test: its curve grows, its records become the suggestion.

    Args:
        test: the test.
        remark: called at its end.
    """

    waiting = words.WHILE_RUNNING
    hides_suggestion = True

    def __init__(self, test: RangeTest, remark: Remark) -> None:
        self.test, self._remark = test, remark
        self.facts: Mapping[str, str] = facts_of(test)

    @property
    def rates(self) -> RateSetter:
        """Sets the rates of the optimizer's groups, in the proportions of the test."""
        return self.test.plan.set_rate

    @property
    def num_steps(self) -> int:
        """The steps of all sweeps together."""
        return self.test.num_steps

    def steps(self) -> Steps:
        """Run the sweeps, step by step."""
        return self.test.steps()

    def total(self, done: int, stop_reason: str | None) -> int:
        """Return the steps of all sweeps, or those that were needed once the test has ended by itself."""
        return self.num_steps if stop_reason in (None, "stopped", "interrupted") else done

    def place(self, done: int, last: StepRecord | None) -> str:
        """Return the step, and the sweep where there are several."""
        test = self.test
        if test.repeats > 1 and last is not None:
            return words.repeat_place(len(test.sweeps), test.repeats, last.step, test.plan.sweep.num_steps)
        return words.place(done, test.num_steps)

    def begin(self, chart: LiveChart, place: Place, earlier: Sequence[DrawnRun]) -> None:
        """Start a new curve over the earlier ones."""
        chart.begin(place.run_id, self.test.plan.sweep, place.color, earlier)

    def draw(self, chart: LiveChart) -> None:
        """Draw the curve so far."""
        chart.grow(self.test.sweeps)

    def end(self, chart: LiveChart, outcome: Outcome, reason: str, seconds: float) -> tuple[words.EndKind, str]:
        """Keep the records, of any step at all, and say how the test ended."""
        test = self.test
        done = sum(map(len, test.sweeps))
        last = next((steps[-1] for steps in reversed(test.sweeps) if steps), None)
        has_rate = False
        if last is not None:
            records = test.records(reason)
            chart.end(records)
            has_rate = outcome.keep_records(records)
        ended = words.ending(reason, last, test.plan.sweep.num_steps, done, seconds, has_rate=has_rate)
        return _remarked(ended, self._remark())

    def settle(self, chart: LiveChart, evidence: Evidence | None) -> None:
        """Leave the curve as it is."""


class ProbeJob:
    """Probes: a dot a training, and their evidence becomes the suggestion.

    Args:
        probing: the probes.
        remark: called at their end.
    """

    hides_suggestion = False
    facts: Mapping[str, str] = {}  # the curve is another run's

    def __init__(self, probing: Probing, remark: Remark) -> None:
        self.probing, self._remark = probing, remark

    @property
    def waiting(self) -> str:
        """The length and the schedule of the trainings of now."""
        return words.while_probing(self.probing.round)

    @property
    def rates(self) -> RateSetter:
        """Sets the rates of the optimizer's groups, in the proportions of the trainings."""
        return self.probing.plan.set_rate

    @property
    def num_steps(self) -> int:
        """The most steps of all trainings together."""
        return self.probing.num_steps

    def steps(self) -> Steps:
        """Run the trainings, step by step."""
        return self.probing.steps()

    def total(self, done: int, stop_reason: str | None) -> int:
        """Return the steps that are allowed, or those that were needed once all is done."""
        return done if stop_reason == "completed" else self.num_steps

    def place(self, done: int, last: StepRecord | None) -> str:
        """Return the training and the step."""
        return words.probe_place(self.probing.count, done, self.num_steps)

    def begin(self, chart: LiveChart, place: Place, earlier: Sequence[DrawnRun]) -> None:
        """Keep the curve; the dots are drawn over it."""

    def draw(self, chart: LiveChart) -> None:
        """Draw a dot for each training."""
        chart.probe(self.probing.evidence())

    def end(self, chart: LiveChart, outcome: Outcome, reason: str, seconds: float) -> tuple[words.EndKind, str]:
        """Keep the evidence and say how the probes ended."""
        evidence = self.probing.evidence()
        outcome.keep_evidence(evidence, self.num_steps)
        return _remarked(words.end_of_probes(reason, evidence, seconds), self._remark())

    def settle(self, chart: LiveChart, evidence: Evidence | None) -> None:
        """Draw the evidence that is kept: the earlier dots, where these probes ended without a result."""
        if evidence is not None:
            chart.probe(evidence)


def _remarked(ended: tuple[words.EndKind, str], remark: str) -> tuple[words.EndKind, str]:
    return ("warning", f"{ended[1]} {remark}") if remark else ended
