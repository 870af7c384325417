"""Small LightningModules, and a comparison of trainings with and without a range test before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import adapters, iter_range_test, probe, range_test
from lr_widget.results import LRRecords

from ..no_trace.state import Look

TEST: dict[str, Any] = {"num_steps": 12, "progress": False}
LIBRARIES = ["lightning.pytorch", "pytorch_lightning"]

L = import_module(LIBRARIES[0])


def regression(library: Any = L, **methods: Any) -> Any:
    """Return the class of a small module with dropout and batch norm; `methods` are added to it or replace its own."""

    class Regression(library.LightningModule):  # type: ignore[misc]  # of either package
        def __init__(self, lr: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = functional.mse_loss(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=True, sync_dist=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

    for name, method in methods.items():
        setattr(Regression, name, method)
    return Regression


def gan(library: Any = L, **methods: Any) -> Any:
    """Return the class of a module with two optimizers under manual optimization."""

    class Gan(library.LightningModule):  # type: ignore[misc]  # of either package
        def __init__(self, lr: float = 1e-3) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.lr = lr
            self.generator = nn.Linear(2, 4)
            self.critic = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

        def training_step(self, batch: Any, batch_idx: int) -> None:
            of_generator, of_critic = self.optimizers()
            real, noise = batch[0], torch.randn(len(batch[0]), 2)
            self.toggle_optimizer(of_generator)
            loss = judged(self.critic(self.generator(noise)), 1.0)
            of_generator.zero_grad()
            self.manual_backward(loss)
            of_generator.step()
            self.untoggle_optimizer(of_generator)
            self.toggle_optimizer(of_critic)
            loss_of_critic = judged(self.critic(real), 1.0) + judged(self.critic(self.generator(noise).detach()), 0.0)
            of_critic.zero_grad()
            self.manual_backward(loss_of_critic)
            self.clip_gradients(of_critic, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
            of_critic.step()
            self.untoggle_optimizer(of_critic)
            self.log_dict({"generator": loss, "critic": loss_of_critic}, prog_bar=True)

        def configure_optimizers(self) -> Any:
            return [torch.optim.Adam(each.parameters(), lr=self.lr) for each in (self.generator, self.critic)], []

    for name, method in methods.items():
        setattr(Gan, name, method)
    return Gan


def steady(**methods: Any) -> Any:
    """Return the class of a `regression` without randomness, so that a test and a `fit` see the same."""

    def __init__(self: Any, lr: float = 0.1) -> None:
        L.LightningModule.__init__(self)
        self.save_hyperparameters({"lr": lr})
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    return regression(**{"__init__": __init__, **methods})


def losses_of_fit(module: Any, lrs: Sequence[float], **settings: Any) -> list[float]:
    """Return the loss of each batch of a `fit` that steps at these rates, on unshuffled data."""
    losses: list[float] = []

    class AtRates(L.Callback):  # type: ignore[misc, name-defined]  # imported by its name
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = lrs[trainer.global_step]

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            losses.append(float(outputs["loss"]) * trainer.accumulate_grad_batches)

    callbacks = [*settings.pop("callbacks", []), AtRates()]
    train = trainer(callbacks=callbacks, max_epochs=-1, max_steps=len(lrs), **settings)
    train.fit(module, loader(180, shuffle=False))
    return losses


def records_of_test(module: Any, **settings: Any) -> LRRecords:
    """Return the records of a test as long as `TEST`, on the same data as `losses_of_fit`."""
    setup: dict[str, Any] = adapters.lightning(module, loader(180, shuffle=False), trainer(**settings))
    records: LRRecords = range_test(**setup, **TEST)
    return records


def loss_of(module: Any, batch: Any) -> torch.Tensor:
    """The loss of `regression`."""
    return functional.mse_loss(module.net(batch[0]), batch[1])


def curve(module: Any, train: Any = None, **keywords: Any) -> Any:
    """Return the raw losses of a test."""
    setup: dict[str, Any] = adapters.lightning(module, loader(), train, **keywords)
    return range_test(**setup, **TEST, seed=1).loss


def judged(scores: torch.Tensor, answer: float) -> torch.Tensor:
    """Return the loss of a critic's scores."""
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, answer))


def loader(num: int = 60, batch_size: int = 6, **options: Any) -> DataLoader[Any]:
    """Return a shuffling loader of a sum."""
    x = torch.randn(num, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x.sum(1, keepdim=True))
    return DataLoader(data, batch_size=batch_size, **{"shuffle": True, **options})


def images(num: int = 64) -> TensorDataset:
    """Small pictures of two kinds, each with its number."""
    made = torch.Generator().manual_seed(0)
    kinds = torch.randint(2, (num,), generator=made)
    pictures = torch.rand(num, 1, 8, 8, generator=made) * 0.5
    pictures[kinds == 1, :, :4] += 0.5
    return TensorDataset(pictures, kinds)


def trainer(library: Any = L, **settings: Any) -> Any:
    """Return a trainer on the CPU that shows and keeps nothing, but as the settings say."""
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": 2}
    return library.Trainer(**{**quiet, **settings})


def seeded(make: Callable[[], Any]) -> Any:
    """Make something from a fixed seed."""
    torch.manual_seed(0)
    np.random.seed(0)
    return make()


def assert_same(one: Any, two: Any, name: str = "") -> None:
    """Compare nested states bit for bit."""
    assert type(one) is type(two), name
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), name
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), name
        for key, value in one.items():
            assert_same(value, two[key], f"{name}.{key}")
    else:
        assert one == two, name


def tested(setup: Any, **keywords: Any) -> LRRecords:
    """Run a range test twice, once half-way and a probe, and return the records of the first."""
    test = {**TEST, **keywords}
    records: LRRecords = range_test(**{**setup, **test})
    with iter_range_test(**{**setup, "num_steps": 12, "seed": 1}) as half:
        next(iter(half))
    assert (range_test(**{**setup, **test}).loss == records.loss).all()
    probe(**{**setup, **test, "max_steps": 24})
    return records


def assert_no_trace(
    make: Callable[[], Any],
    data: Callable[[], Any] = loader,
    *,
    folder: Path,
    library: Any = L,
    seed: int | None = 3,
    **settings: Any,
) -> tuple[LRRecords, Any, Any]:
    """Compare a training with a range test before it to one without, bit for bit.

    Returns:
        The records, the adapter's keywords and the trainer after `fit`.
    """
    ends: list[Any] = []
    for is_tested in (False, True):
        module, batches = seeded(make), seeded(data)
        own = folder / str(is_tested)
        logger = import_module(f"{library.__name__}.loggers").CSVLogger(own)
        train = trainer(library, **{"logger": logger, "default_root_dir": own, "log_every_n_steps": 1, **settings})
        torch.manual_seed(5)
        if is_tested:
            look = Look(module)
            setup = adapters.lightning(module, batches, train)
            records = tested(setup, seed=seed)
            look.assert_unchanged()
            assert not own.exists()
            assert (train.global_step, train.current_epoch, train.lightning_module) == (0, 0, None)
        train.fit(module, batches)
        paths = [path for path in own.rglob("*") if path.is_file()]
        names = sorted(str(path.relative_to(own)) for path in paths)
        texts = {path.name: path.read_bytes() for path in paths if path.suffix != ".ckpt"}
        ends.append({**module.state_dict(), "metrics": dict(train.callback_metrics), "files": names})
        ends[-1] |= texts | {"steps": train.global_step, "rng": torch.get_rng_state(), "names": sorted(vars(module))}
    assert_same(ends[0], ends[1])
    return records, setup, train
