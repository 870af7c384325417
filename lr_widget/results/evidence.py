"""The evidence of short trainings at several rates: the rate to use, its range, a confidence and the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..horizon import Horizon
from ..schedule import rate_text
from ..suggest import PROBE, Suggestion, for_training
from .probe_run import CLOSE, ProbeRun, best_of, fallen, is_clearly_worse, lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from .records import LRRecords

_NOT_SAID = Horizon()


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """Short trainings from one and the same state, and the learning rate that they suggest.

    Trainings of one length and schedule make a round, and are compared with each other. The suggestion is read off the
    last round that tells rates apart, and carried over to the training that the rate is for.

    Attributes:
        suggested: the rate that the search started from.
        runs: the trainings, in the order in which they were made.
        probe_steps: the length of a training of the first round that is not stopped early.
        horizon: the training that the rate is for.
        records: the range test whose curve gave the rate to start from, where there is one.
        group: index of the param group that the rate is for, or None for all of them.

    >>> ends = {0.01: 1.0, 0.03: 0.4, 0.1: 0.5, 0.3: 1.9}
    >>> runs = tuple(ProbeRun(lr, np.linspace(2.0, end, 20), "completed") for lr, end in ends.items())
    >>> evidence = Evidence(suggested=0.03, runs=runs, probe_steps=20)
    >>> evidence.best
    <ProbeRun: lr 0.03, 20 steps, end loss 0.7789, completed>
    >>> round(evidence.suggestion.lr, 3), evidence.suggestion.confidence, evidence.num_steps
    (0.042, 'high', 80)
    >>> evidence.suggest(train_steps=2000).lr < evidence.suggestion.lr
    True
    >>> evidence.to_pandas().lost.round(2).tolist()
    [0.38, 0.0, 0.06, 0.94]
    """

    suggested: float
    runs: tuple[ProbeRun, ...]
    probe_steps: int
    horizon: Horizon = _NOT_SAID
    records: LRRecords | None = None
    group: int | None = None

    def __repr__(self) -> str:
        number = f"{len(self.runs)} training{'s' * (len(self.runs) != 1)}"
        parts = [f"{number} from lr {rate_text(self.suggested)} on", f"{self.num_steps:,} steps in all"]
        parts += [] if self.group is None else [f"param group {self.group}"]
        best, found = self.best, self.suggestion
        if best is not None:
            parts.append(f"lowest end {best.end_loss:.4g} at lr {rate_text(best.lr)}")
        parts += [] if found.confidence is None else [f"{found.confidence} confidence"]
        rate = "none"
        if found.lr is not None and found.low is not None and found.high is not None:
            rate = f"{rate_text(found.lr)} ({rate_text(found.low)} … {rate_text(found.high)})"
        return f"<Evidence: {', '.join(parts)}, suggestion {rate}>"

    @property
    def num_steps(self) -> int:
        """The cost of all trainings together, in optimizer steps."""
        return sum(run.loss.size for run in self.runs)

    @property
    def compared(self) -> tuple[ProbeRun, ...]:
        """The trainings of the last round that tells rates apart; of the first one where none does."""
        return self._compared()[0]

    @property
    def best(self) -> ProbeRun | None:
        """The training with the lowest finite end among those compared, or None where there is none."""
        return best_of(self.compared)

    @property
    def suggestion(self) -> Suggestion:
        """The suggestion for the training that the probes were made for; see `suggest`."""
        return self.suggest()

    def suggest(self, train_steps: int | None = None, train_schedule: str | None = None) -> Suggestion:
        """Return the middle of the rates around the best one that ended about as low, with a range and a confidence.

        The middle is their mean in log rate: the best one counts in full, one that lost a tenth of what the best one
        learnt not at all, those between in proportion. After so few steps the lowest end alone is partly luck. With
        validation data it is the best one alone, as nobody knows how far the validation loss fell.

        The range goes half-way (in log rate) to the next rates on both sides that lost a tenth or more. The confidence
        is "high" where a rate on both sides was worse than noise can explain, "medium" where any other rate was tried
        on both sides, "low" otherwise, and where no training loss fell.

        All this is for a training of the length of these; from there it is carried over to the training that the rate
        is for, see `lr_widget.suggest.horizon`. The rate stays below those that failed in longer trainings.

        Args:
            train_steps: length of that training in optimizer steps; None for the one that the probes were made for.
            train_schedule: its schedule; None for the one that the probes were made for.

        Raises:
            ValueError, TypeError: as `lr_widget.horizon.Horizon`.
        """
        steps = self.horizon.steps if train_steps is None else train_steps
        horizon = Horizon(steps, self.horizon.schedule if train_schedule is None else train_schedule)
        runs, later = self._compared()
        best = best_of(runs)
        if best is None:
            return Suggestion(None, PROBE, self._why_none())
        (below, low), (above, high) = _stretch(best, runs, -1), _stretch(best, runs, 1)
        found = Suggestion(
            _middle(best, [*below, *above], runs),
            PROBE,
            self._reason(best, runs, 1 + len(below) + len(above)),
            low=low,
            high=high,
            confidence=_confidence(best, runs),
            remedies=() if all(_beside(best, runs, side) for side in (-1, 1)) else ("max_steps",),
        )
        decaying = Horizon(schedule=best.schedule).is_decaying
        carried = for_training(found, horizon, self._length(best), from_decaying=decaying)
        return _capped(carried, runs, later)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a training, by rate.

        The columns are "lr", "end_loss", "lost" (of everything that the best one of its round learnt, the share that
        this one did not), "val_loss", "steps", "stop_reason" and "round", from 1 on. Unknown numbers are NaN:
        "end_loss" and "lost" of a training without an end, and "lost" with validation data.
        """
        import pandas as pd

        rounds = self._rounds()
        rows = [(number, run) for number, runs in enumerate(rounds, 1) for run in sorted(runs, key=lambda run: run.lr)]
        columns = {
            "lr": [run.lr for _, run in rows],
            "end_loss": [_or_nan(run.end_loss) for _, run in rows],
            "lost": [_or_nan(lost(run, rounds[number - 1])) for number, run in rows],
            "val_loss": [run.val_loss for _, run in rows],
            "steps": [run.loss.size for _, run in rows],
            "stop_reason": [run.stop_reason for _, run in rows],
            "round": [number for number, _ in rows],
        }
        table: pd.DataFrame = pd.DataFrame(columns)
        return table

    def _rounds(self) -> list[tuple[ProbeRun, ...]]:
        """Return the trainings, those of one length and schedule together."""
        return [tuple(runs) for _, runs in groupby(self.runs, key=lambda run: (self._length(run), run.schedule))]

    def _length(self, run: ProbeRun) -> int:
        return run.num_steps or self.probe_steps

    def _compared(self) -> tuple[tuple[ProbeRun, ...], list[ProbeRun]]:
        """Return the trainings of the last round with a best one and another one, and those after it."""
        rounds = self._rounds()
        number = len(rounds) - 1
        while number > 0 and not _tells_rates_apart(rounds[number]):
            number -= 1
        return (rounds[number] if rounds else ()), [run for runs in rounds[number + 1 :] for run in runs]

    def _cost(self) -> str:
        if len(self.runs) == 1:
            return f"In one short training ({self.num_steps:,} step{'s' * (self.num_steps != 1)}),"
        return f"In {len(self.runs)} short trainings ({self.num_steps:,} steps in all),"

    def _why_none(self) -> str:
        reasons, steps = {run.stop_reason for run in self.runs}, {run.loss.size for run in self.runs}
        if "interrupted" in reasons:
            return f"{self._cost()} the stop came before any end."
        if "exhausted" in reasons:
            return f"{self._cost()} the data ended before {self.probe_steps} steps; give more, or fewer probe_steps."
        if steps == {1}:
            return f"{self._cost()} the first loss was not finite, whatever the rate; look at the batch and the model."
        if reasons == {"non_finite"} and len(self.runs) > len(steps) == 1:
            return f"{self._cost()} each loss of step {steps.pop()} was not finite; try lower rates or check its batch."
        remedy = "try lower rates" if self.group is None else "look at the rates of the other param groups, too"
        return f"{self._cost()} none got to a finite end; {remedy}."

    def _reason(self, best: ProbeRun, runs: Sequence[ProbeRun], number: int) -> str:
        what = "loss" if best.val_loss is None else "validation loss"
        length, as_long = f"{self._length(best):,} steps", ""
        if len(self._rounds()) > 1:
            what += f" after {length} {Horizon(schedule=best.schedule).manner}"
            as_long = " for as long"
        first = runs[0]
        began = "where they began" if first is self.runs[0] else f"where those of {length} began"
        where = f", {began}," if best is first else ""
        reason = (
            f"{self._cost()} the rate {rate_text(best.lr)}{where} ended with the lowest {what}, {best.end_loss:.4g}"
        )
        if number > 1:
            reason += f", and the suggestion is the middle of the {number} that ended about as low"
        if best is not first:
            reason += f"; at {rate_text(first.lr)}, {began}, {_outcome(first)}"
        untried = [way for way, side in (("higher", 1), ("lower", -1)) if not _beside(best, runs, side)]
        if untried:
            reason += f"; no {' or '.join(untried)} rate was tried{as_long}: that takes more steps"
        if fallen(runs) <= 0:
            reason += "; but no training loss fell below the first one"
        return f"{reason}."


