"""The modules and trainers that a test cannot follow, and those whose updates it must leave to Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...checks import describe
from ...distributed import is_alone
from ...engine import refuse_unknown
from ...training import optimized_by
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


def updates_by_optimizers(module: Any, trainer: Any, optimizers: Iterable[Any]) -> list[str]:
    """Name the causes for Lightning's updates that are known once there are optimizers.

    Args:
        module: the LightningModule, which optimizes automatically or has a cause already.
        trainer: the user's, or None.
        optimizers: those of `configure_optimizers`.
    """
    if not module.automatic_optimization:
        return []
    optimized = {id(p) for optimizer in optimizers for p in optimized_by(optimizer)}
    is_part = any(p.requires_grad and id(p) not in optimized for p in module.parameters())
    names = ["clipping for a part of its parameters"] if is_part and clipped_norm(trainer) is not None else []
    return names + [f"the closure of {type(each).__name__}" for each in optimizers if _may_call_again(each)]


def _may_call_again(optimizer: Any) -> bool:
    """Tell an optimizer that may call the closure, which Lightning hands to all of them, more than once.

    Any one from elsewhere than torch may, but in several processes most would be refused for nothing.
    """
    is_foreign = not type(optimizer).step.__module__.startswith("torch.")
    return isinstance(optimizer, torch.optim.LBFGS) or (is_foreign and is_alone())


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


def refuse_module(module: Any, keywords: dict[str, Any]) -> None:
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
    if not module.automatic_optimization and keywords.get("val_data") is not None and not keywords.get("val_step"):
        raise ValueError(
            f"val_data needs a val_step=callable(model, batch) -> loss for {name}, as its training_step makes updates; "
            "give one, or leave val_data out"
        )


def refuse_updates(module: Any, updates: list[str]) -> None:
    """Refuse updates of Lightning's in several processes.

    Raises:
        ValueError: the message says what to do.
    """
    if updates and not is_alone():
        raise ValueError(
            f"{type(module).__name__} makes its updates in its own way ({' and '.join(updates)}), which a range test "
            "can follow in one process only; find its rate on one device, with as many samples in a batch as all "
            "devices have together"
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


def refuse_callbacks(library: ModuleType, callbacks: Iterable[Any]) -> None:
    """Refuse callbacks that change a training so that a test cannot follow.

    Raises:
        ValueError: the message says what to do.
    """
    for callback in callbacks:
        kinds = [base.__name__ for base in type(callback).__mro__]
        if name := _own_hook(library, callback):
            raise ValueError(
                f"{kinds[0]} has a part in the update by {name}, but a range test calls no callbacks; do the same in "
                f"{name} of the module, or leave this callback out for the test"
            )
        if "ModelPruning" in kinds:
            raise ValueError(
                f"{kinds[0]} rewrites parameters in fit, but a range test calls no callbacks; prune the module before "
                "the test, and leave this callback out for it"
            )
        if "BaseFinetuning" in kinds:
            raise ValueError(
                f"{kinds[0]} freezes a part of the module when fit starts, but a range test calls no callbacks; freeze "
                "it with requires_grad_(False) before the test, and leave this callback out for it"
            )
        if "GradientAccumulationScheduler" in kinds and len(callback.scheduling) > 1:
            raise ValueError(
                "GradientAccumulationScheduler changes the accumulation from epoch to epoch, but a range test has one; "
                "give a Trainer with accumulate_grad_batches for the epoch that the rate is for"
            )


def _own_hook(library: ModuleType, callback: Any) -> str | None:
    """Return the name of a hook with a part in the update that a callback has from elsewhere than Lightning."""
    package = library.__name__.partition(".")[0]
    for name in (each for each in _UPDATING if hasattr(library.Callback, each)):
        hook = vars(callback).get(name, getattr(type(callback), name))  # LambdaCallback keeps them as attributes
        if str(hook.__module__).partition(".")[0] != package:
            return name
    return None


def accumulation_of(callbacks: Iterable[Any]) -> int | None:
    """Return the accumulation that a callback schedules for all epochs; None without such a callback."""
    kind = "GradientAccumulationScheduler"
    found = [each.scheduling[0] for each in callbacks if kind in [base.__name__ for base in type(each).__mro__]]
    return int(found[-1]) if found else None


def refuse_options(limit: float, data: Any, options: Any) -> None:
    """Refuse options for the loader of a dataset where a limit of batches needs one that is made already.

    Raises:
        ValueError: the message says what to do.
    """
    if options:
        raise ValueError(
            f"limit_train_batches={limit} needs data without dataloader_options, got {type(data).__name__} with them; "
            "give a DataLoader with these options"
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
