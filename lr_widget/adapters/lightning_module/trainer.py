"""A trainer of ours that keeps, shows and logs nothing, with the settings of the user's that a step depends on."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from ...distributed import is_alone
from .processes import strategy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_ENDLESS = -1  # in Lightning's max_steps
_SETTINGS = (
    "accumulate_grad_batches",
    "accelerator",
    "default_root_dir",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "max_epochs",
    "max_steps",
    "min_epochs",
    "min_steps",
)


def own_trainer(library: ModuleType, module: Any, trainer: Any) -> Any:
    """Make a trainer that a module can belong to during a test.

    Args:
        library: the package of Lightning.
        module: the LightningModule.
        trainer: the user's; None for one without special settings, on the module's device.
    """
    settings: dict[str, Any] = {"accelerator": "cpu" if module.device.type == "cpu" else "auto"}
    device = module.device
    if trainer is not None:
        device = trainer.strategy.root_device
        settings = {name: getattr(trainer, name) for name in _SETTINGS} | {"plugins": [trainer.precision_plugin]}
        if trainer.fast_dev_run:  # its limit is of a trial, which is too short for a test
            settings["limit_train_batches"] = None
    own = library.Trainer(
        **settings,
        devices=1,
        strategy=strategy_of(library, device, getattr(getattr(trainer, "strategy", None), "_ddp_kwargs", {})),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    own.loggers = [import_module(f"{library.__name__}.loggers.logger").DummyLogger()]
    own.state.fn = import_module(f"{library.__name__}.trainer.states").TrainerFn.FITTING
    own.training = True
    limits = import_module(f"{library.__name__}.loops.utilities")._parse_loop_limits  # noqa: SLF001  # as fit does
    loop = own.fit_loop
    loop.min_epochs, loop.max_epochs = limits(own.min_steps, own.max_steps, own.min_epochs, own.max_epochs, own)
    return own


def has_planned_end(trainer: Any) -> bool:
    """Tell a trainer that was told how long to train from one that goes on until somebody stops it."""
    is_limited = trainer.max_epochs not in (None, -1) or trainer.max_steps != _ENDLESS
    return is_limited and not trainer.fast_dev_run


def processes_of(trainer: Any) -> int:
    """Return the number of processes that `fit` would start from a notebook; 1 where they are there already.

    Raises:
        ValueError: `fit` would start them in another way, or would train in one process beside others.
    """
    if not is_alone():
        size = torch.distributed.get_world_size()
        if trainer is not None and trainer.world_size != size:
            raise ValueError(
                f"this Trainer trains in {trainer.world_size} process{'es' * (trainer.world_size != 1)}, but "
                f'torch.distributed has {size} here; make it with strategy="ddp" and devices and num_nodes for {size}'
            )
        return 1
    size = 1 if trainer is None else trainer.world_size
    if size == 1 or type(trainer.strategy.launcher).__name__ == "_MultiProcessingLauncher":
        return int(size)
    batches = trainer.accumulate_grad_batches * size
    raise ValueError(
        f"this Trainer trains in {size} processes, which are not there before fit; start the script with torchrun and "
        "call torch.distributed.init_process_group() first, or find the rate on one device with "
        f"Trainer(devices=1, accumulate_grad_batches={batches})"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's remarks on devices and loaders."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "pytorch_lightning")]
    loggers += [logging.getLogger(f"{each.name}.utilities.rank_zero") for each in loggers[1:]]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning\b")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
