"""The copy of a trainer, and the stand-in for its accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from lr_widget import adapters, range_test
from lr_widget.adapters.hf_trainer.twin import StandIn, twin_of
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]


def test_a_twin_tells_nobody(tmp_path: Path) -> None:
    """What it logs and counts is its own, and no callback hears of it."""
    trainer = hf.trainer_of(tmp_path)
    trainer.state.epoch = None
    before = hf.parts_of(trainer, tmp_path)
    twin = twin_of(trainer)
    assert twin.state.epoch == 0
    twin.log({"loss": 1.0})
    twin.state.global_step = 5
    twin.control.should_save = True
    twin.add_callback(hf.transformers.TrainerCallback)
    assert twin.state.log_history
    assert hf.parts_of(trainer, tmp_path) == before
    assert twin.model is trainer.model


def test_kept_evaluation_loaders_are_not_shared(tmp_path: Path) -> None:
    """With persistent workers, `evaluate()` keeps its loaders on the trainer."""
    trainer = hf.trainer_of(tmp_path)
    trainer._eval_dataloaders = {"eval": "kept"}
    twin = twin_of(trainer)
    twin._eval_dataloaders["more"] = "new"
    assert trainer._eval_dataloaders == {"eval": "kept"}


@pytest.mark.parametrize("form", ["list", "generator", "groups", "groups of generators"])
def test_an_optimizer_class_with_parameters_trains_these_after_a_test(tmp_path: Path, form: str) -> None:
    """`create_optimizer` takes them out of the keywords, torch fills in groups, and a generator serves once."""

    def trainer() -> Any:
        model = hf.bert()
        head: Any = model.classifier.parameters() if "generator" in form else [*model.classifier.parameters()]
        params = [{"params": head, "weight_decay": 0.1}] if "groups" in form else head
        return hf.trainer_of(
            tmp_path, model, options={"optimizer_cls_and_kwargs": (torch.optim.AdamW, {"params": params})}
        )

    ours, other = trainer(), trainer()
    for _ in range(2):
        setup = adapters.transformers(ours)
        range_test(**setup, num_steps=3, progress=False)
    for each in (ours, other):
        each.optimizer_cls_and_kwargs[1]["lr"] = 0.02
        torch.manual_seed(5)
        each.train()
    hf.same_training(ours, other)
    assert len(ours.optimizer.param_groups) == 1


class Accelerator:
    """As much of an accelerator as is asked for."""

    gradient_accumulation_steps = 4
    device = "cpu"

    def __init__(self) -> None:
        self._dataloaders: list[Any] = ["kept"]

    def prepare_data_loader(self, loader: Any) -> Any:
        self._dataloaders.append([loader])
        return self._dataloaders[-1]


def test_a_stand_in_prepares_loaders_only_and_keeps_no_list_of_them() -> None:
    """Models and optimizers are left as they are; all else is asked of the accelerator."""
    accelerator, loader = Accelerator(), DataLoader([1, 2])  # type: ignore[arg-type, var-annotated]  # a list serves
    stand_in = StandIn(accelerator)
    assert stand_in.prepare(loader) == [loader]
    assert stand_in.prepare("model", loader) == ("model", [loader])
    assert accelerator._dataloaders == ["kept"]
    assert stand_in.device == "cpu"


def test_a_stand_in_keeps_losses_as_the_accelerator_scales_them() -> None:
    """An accelerator divides by its own accumulation."""
    stand_in = StandIn(Accelerator())
    stand_in.backward(torch.tensor(8.0), retain_graph=True)
    assert stand_in.losses == [torch.tensor(2.0)]
