"""From a LightningModule, its data and its trainer to the keywords of `range_test`."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...restore import keep_rng
from ..adapted import Adapted, adapted, framework
from ..schedules import schedule_of
from .rate import PlaceOfRate
from .rules import (
    accumulation_of,
    clipped_norm,
    is_overridden,
    own_updates,
    refuse_as_data,
    refuse_callbacks,
    refuse_module,
    refuse_names,
    refuse_trainer,
    refuse_updates,
    unlike_module,
    updates_by_optimizers,
)
from .step import LightningStep
from .trainer import has_planned_end, own_trainer, processes_of, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def lightning(
    module: Any,
    data: Any = None,
    trainer: Any = None,
    *,
    rate_name: str | Sequence[str] | None = None,
    **keywords: Any,
) -> Adapted:
    """Make the keywords of a range test from a LightningModule, before `trainer.fit()`.

    The loss is that of `training_step`, of batches as the hooks for their transfer leave them; the optimizers are those
    of `configure_optimizers`. Precision, clipping, accumulation and the length of the training are those of the
    trainer. A module that optimizes manually and returns no loss has the sum of those that it gave to
    `manual_backward`. Where the module optimizes manually, or has a hook of its own with a part in the update, such as
    `optimizer_step` or `on_after_backward`, Lightning makes the updates, else `range_test` does. Lightning also makes
    them where an optimizer may call `training_step` again, as LBFGS and optimizers from elsewhere than torch, and where
    the norm of a part of the module's parameters is clipped.

    As `fit` would, this moves the module to the trainer's device and calls `configure_callbacks`, `prepare_data`,
    `setup("fit")` and `configure_model`. With the first step, `on_fit_start`, `on_train_start` and
    `on_train_epoch_start` of the module are called; all steps are of this epoch, and `global_step` grows. Loggers hear
    nothing, `self.log` does nothing, and the trainer itself is only read.

    Callbacks are not called. What one of yours freezes or changes when the training starts must be done before the
    test; one with a hook of its own around the backward pass or the optimizer's step is refused.

    Args:
        module: the `LightningModule`.
        data: a `LightningDataModule`; a loader, or several as `fit` takes them; or whatever else `range_test` takes;
            None for the module's own `train_dataloader`.
        trainer: the `Trainer` that will fit; None for one without special settings, on the module's device.
        rate_name: the attribute or hyperparameter that `configure_optimizers` takes its rate from, such as
            "hparams.optimizer.lr"; several where it has a rate for each optimizer or param group, whose proportions
            are kept; None for `lr` or `learning_rate` of the module or of its `hparams`.
        **keywords: those of `lr_widget.range_test`, in place of what Lightning says.

    Returns:
        The keywords; their `apply` sets that attribute, and makes sure that `configure_optimizers` takes it.

    Raises:
        ImportError: Lightning is not installed.
        TypeError: this is no LightningModule, or there is no data; or a keyword is none of `range_test`.
        ValueError: the module or the trainer works in a way that a test cannot follow; or there is no such rate.
    """
    refuse_names(keywords)
    library = _library_of(module)
    datamodule, given = _data(library, module, data)
    if trainer is not None:
        refuse_trainer(library, trainer)
    refuse_module(module, keywords)
    updates = own_updates(library, module, trainer)
    refuse_updates(module, updates)
    processes = processes_of(trainer)
    with keep_rng(), quiet():
        own = own_trainer(library, module, trainer)
        step = LightningStep(library, module, own, datamodule)
        callbacks = step.callbacks(getattr(trainer, "callbacks", []))
        refuse_callbacks(library, callbacks)
        own.accumulate_grad_batches = accumulation_of(callbacks) or own.accumulate_grad_batches
        num_batches = keywords.get("accumulation_steps") or own.accumulate_grad_batches * processes
        batches = step.set_up(library, given, keywords.get("dataloader_options"), num_batches)
    updates += updates_by_optimizers(module, trainer, own.optimizers)
    refuse_updates(module, updates)
    step.makes_update = bool(updates)
    found = _keywords(step, batches, trainer)
    if not updates:
        found |= {"grad_scaler": getattr(own.precision_plugin, "scaler", None), "max_grad_norm": clipped_norm(trainer)}
    if keywords.get("val_data") is not None:
        found["val_step"] = step.loss_of
    put = PlaceOfRate(module, rate_name, step.fresh_optimizers).put
    arguments = {"module": module, "data": data, "trainer": trainer, "rate_name": rate_name}
    return adapted(("lightning", arguments), found, keywords, put)


def _keywords(step: LightningStep, batches: Any, trainer: Any) -> dict[str, Any]:
    """Return the keywords that every module has."""
    own = step.trainer
    steps = own.estimated_stepping_batches if trainer is not None and has_planned_end(trainer) else math.inf
    if own.max_steps == steps and not step.module.automatic_optimization:
        steps = math.ceil(steps / len(own.optimizers))  # Lightning counts those of each optimizer
    num_steps = int(steps) if 0 < steps < math.inf else None
    configs = own.strategy.lr_scheduler_configs
    by_epoch = bool(configs) and step.module.automatic_optimization and configs[0].interval == "epoch"
    length = own.max_epochs if by_epoch and num_steps is not None else num_steps
    return {
        "model": own.strategy.model,
        "optimizer": [*own.strategy.optimizers],
        "loss_fn": None,
        "train_data": batches,
        "train_step": step,
        "device": own.strategy.root_device,
        "accumulation_steps": own.accumulate_grad_batches,
        "train_steps": num_steps,
        "train_schedule": schedule_of(configs[0].scheduler, length) if configs else "constant",
    }


def _library_of(module: Any) -> ModuleType:
    """Return the package that the module is from: lightning.pytorch, or pytorch_lightning.

    Raises:
        ImportError: neither is installed.
        TypeError: this is no LightningModule.
    """
    for base in type(module).__mro__:
        if base.__name__ == "LightningModule":
            top = base.__module__.partition(".")[0]
            return import_module("lightning.pytorch" if top == "lightning" else top)
    framework("lightning", "lightning")
    raise unlike_module(module)


def _data(library: ModuleType, module: Any, data: Any) -> tuple[Any, Any]:
    """Return the data module, or None, and the data, or None for that of either module.

    Raises:
        TypeError: there is none, or it is something else.
    """
    if isinstance(data, library.LightningDataModule):
        return data, None
    refuse_as_data(library, data)
    if data is None and not is_overridden(library, module, "train_dataloader"):
        raise TypeError(
            f"data is missing, and {type(module).__name__} has no train_dataloader of its own; give a loader or a "
            "LightningDataModule"
        )
    return None, data
