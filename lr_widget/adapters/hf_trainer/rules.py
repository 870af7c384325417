"""The trainers that a test cannot follow."""

from __future__ import annotations

from typing import Any

from ...checks import describe

_OLDEST = (4, 46)  # where training_step got num_items_in_batch
_ENGINES = {
    "is_deepspeed_enabled": "DeepSpeed",
    "is_fsdp_enabled": "FSDP",
    "is_distributed_loading_by_transformers": "a DistributedConfig",
}
_STEPS_WITHIN_BACKWARD = ("lomo", "adalomo")  # and all layer-wise ones
# What has a part in the update between the backward pass and the next step.
_EVENTS = ("on_pre_optimizer_step", "on_optimizer_step")
_UPDATING = ("_clip_grad_norm", "_get_grad_norm", "_run_epoch", "_inner_training_loop")


def refuse(trainer: Any, package: Any) -> None:
    """Refuse a trainer that a test cannot follow.

    Args:
        trainer: the user's.
        package: transformers.

    Raises:
        ImportError: transformers is too old.
        TypeError: this is no `Trainer`.
        ValueError: it has no data, or its updates are not those of the plain loop.
    """
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
    _refuse_steps_elsewhere(trainer)
    _refuse_own_updates(trainer, package)
    has_own_loader = type(trainer).get_train_dataloader is not package.Trainer.get_train_dataloader
    if trainer.train_dataset is None and not has_own_loader:
        raise ValueError("this Trainer has no train_dataset, so there is nothing to train on; make it with one")


def _refuse_steps_elsewhere(trainer: Any) -> None:
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


def _refuse_own_updates(trainer: Any, package: Any) -> None:
    for callback in trainer.callback_handler.callbacks:
        for name in _EVENTS:
            if _is_own(callback, name):
                kind = type(callback).__name__
                raise ValueError(
                    f"no callback may have a part in the update, for a test calls none, got the callback {kind} with "
                    f"an {name} of its own; take it away for the test by trainer.remove_callback({kind}), or do its "
                    "work in the optimizer's step"
                )
    for name in _UPDATING:
        if hasattr(package.Trainer, name) and _is_own(trainer, name):
            raise ValueError(
                f"clipping and steps must be those of transformers, for a test makes them itself, got "
                f"{type(trainer).__name__} with a {name} of its own; make a Trainer without it for the test"
            )


def _is_own(thing: Any, name: str) -> bool:
    """Return True where a method has been written outside of transformers."""
    method = getattr(type(thing), name, None)
    return method is not None and str(method.__module__).partition(".")[0] != "transformers"
