"""The widget on the real objects of five frameworks: its test, its rate in their place, and its code on their names."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRFinderWidget, adapters

from ..helpers import click, note

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their imports use much that others have deprecated
    import accelerate
    import lightning
    import skorch
    import transformers
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks' own parts; ours are tested without them

LOSS = nn.CrossEntropyLoss()


class Case(NamedTuple):
    """A training: the widget's call on it, its objects by name, its rate, and the places that the widget names."""

    open: Callable[..., LRFinderWidget]
    names: dict[str, Any]
    rate: Callable[[], float]
    places: str


def net() -> nn.Sequential:
    """Make a model whose weights do not depend on the test before."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Make inputs and classes."""
    torch.manual_seed(1)
    inputs = torch.randn(64, 4)
    return inputs, (inputs.sum(1) > 0).long()


class Lit(lightning.LightningModule):
    """A classifier that keeps its rate among the hyperparameters."""

    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = net()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = LOSS(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def of_lightning(folder: Path) -> Case:
    """Make a module and its loader."""
    lit, loader = Lit(), DataLoader(TensorDataset(*data()), batch_size=16, shuffle=True)
    names = {"lit": lit, "loader": loader}
    return Case(
        lambda **s: LRFinderWidget.from_lightning(lit, loader, **s), names, lambda: lit.hparams.lr, "module.hparams.lr"
    )


def of_transformers(folder: Path) -> Case:
    """Make a tiny BERT and its trainer."""
    torch.manual_seed(0)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=20, max_position_embeddings=8, **size)
    rows = [{"input_ids": row, "labels": int(row[0] > 10)} for row in torch.randint(1, 20, (64, 6))]
    args = transformers.TrainingArguments(str(folder), use_cpu=True, report_to=[], disable_tqdm=True)
    model = transformers.BertForSequenceClassification(config)
    trainer = transformers.Trainer(model, args, train_dataset=rows)
    place = "trainer.args.learning_rate"
    return Case(
        lambda **s: LRFinderWidget.from_transformers(trainer, **s),
        {"my_trainer": trainer},
        lambda: args.learning_rate,
        place,
    )


def of_accelerate(folder: Path) -> Case:
    """Make the objects of a loop."""
    accelerator, model = accelerate.Accelerator(cpu=True), net()
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(*data()), batch_size=16, shuffle=True)
    parts = accelerator.prepare(model, optimizer, loader)
    names = dict(zip(("model", "optimizer", "loader"), parts, strict=True)) | {"acc": accelerator, "loss": LOSS}
    return Case(
        lambda **s: LRFinderWidget.from_accelerate(accelerator, parts[0], parts[1], LOSS, parts[2], **s),
        names,
        lambda: optimizer.param_groups[0]["lr"],
        "optimizer",
    )


def of_fastai(folder: Path) -> Case:
    """Make a learner."""
    loader = DataLoader(TensorDataset(*data()), batch_size=16)
    learn = Learner(DataLoaders(loader, loader), net(), loss_func=LOSS, path=folder)
    return Case(lambda **s: LRFinderWidget.from_fastai(learn, 2, **s), {"learn": learn}, lambda: learn.lr, "learner.lr")


def of_skorch(folder: Path) -> Case:
    """Make a net and its data."""
    X, y = (part.numpy() for part in data())
    classifier = skorch.NeuralNetClassifier(net(), criterion=nn.CrossEntropyLoss, verbose=0)
    names = {"classifier": classifier, "X": X, "y": y}
    return Case(lambda **s: LRFinderWidget.from_skorch(classifier, X, y, **s), names, lambda: classifier.lr, "net.lr")


@pytest.mark.parametrize("make", [of_lightning, of_transformers, of_accelerate, of_fastai, of_skorch])
def test_a_widget_serves_a_framework(
    make: Callable[[Path], Case], tmp_path: Path, notebook: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A test in the background, the rate applied by a click, and code that does the same again."""
    case = make(tmp_path)
    notebook.update(case.names)
    before, generator = case.rate(), torch.get_rng_state()
    widget = case.open(num_steps=20, seed=0)
    widget.start()
    assert widget.wait(60)
    assert (widget.status, widget.view_state["failure"]) == ("finished", None)
    assert (case.rate(), torch.equal(torch.get_rng_state(), generator)) == (before, True)
    widget.selected_lr = 0.0123
    click(widget, "apply")
    assert note(widget).startswith("Applied 0.0123 to ")
    assert case.places in note(widget)
    assert case.rate() == 0.0123

    widget.selected_lr = 0.0321
    names = {**case.names}
    assert "# Put your own" not in widget.answer["code"]
    exec(widget.answer["code"], names)
    assert (case.rate(), names["lr"]) == (0.0321, 0.0321)
    assert widget.records is not None
    assert np.array_equal(names["records"].loss, widget.records.loss)
    assert names["setup"].call[0] == make.__name__.removeprefix("of_")
    assert not list(tmp_path.iterdir())
    widget.close()


def test_the_keywords_of_an_adapter_serve_alike(tmp_path: Path) -> None:
    """`LRFinderWidget(**setup)` applies to the trainer, whose optimizer in the keywords is the adapter's own."""
    case = of_transformers(tmp_path)
    widget = LRFinderWidget(**{**adapters.transformers(case.names["my_trainer"]), "variable": "best"})
    widget.selected_lr = 0.0123
    assert widget.apply() == case.rate() == 0.0123
    widget.close()


@pytest.mark.parametrize("make", [of_lightning, of_transformers, of_accelerate, of_fastai, of_skorch])
def test_a_closed_widget_lets_go_of_a_framework(make: Callable[[Path], Case], tmp_path: Path) -> None:
    """Its adapter's call, which holds the trainer and the data, is freed, although the widget is still there."""
    widget = make(tmp_path).open(num_steps=10)
    widget.run()
    gone = weakref.ref(widget._arguments._origin)
    assert gone() is not None
    widget.close()
    gc.collect()
    assert gone() is None
