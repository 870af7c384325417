"""A `transformers.Trainer` as keywords of `range_test`."""

from __future__ import annotations

import copy
import inspect
import math
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..restore import keep_rng
from .adapted import Adapted, adapted, framework
from .rates import put_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_BOUNDS = {"start_lr": 1e-7, "end_lr": 0.1}  # of fine-tuning; a test of more decades has fewer steps in each
_SCHEDULES = {
    "linear": "linear",
    "polynomial": "linear",
    "warmup_stable_decay": "linear",
    "cosine": "cosine",
    "cosine_with_restarts": "cosine",
    "cosine_with_min_lr": "cosine",
    "cosine_warmup_with_min_lr": "cosine",
}
_WITHOUT_STEP = ("LOMO", "ADALOMO")


def transformers(trainer: Any, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from a Hugging Face `Trainer`, before its `train()`.

    The test computes each loss as the trainer does, through its own `training_step` and `compute_loss`, with its
    collator, sampler, precision, gradient accumulation and clipping; it is for a training of the length and with the
    schedule that its arguments plan. Nothing of it is logged, saved, counted or called back.

    Args:
        trainer: the trainer; subclasses with a `compute_loss`, `training_step`, `create_optimizer` or
            `get_train_dataloader` of their own are heard.
        **keywords: those of `lr_widget.range_test`, in place of what the trainer says.

    Returns:
        The keywords; their `apply` sets `trainer.args.learning_rate`, and the optimizer where there is one already.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the trainer hands its steps to DeepSpeed or FSDP, or its optimizer steps within the backward pass.
    """
    framework("transformers", "transformers")
    _refuse(trainer)
    with keep_rng():
        twin = _twin(trainer)
        loader = twin.get_train_dataloader()
        if twin.optimizer is None:
            twin.create_optimizer()
    optimizer = getattr(twin.optimizer, "optimizer", twin.optimizer)  # accelerate wraps it in train()
    args = trainer.args
    size = args.gradient_accumulation_steps
    found = {
        "model": trainer.model,
        "optimizer": optimizer,
        "loss_fn": None,
        "train_data": CountedBatches(loader, size, twin),
        "train_step": TrainerStep(twin, size),
        "device": args.device,
        "accumulation_steps": size,
        "autocast": twin.accelerator.autocast if args.fp16 or args.bf16 else None,
        "grad_scaler": getattr(trainer.accelerator, "scaler", None),
        "max_grad_norm": args.max_grad_norm or None,
        "train_steps": _train_steps(args, loader),
        "train_schedule": _train_schedule(args),
        **_BOUNDS,
    }

    def put(lr: float) -> list[str]:
        args.learning_rate = lr
        if trainer.optimizer is None:
            return ["args.learning_rate"]
        put_rate([trainer.optimizer], [trainer.lr_scheduler] if trainer.lr_scheduler is not None else [], lr)
        return ["args.learning_rate", "optimizer"]

    return adapted(("transformers", {"trainer": trainer}), found, keywords, put)


class TrainerStep:
    """A training step of a trainer up to its loss.

    Args:
        twin: a copy of the trainer with a `StandIn` for its accelerator.
        size: batches an optimizer step; the trainer divides each loss by it, and the engine will, too.
    """

    def __init__(self, twin: Any, size: int) -> None:
        self._twin = twin
        self._size = size
        self._counts = "num_items_in_batch" in inspect.signature(twin.training_step).parameters

    def __call__(self, model: Any, batch: tuple[Any, Any]) -> torch.Tensor:
        """Return the loss of a batch with its graph.

        Raises:
            RuntimeError: the trainer's own `training_step` has computed the gradients by itself.
        """
        inputs, num_items = batch
        losses = self._twin.accelerator.losses
        losses.clear()
        self._twin.training_step(model, inputs, *([num_items] if self._counts else []))
        if len(losses) != 1:
            raise RuntimeError(
                f"training_step of {type(self._twin).__name__} must call self.accelerator.backward(loss) once, it did "
                f"{len(losses)} times; give train_step=callable(model, batch) -> loss and train_data=…"
            )
        loss: torch.Tensor = losses.pop() * self._size
        return loss


class CountedBatches:
    """Pairs of a batch and the number of items in its optimizer step, as the trainer counts them; else None.

    Args:
        loader: of the trainer.
        size: batches an optimizer step; a shorter rest at the end is left out, unless there is nothing else.
        twin: a copy of the trainer.
    """

    def __init__(self, loader: Any, size: int, twin: Any) -> None:
        self.loader = loader
        self._size = size
        self._twin = twin

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        source, is_first = iter(self.loader), True
        while batches := list(islice(source, self._size)):
            if len(batches) == self._size or is_first:
                _, num_items = self._twin.get_batch_samples(iter(batches), len(batches), self._twin.args.device)
                yield from ((batch, num_items) for batch in batches)
            is_first = False


class StandIn:
    """Stand in for a trainer's accelerator: keep the loss for the engine, and leave loaders and models as they are.

    Args:
        accelerator: of the trainer; everything else is asked of it.

    Attributes:
        losses: the losses whose gradients the trainer has asked for.
    """

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self.losses: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def prepare(self, *things: Any, **_: Any) -> Any:
        """Return the things unchanged."""
        return things[0] if len(things) == 1 else things

    def backward(self, loss: Any, **_: Any) -> None:
        """Keep the loss."""
        self.losses.append(loss)


def _twin(trainer: Any) -> Any:
    """Return a copy of the trainer that can compute losses and tells nobody of it."""
    twin = copy.copy(trainer)
    twin.accelerator = StandIn(trainer.accelerator)
    twin.state, twin.control = copy.deepcopy(trainer.state), copy.deepcopy(trainer.control)
    twin.callback_handler = copy.copy(trainer.callback_handler)
    twin.callback_handler.callbacks = []
    twin.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    return twin


def _refuse(trainer: Any) -> None:
    for name, what in (("is_deepspeed_enabled", "DeepSpeed"), ("is_fsdp_enabled", "FSDP")):
        if getattr(trainer, name, False):
            raise ValueError(
                f"this Trainer hands its steps to {what}, which a range test cannot undo; make one without it for the "
                "test, on a model that fits one device"
            )


def _train_steps(args: Any, loader: Any) -> int | None:
    if args.max_steps > 0:
        return int(args.max_steps)
    try:
        batches = len(loader)
    except TypeError:
        return None
    updates = max(1, math.ceil(batches / args.gradient_accumulation_steps))
    return max(1, math.ceil(float(args.num_train_epochs) * updates))


def _train_schedule(args: Any) -> str:
    """Return the schedule of ours that is most like the trainer's."""
    kind = getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)
    schedule = _SCHEDULES.get(kind, "constant")
    has_warmup = args.get_warmup_steps(1000) > 0 and kind != "constant"
    return f"{schedule}_with_warmup" if has_warmup else schedule
