"""A `transformers.Trainer` as keywords of `range_test`."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from ...checks import describe
from ...restore import keep_rng
from ...training import takes_options
from ..adapted import Adapted, adapted, framework
from ..rates import put_rate
from .batches import WindowedBatches
from .planned import planned_schedule, planned_steps
from .step import TrainerStep
from .twin import twin_of

_BOUNDS = {"start_lr": 1e-7, "end_lr": 0.1}  # of fine-tuning; a test of more decades has fewer steps in each
_OLDEST = (4, 46)  # where training_step got num_items_in_batch
_ENGINES = {
    "is_deepspeed_enabled": "DeepSpeed",
    "is_fsdp_enabled": "FSDP",
    "is_distributed_loading_by_transformers": "a DistributedConfig",
}
_STEPS_WITHIN_BACKWARD = ("lomo", "adalomo")  # and all layer-wise ones


def transformers(trainer: Any, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from a Hugging Face `Trainer`, before or after its `train()`.

    The test computes each loss as the trainer does, through its own `training_step` and `compute_loss`, with its
    collator, sampler, precision, gradient accumulation, clipping, NEFTune and activation checkpointing, and in several
    processes with its share of the data. The training that the rate is for is the one that its arguments plan: its
    number of steps, and of our schedules the one that is most like its own. Nothing is logged, saved, counted or called
    back, and `compute_metrics` plays no part. The loss on record is the one that the trainer logs, which with gradient
    accumulation may be on another scale than that of `evaluate()`. Where the batches of an epoch do not fill all steps,
    the rest is left out. The model is not compiled for the test.

    Args:
        trainer: the trainer; subclasses with a `compute_loss`, `training_step`, `create_optimizer` or
            `get_train_dataloader` of their own are heard.
        **keywords: those of `lr_widget.range_test`, in place of what the trainer says; `end_lr` is 0.1 without them. A
            dataset as `val_data`, such as `trainer.eval_dataset`, is batched and its loss computed as in `evaluate()`.

    Returns:
        The keywords; their `apply` sets `trainer.args.learning_rate`, and the optimizer where there is one already.

    Raises:
        ImportError: transformers is not installed, or is older than 4.46.
        TypeError: this is no `Trainer`, or a keyword is none of `range_test`.
        ValueError: the trainer has no data, hands its steps to DeepSpeed or FSDP, or its optimizer steps within the
            backward pass.
    """
    _refuse(trainer, framework("transformers", "transformers"))
    args = trainer.args
    with keep_rng():
        twin = twin_of(trainer)
        loader = twin.get_train_dataloader()
        steps = planned_steps(args, loader)
        twin.state.max_steps = steps or 0
        _make_optimizer(twin, steps)
        schedule = planned_schedule(twin, steps)
        val_data = _val_loader(twin, keywords.get("val_data"))
    size = keywords.get("accumulation_steps", _window_size(args, loader))
    step = TrainerStep(twin, size)
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


def _val_loader(twin: Any, given: Any) -> Any:
    is_dataset = given is not None and (given is twin.eval_dataset or takes_options(given))
    return twin.get_eval_dataloader(given) if is_dataset else given


def _window_size(args: Any, loader: Any) -> int:
    """Return the number of batches of an optimizer step; an epoch that is shorter makes one step."""
    try:
        return max(1, min(int(args.gradient_accumulation_steps), len(loader)))
    except (TypeError, NotImplementedError):
        return int(args.gradient_accumulation_steps)


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
        trainer.optimizer_cls_and_kwargs = (cls_and_kwargs[0], {**cls_and_kwargs[1], "lr": lr})
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


def _rate_made(trainer: Any) -> float:
    with keep_rng():
        twin = twin_of(trainer)
        twin.optimizer = None
        _make_optimizer(twin, 1)
    group = twin.optimizer.param_groups[0]
    return float(group.get("initial_lr", group["lr"]))


# --- refusals ---------------------------------------------------------------------------------------------------------


def _refuse(trainer: Any, package: Any) -> None:
    version = tuple(int(part) for part in package.__version__.split(".")[:2])
    if version < _OLDEST:
        raise ImportError(
            f"adapters.transformers needs transformers 4.46 or newer, got {package.__version__}; get it with "
            "pip install -U 'lr_widget[transformers]'"
        )
    if not isinstance(trainer, package.Trainer):
        raise TypeError(
            f"adapters.transformers takes a transformers.Trainer, got {describe(trainer)}; make one of the model, its "
            "TrainingArguments and the data"
        )
    for name, what in _ENGINES.items():
        if getattr(trainer, name, False):
            raise ValueError(
                f"this Trainer hands its steps to {what}, which a range test cannot undo; make one without it for the "
                "test, on a model that fits one device"
            )
    kind = str(getattr(trainer.args.optim, "value", trainer.args.optim))
    if trainer.optimizer is None and (kind in _STEPS_WITHIN_BACKWARD or kind.endswith("layerwise")):
        raise ValueError(
            f"optim={kind!r} steps within the backward pass, where no rate can be swept; make a Trainer with another "
            "optim for the test"
        )
    has_own_loader = type(trainer).get_train_dataloader is not package.Trainer.get_train_dataloader
    if trainer.train_dataset is None and not has_own_loader:
        raise ValueError("this Trainer has no train_dataset, so there is nothing to train on; make it with one")
