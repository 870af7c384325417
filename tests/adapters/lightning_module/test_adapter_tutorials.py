"""Scripts as beginners write them after Lightning's tutorials, each with our one line before `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import torchmetrics
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

from lr_widget import adapters, range_test

from ..lit import assert_no_trace, images, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


def tried(module: Any, data: Any, train: Any) -> float:
    """Find a rate in the one line, let the module have it, fit, and return the last loss."""
    setup = adapters.lightning(module, data, train)
    records = range_test(**setup, num_steps=40, start_lr=1e-5, progress=False)
    assert records.loss[0] > 0
    setup.apply(records.suggest("steepest").lr or 1e-3)
    train.fit(module, data)
    assert train.global_step > 0
    return float(train.callback_metrics["train_loss"])


# --- the first tutorial -------------------------------------------------------------------------------------------------


class LitAutoEncoder(L.LightningModule):
    """Two nets, and a rate that is written into it."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, _ = batch
        x = x.view(x.size(0), -1)
        loss = F.mse_loss(self.decoder(self.encoder(x)), x)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> optim.Optimizer:
        return optim.Adam(self.parameters(), lr=1e-3)


def autoencoder() -> Any:
    """The module of the first tutorial, smaller."""
    encoder = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
    return LitAutoEncoder(encoder, nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 64)))


def test_the_autoencoder(tmp_path: Path) -> None:
    """It keeps its rate nowhere, and is told where to write it."""
    data = lambda: DataLoader(images(), batch_size=8)  # noqa: E731  # as in the script
    assert_no_trace(autoencoder, data, folder=tmp_path, limit_train_batches=5)
    setup = adapters.lightning(autoencoder(), data())
    with pytest.raises(ValueError, match=r"or write 0.01 into configure_optimizers$"):
        setup.apply(0.01)


# --- a classifier with a data module and metrics ------------------------------------------------------------------------


class Pictures(L.LightningDataModule):
    """Downloads, splits and loads."""

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        super().__init__()
        self.folder = folder
        self.batch_size = batch_size
        self.save_hyperparameters(ignore=["folder"])

    def prepare_data(self) -> None:
        torch.save(images().tensors, self.folder / "pictures.pt")

    def setup(self, stage: str) -> None:
        data = TensorDataset(*torch.load(self.folder / "pictures.pt"))
        self.train, self.val = random_split(data, [48, 16])

    def train_dataloader(self) -> Any:
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.val, batch_size=self.batch_size)


class Classifier(L.LightningModule):
    """Convolution, metrics, validation and a scheduler that watches it."""

    def __init__(self, learning_rate: float = 1e-3, hidden: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(
            nn.Conv2d(1, hidden, 3), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.LazyLinear(2)
        )
        self.model(torch.zeros(2, 1, 8, 8))
        self.train_accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=2)
        self.val_accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        scores = self(x)
        loss = F.cross_entropy(scores, y)
        self.train_accuracy(scores, y)
        self.log("train_acc", self.train_accuracy, on_step=True, on_epoch=True, prog_bar=True)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        scores = self(x)
        self.val_accuracy(scores, y)
        self.log("val_loss", F.cross_entropy(scores, y), prog_bar=True)
        self.log("val_acc", self.val_accuracy)

    def configure_optimizers(self) -> Any:
        optimizer = optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
        scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


def test_a_classifier_with_a_data_module_and_metrics(tmp_path: Path) -> None:
    """Its training learns with the rate that was found, and is the same with a test before it as without."""
    assert_no_trace(Classifier, lambda: Pictures(tmp_path), folder=tmp_path)
    module = Classifier()
    assert tried(module, Pictures(tmp_path), trainer(max_epochs=4)) < 0.7
    assert module.hparams.learning_rate != 1e-3


# --- transfer learning --------------------------------------------------------------------------------------------------


class TransferLearning(L.LightningModule):
    """A backbone that is frozen, in eval mode and without gradients, and a head."""

    def __init__(self, lr: float = 1e-2) -> None:
        super().__init__()
        self.lr = lr
        layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
        self.feature_extractor = nn.Sequential(*layers)
        self.feature_extractor.requires_grad_(False)
        self.feature_extractor.eval()
        self.classifier = nn.Linear(144, 2)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        self.feature_extractor.eval()
        with torch.no_grad():
            representations = self.feature_extractor(x)
        loss = F.cross_entropy(self.classifier(representations), y)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return optim.SGD([p for p in self.parameters() if p.requires_grad], lr=self.lr, momentum=0.9)


def test_transfer_learning_with_a_frozen_backbone(tmp_path: Path) -> None:
    """Only the head is trained; the frozen part stays in eval mode with its statistics."""
    data = lambda: DataLoader(images(), batch_size=8, shuffle=True)  # noqa: E731  # as in the script
    assert_no_trace(TransferLearning, data, folder=tmp_path)
    module = TransferLearning()
    statistics = module.feature_extractor[1].running_mean.clone()
    assert tried(module, data(), trainer(max_epochs=4)) < 0.7
    assert torch.equal(module.feature_extractor[1].running_mean, statistics)
