"""The modules and trainers that a test cannot follow, and those whose updates it must leave to Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...checks import describe
from ...distributed import is_alone
from ...engine import refuse_unknown
from ..adapted import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

# Hooks with a part in the update: where a module has one of its own, Lightning's loop makes the update.
_UPDATING = (
    "backward",
    "configure_gradient_clipping",
    "on_after_backward",
    "on_before_backward",
    "on_before_optimizer_step",
    "on_before_zero_grad",
    "optimizer_step",
    "optimizer_zero_grad",
)
_NAMES_OF_DATA = (
    "dataloader",
    "datamodule",
    "loader",
    "train_data",
    "train_dataloader",
    "train_dataloaders",
    "train_loader",
)
_SHARDING = ("FSDP", "DeepSpeed", "ModelParallel", "XLA")  # beginnings of the strategies' names
_PRECISIONS = ("Precision", "MixedPrecision", "HalfPrecision", "DoublePrecision")


def own_updates(library: ModuleType, module: Any, trainer: Any) -> list[str]:
    """Name the causes that a module makes its updates in its own way; none where it is backward, clip by norm, step.

    Args:
        library: the package of Lightning.
        module: the LightningModule.
        trainer: the user's, or None.
    """
    if not module.automatic_optimization:
        return ["manual optimization"]
    names = [name for name in _UPDATING if is_overridden(library, module, name)]
    clips = getattr(trainer, "gradient_clip_val", None) and _algorithm(trainer) != "norm"
    return names + (["clipping by value"] if clips else [])


def is_overridden(library: ModuleType, module: Any, name: str) -> bool:
    """Return True where the module's class has a method of its own by this name."""
    return getattr(type(module), name) is not getattr(library.LightningModule, name)


def clipped_norm(trainer: Any) -> float | None:
    """Return the norm that gradients are clipped to, or None."""
    value = getattr(trainer, "gradient_clip_val", None)
    return float(value) if value and _algorithm(trainer) == "norm" else None


def _algorithm(trainer: Any) -> str:
    kind = getattr(trainer, "gradient_clip_algorithm", None)
    return str(getattr(kind, "value", kind) or "norm")


def refuse_names(keywords: Iterable[str]) -> None:
    """Refuse keywords that are neither the adapter's nor those of `range_test`.

    Raises:
        TypeError: the message has the name that is meant.
    """
    for name in keywords:
        if name in _NAMES_OF_DATA:
            raise TypeError(f"adapters.lightning got an unexpected keyword argument {name!r}; did you mean data=…?")
    refuse_unknown("adapters.lightning", keywords, (*KEYWORDS, "data", "module", "rate_name", "trainer"))


def refuse_module(module: Any, updates: list[str], keywords: dict[str, Any]) -> None:
    """Refuse a module whose steps a test cannot follow.

    Raises:
        ValueError: the message says what to do.
    """
    name = type(module).__name__
    if "dataloader_iter" in type(module).training_step.__code__.co_varnames[:3]:
        raise ValueError(
            f"training_step of {name} takes a dataloader_iter, but a range test draws the batches itself; let it take "
            "batch and batch_idx"
        )
    if updates and not is_alone():
        raise ValueError(
            f"{name} makes its updates in its own way ({' and '.join(updates)}), which a range test can follow in one "
            "process only; find its rate on one device, with as many samples in a batch as all devices have together"
        )
    if not module.automatic_optimization and keywords.get("val_data") is not None and not keywords.get("val_step"):
        raise ValueError(
            f"val_data needs a val_step=callable(model, batch) -> loss for {name}, as its training_step makes updates; "
            "give one, or leave val_data out"
        )


def refuse_as_data(library: ModuleType, data: Any) -> None:
    """Refuse a trainer or the other package's data module in the place of data.

    Raises:
        TypeError: the message says what to do.
    """
    kinds = [base.__name__ for base in type(data).__mro__]
    if "Trainer" in kinds:
        raise TypeError("data must be a loader or a LightningDataModule, got a Trainer; give it as trainer=…")
    if "LightningDataModule" in kinds:
        raise TypeError(_other_package("data must be a LightningDataModule", library, data))


