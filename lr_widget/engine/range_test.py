"""The range test as users call it: `iter_range_test` yields its records, `range_test` collects them."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, overload

import torch

from ..checks import check_count
from ..distributed import of_first_rank
from ..results import LRRecords
from .keywords import Keywords, refuse_unknown, spelled_out
from .plan import Plan, make_plan
from .progress import OpenRangeTest, drain_in_bar, keep
from .sweep import Steps, run_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ..results import StepRecord


@spelled_out(last=("groups",))
def iter_range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: int | Literal["together"] = "together",
    **options: Unpack[Keywords],
) -> OpenRangeTest:
    """Run a range test step by step: a generator of `StepRecord`, one an optimizer step, for a `with` block.

    The arguments are checked at once; nothing is changed before the first record is asked for. When the generator
    ends, for whatever reason, the model, the optimizer, the random generators and everything else it touched are bit
    for bit as they were. To stop it, leave the block or close it; to pause it, do not ask for the next record. In
    several processes, call it on every rank: all of them get the same records.

    Until it ends, the model is in the middle of the test, and what anybody else does to it would be lost. So no other
    test runs on it, and a step of any torch optimizer on its parameters raises a RuntimeError before it changes
    anything. Where parameters are written to in another way between two steps, as by `load_state_dict()`, the test
    leaves these as they are, puts back all else, and ends with a RestoreError: raised by the next step or by
    `close()`, or printed where the generator is only collected. Not noticed are updates by hand through `.data`,
    parameters that take the place of others, as with `load_state_dict(..., assign=True)`, and steps in a thread other
    than the main one while a step of the test is running.

    The following come back: the models and optimizers with all that they hold; the objects that `loss_fn` and
    `train_step` are methods of, likewise; `also_restore`; the random generators of Python, NumPy and torch; and the
    generators and the state of the user's own that the code of the test leads to. That is followed from all functions
    (also hooks, `collate_fn`, `stop`, `schedule` and `autocast`), loaders, samplers, datasets and transforms, by
    closures, defaults, the globals that functions name, attributes, and the methods of classes. Left out are the data:
    the contents of datasets, tensors and arrays that only a function names if they are larger than 16 MiB and than
    every trained one, and its containers of more than 1,000 members; iterators; and objects of installed packages that
    are no part of a training, such as a progress bar. Notes of the user's stay: the numbers and texts that a function
    writes into variables, lists and dicts, and what it adds to these, as in `calls += 1` and `losses.append(...)`. The
    attributes of objects come back. Of `stop`, which only looks on, nothing comes back but random generators.

    Args:
        model: module, or list or mapping of modules for a `train_step` that uses several. An eval-mode model is put
            into train mode for the test; submodules frozen in eval mode inside a train-mode model stay so.
        optimizer: optimizer, or list of optimizers that are stepped together, or what `configure_optimizers` of
            Lightning returns: its schedulers are not stepped, but put back. LBFGS gets a closure over the step's
            batches, and so does any whose `step` requires one. Those with a `train()` and an `eval()` of their own, as
            schedule-free ones have them, are put into train mode, without their warm-up, and for `val_data` into eval
            mode.
        loss_fn: `loss_fn(output, targets)` → scalar loss; None with `train_step`, or with mapping batches whose
            model answers with a `.loss`.
        train_data: DataLoader, Dataset, tuple of two tensors (inputs, targets), or any iterable of batches; starts over
            when it ends, except a one-shot iterator, which ends the test.
        **options: {keywords}
        groups: "together" for all param groups, as `group_lrs` says; or the index of one, which gets the swept rate
            alone. The others are then trained at the rate that they have in the optimizer; where a warm-up has left all
            its rates at 0, at the scheduler's `initial_lr`.

    Returns:
        A generator of records whose return value is the stop reason, and a context manager that closes it.

    Raises:
        ValueError, TypeError: an argument is wrong, or, with the first record, the data or the loss is; the message has
            the value and the remedy.
        RuntimeError: with the first record, where another range test is running on this model; inside
            `torch.inference_mode()`.
        RestoreError: something could not be put back; the rest was. Where the test has ended in an exception of the
            user's, that one is raised, with a note that says so.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> data = [(torch.ones(4, 2), torch.ones(4, 1))]
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with iter_range_test(model, optimizer, torch.nn.functional.mse_loss, data) as test:
    ...     for record in test:
    ...         if record.lr > 0.01:
    ...             break
    >>> record.step
    63
    """
    refuse_unknown("iter_range_test", options, signature(iter_range_test).parameters)
    return OpenRangeTest(run_sweep(make_plan(model, optimizer, loss_fn, train_data, groups=groups, **options)))


@overload
def range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: int | Literal["together"] = "together",
    repeats: int = 1,
    progress: bool = True,
    **options: Unpack[Keywords],
) -> LRRecords: ...


@overload
def range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: Literal["each"],
    repeats: int = 1,
    progress: bool = True,
    **options: Unpack[Keywords],
) -> tuple[LRRecords, ...]: ...


@spelled_out(last=("groups", "repeats", "seed", "progress"))
def range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: int | Literal["together", "each"] = "together",
    repeats: int = 1,
    progress: bool = True,
    **options: Unpack[Keywords],
) -> LRRecords | tuple[LRRecords, ...]:
    """Run a range test and return its records; the model and all else are bit for bit untouched afterwards.

    In several processes, call it on every rank: all of them get the same records.

    Args:
        model, optimizer, loss_fn, train_data: as for `iter_range_test`.
        groups: as for `iter_range_test`; or "each" for a test of every param group, one after another. A rate is for
            the others as they are: where the ones found are far from those, set them and test again.
        repeats: number of sweeps, each from the same starting state with the data in another order; they use the seeds
            `seed`, `seed + 1` …
        progress: show a tqdm bar.
        **options: {keywords}

    Returns:
        The records; with `groups="each"` a tuple of them, one for each param group, over all optimizers in their order.
        Ctrl-C ends the test early with the records so far and the stop reason "interrupted", and leaves out the groups
        that have not begun; before the first step it is raised.

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
    first = 0 if groups == "each" else groups
    plan = make_plan(model, optimizer, loss_fn, train_data, groups=first, **options)
    test = EachGroup(plan, repeats) if groups == "each" else RangeTest(plan, repeats)
    return test.records(run_to_end(test, progress=progress))


