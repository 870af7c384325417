"""A loop of Hugging Face accelerate as keywords of `range_test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .adapted import Adapted, Held, adapted, framework
from .rates import put_rate

if TYPE_CHECKING:
    from collections.abc import Callable


def accelerate(
    accelerator: Any,
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    loader: Any,
    **keywords: Any,
) -> Adapted:
    """Make the keywords of a range test from what an `Accelerator` works with, before or after `prepare()`.

    Precision, gradient scaling and accumulation are those of the accelerator. Clipping stands in your loop, so give
    `max_grad_norm` if you clip there. The accelerator's own state, such as its count of steps, comes back.

    Args:
        accelerator: the `Accelerator`.
        model, optimizer, loader: as `accelerator.prepare()` takes or returns them.
        loss_fn: as for `lr_widget.range_test`; None where the model answers with a `.loss`.
        **keywords: those of `lr_widget.range_test`, in place of what the accelerator says.

    Returns:
        The keywords; their `apply` sets the optimizer's rates and those of the prepared schedulers that step it.

    Raises:
        ImportError: accelerate is not installed.
        ValueError: the accelerator hands its steps to DeepSpeed or Megatron-LM.
    """
    framework("accelerate", "accelerate")
    kind = str(accelerator.distributed_type).rpartition(".")[2]
    if kind in ("DEEPSPEED", "MEGATRON_LM"):
        raise ValueError(
            f"this Accelerator hands its steps to {kind}, which a range test cannot undo; make one without it for the "
            "test, on a model that fits one device"
        )
    bare = unprepared(optimizer)
    is_prepared = any(model is known for known in accelerator._models)  # noqa: SLF001  # there is no public list
    found = {
        "model": model,
        "optimizer": bare,
        "loss_fn": loss_fn,
        "train_data": loader,
        "device": accelerator.device,
        "accumulation_steps": accelerator.gradient_accumulation_steps,
        "autocast": accelerator.autocast if accelerator.native_amp and not is_prepared else None,
        "grad_scaler": accelerator.scaler,
    }
    also = [Held(accelerator), *keywords.pop("also_restore", ())]

    def put(lr: float) -> list[str]:
        schedulers = [getattr(each, "scheduler", each) for each in accelerator._schedulers]  # noqa: SLF001  # likewise
        put_rate([bare], [each for each in schedulers if getattr(each, "optimizer", None) in (bare, optimizer)], lr)
        return ["optimizer"]

    given = {"accelerator": accelerator, "model": model, "optimizer": optimizer, "loss_fn": loss_fn, "loader": loader}
    return adapted(("accelerate", given), {**found, "also_restore": also}, keywords, put)


def unprepared(optimizer: Any) -> Any:
    """Return the torch optimizer inside a prepared one, whose `step` would wait for the accelerator's accumulation."""
    while type(optimizer).__name__ == "AcceleratedOptimizer":
        optimizer = optimizer.optimizer
    return optimizer
