"""The widget on a Lightning module and on a Hugging Face trainer in a real JupyterLab: Run, Stop, Apply, then fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

COMMON = """
import hashlib, logging, random, time, warnings
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from lr_widget import LRFinderWidget
from lr_widget.schedule import rate_text

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.manual_seed(0)
torch.set_printoptions(profile="full", precision=12)
seconds_a_step = 0.2

def fingerprint():
    random_states = [random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()]
    return hashlib.sha256(repr([net.state_dict(), kept(), random_states]).encode()).hexdigest()
"""

LIGHTNING = """
import lightning

class Classifier(lightning.LightningModule):
    def __init__(self, lr=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))

    def training_step(self, batch, batch_idx):
        time.sleep(seconds_a_step)
        loss = nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
inputs = torch.randn(256, 10)
loader = DataLoader(TensorDataset(inputs, (inputs.sum(1) > 0).long()), batch_size=32, shuffle=True)
net = classifier = Classifier()
trainer = lightning.Trainer(
    max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
)

def kept():
    return dict(classifier.hparams), trainer.global_step, trainer.current_epoch, trainer.callback_metrics

before = fingerprint()
widget = LRFinderWidget.from_lightning(classifier, loader, trainer, num_steps=40)
"""
FIT = "trainer.fit(classifier, loader)\nprint('fitted with', trainer.optimizers[0].param_groups[0]['lr'], trainer.global_step)"

TRANSFORMERS = """
import tempfile
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

size = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
net = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=16, **size))
words = torch.randint(1, 50, (128, 8))
data = [{"input_ids": row, "labels": int(row[0] > 25)} for row in words]
arguments = TrainingArguments(
    tempfile.mkdtemp(), per_device_train_batch_size=16, num_train_epochs=1, report_to=[], use_cpu=True,
    logging_steps=1, save_strategy="no", disable_tqdm=True,
)

class SlowTrainer(Trainer):
    def compute_loss(self, *given, **options):
        time.sleep(seconds_a_step)
        return super().compute_loss(*given, **options)

trainer = SlowTrainer(net, arguments, train_dataset=data)

def kept():
    return arguments.learning_rate, trainer.state, trainer.optimizer, trainer.lr_scheduler

before = fingerprint()
widget = LRFinderWidget.from_transformers(trainer, num_steps=40)
"""
TRAIN = "_ = trainer.train()\nprint('fitted with', trainer.lr_scheduler.base_lrs[0], trainer.state.global_step)"

STEP_SHOWN = """least => {
    const text = document.querySelector('.lrw [data-ref=progressText]').textContent;
    return text.includes('left') && Number(text.split(' ')[1]) >= least;
}"""


@pytest.mark.parametrize(
    ("setup", "button", "place", "held", "fit"),
    [
        (LIGHTNING, "Apply to module", "classifier.hparams.lr", "module.hparams.lr", FIT),
        (TRANSFORMERS, "Apply to trainer", "arguments.learning_rate", "trainer.args.learning_rate", TRAIN),
    ],
    ids=["lightning", "transformers"],
)
def test_a_trainer_is_tested_stopped_and_trained_with_the_rate(
    open_notebook: Open, setup: str, button: str, place: str, held: str, fit: str
) -> None:
    """Stop leaves no trace; the next curve gives a rate that Apply puts into the trainer, and the next cell trains."""
    notebook = open_notebook([COMMON + setup, "widget", "records = widget.run()", fit])
    for cell in (0, 1):
        notebook.run_cell(cell)
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
    assert notebook.ref("apply").inner_text() == button

    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 5)
    points = notebook.curve_points()
    notebook.wait_for_more_points(points)
    notebook.ref("stop").click()
    notebook.wait_for_note("Stopped at step")
    assert notebook.ask("f'{widget.records.stop_reason} {fingerprint() == before}'") == "stopped True"

    notebook.ask("globals().update(seconds_a_step=0)")
    notebook.run()
    assert notebook.ask("fingerprint() == before") == "True"
    shown = notebook.ref("suggested").inner_text()
    assert shown == notebook.ask("rate_text(widget.suggestion.lr)")

    notebook.run_cell(2)
    notebook.wait_for_kernel()
    assert notebook.ask("len(widget.history)") == "3"
    assert notebook.ask("widget.history[1].loss.tolist() == records.loss.tolist()") == "True"
    assert notebook.ask("fingerprint() == before") == "True"

    notebook.ref("apply").click()
    notebook.wait_for_note(f"Applied {shown} to ")
    assert held in notebook.ref("note").inner_text()
    assert float(notebook.ask(place)) == float(shown)
    notebook.run_cell(3)
    said = notebook.output(3).filter(has_text="fitted with")
    said.wait_for()
    rate, steps = said.inner_text().partition("fitted with")[2].split()
    assert (float(rate), steps) == (float(shown), "8")
