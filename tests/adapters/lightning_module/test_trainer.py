"""A trainer of ours: the settings that it takes over, and the silence that it keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from lr_widget import adapters, range_test
from lr_widget.adapters.lightning_module.trainer import has_planned_end, own_trainer, processes_of

from ..lit import TEST, L, assert_no_trace, loader, loss_of, regression, seeded, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")

PRECISIONS = {"bf16-mixed": torch.float32, "16-mixed": torch.float32, "bf16-true": torch.bfloat16}
PRECISIONS |= {"64-true": torch.float64, "32-true": torch.float32}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_is_that_of_fit_and_leaves_no_trace(precision: str, tmp_path: Path) -> None:
    """A module of the precision's own type is tested in it; autocast is on in a step where `fit` has it on."""
    seen: set[Any] = set()

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        answer = self.net(batch[0])
        seen.add((answer.dtype, torch.get_default_dtype(), torch.is_autocast_enabled("cpu")))
        loss = torch.nn.functional.mse_loss(answer, batch[1])
        self.log("train_loss", loss)
        return loss

    def make() -> Any:
        return regression(training_step=training_step)().to(PRECISIONS[precision])

    assert_no_trace(make, folder=tmp_path, precision=precision)
    assert len(seen) == 1  # in the test as in fit
    assert torch.get_default_dtype() is torch.float32


def test_a_precision_that_would_convert_the_module_is_refused() -> None:
    """Converted back, weights would not have their bits; converted before, as `fit` does, they stay."""
    with pytest.raises(
        ValueError, match=r"'bf16-true' needs a module of torch.bfloat16, got torch.float32, .*convert it"
    ):
        adapters.lightning(regression()(), loader(), trainer(precision="bf16-true"))


def test_a_plugin_for_precision_is_the_users_own() -> None:
    """With the scale of its scaler, which the test leaves as it was."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
    plugin = MixedPrecision("16-mixed", "cpu", scaler)
    setup = adapters.lightning(seeded(regression()), loader(), trainer(plugins=[plugin]))
    assert setup["grad_scaler"] is scaler
    records = range_test(**setup, **TEST)
    assert len(records) > 3
    assert scaler.state_dict()["_growth_tracker"] == 0
    assert scaler.get_scale() == 2.0**10


def test_the_scaler_of_manual_optimization_is_restored() -> None:
    """There, Lightning scales and steps; a skipped step is none too few."""

    def training_step(self: Any, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss_of(self, batch) * (1e30 if batch_idx == 1 else 1.0))
        optimizer.step()

    module = seeded(regression(training_step=training_step))
    module.automatic_optimization = False
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**15)
    train = trainer(plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    setup = adapters.lightning(module, loader(), train)
    records = range_test(**setup, **{**TEST, "diverge_factor": None})
    assert len(records) >= 2
    assert scaler.get_scale() == 2.0**15


def test_settings_of_the_users_trainer_are_those_of_ours() -> None:
    """But callbacks, loggers and files."""
    settings = {"max_epochs": 9, "max_steps": 77, "limit_train_batches": 4, "gradient_clip_val": 0.3}
    own = own_trainer(L, regression()(), trainer(accumulate_grad_batches=2, **settings))
    assert {name: getattr(own, name) for name in settings} == settings
    assert own.accumulate_grad_batches == 2
    assert (own.callbacks, own.checkpoint_callback, own.progress_bar_callback) == ([], None, None)
    assert own.training


def test_callbacks_of_the_users_trainer_hear_nothing() -> None:
    """Nor is the trainer anything but read."""

    class Loud(L.Callback):  # type: ignore[misc, name-defined]  # imported by its name
        def __getattribute__(self, name: str) -> Any:
            assert not name.startswith(("on_", "setup", "teardown"))
            return super().__getattribute__(name)

    train = trainer(callbacks=[Loud()])
    before = {name: id(value) for name, value in vars(train).items()}
    range_test(**adapters.lightning(regression()(), loader(), train), **TEST)
    assert {name: id(value) for name, value in vars(train).items()} == before


SILENT = """
import warnings
import lightning.pytorch as L, torch
from torch.utils.data import DataLoader
from lr_widget import adapters, range_test

class Module(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).square().mean()
        self.log("loss", loss, prog_bar=True)
        return loss
    def validation_step(self, batch, batch_idx):
        pass
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

warnings.simplefilter("error")
range_test(**adapters.lightning(Module(), DataLoader(torch.randn(20, 3), num_workers=0)), num_steps=5, progress=False)
warnings.warn("a warning of the user's is heard after it")
"""


def test_nothing_is_printed_and_no_warning_comes_of_lightning(tmp_path: Path) -> None:
    """Neither of devices nor of loaders; the filters and levels of others are as they were."""
    command = [sys.executable, "-c", SILENT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.stdout == ""
    assert done.stderr.strip().endswith("UserWarning: a warning of the user's is heard after it")
    assert done.stderr.count("\n") == 3, done.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("settings", "is_planned"),
    [
        ({"max_epochs": 3}, True),
        ({"max_epochs": -1, "max_steps": 3}, True),
        ({"max_epochs": -1}, False),
        ({"max_epochs": None}, False),
        ({"fast_dev_run": True}, False),
    ],
)
def test_a_planned_end_is_one_that_was_given(settings: dict[str, Any], is_planned: bool) -> None:
    """Epochs or steps; Lightning's own default of 1000 epochs is none."""
    assert has_planned_end(trainer(**settings)) is is_planned


def test_processes_that_are_not_there_yet_are_refused_in_a_script() -> None:
    """With both ways on: to start them first, or to test in one with batches as large."""
    message = (
        r"trains in 2 processes, which are not there before fit; start the script with torchrun and call torch."
        r"distributed.init_process_group\(\) first, or .* Trainer\(devices=1, accumulate_grad_batches=6\)$"
    )
    with pytest.raises(ValueError, match=message):
        adapters.lightning(regression()(), loader(), trainer(devices=2, strategy="ddp", accumulate_grad_batches=3))


def test_processes_that_fit_starts_in_a_notebook_are_one_with_as_large_batches() -> None:
    """A step then has the samples of an update in all of them, and the training as many steps."""
    train = trainer(devices=2, strategy="ddp_notebook", accumulate_grad_batches=2)
    assert processes_of(train) == 2
    setup = adapters.lightning(regression()(), loader(), train)
    assert (setup["accumulation_steps"], setup["train_steps"]) == (4, 6)
    assert len(range_test(**setup, **TEST)) == 12


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_the_module_goes_to_the_trainers_device(tmp_path: Path) -> None:
    """As with `fit`, and the curve is that of the plain engine there; fit afterwards is fit without a test."""
    module = seeded(regression())
    setup = adapters.lightning(module, loader(), trainer(accelerator="gpu", devices=1, precision="16-mixed"))
    assert module.device == setup["device"] == torch.device("cuda", 0)
    records = range_test(**setup, **TEST, seed=1)
    same = range_test(
        module,
        torch.optim.SGD(module.parameters(), lr=0.1),
        None,
        loader(),
        train_step=loss_of,
        autocast=torch.float16,
        grad_scaler=torch.amp.GradScaler(),
        **TEST,
        seed=1,
    )
    assert records.loss == pytest.approx(same.loss, rel=1e-3)
    assert_no_trace(regression(), folder=tmp_path, accelerator="gpu", devices=1, precision="16-mixed")
