"""Short real trainings around a suggested rate: is it right?"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from ..checks import stateful
from ..errors import NoSuggestionError
from ..results.evidence import Evidence
from ..results.probe_run import ProbeRun, is_outrun, next_rate
from ..results.records import LRRecords, StepRecord
from ..schedule import Schedule, check_num_steps, check_rate, constant, one_cycle
from ..suggest.suggestion import Suggestion
from ..training.batches import Batches
from .progress import drain, keep, progress_bar
from .range_test import iter_range_test, range_test
from .sweep import Sweep

DEFAULT_PROBE_STEPS = 75
DEFAULT_MAX_STEPS = 300
MIN_PROBE_STEPS = 8

PROFILES = ("constant", "one_cycle")
OF_THE_SWEEP = ("start_lr", "end_lr", "num_steps", "schedule", "repeats", "stop", "val_every")
"""The keywords of a range test that a probe has no use for."""


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
    **options: Any,
) -> Evidence:
    """Train for a short while at a few rates around a suggestion, and say which ones ended best.

    Every training starts from the same state: the same weights, the same batches in the same order, the same random
    numbers; so their losses are compared step by step. The first one has the suggested rate, the next ones go on from
    there by half a decade to the side that is better, until rates on both sides are worse, then to quarters of a decade
    beside the best one. One that is far behind the best one is stopped early. The suggestion is the middle of the rates
    that ended about as low as the best one. Like a range test, it leaves model, optimizer, data order and random state
    bit for bit as they were.

    Args:
        model, optimizer, loss_fn, train_data: as for `lr_widget.range_test`.
        around: a rate, a suggestion, or the records of a range test, whose suggestion is taken. None runs a range test
            first, which costs its steps besides ``max_steps``.
        probe_steps: the length of one training in optimizer steps, at least 8.
        max_steps: what all of them together may cost; no training begins that could go beyond it.
        profile: "constant" for one rate from the first step to the last, "one_cycle" for `lr_widget.schedule.one_cycle`
            with the rate as its top. In a cycle the loss falls late: only trainings that diverge are stopped early.
            Nor does a training loss say early how the validation loss will end: with ``val_data`` it is the same.
        progress: show a tqdm bar.
        **options: those of `lr_widget.range_test`. With ``val_data``, the trainings are compared by their validation
            loss at the end, and the suggestion is the best one's rate.

    Returns:
        The `Evidence`; its ``suggestion`` is the outcome. Ctrl-C ends it early with the trainings so far.

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
    options["also_restore"] = stateful(options.get("also_restore", ()), None)  # an iterator serves once
    training = {name: value for name, value in options.items() if name not in OF_THE_SWEEP}
    sizes: dict[str, Any] = {"probe_steps": probe_steps, "max_steps": max_steps, "profile": profile}
    make = partial(Probing, model, optimizer, loss_fn, train_data, **sizes, **training)
    records = around if isinstance(around, LRRecords) else None
    if around is None:
        make(lr=1.0)  # what is wrong is said before the range test
        around = records = range_test(model, optimizer, loss_fn, train_data, progress=progress, **options)
        if records.stop_reason == "interrupted":
            raise KeyboardInterrupt
    probing = make(lr=rate_of(around), records=records)
    with progress_bar("probes", max_steps, enabled=progress) as show:
        drain(probing.steps(), show)
    return probing.evidence()


# The keywords in full for help(), completion and Shift-Tab.
_OWN_PARAMETERS = inspect.signature(probe).parameters
probe.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *(p for p in _OWN_PARAMETERS.values() if p.kind is not inspect.Parameter.VAR_KEYWORD),
        *(p for name, p in inspect.signature(range_test).parameters.items() if name not in _OWN_PARAMETERS),
    ],
    return_annotation="Evidence",
)


