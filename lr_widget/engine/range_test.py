"""The range test as users call it: `iter_range_test`, a generator of records, and `range_test`, which collects them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ..checks import at_least_one, checked_device, checked_seed, checked_stop, refuse_inference_mode, stateful
from ..results.records import LRRecords, StepRecord
from ..schedule import Schedule, make_schedule
from ..training.batches import Batches, takes_options
from ..training.rates import RateSetter
from ..training.training_step import Training
from .divergence import DEFAULT_DIVERGE_FACTOR, Divergence
from .progress import drain, keep, progress_bar
from .sweep import Plan, Sweep, run_sweep

__all__ = ["Sweep", "iter_range_test", "range_test", "repeat_seed"]


def iter_range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_steps: int = 100,
    schedule: str | Schedule = "exponential",
    train_step: Callable[[Any, Any], torch.Tensor] | None = None,
    val_data: Any = None,
    val_every: int = 5,
    dataloader_options: Mapping[str, Any] | None = None,
    device: torch.device | str | None = None,
    accumulation_steps: int = 1,
    autocast: Any = None,
    grad_scaler: Any = None,
    max_grad_norm: float | None = None,
    group_lrs: str = "ratio",
    also_restore: Iterable[Any] = (),
    diverge_factor: float | None = DEFAULT_DIVERGE_FACTOR,
    stop: Callable[[StepRecord], bool] | None = None,
    seed: int | None = None,
    snapshot_device: torch.device | str | None = None,
) -> Sweep:
    """Run a range test step by step: a generator of `StepRecord`, one an optimizer step.

    The arguments are checked at once; nothing is changed before the first record is asked for. When the generator
    ends, for whatever reason, the model, the optimizer, the random generators and everything else it touched are bit
    for bit what they were. To stop it, close it; to pause it, do not ask for the next record. Meanwhile, no other test
    runs on the same model.

    What comes back: the models and optimizers with all that their attributes hold; the objects that ``loss_fn`` and
    ``train_step`` are methods of, likewise; the modules and optimizers that these functions refer to, in their closure
    or as globals; the loaders, samplers and datasets, their generators and those of what collates and transforms, but
    not the data; the random generators of Python, NumPy and torch; and ``also_restore``.

    Args:
        model: module, or list or mapping of modules for a ``train_step`` that uses several. An eval-mode model is put
            into train mode for the test; submodules frozen in eval mode inside a train-mode model stay so.
        optimizer: optimizer, or list of optimizers that are stepped together. LBFGS gets a closure over the step's
            batches, and so does one whose ``step`` requires a closure.
        loss_fn: ``loss_fn(output, targets)`` → scalar loss; None with ``train_step``, or with mapping batches whose
            model answers with a ``.loss``.
        train_data: DataLoader, Dataset, tuple of two tensors (inputs, targets), or any iterable of batches; starts over
            when it ends, except a one-shot iterator, which ends the test.
        start_lr, end_lr, num_steps, schedule: the sweep; see `lr_widget.schedule`. A schedule may also be a function of
            the step 1 … ``num_steps`` that gives its rate; then the bounds do not count.
        train_step: ``train_step(model, batch)`` → scalar loss, in place of ``loss_fn``. With several optimizers it may
            return a list of losses, one for each in their order: each then gives gradients to the parameters of its own
            optimizer alone, as a generator and a critic want it, and their sum is on record.
        val_data: in the forms of ``train_data``; its loss is recorded every ``val_every`` steps, under no_grad and in
            eval mode: the mean over the batches, each counting the same, a smaller last one, too.
        val_every: steps between two evaluations of ``val_data``.
        dataloader_options: keywords for the DataLoader made for a Dataset or tensors, e.g. ``{"batch_size": 64}``.
        device: where batches are moved; None for the model's own device, if it is on one.
        accumulation_steps: batches per optimizer step; the loss on record is their mean.
        autocast: a dtype such as ``torch.bfloat16``, a context such as ``torch.autocast(...)``, or True.
        grad_scaler: a ``torch.amp.GradScaler``; steps that it skips are marked in the records.
        max_grad_norm: clip the total norm of the gradients to this.
        group_lrs: "ratio" keeps the proportions of the param groups, with the swept rate on the first; "equal" gives
            the swept rate to all.
        also_restore: more objects to put back, with ``state_dict()`` and ``load_state_dict()``: schedulers, averaged
            models, stateful loaders and samplers.
        diverge_factor: how far the loss may climb; see `lr_widget.divergence.Divergence`. None for never.
        stop: called with each record; a true answer ends the test as "stopped".
        seed: seeds Python, NumPy, torch and the loader's generators for the test, which makes two tests identical.
        snapshot_device: where the copy of the state is kept, e.g. "cpu" for a model that fills the accelerator; None
            for beside the original.

    Returns:
        A generator of records whose return value is the stop reason.

    Raises:
        ValueError, TypeError: an argument is wrong, or, with the first record, the data or the loss is; the message has
            the value and the remedy.
        RuntimeError: with the first record, where another range test is running on this model; inside
            ``torch.inference_mode()``.
        RestoreError: something could not be put back; the rest was. Where the test has ended in an exception of the
            user's, that one is raised, with a note that says so.
    """
    refuse_inference_mode()
    training = Training(
        model,
        optimizer,
        loss_fn,
        train_step=train_step,
        device=device,
        autocast=autocast,
        grad_scaler=grad_scaler,
        max_grad_norm=max_grad_norm,
    )
    plan = Plan(
        training=training,
        train=Batches(train_data, dataloader_options, "train_data"),
        val=_val_batches(val_data, dataloader_options),
        val_every=at_least_one("val_every", val_every),
        schedule=make_schedule(schedule, start_lr, end_lr, num_steps),
        num_steps=int(num_steps),
        set_rate=RateSetter(training.optimizers, group_lrs),
        accumulation_steps=at_least_one("accumulation_steps", accumulation_steps),
        stateful=stateful(also_restore, grad_scaler),
        has_diverged=Divergence(diverge_factor, num_steps),
        stop=checked_stop(stop),
        seed=checked_seed(seed),
        snapshot_device=checked_device("snapshot_device", snapshot_device),
    )
    return run_sweep(plan)


def range_test(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    repeats: int = 1,
    seed: int | None = None,
    progress: bool = True,
    **options: Any,
) -> LRRecords:
    """Run a range test and return its records; the model and all else are bit for bit untouched afterwards.

    The arguments are those of `iter_range_test`, and besides:

    Args:
        repeats: number of sweeps, each from the same starting state with the data in another order.
        seed: as there; the repeats use ``seed``, ``seed + 1`` …
        progress: show a tqdm bar.

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
    test = RangeTest(model, optimizer, loss_fn, train_data, repeats=repeats, seed=seed, **options)
    with progress_bar("range test", test.num_steps, enabled=progress) as show:
        stop_reason = drain(test.steps(), show)
    return test.records(stop_reason)


