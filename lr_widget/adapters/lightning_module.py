"""A LightningModule as keywords of `range_test`."""

from __future__ import annotations

import inspect
import logging
import math
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..restore import keep_rng
from .adapted import Adapted, Held, adapted, framework
from .lightning_rate import PlaceOfRate
from .schedules import schedule_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


# Overridden, they make the update in another way than the engine does.
_UPDATING = ("backward", "configure_gradient_clipping")
_STARTING = ("on_fit_start", "on_train_start", "on_train_epoch_start")


def lightning(
    module: Any, data: Any = None, trainer: Any = None, *, rate_name: str | None = None, **keywords: Any
) -> Adapted:
    """Make the keywords of a range test from a LightningModule, before `trainer.fit()`.

    The loss is that of `training_step`, of batches as the hooks for their transfer leave them; the optimizers are those
    of `configure_optimizers`, and where the module optimizes manually it makes its updates by itself. Precision,
    clipping, accumulation and the length of the training are those of the trainer. The module's `setup("fit")`, the
    data module's `prepare_data` and `setup("fit")` and, with the first step, the module's `on_fit_start`,
    `on_train_start` and `on_train_epoch_start` are called as `fit` would; callbacks and loggers hear nothing,
    `self.log` does nothing, and the trainer itself is only read.

    Args:
        module: the `LightningModule`.
        data: a `LightningDataModule`, a loader, or whatever else `range_test` takes; None for the module's own
            `train_dataloader`.
        trainer: the `Trainer` that will fit; None for one without special settings, on the module's device.
        rate_name: the attribute or hyperparameter that `configure_optimizers` takes its rate from, such as
            "hparams.optimizer.lr"; None for `lr` or `learning_rate` of the module or of its `hparams`.
        **keywords: those of `lr_widget.range_test`, in place of what Lightning says.

    Returns:
        The keywords; their `apply` sets that attribute, and makes sure that `configure_optimizers` takes it.

    Raises:
        ImportError: Lightning is not installed.
        TypeError: this is no LightningModule, or there is no data.
        ValueError: the module makes its updates in a way that a test cannot follow.
    """
    library = _library_of(module)
    _refuse(library, module)
    with keep_rng(), _quiet():
        lightning_step = LightningStep(module, _own_trainer(library, module, trainer))
        loader = lightning_step.set_up(library, data)
    strategy, plugin = lightning_step.trainer.strategy, lightning_step.trainer.precision_plugin
    schedulers = [config.scheduler for config in strategy.lr_scheduler_configs]
    is_automatic = module.automatic_optimization
    steps = lightning_step.num_steps
    found = {
        "model": module,
        "optimizer": [*strategy.optimizers],
        "loss_fn": None,
        "train_data": loader,
        "train_step": lightning_step,
        "device": strategy.root_device,
        "also_restore": [Held(lightning_step, data), *(each for each in schedulers if hasattr(each, "state_dict"))],
        "train_steps": steps,
        "train_schedule": schedule_of(schedulers[0], steps) if schedulers else "constant",
    }
    if is_automatic:
        found |= {
            "accumulation_steps": lightning_step.trainer.accumulate_grad_batches,
            "grad_scaler": getattr(plugin, "scaler", None),
            "max_grad_norm": _clipping(trainer),
        }
    put = PlaceOfRate(module, rate_name, lightning_step.fresh_optimizers).put
    given = {"module": module, "data": data, "trainer": trainer, "rate_name": rate_name}
    return adapted(("lightning", given), found, keywords, put)