def _other_package(rule: str, library: ModuleType, thing: Any) -> str:
    return (
        f"{rule} of {library.__name__}, as the module is one, got one of {type(thing).__module__}; import "
        "all of Lightning from one package"
    )


def refuse_trainer(library: ModuleType, trainer: Any) -> None:
    """Refuse a trainer whose training a test cannot follow.

    Raises:
        TypeError, ValueError: the message says what to do.
    """
    if not isinstance(trainer, library.Trainer):
        if type(trainer).__name__ == "Trainer" and "lightning" in type(trainer).__module__:
            raise TypeError(_other_package("trainer must be a Trainer", library, trainer))
        raise TypeError(f"trainer must be a Trainer or None, got {describe(trainer)}; give the one that will fit")
    strategy = type(trainer.strategy).__name__
    if strategy.startswith(_SHARDING):
        raise ValueError(
            f"this Trainer hands the module to {strategy}, which shards or rebuilds it in fit; give a Trainer without "
            "this strategy for the test, on a model that fits one device"
        )
    if not is_alone() and getattr(trainer.strategy, "_layer_sync", None) is not None:
        raise ValueError(
            "sync_batchnorm=True makes fit replace layers of the module; replace them first with "
            "torch.nn.SyncBatchNorm.convert_sync_batchnorm(module), and leave sync_batchnorm out"
        )
    if trainer.overfit_batches:
        raise ValueError(
            f"overfit_batches={trainer.overfit_batches} makes fit replace the sampler to repeat a few batches, but a "
            "range test takes all; give a Trainer without it, and a loader of these batches"
        )
    for callback in trainer.callbacks:
        kinds = [base.__name__ for base in type(callback).__mro__]
        if "BaseFinetuning" in kinds:
            raise ValueError(
                f"{kinds[0]} freezes a part of the module when fit starts, but a range test calls no callbacks; freeze "
                "it with requires_grad_(False) before the test, and give a Trainer without this callback"
            )
        if "GradientAccumulationScheduler" in kinds and len(callback.scheduling) > 1:
            raise ValueError(
                "GradientAccumulationScheduler changes the accumulation from epoch to epoch, but a range test has one; "
                "give a Trainer with accumulate_grad_batches for the epoch that the rate is for"
            )


def refuse_no_optimizer(optimizers: list[Any]) -> None:
    """Refuse the stand-in that Lightning takes where a module returns no optimizer.

    Raises:
        ValueError: the message says what to do.
    """
    if any(type(optimizer).__name__ == "_MockOptimizer" for optimizer in optimizers):
        raise ValueError(
            "configure_optimizers must return an optimizer, got None, with which fit trains nothing; add one"
        )


def refuse_precision(plugin: Any, module: nn.Module) -> None:
    """Refuse a precision that lets `fit` convert the module, as the bits of its weights would not come back.

    Raises:
        ValueError: the message says what to do.
    """
    name = type(plugin).__name__
    if name not in _PRECISIONS:
        raise ValueError(
            f"{name} replaces layers of the module in fit, which a range test cannot undo; give a Trainer with "
            'precision="bf16-mixed" for the test'
        )
    dtype = {"HalfPrecision": getattr(plugin, "_desired_input_dtype", None), "DoublePrecision": torch.float64}.get(name)
    others = [t.dtype for t in (*module.parameters(), *module.buffers()) if t.is_floating_point() and t.dtype != dtype]
    if dtype is not None and others:
        raise ValueError(
            f"precision {plugin.precision!r} needs a module of {dtype}, got {others[0]}, and a range test leaves its "
            f"weights as they are; convert it first with module.to({dtype}), as fit would"
        )


def unlike_module(module: Any) -> TypeError:
    """Make the error for a thing that is no LightningModule."""
    inside = getattr(module, "_orig_mod", None)
    if inside is not None:
        return TypeError(
            f"module must be a LightningModule itself, got {type(inside).__name__} compiled; give the module that was "
            "compiled, as compiling does not change the curve"
        )
    return TypeError(
        f"module must be a LightningModule, got {describe(module)}; for a torch.nn.Module call range_test with its "
        "optimizer and loss"
    )