def run_to_end(test: RangeTest | EachGroup, *, progress: bool) -> str:
    """Take all steps of a range test, with a tqdm bar if wanted, and return the stop reason."""
    return drain_in_bar(test.steps(), "range test", test.num_steps, enabled=progress)


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
            plan = replace(self.plan, seed=_repeat_seed(self.plan.seed, repeat))
            steps = run_sweep(plan, {"test": "range_test", "repeats": self.repeats})
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
        asked = {
            **self.plan.sweep.as_recorded(),
            **self.plan.horizon.as_recorded(),
            "group": self.plan.set_rate.group,
        }
        records = [
            LRRecords.from_steps(steps, stop_reason=reason, **asked)
            for steps, reason in zip(sweeps, reasons, strict=False)
        ]
        joined = LRRecords.from_repeats(records)
        return joined if len(self._reasons) == self.repeats else replace(joined, stop_reason=stop_reason)


class EachGroup:
    """The range tests of all param groups, each for one alone and from the same state, and their records so far.

    Args:
        plan: of one of them; the others' differ in the group alone.
        repeats: number of sweeps for each group.

    Attributes:
        tests: one a group.

    Raises:
        ValueError, TypeError: `repeats` is no count, the data cannot start over, or a group has nothing to train.
    """

    def __init__(self, plan: Plan, repeats: int = 1) -> None:
        self.tests = [RangeTest(one, repeats) for one in plan.of_each_group()]

    @property
    def num_steps(self) -> int:
        """The steps of all tests together, if none ends early."""
        return sum(test.num_steps for test in self.tests)

    def steps(self) -> Steps:
        """Yield the steps of all tests and return the last one's stop reason; to be called once."""
        reason = ""
        for test in self.tests:
            reason = yield from test.steps()
        return reason

    def records(self, stop_reason: str) -> tuple[LRRecords, ...]:
        """Return the records of each test that has begun.

        Args:
            stop_reason: why the unfinished test was cut short.
        """
        return tuple(test.records(stop_reason) for test in self.tests if any(test.sweeps))


def _repeat_seed(seed: int | None, repeat: int) -> int | None:
    """Return the seed of a repeat, counted from 0; the first one without a seed is not seeded at all.

    In several processes the repeats have the same seeds, as one that is given.
    """
    if repeat == 0:
        return seed
    return ((of_first_rank(torch.initial_seed()) if seed is None else seed) + repeat) % 2**63