class RangeTest:
    """Sweeps of one schedule, one after another, driven from outside, and their records so far.

    ``sweeps`` has the steps of each, ``bounds`` the start and the end rate. The arguments are those of `range_test`,
    and so are the errors, which the first step may raise, too.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Callable[..., Any] | None,
        train_data: Any,
        *,
        repeats: int = 1,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        self.repeats = at_least_one("repeats", repeats)
        if repeats > 1:
            Batches(train_data, options.get("dataloader_options")).refuse_one_shot("repeats start over")
        options["also_restore"] = stateful(options.get("also_restore", ()), None)
        self._make_sweep = partial(iter_range_test, model, optimizer, loss_fn, train_data, **options)
        self._make_sweep(seed=seed).close()  # checks everything, changes nothing
        self._seed = checked_seed(seed)
        names = ("start_lr", "end_lr", "num_steps", "schedule")
        self._asked = {name: options.get(name, _SWEEP_PARAMETERS[name].default) for name in names}
        self._num_steps = int(self._asked["num_steps"])
        self.bounds = (float(self._asked["start_lr"]), float(self._asked["end_lr"]))
        self._asked |= {"start_lr": self.bounds[0], "end_lr": self.bounds[1], "num_steps": self._num_steps}
        if callable(self._asked["schedule"]):
            self._asked |= {"schedule": "custom", "start_lr": None, "end_lr": None}
        self.sweeps: list[list[StepRecord]] = []
        self._reasons: list[str] = []

    @property
    def num_steps(self) -> int:
        """The steps of all sweeps together, if none ends early."""
        return self._num_steps * self.repeats

    def steps(self) -> Sweep:
        """Yield the steps of all sweeps and return the last one's stop reason; to be called once."""
        for repeat in range(self.repeats):
            sweep = self._make_sweep(seed=repeat_seed(self._seed, repeat))
            self.sweeps.append([])
            self._reasons.append((yield from keep(sweep, self.sweeps[-1])))
        return self._reasons[-1]

    def records(self, stop_reason: str) -> LRRecords:
        """Return what was recorded so far.

        Args:
            stop_reason: why the sweep that has not ended by itself was cut short. It is left out where others ended,
                but they are then fewer than were asked for, and this is why.
        """
        sweeps = self.sweeps[: len(self._reasons)] or self.sweeps or [[]]
        reasons = [*self._reasons, stop_reason]
        records = [
            LRRecords.from_steps(steps, stop_reason=reason, **self._asked)
            for steps, reason in zip(sweeps, reasons, strict=False)
        ]
        joined = LRRecords.from_repeats(records)
        return joined if len(self._reasons) == self.repeats else replace(joined, stop_reason=stop_reason)


def repeat_seed(seed: int | None, repeat: int) -> int | None:
    """Return the seed of the repeat number ``repeat`` from 0; the first one without a seed is not seeded at all."""
    if repeat == 0:
        return seed
    return ((torch.initial_seed() if seed is None else seed) + repeat) % 2**63


# The keywords in full for help(), completion and Shift-Tab, in one place only.
_SWEEP_PARAMETERS = inspect.signature(iter_range_test).parameters
range_test.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *(p for name, p in _SWEEP_PARAMETERS.items() if name != "seed"),
        *(p for name, p in inspect.signature(range_test).parameters.items() if name in ("repeats", "seed", "progress")),
    ],
    return_annotation="LRRecords",
)


def _val_batches(val_data: Any, dataloader_options: Mapping[str, Any] | None) -> Batches | None:
    if val_data is None:
        return None
    batches = Batches(val_data, dataloader_options if takes_options(val_data) else None, "val_data")
    batches.refuse_one_shot("it is evaluated several times")
    return batches
