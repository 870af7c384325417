"""The checked arguments of a job, one plan shared by all its sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch

from ..checks import check_count, check_seed, describe
from ..distributed import is_alone, join
from ..errors import add_note
from ..horizon import Horizon
from ..restore import GENERATORS, Snapshot
from ..schedule import Sweep, rate_text
from ..training import Batches, RateSetter, Training, checked_device, takes_options
from .divergence import check_diverge_factor
from .keywords import DEFAULTS, Keywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..distributed import Ranks
    from ..results import StepRecord
    from ..schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """A range test that is ready to run, its arguments checked; `dataclasses.replace` makes the next sweep's plan.

    Attributes:
        horizon: the training that the rate is for.
        generators: the random generators that the last snapshot has found.
    """

    training: Training
    train: Batches
    val: Batches | None
    val_every: int
    sweep: Sweep
    set_rate: RateSetter
    accumulation_steps: int
    also_restore: Sequence[Any]
    diverge_factor: float | None
    stop: Callable[[StepRecord], bool] | None
    seed: int | None
    snapshot_device: torch.device | None
    horizon: Horizon
    generators: list[Any] = field(default_factory=list, init=False, repr=False)

    def snapshot(self) -> Snapshot:
        """Copy the state of everything that the test may touch, and list the random generators."""
        train = self.training
        loaders = [self.train.loader, *([self.val.loader] if self.val is not None else [])]
        trained = (train.modules, train.optimizers, self.also_restore)
        snapshot = Snapshot(
            *trained,
            loaders,
            train.functions,
            self.snapshot_device,
            called=[self.sweep.schedule],
            observers=[self.stop],
            cleared=train.parameters,
        )
        self.generators[:] = snapshot.generators
        return snapshot

    def of_each_group(self) -> list[Plan]:
        """Return one plan a param group, for it alone; all of them start from the same state.

        Raises:
            TypeError: the data cannot start over.
            ValueError: a group has nothing to train.
        """
        setters = self.set_rate.of_each_group()
        if len(setters) > 1:
            self.train.refuse_one_shot("the test of each param group starts over")
        return [replace(self, set_rate=set_rate) for set_rate in setters]

    def holding(self, rates: Mapping[int, float]) -> Plan:
        """Return the plan of the same param group with these rates held for others: {index: rate}."""
        return replace(self, set_rate=self.set_rate.holding(rates))

    def note_step(self, error: BaseException, step: int, lr: float) -> None:
        """Add a note to an exception that says where in the test it came."""
        group = "" if self.set_rate.group is None else f" of param group {self.set_rate.group}"
        where = f"step {step} of {self.sweep.num_steps}, at learning rate {rate_text(lr)}{group}"
        add_note(error, f"while lr_widget was in {where}")

    def close(self) -> None:
        """Shut down the workers that the test started."""
        self.train.close()
        if self.val is not None:
            self.val.close()


def make_plan(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: int | str = "together",
    **options: Unpack[Keywords],
) -> Plan:
    """Check the arguments of a range test and return its plan; nothing is changed.

    Args:
        model, optimizer, loss_fn, train_data, groups, **options: as for `lr_widget.iter_range_test`.

    Raises:
        ValueError, TypeError: an argument is wrong; the message has the value and the remedy.
        RuntimeError: called inside `torch.inference_mode()`.
    """
    refuse_inference_mode()
    given: Keywords = {**DEFAULTS, **options}
    training = Training(
        model,
        optimizer,
        loss_fn,
        train_step=given["train_step"],
        val_step=given["val_step"],
        device=given["device"],
        autocast=given["autocast"],
        grad_scaler=given["grad_scaler"],
        max_grad_norm=given["max_grad_norm"],
    )
    return Plan(
        training=training,
        train=Batches(train_data, given["dataloader_options"], "train_data"),
        val=_val_batches(given["val_data"], given["dataloader_options"], given["val_step"]),
        val_every=check_count("val_every", given["val_every"], usual=5),
        sweep=_checked_sweep(given["start_lr"], given["end_lr"], given["num_steps"], given["schedule"]),
        set_rate=_rate_setter(training.optimizers, given["group_lrs"], groups),
        accumulation_steps=check_count("accumulation_steps", given["accumulation_steps"]),
        also_restore=[*restorable(given["also_restore"], given["grad_scaler"]), *training.schedulers],
        diverge_factor=check_diverge_factor(given["diverge_factor"]),
        stop=_check_stop(given["stop"]),
        seed=check_seed(given["seed"]),
        snapshot_device=checked_device("snapshot_device", given["snapshot_device"]),
        horizon=Horizon(given["train_steps"], given["train_schedule"]),
    )


def refuse_inference_mode() -> None:
    """Raise a RuntimeError where torch can compute no gradients at all."""
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "a range test trains, which torch.inference_mode() rules out; run it outside of that block "
            "(torch.no_grad() does no harm)"
        )


def restorable(also_restore: Any, grad_scaler: Any = None) -> list[Any]:
    """List the objects to put back, the scaler among them; an iterator serves only once.

    Raises:
        TypeError: an object lacks `state_dict()` or `load_state_dict()`, and is no random generator.
    """
    if hasattr(also_restore, "load_state_dict") or isinstance(also_restore, GENERATORS):
        also_restore = (also_restore,)  # one alone; walking over an nn.Sequential would give its layers
    rule = "also_restore takes objects with state_dict() and load_state_dict(), and random generators"
    if not isinstance(also_restore, Iterable):
        raise TypeError(f"{rule}, got {describe(also_restore)}; leave it out where there are none")
    things = [*also_restore, *([grad_scaler] if grad_scaler is not None else [])]
    for thing in things:
        if not (isinstance(thing, GENERATORS) or (hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"))):
            raise TypeError(f"{rule}, got {thing!r:.80}; what the model and the train_step hold comes back without it")
    return things


def _checked_sweep(start_lr: float, end_lr: float, num_steps: int, schedule: str | Schedule) -> Sweep:
    """Return the sweep, and undo the changes that a schedule of the user's makes when it is called for the check."""
    snapshot = Snapshot(called=[schedule]) if callable(schedule) else None
    try:
        return Sweep(start_lr, end_lr, num_steps, schedule)
    finally:
        if snapshot is not None:
            snapshot.restore()


def _rate_setter(optimizers: Sequence[torch.optim.Optimizer], group_lrs: str, groups: int | str) -> RateSetter:
    if groups == "each":
        raise ValueError(
            "groups must be \"together\" or the index of a param group where there is one sweep, got 'each'; give one "
            "index after another, or call range_test"
        )
    if groups != "together" and group_lrs != DEFAULTS["group_lrs"]:
        raise ValueError(
            f"group_lrs must be left out where the param groups are not swept together, got {group_lrs!r}; "
            "leave it or groups out"
        )
    return RateSetter(optimizers, group_lrs, groups)


def _check_stop(stop: Any) -> Any:
    if stop is not None and not callable(stop):
        raise TypeError(f"stop must be a function of a record or None, got {describe(stop)}; see StepRecord")
    return stop


def _val_batches(val_data: Any, dataloader_options: Mapping[str, Any] | None, val_step: Any) -> Batches | None:
    if val_data is None:
        if val_step is not None:
            raise TypeError("val_step is for the batches of val_data; give val_data, too, or leave val_step out")
        return None
    batches = Batches(val_data, dataloader_options if takes_options(val_data) else None, "val_data")
    batches.refuse_one_shot("it is evaluated several times")
    return batches


def meet(plan: Plan, call: Mapping[str, Any]) -> Ranks | None:
    """Meet the other processes for a sweep; None in one process.

    Args:
        plan: of the sweep.
        call: "test", the name of the function that the user has called, and its keywords that the plan does not have.

    Raises:
        RuntimeError, ValueError: as `join`.
    """
    if is_alone():
        return None
    sweep = plan.sweep
    keywords = {
        **sweep.as_recorded(),
        **({"schedule": _digest(sweep)} if callable(sweep.schedule) else {}),
        "groups": plan.set_rate.words,
        "accumulation_steps": plan.accumulation_steps,
        "diverge_factor": plan.diverge_factor,
        "seed": plan.seed,
        "val_data": "none" if plan.val is None else "given",
        "val_every": plan.val_every,
        "train_steps": plan.horizon.steps,
        "train_schedule": plan.horizon.schedule,
    }
    return join({**call, **keywords}, plan.training.modules)


def _digest(sweep: Sweep) -> str:
    """Return a word for the rates of a schedule of the user's; to call it must leave no trace."""
    snapshot = Snapshot(called=[sweep.schedule])
    try:
        rates = [sweep.lr(step) for step in range(1, sweep.num_steps + 1)]
    finally:
        snapshot.restore()
    return f"a function with the rates {sha256(repr(rates).encode()).hexdigest()[:8]}"
