"""The finders of the README's table, each as one call on the same training, that gives its curve and its suggestion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import range_test

NUM_STEPS, START_LR, END_LR = 40, 1e-4, 10.0

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Training:
    """A small network with dropout and batch norm, an optimizer with state, shuffled data and a loss that can be watched.

    Attributes:
        folder: for what a finder writes.
        loss: of outputs and targets.
        change: what is done to the loss of a step, given its number from 0 on; it may raise.
        raw: the losses as they came, one a step.
        heard: what a callback of the user's has heard, where the finder's trainer takes one.
    """

    folder: Path
    loss: Loss = nn.functional.mse_loss
    change: Callable[[torch.Tensor, int], torch.Tensor] = lambda loss, step: loss
    raw: list[float] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
        inputs = torch.randn(128, 4)
        self.loader = DataLoader(TensorDataset(inputs, inputs.sin().sum(1, keepdim=True)), 8, shuffle=True)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=START_LR, momentum=0.9)
        self.goes_on()
        loss, change, raw = self.loss, self.change, self.raw

        def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            changed = change(loss(outputs, targets), len(raw))
            raw.append(float(changed))
            return changed

        self.loss_fn = (
            loss_fn  # not a method: a range test puts back the attributes of an object, but no notes in a list
        )

    def goes_on(self) -> list[float]:
        """Return the losses of an epoch of plain training from here."""
        losses = []
        for inputs, targets in self.loader:
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(inputs), targets)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return losses

    def state(self) -> list[torch.Tensor]:
        """Return copies of the weights, the buffers and the optimizer's momentum."""
        kept = [*self.model.state_dict().values()]
        kept += [value for each in self.optimizer.state.values() for value in each.values() if torch.is_tensor(value)]
        return [each.detach().clone() for each in kept]


@dataclass
class Found:
    """The outcome of a finder: the losses of its curve, and its suggestion when asked."""

    losses: Sequence[float]
    suggest: Callable[[], float | None]


Find = Callable[[Training], Found]


def ours(training: Training) -> Found:
    arguments = training.model, training.optimizer, training.loss_fn, training.loader
    records = range_test(*arguments, start_lr=START_LR, end_lr=END_LR, num_steps=NUM_STEPS, progress=False)
    return Found(records.loss.tolist(), lambda: records.suggest().lr)


def torch_lr_finder(training: Training) -> Found:
    from torch_lr_finder import LRFinder

    on_disk: Any = {"memory_cache": False, "cache_dir": str(training.folder)}
    finder = LRFinder(training.model, training.optimizer, training.loss_fn, device="cpu", **on_disk)
    finder.range_test(training.loader, start_lr=START_LR, end_lr=END_LR, num_iter=NUM_STEPS)
    finder.reset()
    return Found(finder.history["loss"], lambda: finder.plot(suggest_lr=True, skip_start=0, skip_end=0)[1])


def ignite(training: Training) -> Found:
    from ignite.engine import Events, create_supervised_trainer
    from ignite.handlers import FastaiLRFinder

    trainer = create_supervised_trainer(training.model, training.optimizer, training.loss_fn)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: training.heard.append("step"))
    finder = FastaiLRFinder()
    kept = {"model": training.model, "optimizer": training.optimizer}
    with finder.attach(trainer, kept, start_lr=START_LR, end_lr=END_LR, num_iter=NUM_STEPS) as test:
        test.run(training.loader)
    return Found(finder.get_results()["loss"], finder.lr_suggestion)


def lightning(training: Training) -> Found:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.tuner.tuning import Tuner

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.lr = training.model, START_LR

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            inputs, targets = batch
            return training.loss_fn(self.model(inputs), targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return training.optimizer

    class Hearing(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            training.heard.append("step")

    quiet: Any = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    place: Any = {"accelerator": "cpu", "devices": 1, "default_root_dir": training.folder}
    trainer = Trainer(**place, **quiet, callbacks=[Hearing()])
    sweep: Any = {"min_lr": START_LR, "max_lr": END_LR, "num_training": NUM_STEPS}
    result = Tuner(trainer).lr_find(Module(), train_dataloaders=training.loader, **sweep)
    assert result is not None
    return Found(result.results["loss"], result.suggestion)


def fastai_learner(training: Training) -> Any:
    """Return a learner with a callback that hears of every batch."""
    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    class Hearing(Callback):  # type: ignore[misc]  # fastai ships no types
        def after_batch(self) -> None:
            training.heard.append("step")

    return Learner(
        DataLoaders(training.loader, training.loader),
        training.model,
        training.loss_fn,
        opt_func=lambda params, **_: OptimWrapper(opt=training.optimizer),
        path=training.folder,
        cbs=[Hearing()],
    )


def fastai(training: Training) -> Found:
    from fastai.callback import schedule  # noqa: F401  # adds lr_find

    learner = fastai_learner(training)
    with learner.no_bar(), learner.no_logging():
        answer = learner.lr_find(start_lr=START_LR, end_lr=END_LR, num_it=NUM_STEPS, show_plot=False)
    return Found([float(loss) for loss in learner.recorder.losses], lambda: float(answer.valley))


# The columns of the README's table.
FINDERS: dict[str, Find] = {
    "lr_widget": ours,
    "torch-lr-finder": torch_lr_finder,
    "ignite": ignite,
    "Lightning": lightning,
    "fastai": fastai,
}
