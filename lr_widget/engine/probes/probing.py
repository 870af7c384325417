"""Short trainings one after another, driven from outside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...checks import check_count, check_rate
from ...horizon import Horizon
from ...results import Evidence, LRRecords, ProbeRun, best_of
from ...schedule import Sweep
from ..progress import keep
from ..sweep import Steps, run_sweep
from .rounds import A_ROUND, DEFAULT_PROBE_STEPS, MIN_PROBE_STEPS, Round, first_round, next_round
from .search import is_outrun, next_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...results import StepRecord
    from ..plan import Plan

DEFAULT_MAX_STEPS = 300


class Probing:
    """Short trainings one after another, driven from outside, and their evidence so far.

    Args:
        plan: of one training; its sweep is replaced for each of them.
        lr: the rate to start from.
        probe_steps, max_steps: as for `probe`.
        records: the range test that suggested the rate, for the evidence.

    Attributes:
        plan: of each training but for its sweep.
        num_steps: what they may cost together.
        runs: the trainings that have ended.
        round: the trainings that are under way or come next.

    Raises:
        ValueError, TypeError: as `probe`.
    """

    def __init__(
        self,
        plan: Plan,
        lr: float,
        *,
        probe_steps: int | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
        records: LRRecords | None = None,
    ) -> None:
        self._suggested = check_rate("the rate to probe around", lr)
        if probe_steps is not None:
            probe_steps = check_count("probe_steps", probe_steps, MIN_PROBE_STEPS, usual=DEFAULT_PROBE_STEPS)
        least = probe_steps or MIN_PROBE_STEPS
        self.num_steps = check_count("max_steps", max_steps, least, usual=max(DEFAULT_MAX_STEPS, A_ROUND * least))
        plan.train.refuse_one_shot("every probe starts over")
        self.plan, self._records = plan, records
        given = {"around": self._suggested, "max_steps": self.num_steps, "probe_steps": probe_steps}
        self._call = {"test": "probe", **given}
        self.round = first_round(self.num_steps, probe_steps, plan.horizon)
        self._probe_steps = self.round.num_steps
        self.runs: list[ProbeRun] = []
        self._begun = 0  # trainings before those of this round
        self._start = self._suggested  # of this round
        self._open: tuple[float, list[StepRecord]] | None = None

    def steps(self) -> Steps:
        """Yield the steps of all trainings and return "completed"; to be called once."""
        while (lr := self._next()) is not None:
            records: list[StepRecord] = []
            self._open = (lr, records)
            stop = partial(self._is_outrun, records)
            plan = replace(self.plan, sweep=self._sweep(lr), val_every=self.round.num_steps, stop=stop)
            reason = yield from keep(run_sweep(plan, self._call), records)
            self.runs.append(self._run(lr, records, reason))
            self._open = None
        return "completed"

    @property
    def count(self) -> int:
        """The number of trainings that have begun."""
        return len(self.runs) + (self._open is not None)

    def evidence(self) -> Evidence:
        """Return the evidence so far; a training that was cut short is in it, as "interrupted"."""
        cut_short = [self._run(*self._open, "interrupted")] if self._open is not None and self._open[1] else []
        runs = (*self.runs, *cut_short)
        group = self.plan.set_rate.group
        return Evidence(self._suggested, runs, self._probe_steps, self.plan.horizon, self._records, group)

    @property
    def _of_this_round(self) -> list[ProbeRun]:
        return self.runs[self._begun :]

    def _sweep(self, lr: float) -> Sweep:
        steps = self.round.num_steps
        return Sweep(lr, lr, steps, Horizon(schedule=self.round.schedule).over(lr, steps))

    def _next(self) -> float | None:
        """Return the rate of the next training, in this round or a longer one; None where there is none."""
        runs, rest = self._of_this_round, self.num_steps - _cost(self.runs)
        has_best = best_of(runs) is not None
        left = self.round.budget - _cost(runs) if has_best else rest
        lr = next_rate(runs, self._start) if self.round.num_steps <= left else None
        if lr is not None or not has_best:
            return lr
        longer = next_round(self.round, rest, self.plan.horizon)
        if longer is None or runs[-1].stop_reason == "exhausted":
            return None
        self._start = self._middle(longer)
        self.round, self._begun = longer, len(self.runs)
        return self._start

    def _middle(self, longer: Round) -> float:
        """Return the rate that is best so far, carried over to the trainings of a longer round."""
        horizon = Horizon(longer.num_steps, longer.schedule)
        found = replace(self.evidence(), horizon=horizon).suggestion.lr
        assert found is not None
        return found

    def _is_outrun(self, records: list[StepRecord], _: StepRecord) -> bool:
        is_last = len(records) == self.round.num_steps  # the end is compared as an end
        if is_last or self.round.schedule != "constant" or self.plan.val is not None:
            return False
        return is_outrun(np.array([record.loss for record in records]), self._of_this_round)

    def _run(self, lr: float, records: list[StepRecord], reason: str) -> ProbeRun:
        losses = np.array([record.loss for record in records])
        val_loss = records[-1].val_loss if records else None
        return ProbeRun(lr, losses, reason, val_loss, self.round.num_steps, self.round.schedule)


def _cost(runs: Sequence[ProbeRun]) -> int:
    return sum(run.loss.size for run in runs)
