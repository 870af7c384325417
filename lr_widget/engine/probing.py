"""Short real trainings around a suggested rate: is it right?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from inspect import signature
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_count, check_rate
from ..errors import NoSuggestionError
from ..results import Evidence, LRRecords, ProbeRun
from ..schedule import Schedule, Sweep, constant, one_cycle
from ..suggest import Suggestion
from .keywords import Keywords, refuse_unknown, spelled_out
from .plan import Plan, make_plan, restorable
from .progress import drain, keep, progress_bar
from .range_test import range_test
from .search import is_outrun, next_rate
from .sweep import Steps, run_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ..results import StepRecord

DEFAULT_PROBE_STEPS = 75
DEFAULT_MAX_STEPS = 300
MIN_PROBE_STEPS = 8
PROFILES = ("constant", "one_cycle")

# The keywords of a range test that a probe has no use for.
_OF_THE_SWEEP = ("start_lr", "end_lr", "num_steps", "schedule", "stop", "val_every")


@spelled_out(first=("around", "probe_steps", "max_steps", "profile", "progress"), last=("repeats", "seed"))
def probe(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    around: float | Suggestion | LRRecords | None = None,
    probe_steps: int = DEFAULT_PROBE_STEPS,
    max_steps: int = DEFAULT_MAX_STEPS,
    profile: str = "constant",
    progress: bool = True,
    repeats: int = 1,
    **options: Unpack[Keywords],
) -> Evidence:
    """Train for a short while at a few rates around a suggestion, and compare their ends.

    Every training starts from the same state: the same weights, the same batches in the same order, the same random
    numbers; so their losses are compared step by step. The first one has the suggested rate, the next ones go on from
    there by half a decade to the side that is better, until rates on both sides are worse, then to quarters of a decade
    beside the best one. One that is far behind the best one is stopped early. The suggestion is the middle of the rates
    that ended about as low as the best one; with `val_data`, where the validation losses at the end are compared, it is
    the best one's rate. Like a range test, it leaves model, optimizer, data order and random state bit for bit as they
    were.

    Args:
        model, optimizer, loss_fn, train_data: as for `lr_widget.range_test`.
        around: a rate, a suggestion, or the records of a range test, whose suggestion is taken. None runs a range test
            first, which costs its steps besides `max_steps`.
        probe_steps: the length of one training in optimizer steps, at least 8.
        max_steps: what all of them together may cost; no training begins that could go beyond it.
        profile: "constant" for one rate from the first step to the last, "one_cycle" for `lr_widget.schedule.one_cycle`
            with the rate as its top. In a cycle the loss falls late: only trainings that diverge are stopped early.
            The same holds with `val_data`, since a training loss does not predict the final validation loss.
        progress: show a tqdm bar.
        repeats: of the range test that comes first, where `around` is None.
        **options: {keywords}

    Returns:
        The `Evidence`; its `suggestion` is the outcome. Ctrl-C ends it early with the trainings so far.

    Raises:
        ValueError, TypeError, RestoreError: as `lr_widget.range_test`.
        NoSuggestionError: there is no rate to probe around.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> data = [(torch.ones(4, 2), torch.ones(4, 1))]
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> evidence = probe(model, optimizer, torch.nn.functional.mse_loss, data, around=0.01, progress=False)
    >>> evidence.suggestion.lr > 0.01, evidence.num_steps <= 300
    (True, True)
    """
    refuse_unknown("probe", options, signature(probe).parameters)
    options["also_restore"] = restorable(options.get("also_restore", ()))  # an iterator serves once
    records = around if isinstance(around, LRRecords) else None
    plan = make_probe_plan(model, optimizer, loss_fn, train_data, **options)
    make = partial(Probing, plan, probe_steps=probe_steps, max_steps=max_steps, profile=profile)
    if around is None:
        make(1.0)  # raises for wrong arguments before the range test runs
        around = records = range_test(
            model, optimizer, loss_fn, train_data, repeats=repeats, progress=progress, **options
        )
        if records.stop_reason == "interrupted":
            raise KeyboardInterrupt
    probing = make(rate_of(around), records=records)
    with progress_bar("probes", max_steps, enabled=progress) as show:
        drain(probing.steps(), show)
    return probing.evidence()


def make_probe_plan(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    **options: Unpack[Keywords],
) -> Plan:
    """Check the arguments of probes and return their plan; the keywords that are about a sweep do not count.

    Raises:
        ValueError, TypeError, RuntimeError: as `make_plan`.
    """
    training: Any = {name: value for name, value in options.items() if name not in _OF_THE_SWEEP}
    return make_plan(model, optimizer, loss_fn, train_data, **training)


class Probing:
    """Short trainings one after another, driven from outside, and their evidence so far.

    Args:
        plan: of one training; its sweep is replaced for each of them.
        lr: the rate to start from.
        probe_steps, max_steps, profile: as for `probe`.
        records: the range test that suggested the rate, for the evidence.

    Attributes:
        plan: of each training but for its sweep.
        num_steps: what they may cost together.
        runs: the trainings that have ended.

    Raises:
        ValueError, TypeError: as `probe`.
    """

    def __init__(
        self,
        plan: Plan,
        lr: float,
        *,
        probe_steps: int = DEFAULT_PROBE_STEPS,
        max_steps: int = DEFAULT_MAX_STEPS,
        profile: str = "constant",
        records: LRRecords | None = None,
    ) -> None:
        self._suggested = check_rate("the rate to probe around", lr)
        self._probe_steps = check_count("probe_steps", probe_steps, MIN_PROBE_STEPS, usual=DEFAULT_PROBE_STEPS)
        enough = max(DEFAULT_MAX_STEPS, 4 * self._probe_steps)
        self.num_steps = check_count("max_steps", max_steps, self._probe_steps, usual=enough)
        if profile not in PROFILES:
            raise ValueError(f'profile must be "constant" or "one_cycle", got {profile!r}')
        plan.train.refuse_one_shot("every probe starts over")
        self.plan = replace(plan, val_every=self._probe_steps)
        self._profile, self._records = profile, records
        self._stops_early = profile == "constant" and plan.val is None
        self._call = {"test": "probe", "max_steps": self.num_steps, "profile": profile}
        self.runs: list[ProbeRun] = []
        self._open: tuple[float, list[StepRecord]] | None = None

    def steps(self) -> Steps:
        """Yield the steps of all trainings and return "completed"; to be called once."""
        while (lr := self._next()) is not None:
            records: list[StepRecord] = []
            self._open = (lr, records)
            plan = replace(self.plan, sweep=self._sweep(lr), stop=partial(self._is_outrun, records))
            reason = yield from keep(run_sweep(plan, self._call), records)
            self.runs.append(_run(lr, records, reason))
            self._open = None
        return "completed"

    @property
    def count(self) -> int:
        """The number of trainings that have begun."""
        return len(self.runs) + (self._open is not None)

    def evidence(self) -> Evidence:
        """Return the evidence so far; a training that was cut short is in it, as "interrupted"."""
        cut_short = [_run(*self._open, "interrupted")] if self._open is not None and self._open[1] else []
        runs = (*self.runs, *cut_short)
        return Evidence(self._suggested, runs, self._probe_steps, self._profile, self._records)

    def _sweep(self, lr: float) -> Sweep:
        schedule: Schedule = constant(lr) if self._profile == "constant" else one_cycle(lr, self._probe_steps)
        return Sweep(lr, lr, self._probe_steps, schedule)

    def _next(self) -> float | None:
        cost = sum(run.loss.size for run in self.runs)
        return next_rate(self.runs, self._suggested) if cost + self._probe_steps <= self.num_steps else None

    def _is_outrun(self, records: list[StepRecord], _: StepRecord) -> bool:
        is_last = len(records) == self._probe_steps  # the end is compared as an end
        if is_last or not self._stops_early:
            return False
        return is_outrun(np.array([record.loss for record in records]), self.runs)


def rate_of(around: float | Suggestion | LRRecords) -> float:
    """Return the rate to probe around; where "auto" has none for these records, the median of the other rules' rates.

    Raises:
        NoSuggestionError: there is none.
        TypeError, ValueError: it is no rate.
    """
    if isinstance(around, Suggestion):
        return float(around)
    if not isinstance(around, LRRecords):
        return check_rate("around", around)
    suggestions = around.suggestions()
    rates = [s.lr for s in suggestions.values() if s.lr is not None]
    if not rates:
        raise NoSuggestionError(f"there is no rate to probe around: {suggestions['auto'].reason}")
    return suggestions["auto"].lr or median(rates)


def _run(lr: float, records: list[StepRecord], reason: str) -> ProbeRun:
    return ProbeRun(
        lr, np.array([record.loss for record in records]), reason, records[-1].val_loss if records else None
    )
