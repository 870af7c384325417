"""Longer scripts as beginners write them after Lightning's tutorials, each with our one line before `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lr_widget import adapters, range_test

from ..lit import assert_no_trace, images, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


# --- a GAN --------------------------------------------------------------------------------------------------------------


class GAN(L.LightningModule):
    """As in the tutorial: toggled optimizers, pictures for the logger, noise that is kept for validation."""

    def __init__(self, latent_dim: int = 4, lr: float = 2e-4, b1: float = 0.5, b2: float = 0.999) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(latent_dim, 16), nn.LeakyReLU(), nn.Linear(16, 64), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(64, 16), nn.LeakyReLU(), nn.Linear(16, 1))
        self.validation_z = torch.randn(8, latent_dim)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.generator(z).view(-1, 1, 8, 8)

    def adversarial_loss(self, scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(scores, y)

    def training_step(self, batch: Any) -> None:
        pictures, _ = batch
        optimizer_g, optimizer_d = self.optimizers()
        z = torch.randn(pictures.shape[0], self.hparams.latent_dim).type_as(pictures)
        valid = torch.ones(pictures.size(0), 1).type_as(pictures)

        self.toggle_optimizer(optimizer_g)
        self.generated = self(z)
        self.logger.experiment.add_image("train/generated_images", self.generated[0], self.current_epoch)
        g_loss = self.adversarial_loss(self.discriminator(self(z).flatten(1)), valid)
        self.log("train_loss", g_loss, prog_bar=True)
        self.manual_backward(g_loss)
        optimizer_g.step()
        optimizer_g.zero_grad()
        self.untoggle_optimizer(optimizer_g)

        self.toggle_optimizer(optimizer_d)
        real_loss = self.adversarial_loss(self.discriminator(pictures.flatten(1)), valid)
        fake_loss = self.adversarial_loss(self.discriminator(self(z).detach().flatten(1)), torch.zeros_like(valid))
        d_loss = (real_loss + fake_loss) / 2
        self.log("d_loss", d_loss, prog_bar=True)
        self.manual_backward(d_loss)
        optimizer_d.step()
        optimizer_d.zero_grad()
        self.untoggle_optimizer(optimizer_d)

    def configure_optimizers(self) -> Any:
        lr, betas = self.hparams.lr, (self.hparams.b1, self.hparams.b2)
        opt_g = optim.Adam(self.generator.parameters(), lr=lr, betas=betas)
        opt_d = optim.Adam(self.discriminator.parameters(), lr=lr, betas=betas)
        return [opt_g, opt_d], []

    def on_validation_epoch_end(self) -> None:
        """Show pictures."""


class Album:
    """The experiment of a logger that takes pictures."""

    def add_image(self, name: str, picture: torch.Tensor, epoch: int) -> None:
        """Take none."""


def test_a_gan(tmp_path: Path) -> None:
    """Its updates are its own, for both optimizers at the swept rate; the logger gets no picture of the test."""
    taken: list[str] = []

    class Logger(L.pytorch.loggers.logger.DummyLogger):
        @property
        def experiment(self) -> Any:
            taken.append("picture")
            return Album()

    module, data = GAN(), DataLoader(images(), batch_size=8, shuffle=True)
    train = trainer(logger=Logger())
    assert_no_trace(GAN, lambda: DataLoader(images(), batch_size=8, shuffle=True), folder=tmp_path, logger=Logger())
    taken.clear()
    setup = adapters.lightning(module, data, train)
    records = range_test(**setup, num_steps=20, progress=False)
    assert taken == []
    assert "generated" not in vars(module)
    assert (records.group_lrs[:, 0] == records.group_lrs[:, 1]).all()
    assert setup.apply(4e-4) == ["hparams.lr"]
    train.fit(module, data)
    assert [group["lr"] for each in train.optimizers for group in each.param_groups] == [4e-4, 4e-4]


# --- a language model ---------------------------------------------------------------------------------------------------


class Letters(Dataset[Any]):
    """Pieces of a text, and the same pieces one letter on."""

    def __init__(self, length: int = 8) -> None:
        text = "the quick brown fox jumps over the lazy dog " * 4
        self.numbers = torch.tensor([sorted(set(text)).index(letter) for letter in text])
        self.vocab_size, self.length = len(set(text)), length

    def __len__(self) -> int:
        return len(self.numbers) - self.length

    def __getitem__(self, index: int) -> Any:
        return self.numbers[index : index + self.length], self.numbers[index + 1 : index + self.length + 1]


class LanguageModel(L.LightningModule):
    """A transformer with warm weights in one cycle over the steps of the trainer."""

    def __init__(self, vocab_size: int, max_lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(vocab_size, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(16, vocab_size)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(1))
        scores = self.head(self.transformer(self.embedding(x), mask=mask, is_causal=True))
        loss = F.cross_entropy(scores.flatten(0, 1), y.flatten())
        self.log("train_loss", loss, prog_bar=True)
        self.log("lr", self.lr_schedulers().get_last_lr()[0])
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = optim.AdamW(self.parameters(), lr=self.hparams.max_lr)
        steps = self.trainer.estimated_stepping_batches
        scheduler = optim.lr_scheduler.OneCycleLR(optimizer, self.hparams.max_lr, total_steps=steps)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def test_a_language_model_in_one_cycle(tmp_path: Path) -> None:
    """The cycle is known to the suggestion, its top is the rate that is swept, and clipping is the trainer's."""
    data, settings = (lambda: DataLoader(Letters(), batch_size=16, shuffle=True)), {"gradient_clip_val": 1.0}
    module = LanguageModel(Letters().vocab_size)
    _, setup, _ = assert_no_trace(lambda: LanguageModel(Letters().vocab_size), data, folder=tmp_path, **settings)
    assert (setup["train_steps"], setup["train_schedule"], setup["max_grad_norm"]) == (22, "one_cycle", 1.0)
    setup = adapters.lightning(module, data(), trainer(**settings), rate_name="hparams.max_lr")
    assert setup.apply(0.02) == ["hparams.max_lr"]
    train = trainer(max_epochs=1)
    train.fit(module, data())
    assert train.optimizers[0].param_groups[0]["max_lr"] == 0.02