class Probing:
    """Short trainings one after another, driven from outside, and what they show so far.

    Args:
        model, optimizer, loss_fn, train_data, probe_steps, max_steps, profile: as for `probe`.
        lr: the rate to start from.
        records: the range test that suggested it, for the evidence.
        **options: those of `lr_widget.iter_range_test` that are about the training.

    Raises:
        ValueError, TypeError: as `probe`.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Callable[..., Any] | None,
        train_data: Any,
        lr: float,
        *,
        probe_steps: int = DEFAULT_PROBE_STEPS,
        max_steps: int = DEFAULT_MAX_STEPS,
        profile: str = "constant",
        records: LRRecords | None = None,
        **options: Any,
    ) -> None:
        check_rate("the rate to probe around", lr)
        check_num_steps(probe_steps, "probe_steps", MIN_PROBE_STEPS)
        check_num_steps(max_steps, "max_steps", probe_steps)
        if profile not in PROFILES:
            raise ValueError(f'profile must be "constant" or "one_cycle", got {profile!r}')
        Batches(train_data, options.get("dataloader_options")).refuse_one_shot("every probe starts over")
        options["also_restore"] = stateful(options.get("also_restore", ()), None)
        options |= {"num_steps": probe_steps, "val_every": probe_steps}
        self._make_sweep = partial(iter_range_test, model, optimizer, loss_fn, train_data, **options)
        self._schedule: Callable[[float], Schedule] = (
            constant if profile == "constant" else partial(one_cycle, num_steps=probe_steps)
        )
        self._make_sweep(schedule=self._schedule(lr)).close()  # checks everything, changes nothing
        self._suggested = float(lr)
        self._probe_steps, self._profile, self._records = probe_steps, profile, records
        self._stops_early = profile == "constant" and options.get("val_data") is None
        self.num_steps = max_steps
        self.runs: list[ProbeRun] = []
        self._open: tuple[float, list[StepRecord]] | None = None

    def steps(self) -> Sweep:
        """Yield the steps of all trainings and return "completed"; to be called once."""
        while (lr := self._next()) is not None:
            steps: list[StepRecord] = []
            self._open = (lr, steps)
            sweep = self._make_sweep(schedule=self._schedule(lr), stop=partial(self._is_outrun, steps))
            reason = yield from keep(sweep, steps)
            self.runs.append(_run(lr, steps, reason))
            self._open = None
        return "completed"

    @property
    def count(self) -> int:
        """How many trainings have begun."""
        return len(self.runs) + (self._open is not None)

    def evidence(self) -> Evidence:
        """Return what was found so far; a training that was cut short is in it, as "interrupted"."""
        cut_short = [_run(*self._open, "interrupted")] if self._open is not None and self._open[1] else []
        runs = (*self.runs, *cut_short)
        return Evidence(self._suggested, runs, self._probe_steps, self._profile, self._records)

    def _next(self) -> float | None:
        cost = sum(run.loss.size for run in self.runs)
        return next_rate(self.runs, self._suggested) if cost + self._probe_steps <= self.num_steps else None

    def _is_outrun(self, steps: list[StepRecord], _: StepRecord) -> bool:
        is_last = len(steps) == self._probe_steps  # the end is compared as an end
        if is_last or not self._stops_early:
            return False
        return is_outrun(np.array([step.loss for step in steps]), self.runs)


def rate_of(around: float | Suggestion | LRRecords) -> float:
    """Return the rate to probe around; where "auto" has none for these records, the median of the other rules' rates.

    Raises:
        NoSuggestionError: there is none.
        TypeError, ValueError: it is no rate.
    """
    if isinstance(around, Suggestion):
        return float(around)
    if not isinstance(around, LRRecords):
        check_rate("around", around)
        return float(around)
    suggestions = around.suggestions()
    rates = [s.lr for s in suggestions.values() if s.lr is not None]
    if not rates:
        raise NoSuggestionError(f"there is no rate to probe around: {suggestions['auto'].reason}")
    return suggestions["auto"].lr or median(rates)


def _run(lr: float, steps: list[StepRecord], reason: str) -> ProbeRun:
    return ProbeRun(lr, np.array([step.loss for step in steps]), reason, steps[-1].val_loss if steps else None)