def _tells_rates_apart(runs: Sequence[ProbeRun]) -> bool:
    return best_of(runs) is not None and sum(run.stop_reason != "interrupted" for run in runs) > 1


def _beside(best: ProbeRun, runs: Sequence[ProbeRun], side: int) -> list[ProbeRun]:
    """Return the trainings above (1) or below (-1) the best one but those interrupted, the nearest first."""
    beside = [run for run in runs if (run.lr - best.lr) * side > 0 and run.stop_reason != "interrupted"]
    return sorted(beside, key=lambda run: run.lr * side)


def _stretch(best: ProbeRun, runs: Sequence[ProbeRun], side: int) -> tuple[list[ProbeRun], float]:
    """Return the trainings on one side up to the first that is not about as good, and the range's limit there."""
    close: list[ProbeRun] = []
    for run in _beside(best, runs, side):
        reached = close[-1].lr if close else best.lr
        if lost(run, runs) >= CLOSE:
            return close, math.sqrt(reached) * math.sqrt(run.lr)
        close.append(run)
    return close, close[-1].lr if close else best.lr


def _middle(best: ProbeRun, close: list[ProbeRun], runs: Sequence[ProbeRun]) -> float:
    weights = [1.0, *(1 - lost(run, runs) / CLOSE for run in close)]
    decades = [0.0, *(math.log10(run.lr) - math.log10(best.lr) for run in close)]
    return float(best.lr * 10 ** np.average(decades, weights=weights))


