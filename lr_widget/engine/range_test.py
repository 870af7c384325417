"""The range test as users call it: `iter_range_test` yields its records, `range_test` collects them."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch

from ..checks import check_count
from ..results import LRRecords
from .keywords import Keywords, refuse_unknown, spelled_out
from .plan import Plan, make_plan
from .progress import drain, keep, progress_bar
from .sweep import Steps, run_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ..results import StepRecord


@spelled_out()
def iter_range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    **options: Unpack[Keywords],
) -> Steps:
    """Run a range test step by step: a generator of `StepRecord`, one an optimizer step.

    The arguments are checked at once; nothing is changed before the first record is asked for. When the generator
    ends, for whatever reason, the model, the optimizer, the random generators and everything else it touched are bit
    for bit as they were. To stop it, close it; to pause it, do not ask for the next record. Meanwhile, no other test
    runs on the same model.

    The following come back: the models and optimizers with all that their attributes hold; the objects that `loss_fn`
    and `train_step` are methods of, likewise; the modules and optimizers that these functions refer to, in their
    closure or as globals; the loaders, samplers and datasets, their generators and those of collate functions and
    transforms, but not the data; the random generators of Python, NumPy and torch; and `also_restore`.

    Args:
        model: module, or list or mapping of modules for a `train_step` that uses several. An eval-mode model is put
            into train mode for the test; submodules frozen in eval mode inside a train-mode model stay so.
        optimizer: optimizer, or list of optimizers that are stepped together. LBFGS gets a closure over the step's
            batches, and so does one whose `step` requires a closure.
        loss_fn: `loss_fn(output, targets)` → scalar loss; None with `train_step`, or with mapping batches whose
            model answers with a `.loss`.
        train_data: DataLoader, Dataset, tuple of two tensors (inputs, targets), or any iterable of batches; starts over
            when it ends, except a one-shot iterator, which ends the test.
        **options: {keywords}

    Returns:
        A generator of records whose return value is the stop reason.

    Raises:
        ValueError, TypeError: an argument is wrong, or, with the first record, the data or the loss is; the message has
            the value and the remedy.
        RuntimeError: with the first record, where another range test is running on this model; inside
            `torch.inference_mode()`.
        RestoreError: something could not be put back; the rest was. Where the test has ended in an exception of the
            user's, that one is raised, with a note that says so.
    """
    refuse_unknown("iter_range_test", options, signature(iter_range_test).parameters)
    return run_sweep(make_plan(model, optimizer, loss_fn, train_data, **options))


@spelled_out(last=("repeats", "seed", "progress"))
def range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    repeats: int = 1,
    progress: bool = True,
    **options: Unpack[Keywords],
) -> LRRecords:
    """Run a range test and return its records; the model and all else are bit for bit untouched afterwards.

    Args:
        model, optimizer, loss_fn, train_data: as for `iter_range_test`.
        repeats: number of sweeps, each from the same starting state with the data in another order; they use the seeds
            `seed`, `seed + 1` …
        progress: show a tqdm bar.
        **options: {keywords}

    Returns:
        The records. Ctrl-C ends the test early with the records so far and the stop reason "interrupted"; before the
        first step it is raised.

    Raises:
        ValueError, TypeError, RestoreError: as `iter_range_test`. An exception from the model, the data or the loss
            comes through unchanged, with a note that names the step and the rate.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> data = [(torch.ones(4, 2), torch.ones(4, 1))]
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> records = range_test(model, optimizer, torch.nn.functional.mse_loss, data, end_lr=0.1, progress=False)
    >>> len(records), records.stop_reason
    (100, 'completed')
    """
    refuse_unknown("range_test", options, signature(range_test).parameters)
    test = RangeTest(make_plan(model, optimizer, loss_fn, train_data, **options), repeats)
    with progress_bar("range test", test.num_steps, enabled=progress) as show:
        stop_reason = drain(test.steps(), show)
    return test.records(stop_reason)


class RangeTest:
    """The sweeps of a range test, one after another, driven from outside, and their records so far.

    Args:
        plan: the first sweep's plan; the others start from the same state with the seeds that follow.
        repeats: number of sweeps.

    Attributes:
        sweeps: the records of each sweep that has begun.

    Raises:
        ValueError, TypeError: `repeats` is no count, or the data cannot start over.
    """

    def __init__(self, plan: Plan, repeats: int = 1) -> None:
        self.plan = plan
        self.repeats = check_count("repeats", repeats)
        if self.repeats > 1:
            plan.train.refuse_one_shot("repeats start over")
        self.sweeps: list[list[StepRecord]] = []
        self._reasons: list[str] = []

    @property
    def num_steps(self) -> int:
        """The steps of all sweeps together, if none ends early."""
        return self.plan.sweep.num_steps * self.repeats

    def steps(self) -> Steps:
        """Yield the steps of all sweeps and return the last one's stop reason; to be called once."""
        for repeat in range(self.repeats):
            steps = run_sweep(replace(self.plan, seed=_repeat_seed(self.plan.seed, repeat)))
            self.sweeps.append([])
            self._reasons.append((yield from keep(steps, self.sweeps[-1])))
        return self._reasons[-1]

    def records(self, stop_reason: str) -> LRRecords:
        """Return the records so far.

        Args:
            stop_reason: why the unfinished sweep was cut short. Where others finished, that sweep is left out, and this
                becomes the stop reason of the records.
        """
        sweeps = self.sweeps[: len(self._reasons)] or self.sweeps or [[]]
        reasons = [*self._reasons, stop_reason]
        records = [
            LRRecords.from_steps(steps, stop_reason=reason, **self.plan.sweep.as_recorded())
            for steps, reason in zip(sweeps, reasons, strict=False)
        ]
        joined = LRRecords.from_repeats(records)
        return joined if len(self._reasons) == self.repeats else replace(joined, stop_reason=stop_reason)


def _repeat_seed(seed: int | None, repeat: int) -> int | None:
    """Return the seed of a repeat, counted from 0; the first one without a seed is not seeded at all."""
    if repeat == 0:
        return seed
    return ((torch.initial_seed() if seed is None else seed) + repeat) % 2**63
