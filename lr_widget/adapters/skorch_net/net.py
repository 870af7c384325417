"""The adapter of skorch: a net and its data as keywords of `range_test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...distributed import is_alone
from ...restore import Snapshot, keep_rng
from ..accelerated import unprepared
from ..adapted import Adapted, Held, adapted, framework
from ..schedules import schedule_of
from .rate import Rate
from .rules import clipping, is_clipping, updates_itself
from .step import NetStep
from .twin import twin_of

if TYPE_CHECKING:
    import torch


def skorch(net: Any, X: Any, y: Any = None, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from an skorch net and the data that its `fit` takes.

    A net that is not initialized stays so: the test runs on a copy of it. The loss is that of the net's `infer` and
    `get_loss`, on the part of the data that its `train_split` leaves for training; a net with a `train_step` or
    an `on_grad_computed` of its own makes its updates itself. Of an `AccelerateMixin`, the precision counts.

    Of the callbacks, `Freezer`, `Unfreezer`, `ParamMapper`, `Initializer`, `InputShapeSetter`, `LoadInitState` and
    those with an `on_grad_computed`, such as `GradientNormClipping`, take part as copies: at the start of the training
    and of its epoch, and with the gradients. The others hear nothing of the test; what yours change when the training
    starts, or at a batch, must be done before the test.

    Args:
        net: the `NeuralNet`, classifier or regressor; one that is initialized is tested as `partial_fit` goes on. Of a
            Pipeline, it is the last step, with the data as it comes there.
        X, y: as for `net.fit`.
        **keywords: those of `lr_widget.range_test`, in place of what the net says.

    Returns:
        The keywords; their `apply` sets `net.lr`, or `net.optimizer__lr` where that was given, the rates in
        `net.optimizer__param_groups`, and the optimizer of an initialized net.

    Raises:
        ImportError: skorch is not installed.
        TypeError: this is no net.
        ValueError: there are several processes, or an accelerator with more than its precision.
    """
    library = framework("skorch", "skorch")
    _refuse(net, library.NeuralNet)
    accelerator = getattr(net, "accelerator", None)
    with keep_rng():
        twin, callbacks = twin_of(net, X, y)
        loader = _loader(twin, X, y)
    optimizers = [unprepared(getattr(twin, f"{name}_")) for name in twin._optimizers]  # noqa: SLF001  # there is no public list
    modules = [getattr(twin, f"{name}_") for name in twin._modules]  # noqa: SLF001  # likewise
    step = NetStep(twin, getattr(loader, "dataset", None))
    found = {
        "model": modules[0] if len(modules) == 1 else modules,
        "optimizer": optimizers[0] if len(optimizers) == 1 else optimizers,
        "loss_fn": None,
        "train_data": loader,
        "train_step": step,
    }
    if updates_itself(net, library, callbacks, optimizers):
        step.makes_update = True
        found |= {"val_step": step.loss} if "val_data" in keywords else {}
    else:
        found |= {"max_grad_norm": clipping(callbacks)} | _of_accelerator(accelerator, keywords)
        twin.callbacks_ = [(name, each) for name, each in twin.callbacks_ if not is_clipping(each)]
    if hasattr(loader, "__len__"):
        schedule = _schedule(callbacks, optimizers[0], twin.max_epochs, len(loader))
        found |= {"train_steps": max(1, twin.max_epochs * len(loader)), "train_schedule": schedule}
    made_with = float(optimizers[0].param_groups[0]["lr"])
    put = Rate(net, [*twin._optimizers], callbacks, made_with)  # noqa: SLF001  # likewise
    return adapted(("skorch", {"net": net, "X": X, "y": y}), found, keywords, put)


def _refuse(net: Any, known: type) -> None:
    if not isinstance(net, known):
        raise TypeError(
            f"net must be a NeuralNet of skorch, got {type(net).__name__}; of a Pipeline give the last step, pipe[-1], "
            "with the data as it comes there, pipe[:-1].fit_transform(X)"
        )
    if not is_alone() or getattr(getattr(net, "accelerator", None), "num_processes", 1) > 1:
        raise ValueError(
            "a range test of an skorch net runs in one process; start it without a launcher, with the batches of all "
            "processes as one, through accumulation_steps"
        )


def _loader(twin: Any, X: Any, y: Any) -> Any:
    """Return the loader of the part of the data that is for training; accelerate does not list it as one of its own."""
    twin.check_data(X, y)
    drawing = Snapshot(called=[twin.train_split])  # it may have a generator of its own
    try:
        data, _ = twin.get_split_datasets(X, y)
    finally:
        drawing.restore()
    accelerator = getattr(twin, "accelerator", None)
    listed = [] if accelerator is None else [*accelerator._dataloaders]  # noqa: SLF001  # there is no public list
    loader = twin.get_iterator(data, training=True)
    if accelerator is not None:
        accelerator._dataloaders[:] = listed  # noqa: SLF001  # likewise
    return loader


def _of_accelerator(accelerator: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    if accelerator is None:
        return {}
    if accelerator.gradient_accumulation_steps > 1 and "accumulation_steps" not in keywords:
        raise ValueError(
            "gradient_accumulation_steps of a net's Accelerator must be 1, for skorch clears the gradients before the "
            f"last batch of an update, got {accelerator.gradient_accumulation_steps}; use larger batches"
        )
    return {
        "autocast": accelerator.autocast if accelerator.native_amp else None,
        "grad_scaler": accelerator.scaler,
        "also_restore": [Held(accelerator)],
    }


def _schedule(callbacks: list[Any], optimizer: torch.optim.Optimizer, num_epochs: int, num_batches: int) -> str:
    """Return the name of the schedule that the first scheduler of a net begins."""
    for each in callbacks:
        if type(each).__name__ == "LRScheduler":
            other = object.__new__(type(optimizer))  # a scheduler writes to its optimizer
            groups = [{**group, "lr": float(group["lr"])} for group in optimizer.param_groups]
            vars(other).update(vars(optimizer), param_groups=groups)
            num_steps = num_epochs * (num_batches if each.step_every == "batch" else 1)
            return schedule_of(each.policy_(other, **each.kwargs), num_steps)
    return "constant"
