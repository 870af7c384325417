"""A loop of Hugging Face accelerate as keywords of `range_test`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..engine import restorable
from .adapted import Adapted, Held, adapted, framework
from .precision import half_precision
from .rates import put_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

_STEP_ELSEWHERE = ("DEEPSPEED", "MEGATRON_LM", "XLA")


def accelerate(
    accelerator: Any,
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    loader: Any,
    **keywords: Any,
) -> Adapted:
    """Make the keywords of a range test from the objects that an `Accelerator` works with.

    Precision, gradient scaling and accumulation are those of the accelerator. Clipping stands in your loop, so give
    `max_grad_norm` if you clip there. The accelerator's own state, such as its count of steps, comes back.

    Args:
        accelerator: the `Accelerator`.
        model, optimizer, loader: as `accelerator.prepare()` returns them; in one process also as it takes them, with
            the model on the accelerator's device. Several models or optimizers are lists, with a `train_step`.
        loss_fn: as for `lr_widget.range_test`; None where the model answers with a `.loss`.
        **keywords: those of `lr_widget.range_test`, in place of what the accelerator says. Give schedulers that
            `accelerator.prepare()` has not returned as `also_restore`.

    Returns:
        The keywords; their `apply` sets the optimizer's rates and those of the schedulers that step it.

    Raises:
        ImportError: accelerate is not installed.
        ValueError: the accelerator hands its steps to DeepSpeed, Megatron-LM or XLA; or model or loader are not
            prepared, and there are several processes or the model is on another device.
    """
    framework("accelerate", "accelerate")
    _refuse_steps_elsewhere(accelerator)
    models, optimizers = _listed(model), [unprepared(each) for each in _listed(optimizer)]
    is_prepared = all(_is_prepared(each, accelerator) for each in models)
    if not is_prepared:
        _refuse_unprepared(accelerator, models)
    if accelerator.num_processes > 1 and not type(loader).__module__.startswith("accelerate."):
        raise _unprepared("the loader gives every one of several processes the same batches")
    in_mixed_precision = partial(half_precision, models, accelerator.autocast)  # of the forward pass, not the loss
    found = {
        "model": model,
        "optimizer": optimizers if isinstance(optimizer, (list, tuple)) else optimizers[0],
        "loss_fn": loss_fn,
        "train_data": loader,
        "device": accelerator.device,
        "accumulation_steps": accelerator.gradient_accumulation_steps,
        "autocast": in_mixed_precision if accelerator.native_amp and not is_prepared else None,
        "grad_scaler": accelerator.scaler,
        "also_restore": [Held(accelerator)],
    }
    others = restorable(keywords.get("also_restore", ()))
    if others:
        keywords["also_restore"] = others  # an iterator serves only once
    given = {"accelerator": accelerator, "model": model, "optimizer": optimizer, "loss_fn": loss_fn, "loader": loader}
    return adapted(("accelerate", given), found, keywords, _Rate(accelerator, optimizers, others))


def unprepared(optimizer: Any) -> Any:
    """Return the torch optimizer inside a prepared one, whose `step` would wait for the accelerator's accumulation."""
    while type(optimizer).__name__ == "AcceleratedOptimizer":
        optimizer = optimizer.optimizer
    return optimizer


class _Rate:
    """The rate of optimizers and of the schedulers that step them.

    Args:
        accelerator: knows the schedulers that it has prepared; those of later, too.
        optimizers: of torch.
        others: objects that may be schedulers.
    """

    def __init__(self, accelerator: Any, optimizers: list[torch.optim.Optimizer], others: list[Any]) -> None:
        self._accelerator = accelerator
        self._optimizers = optimizers
        self._others = others

    def __call__(self, lr: float) -> list[str]:
        """Put the rate, and return the names of the places.

        Raises:
            ValueError: an optimizer has a scheduler that is not at hand, which would undo it.
        """
        known = [*self._accelerator._schedulers, *self._others]  # noqa: SLF001  # there is no public list
        schedulers = [getattr(each, "scheduler", each) for each in known]
        schedulers = [each for each in schedulers if self._is_stepped_by(each)]
        stepped = [unprepared(each.optimizer) for each in schedulers]
        for optimizer in self._optimizers:
            if "initial_lr" in optimizer.param_groups[0] and not any(optimizer is each for each in stepped):
                raise ValueError(
                    f"the {type(optimizer).__name__} has a scheduler that accelerator.prepare() has not returned, "
                    "which would set the old rate again; prepare it, or give it as also_restore=[scheduler]"
                )
        put_rate(self._optimizers, schedulers, lr)
        return ["optimizer", "the scheduler"] if schedulers else ["optimizer"]

    def _is_stepped_by(self, scheduler: Any) -> bool:
        inner = unprepared(getattr(scheduler, "optimizer", None))
        return inner is not None and any(inner is each for each in self._optimizers)


def _listed(given: Any) -> list[Any]:
    return [*given] if isinstance(given, (list, tuple)) else [given]


def _refuse_steps_elsewhere(accelerator: Any) -> None:
    kind = str(accelerator.distributed_type).rpartition(".")[2]
    if kind in _STEP_ELSEWHERE:
        raise ValueError(
            f"this Accelerator hands its steps to {kind}, which a range test cannot undo; make one without it for the "
            "test, on a model that fits one device"
        )


def _is_prepared(model: Any, accelerator: Any) -> bool:
    """Return True for a model that `prepare()` has returned; it lists models, wrapped or before it wraps them."""
    inner = getattr(model, "module", model)
    if accelerator.num_processes > 1 and inner is model and not hasattr(model, "unshard"):  # of fully_shard
        return False
    return any(known is model or known is inner for known in accelerator._models)  # noqa: SLF001  # there is no public list


def _refuse_unprepared(accelerator: Any, models: list[nn.Module]) -> None:
    if accelerator.num_processes > 1:
        raise _unprepared("the model of one of several processes does not share its gradients yet")
    devices = {parameter.device.type for each in models for parameter in each.parameters()}
    if devices - {accelerator.device.type}:
        raise _unprepared(f"the model is on {' and '.join(sorted(devices))}, the accelerator on {accelerator.device}")


def _unprepared(problem: str) -> ValueError:
    return ValueError(f"{problem}; give what accelerator.prepare(model, optimizer, loader) has returned")
