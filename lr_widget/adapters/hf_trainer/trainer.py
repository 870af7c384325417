"""A `transformers.Trainer` as keywords of `range_test`."""

from __future__ import annotations

import math
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...restore import keep_rng
from ...training import takes_options
from ..adapted import Adapted, adapted, framework
from ..rates import put_rate, scaled, top_rate
from .batches import WindowedBatches, in_evaluation
from .planned import length_of, planned_epochs, planned_schedule, planned_steps
from .rules import refuse
from .step import TrainerStep
from .twin import twin_of, with_own_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOUNDS = {"start_lr": 1e-7, "end_lr": 0.1}  # of fine-tuning; a test of more decades has fewer steps in each


def transformers(trainer: Any, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from a Hugging Face `Trainer`, before or after its `train()`.

    The test computes each loss as the trainer does, through its own `training_step` and `compute_loss`, with its
    collator, sampler, precision, gradient accumulation, clipping, NEFTune and activation checkpointing, and in several
    processes with its share of the data; its `state` counts steps and epochs as in `train()`. The training that the
    rate is for is the one that its arguments plan: its number of steps, and of our schedules the one that is most like
    its own. Nothing is logged or saved, and `compute_metrics` plays no part. No callback is called, so do before the
    test what one of yours does when training begins, such as to freeze weights. The loss on record is the one that the
    trainer logs, which with gradient accumulation may be on another scale than that of `evaluate()`. Where the batches
    of an epoch do not fill all steps, the rest is left out. The model is not compiled for the test.

    Args:
        trainer: the trainer; subclasses with a `compute_loss`, `training_step`, `create_optimizer` or
            `get_train_dataloader` of their own are heard.
        **keywords: those of `lr_widget.range_test`, in place of what the trainer says; `end_lr` is 0.1 without them. A
            dataset as `val_data`, such as `trainer.eval_dataset`, is batched and its loss computed as in `evaluate()`:
            by `prediction_step`, and each batch counts by its samples.

    Returns:
        The keywords; their `apply` sets `trainer.args.learning_rate`, and the optimizer where there is one already.

    Raises:
        ImportError: transformers is not installed, or is older than 4.46.
        TypeError: this is no `Trainer`, or a keyword is none of `range_test`.
        ValueError: the trainer has no data, hands its steps to DeepSpeed or FSDP, or its optimizer steps within the
            backward pass; or a callback or a method of its own has a part in the update.
    """
    refuse(trainer, framework("transformers", "transformers"))
    args = trainer.args
    with keep_rng():
        twin = twin_of(trainer)
        loader = twin.get_train_dataloader()
        steps = planned_steps(args, loader)
        twin.state.max_steps, twin.state.num_train_epochs = steps or 0, planned_epochs(args, loader)
        _make_optimizer(twin, steps)
        schedule = planned_schedule(twin, steps)
        val_data = _val_loader(twin, keywords)
    size = keywords.get("accumulation_steps", _window_size(args, loader))
    step = TrainerStep(twin, size, length_of(loader) or size * (steps or 1))
    found = {
        "model": trainer.model,
        "optimizer": getattr(twin.optimizer, "optimizer", twin.optimizer),  # accelerate wraps it in train()
        "loss_fn": None,
        "train_data": WindowedBatches(loader, size),
        "train_step": step,
        "device": args.device,
        "accumulation_steps": size,
        "grad_scaler": getattr(trainer.accelerator, "scaler", None),
        "max_grad_norm": args.max_grad_norm if (args.max_grad_norm or 0) > 0 else None,
        "train_steps": steps,
        "train_schedule": schedule,
        **_BOUNDS,
    }
    setup = adapted(("transformers", {"trainer": trainer}), found, keywords, lambda lr: _put(trainer, lr))
    if setup["train_step"] is not step:
        setup["train_data"] = loader  # a step that was given takes batches without windows
    if val_data is not None:
        setup["val_data"] = val_data
        if setup["train_step"] is step:
            setup.setdefault("val_step", step.validate)
    return setup


# --- the data and the optimizer ---------------------------------------------------------------------------------------


def _val_loader(twin: Any, keywords: Mapping[str, Any]) -> Any:
    given, args = keywords.get("val_data"), twin.args
    if given is None or not (given is twin.eval_dataset or takes_options(given)):
        return given
    loader = twin.get_eval_dataloader(given)
    is_own_step = {"train_step", "val_step"} & keywords.keys()  # it takes batches without weights
    return loader if is_own_step else in_evaluation(loader, args.eval_batch_size, args.process_index, args.world_size)


def _window_size(args: Any, loader: Any) -> int:
    """Return the number of batches of an optimizer step; an epoch that is shorter makes one step."""
    return max(1, min(int(args.gradient_accumulation_steps), length_of(loader) or sys.maxsize))


def _make_optimizer(twin: Any, steps: int | None) -> None:
    if twin.optimizer is not None:
        return
    name, base = "create_optimizer_and_scheduler", vars(import_module("transformers").Trainer)
    loops = [base[loop] for loop in ("_inner_training_loop", "_prepare_for_training") if loop in base]
    is_called = any(name in loop.__code__.co_names for loop in loops)  # by train(), in transformers 4
    if is_called and getattr(type(twin), name) is not base[name]:
        twin.create_optimizer_and_scheduler(num_training_steps=steps)
    else:
        twin.create_optimizer()


# --- the rate ---------------------------------------------------------------------------------------------------------


def _put(trainer: Any, lr: float) -> list[str]:
    args, places = trainer.args, ["args.learning_rate"]
    cls_and_kwargs = getattr(trainer, "optimizer_cls_and_kwargs", None)
    is_kept = trainer.optimizer is not None and trainer.model_init is None  # by the next train()
    if cls_and_kwargs is not None:
        trainer.optimizer_cls_and_kwargs = (cls_and_kwargs[0], _at_rate(trainer, lr))
        places.append("optimizer_cls_and_kwargs")
    if is_kept:
        put_rate([trainer.optimizer], [trainer.lr_scheduler] if trainer.lr_scheduler is not None else [], lr)
        places.append("optimizer")
    if is_kept or cls_and_kwargs is not None:
        args.learning_rate = lr
    else:
        _put_into_args(trainer, lr)
    return places


def _put_into_args(trainer: Any, lr: float) -> None:
    """Set `args.learning_rate` so that an optimizer that the trainer makes has the rate in its first group.

    Raises:
        ValueError: it has another rate, whatever the arguments say.
    """
    args, before = trainer.args, trainer.args.learning_rate
    made = _rate_made(trainer)
    args.learning_rate = lr if made == before else before * lr / made
    if not math.isclose(now := _rate_made(trainer), lr, rel_tol=1e-6):
        args.learning_rate = before
        raise ValueError(
            f"the optimizer that {type(trainer).__name__} makes has the rate {now:g}, whatever args.learning_rate is; "
            f"set {lr:g} in its create_optimizer, or read args.learning_rate there"
        )


def _at_rate(trainer: Any, lr: float) -> dict[str, Any]:
    """Return the keywords of the optimizer class with the rate in its first param group, the others in proportion."""
    kwargs, made = with_own_groups(trainer.optimizer_cls_and_kwargs[1]), _optimizer_made(trainer)
    top = top_rate(made.param_groups[0])
    kwargs.setdefault("lr", getattr(made, "defaults", {}).get("lr", top))
    groups = [each for each in kwargs.get("params", ()) if isinstance(each, dict)]
    for rated in [kwargs, *(group for group in groups if "lr" in group)]:
        rated["lr"] = scaled(rated["lr"], top, lr)
    return kwargs


def _rate_made(trainer: Any) -> float:
    return top_rate(_optimizer_made(trainer).param_groups[0])


def _optimizer_made(trainer: Any) -> Any:
    with keep_rng():
        twin = twin_of(trainer)
        twin.optimizer = None
        _make_optimizer(twin, 1)
    return twin.optimizer