class LightningStep:
    """A training step of a LightningModule, inside a trainer of ours.

    Args:
        module: the module.
        trainer: a trainer of ours, to which the module belongs during a step.

    Attributes:
        makes_update: the module optimizes manually, so that a step makes the update, too.
    """

    def __init__(self, module: Any, trainer: Any) -> None:
        self.module = module
        self.trainer = trainer
        self.makes_update = not module.automatic_optimization
        self.num_steps: int | None = None
        self._has_started = False
        self._index = 0
        self._losses: list[Any] = []
        parameters = inspect.signature(module.training_step).parameters
        self._takes_index = "batch_idx" in parameters or len(parameters) > 1

    def set_up(self, library: ModuleType, data: Any) -> Any:
        """Do what `fit` does before its first step, and return the loader.

        Raises:
            TypeError: there is no data.
        """
        module, trainer = self.module, self.trainer
        is_datamodule = isinstance(data, library.LightningDataModule)
        with self._attached():
            trainer.strategy.connect(module)
            connector = trainer._data_connector  # noqa: SLF001  # Lightning has no public way to take data without fit
            if is_datamodule:
                connector.attach_datamodule(module, data)
                data.prepare_data()
                data.setup("fit")
            module.prepare_data()
            configure = getattr(module, "configure_model", None)
            if configure is not None:
                configure()
            module.setup("fit")
            owner = data if is_datamodule else module
            loader = data if data is not None and not is_datamodule else owner.train_dataloader()
            connector.attach_dataloaders(module, train_dataloaders=loader)
            trainer.strategy.setup_optimizers(trainer)
            steps = trainer.estimated_stepping_batches
            self.num_steps = int(steps) if 0 < steps < math.inf else None
            trainer.fit_loop._data_fetcher = None  # noqa: SLF001  # it holds an iterator, which may have workers
        return loader

    def fresh_optimizers(self) -> Any:
        """Return the answer of `configure_optimizers`, called anew."""
        with keep_rng(), self._attached():
            return self.module.configure_optimizers()

    def __call__(self, model: Any, batch: Any) -> Any:
        """Return the loss of a batch; with manual optimization, after the update."""
        trainer, module = self.trainer, self.module
        with self._attached():
            if not self._has_started:
                self._has_started = True  # it is put back at the end, so that each test starts
                for name in _STARTING:
                    getattr(module, name)()
            batch = trainer.precision_plugin.convert_input(batch)
            batch = module._on_before_batch_transfer(batch, dataloader_idx=0)  # noqa: SLF001  # as the loop of fit
            batch = trainer.strategy.batch_to_device(batch, dataloader_idx=0)
            arguments = [batch, self._index] if self._takes_index else [batch]
            self._index += 1
            self._losses.clear()
            answer = trainer.strategy.training_step(*arguments)
        return answer if answer is not None or not self._losses else sum(self._losses)

    @contextmanager
    def _attached(self) -> Iterator[None]:
        """Let the module belong to our trainer, log nothing and tell the losses of manual optimization."""
        parts = [each for each in self.module.modules() if hasattr(each, "_trainer")]
        before = [(each, dict(vars(each))) for each in parts]
        backward = self.module.manual_backward

        def manual_backward(loss: Any, *args: Any, **kwargs: Any) -> None:
            self._losses.append(loss.detach())
            backward(loss, *args, **kwargs)

        try:
            for each in parts:
                vars(each).update(_trainer=self.trainer, log=_nothing, log_dict=_nothing)
            vars(self.module)["manual_backward"] = manual_backward
            yield
        finally:
            for each, attributes in before:
                for name in ("_trainer", "log", "log_dict", "manual_backward"):
                    if name in attributes:
                        vars(each)[name] = attributes[name]
                    else:
                        vars(each).pop(name, None)


def _nothing(*_: Any, **__: Any) -> None:
    """Log nothing."""


def _library_of(module: Any) -> ModuleType:
    """Return the package that the module is from: lightning.pytorch, or pytorch_lightning.

    Raises:
        ImportError: neither is installed.
        TypeError: this is no LightningModule.
    """
    for base in type(module).__mro__:
        if base.__name__ == "LightningModule":
            top = base.__module__.partition(".")[0]
            return import_module("lightning.pytorch" if top == "lightning" else top)
    framework("lightning", "lightning")
    raise TypeError(f"module must be a LightningModule, got {type(module).__name__}; for others call range_test itself")


def _refuse(library: ModuleType, module: Any) -> None:
    for name in _UPDATING:
        if getattr(type(module), name) is not getattr(library.LightningModule, name):
            raise ValueError(
                f"{type(module).__name__} overrides {name}, which a range test would leave out; call range_test with a "
                "train_step, or set automatic_optimization = False and make the update in training_step"
            )


def _own_trainer(library: ModuleType, module: Any, trainer: Any) -> Any:
    """Make a trainer that keeps, shows and logs nothing, with the settings of the user's that a step depends on."""
    settings: dict[str, Any] = {"accelerator": "cpu" if module.device.type == "cpu" else "auto", "devices": 1}
    if trainer is not None:
        settings = {
            "accelerator": trainer.accelerator,
            "devices": 1,
            "precision": trainer.precision,
            "max_epochs": trainer.max_epochs,
            "max_steps": trainer.max_steps,
            "accumulate_grad_batches": trainer.accumulate_grad_batches,
            "limit_train_batches": trainer.limit_train_batches,
        }
    own = library.Trainer(
        **settings,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    own.loggers = [import_module(f"{library.__name__}.loggers.logger").DummyLogger()]
    states = import_module(f"{library.__name__}.trainer.states")
    own.state.fn, own.state.stage = states.TrainerFn.FITTING, states.RunningStage.TRAINING
    return own


def _clipping(trainer: Any) -> float | None:
    """Return the norm that gradients are clipped to.

    Raises:
        ValueError: they are clipped by value.
    """
    value = getattr(trainer, "gradient_clip_val", None)
    if not value:
        return None
    kind = getattr(trainer, "gradient_clip_algorithm", None)
    if str(getattr(kind, "value", kind) or "norm") != "norm":
        raise ValueError(
            "this Trainer clips gradients by value, but a range test by norm only; make it with "
            'gradient_clip_algorithm="norm", or without gradient_clip_val for the test'
        )
    return float(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Lightning tells of devices to itself."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "pytorch_lightning")]
    loggers += [logging.getLogger(f"{each.name}.utilities.rank_zero") for each in loggers[1:]]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
