"""A training step of a LightningModule, inside a trainer of ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from ...distributed import is_alone
from ...restore import keep_rng
from ...training import takes_options
from .data import batches_of, counted, limited, shared
from .rules import refuse_no_optimizer, refuse_options, refuse_precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

_STARTING = ("on_fit_start", "on_train_start", "on_train_epoch_start")
_PUT_BACK = ("_trainer", "_current_fx_name", "log", "log_dict", "manual_backward")


class LightningStep:
    """A training step of a LightningModule that belongs to a trainer of ours meanwhile.

    Args:
        library: the package of Lightning.
        module: the module.
        trainer: a trainer of ours.
        datamodule: the data module, or None.

    Attributes:
        makes_update: the step makes the update, too, as the module optimizes manually or Lightning's loop does it;
            False until it is set.
        moves_batches: tells the engine to leave batches where they are, for hooks before the transfer.
    """

    moves_batches = True

    def __init__(self, library: ModuleType, module: Any, trainer: Any, datamodule: Any = None) -> None:
        self.module = module
        self.trainer = trainer
        self.makes_update = False
        self._datamodule = datamodule
        self._loop = trainer.fit_loop.epoch_loop
        self._parts: list[Any] | None = None
        self._has_started = False
        self._index = 0
        self._ended: tuple[Any, Any, int] | None = None  # outputs, batch and index for on_train_batch_end
        self._losses: list[torch.Tensor] = []
        self._is_stepping = self._has_passed = self._has_stepped = False
        takes = import_module(f"{library.__name__}.utilities.signature_utils").is_param_in_hook_signature
        self._takes_index = takes(module.training_step, "batch_idx", min_args=2)

    # --- before the first step --------------------------------------------------------------------------------------

    def callbacks(self, given: Iterable[Any]) -> list[Any]:
        """Return the callbacks that `fit` would call, those of `configure_callbacks` in place of `given` ones.

        Args:
            given: those of the user's trainer.
        """
        trainer = self.trainer
        with self._attached():
            trainer.strategy.connect(self.module)
            trainer.callbacks = [*given]
            trainer._callback_connector._attach_model_callbacks()  # noqa: SLF001  # nothing public short of fit
        found, trainer.callbacks = trainer.callbacks, []
        return [*found]

    def set_up(
        self, library: ModuleType, given: Any, options: Mapping[str, Any] | None = None, accumulation_steps: int = 1
    ) -> Any:
        """Go through the preparations of `fit`, and return the batches.

        Args:
            library: the package of Lightning.
            given: the data; None for that of the module or the data module.
            options: for a loader that is made of a dataset.
            accumulation_steps: batches of an update.
        """
        module, trainer = self.module, self.trainer
        call = import_module(f"{library.__name__}.trainer.call")
        check = import_module(f"{library.__name__}.trainer.configuration_validator")
        connector, strategy = trainer._data_connector, trainer.strategy  # noqa: SLF001  # nothing public short of fit
        with self._attached():
            connector.attach_datamodule(module, self._datamodule)
            check._verify_loop_configurations(trainer)  # noqa: SLF001  # likewise
            connector.prepare_data()
            call._call_setup_hook(trainer)  # noqa: SLF001  # likewise
            call._call_configure_model(trainer)  # noqa: SLF001  # likewise
            data = given if given is not None else (self._datamodule or module).train_dataloader()
            batches = batches_of(library, data, options)
            batches = shared(library, batches, trainer.global_rank, trainer.world_size)
            connector.attach_dataloaders(module, train_dataloaders=counted(batches))
            trainer.fit_loop.setup_data()
            trainer.fit_loop._data_fetcher = None  # noqa: SLF001  # of the stand-ins
            whole, batches = batches, limited(batches, trainer.num_training_batches)
            if batches is not whole:
                refuse_options(trainer.limit_train_batches, data, options)
            if module.automatic_optimization:  # an update of fit has no more batches than an epoch
                accumulation_steps = int(min(accumulation_steps, max(trainer.num_training_batches, 1)))
            trainer.accumulate_grad_batches = accumulation_steps
            refuse_precision(trainer.precision_plugin, module)
            strategy.setup(trainer)
        refuse_no_optimizer(strategy.optimizers)
        self._parts = self._lightning_parts()
        return data if is_alone() and takes_options(data) and batches is whole else batches

    def fresh_optimizers(self) -> Any:
        """Return the answer of `configure_optimizers`, called anew."""
        with keep_rng(), self._attached():
            return self.module.configure_optimizers()

    def _count_steps(self) -> None:
        """Let `global_step` grow where Lightning's loop does not see the steps.

        Within a test, which takes the hooks off an optimizer that the module keeps.
        """
        for optimizer in self.trainer.strategy._lightning_optimizers:  # noqa: SLF001  # those that the module gets
            optimizer._on_before_step = self._before_step  # noqa: SLF001  # as Lightning's loop
            optimizer._on_after_step = self._after_step  # noqa: SLF001  # likewise
        if self.makes_update:
            for optimizer in self.trainer.strategy.optimizers:  # the module may step them without Lightning
                if hasattr(optimizer, "register_step_pre_hook"):
                    optimizer.register_step_pre_hook(lambda *_: setattr(self, "_has_stepped", True))
        else:
            progress = self._loop.automatic_optimization.optim_progress.optimizer.step
            for optimizer in self.trainer.strategy.optimizers:
                if hasattr(optimizer, "register_step_post_hook"):
                    optimizer.register_step_post_hook(lambda *_: progress.increment_completed())

    def _before_step(self) -> None:
        self._is_stepping, self._has_passed, self._has_stepped = True, False, True

    def _after_step(self) -> None:
        self._is_stepping = False
        if not self.module.automatic_optimization:
            self._loop.manual_optimization.optim_step_progress.increment_completed()

    # --- a step -----------------------------------------------------------------------------------------------------

    def __call__(self, model: Any, batch: Any) -> Any:
        """Return the loss of a batch before the update, also where the step makes that itself."""
        if not torch.is_grad_enabled():  # in a training step they are: this is a batch of validation
            return self.loss_of(model, batch)
        with self._attached():
            batch = self._begin(batch)
            if self.makes_update and self.module.automatic_optimization:
                answer, outputs = self._updated(batch)
            else:
                answer = self._answer(batch, self._index)
                outputs = dict(answer) if isinstance(answer, Mapping) else {}
            loss = self._loss_in(answer)
            self._end(outputs, loss, batch)
        return loss

    def _updated(self, batch: Any) -> tuple[Any, Any]:
        """Let Lightning's loop make the update; return the first answer of `training_step`, and the loop's outputs.

        An optimizer such as LBFGS calls `training_step` several times, and the outputs are of the last one.
        """
        strategy = self.trainer.strategy
        call, answers = strategy.training_step, list[Any]()

        def training_step(*arguments: Any) -> Any:
            answer = call(*arguments)
            if not answers:
                answers.append(answer)
            return answer

        arguments = OrderedDict(batch=batch, **({"batch_idx": self._index} if self._takes_index else {}))
        strategy.training_step = training_step
        try:
            outputs = self._loop.automatic_optimization.run(self.trainer.optimizers[0], self._index, arguments)
        finally:
            del strategy.training_step
        return answers[0], outputs

    def loss_of(self, model: Any, batch: Any) -> Any:
        """Return the loss of a batch of validation, without any hook but those for its transfer."""
        with self._attached():
            return self._loss_in(self._answer(self._moved(batch), 0))

    def _begin(self, batch: Any) -> Any:
        if not self._has_started:
            self._has_started = True  # it is put back at the end, so that each test starts
            self._count_steps()
            for name in _STARTING:
                getattr(self.module, name)()
        if self._ended is not None:
            self.module.on_train_batch_end(*self._ended)
            self._ended = None
        batch = self._moved(batch)
        # Not the number of the batch where Lightning's loop counts by it when to step: it would also step at the end
        # of an epoch, in the middle of an update of ours.
        ready = self._index % self.trainer.accumulate_grad_batches if self.makes_update else self._index
        self._loop.batch_progress.current.ready = ready + 1
        if self.module.on_train_batch_start(batch, self._index) == -1:
            raise ValueError(
                "on_train_batch_start returned -1, which ends an epoch of fit, but a range test goes on; let it return "
                "None for the test"
            )
        self._losses.clear()
        return batch

    def _moved(self, batch: Any) -> Any:
        strategy = self.trainer.strategy
        batch = self.trainer.precision_plugin.convert_input(batch)
        batch = self.module._on_before_batch_transfer(batch, dataloader_idx=0)  # noqa: SLF001  # as Lightning's loop
        return strategy.batch_to_device(batch, dataloader_idx=0)

    def _answer(self, batch: Any, index: int) -> Any:
        return self.trainer.strategy.training_step(*([batch, index] if self._takes_index else [batch]))

    def _loss_in(self, answer: Any) -> Any:
        loss = answer.get("loss") if isinstance(answer, Mapping) else answer
        if loss is None and self._losses:
            loss = torch.stack([each.reshape(()) for each in self._losses]).sum()
        if loss is None:
            how = "return one for every batch, or give data without batches that are skipped"
            if not self.module.automatic_optimization:
                how = "return it, or call manual_backward"
            raise ValueError(f"training_step gave no loss, but each step of a range test records one; {how}")
        return loss

    def _end(self, outputs: Any, loss: Any, batch: Any) -> None:
        if self.module.automatic_optimization and not self.makes_update:
            outputs["loss"] = loss.detach() / self.trainer.accumulate_grad_batches
        self._ended = (outputs, batch, self._index)
        self._index += 1
        if self.makes_update and self._index % self.trainer.accumulate_grad_batches == 0:
            if not self._has_stepped:
                raise ValueError(
                    "training_step must step an optimizer in each step of a range test, got none stepped; where it "
                    "gathers the gradients of n batches first, give accumulation_steps=n"
                )
            self._has_stepped = False

    # --- the module and our trainer ---------------------------------------------------------------------------------

    def _lightning_parts(self) -> list[Any]:
        return [each for each in self.module.modules() if hasattr(each, "_trainer")]

    @contextmanager
    def _attached(self) -> Iterator[None]:
        """Let the module belong to our trainer, log nothing and tell the losses of manual optimization."""
        parts = self._lightning_parts() if self._parts is None else self._parts
        parts = [*parts, *([self._datamodule] if self._datamodule is not None else [])]
        before = [{name: vars(each)[name] for name in (*_PUT_BACK, "trainer") if name in vars(each)} for each in parts]
        backward = self.module.manual_backward

        def manual_backward(loss: Any, *args: Any, **kwargs: Any) -> None:
            if not (self._is_stepping and self._has_passed):  # of the passes of one closure, the first one counts
                self._losses.append(loss.detach())
            self._has_passed = True
            backward(loss, *args, **kwargs)

        try:
            for each in parts:
                name = "trainer" if each is self._datamodule else "_trainer"
                vars(each).update({name: self.trainer, "log": _nothing, "log_dict": _nothing})
            vars(self.module)["manual_backward"] = manual_backward
            yield
        finally:
            for each, held in zip(parts, before, strict=True):
                for name in (*_PUT_BACK, "trainer"):
                    vars(each).pop(name, None)
                vars(each).update(held)


def _nothing(*_: Any, **__: Any) -> None:
    """Log nothing."""