def _confidence(best: ProbeRun, runs: Sequence[ProbeRun]) -> str:
    if fallen(runs) <= 0:
        return "low"
    sides = [_beside(best, runs, side) for side in (-1, 1)]
    if all(any(is_clearly_worse(run, best) for run in beside) for beside in sides):
        return "high"
    return "medium" if all(sides) else "low"


def _capped(found: Suggestion, runs: Sequence[ProbeRun], later: Sequence[ProbeRun]) -> Suggestion:
    """Keep a rate at or below the highest stable one, and half a decade below those that failed in longer trainings."""
    lr, low, high, best = found.lr, found.low, found.high, best_of(runs)
    if lr is None or low is None or high is None or best is None:
        return found
    unstable = min((run.lr for run in runs if run.lr > best.lr and _has_failed(run)), default=math.inf)
    stable = max(run.lr for run in runs if run.is_complete and run.lr < unstable)
    below = min((run.lr for run in later if _has_failed(run)), default=math.inf) / math.sqrt(10)
    found, limit = replace(found, high=min(high, below, unstable)), min(stable, below)
    if lr <= limit:
        return found
    why = "the highest rate that was stable" if limit == stable else "half a decade below those that failed for longer"
    reason = (
        f"{found.reason.removesuffix('.')}; that would be {rate_text(lr)}, so it is kept at {rate_text(limit)}, {why}."
    )
    confidence = found.confidence if limit == stable else "low"
    return replace(found, lr=limit, low=min(low, limit), confidence=confidence, reason=reason)


def _has_failed(run: ProbeRun) -> bool:
    return run.stop_reason in ("diverged", "non_finite")


def _outcome(run: ProbeRun) -> str:
    if math.isfinite(run.end_loss):
        return f"it was {run.end_loss:.4g}"
    return "it exploded" if run.stop_reason == "diverged" else "it was not finite"


def _or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan
