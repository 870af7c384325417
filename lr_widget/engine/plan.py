"""The checked arguments of a job, one plan shared by all its sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from ..checks import check_count, check_seed, describe
from ..restore import Snapshot, generators_of, sources_of
from ..schedule import Sweep
from ..training import Batches, RateSetter, Training, checked_device, takes_options
from .divergence import check_diverge_factor
from .keywords import DEFAULTS, Keywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..results import StepRecord


@dataclass(frozen=True)
class Plan:
    """A range test that is ready to run, its arguments checked; `dataclasses.replace` makes the next sweep's plan."""

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

    @cached_property
    def sources(self) -> list[Any]:
        """The loaders, and the samplers, datasets and transforms that they draw from."""
        loaders = [self.train.loader, *([self.val.loader] if self.val is not None else [])]
        return [source for loader in loaders for source in sources_of(loader)]

    @cached_property
    def generators(self) -> list[Any]:
        """The random generators of the sources."""
        return generators_of(self.sources)

    def snapshot(self) -> Snapshot:
        """Copy the state of everything that the test may touch."""
        train = self.training
        trained = (train.modules, train.optimizers, self.also_restore)
        return Snapshot(*trained, self.sources, train.functions, self.snapshot_device)

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
    **options: Unpack[Keywords],
) -> Plan:
    """Check the arguments of a range test and return its plan; nothing is changed.

    Args:
        model, optimizer, loss_fn, train_data, **options: as for `lr_widget.iter_range_test`.

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
        device=given["device"],
        autocast=given["autocast"],
        grad_scaler=given["grad_scaler"],
        max_grad_norm=given["max_grad_norm"],
    )
    return Plan(
        training=training,
        train=Batches(train_data, given["dataloader_options"], "train_data"),
        val=_val_batches(given["val_data"], given["dataloader_options"]),
        val_every=check_count("val_every", given["val_every"], usual=5),
        sweep=Sweep(given["start_lr"], given["end_lr"], given["num_steps"], given["schedule"]),
        set_rate=RateSetter(training.optimizers, given["group_lrs"]),
        accumulation_steps=check_count("accumulation_steps", given["accumulation_steps"]),
        also_restore=restorable(given["also_restore"], given["grad_scaler"]),
        diverge_factor=check_diverge_factor(given["diverge_factor"]),
        stop=_check_stop(given["stop"]),
        seed=check_seed(given["seed"]),
        snapshot_device=checked_device("snapshot_device", given["snapshot_device"]),
    )


def refuse_inference_mode() -> None:
    """Raise a RuntimeError where torch can compute no gradients at all."""
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "a range test trains, which torch.inference_mode() rules out; run it outside of that block "
            "(torch.no_grad() does no harm)"
        )


def restorable(also_restore: Any, grad_scaler: Any = None) -> list[Any]:
    """List the objects to put back by their `state_dict()`, the scaler among them; an iterator serves only once.

    Raises:
        TypeError: an object lacks `state_dict()` or `load_state_dict()`.
    """
    if hasattr(also_restore, "load_state_dict"):
        also_restore = (also_restore,)  # one alone; walking over an nn.Sequential would give its layers
    rule = "also_restore takes objects with state_dict() and load_state_dict()"
    if not isinstance(also_restore, Iterable):
        raise TypeError(f"{rule}, got {describe(also_restore)}; leave it out where there are none")
    things = [*also_restore, *([grad_scaler] if grad_scaler is not None else [])]
    for thing in things:
        if not (hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")):
            raise TypeError(f"{rule}, got {thing!r:.80}; what the model and the train_step hold comes back without it")
    return things


def _check_stop(stop: Any) -> Any:
    if stop is not None and not callable(stop):
        raise TypeError(f"stop must be a function of a record or None, got {describe(stop)}; see StepRecord")
    return stop


def _val_batches(val_data: Any, dataloader_options: Mapping[str, Any] | None) -> Batches | None:
    if val_data is None:
        return None
    batches = Batches(val_data, dataloader_options if takes_options(val_data) else None, "val_data")
    batches.refuse_one_shot("it is evaluated several times")
    return batches
