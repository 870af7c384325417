"""Trainers that a range test cannot follow."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers

from lr_widget import adapters
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]


def test_an_old_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its training steps count otherwise."""
    trainer = hf.trainer_of(tmp_path)
    monkeypatch.setattr(import_module("transformers"), "__version__", "4.45.2")
    with pytest.raises(
        ImportError, match=r"needs transformers 4\.46 or newer, got 4\.45\.2; get it with pip install -U"
    ):
        adapters.transformers(trainer)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("is_deepspeed_enabled", "DeepSpeed"),
        ("is_fsdp_enabled", "FSDP"),
        ("is_distributed_loading_by_transformers", "a DistributedConfig"),
    ],
)
def test_foreign_engines_are_refused(tmp_path: Path, name: str, what: str) -> None:
    """They hold weights and optimizer states where nothing can put them back."""
    trainer = hf.trainer_of(tmp_path)
    setattr(trainer, name, True)
    with pytest.raises(ValueError, match=f"hands its steps to {what}.* make one without it for the test"):
        adapters.transformers(trainer)


@pytest.mark.parametrize("optim", ["lomo", "adalomo", "galore_adamw_layerwise"])
def test_optimizers_that_step_within_the_backward_pass_are_refused(tmp_path: Path, optim: str) -> None:
    """They would be made with hooks on the weights."""
    trainer = hf.trainer_of(tmp_path)
    trainer.args.optim = optim
    with pytest.raises(ValueError, match=f"optim='{optim}' steps within the backward pass"):
        adapters.transformers(trainer)


def test_a_trainer_without_data_is_refused(tmp_path: Path) -> None:
    """There is nothing to train on."""
    trainer = hf.trainer_of(tmp_path)
    trainer.train_dataset = None
    with pytest.raises(ValueError, match="this Trainer has no train_dataset, so there is nothing to train on"):
        adapters.transformers(trainer)


def test_something_else_than_a_trainer_is_refused() -> None:
    """A model, say."""
    with pytest.raises(TypeError, match=r"adapters\.transformers takes a transformers\.Trainer, got .*SimpleNamespace"):
        adapters.transformers(SimpleNamespace())


class Loud(transformers.TrainerCallback):
    """Hears events that have no part in an update."""

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError


class Freezing(transformers.TrainerCallback):
    """Takes the gradients of a part of the model away."""

    def on_pre_optimizer_step(self, *args: Any, model: Any, **kwargs: Any) -> None:
        for parameter in model.bert.parameters():
            parameter.grad = None


class Clamping(Loud):
    """Keeps weights small."""

    def on_optimizer_step(self, *args: Any, model: Any, **kwargs: Any) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.clamp_(-0.02, 0.02)


@pytest.mark.parametrize(("kind", "event"), [(Freezing, "on_pre_optimizer_step"), (Clamping, "on_optimizer_step")])
def test_callbacks_with_a_part_in_the_update_are_refused(tmp_path: Path, kind: Any, event: str) -> None:
    """Nobody calls them in a test; others may stay, and those of the library."""
    trainer = hf.trainer_of(tmp_path, options={"callbacks": [Loud, kind]})
    sentence = rf"got the callback {kind.__name__} with an {event} of its own; .*remove_callback\({kind.__name__}\)"
    with pytest.raises(ValueError, match=sentence):
        adapters.transformers(trainer)
    trainer.remove_callback(kind)
    assert adapters.transformers(trainer)


@pytest.mark.parametrize("name", ["_clip_grad_norm", "_get_grad_norm", "_run_epoch", "_inner_training_loop"])
def test_trainers_with_an_update_of_their_own_are_refused(tmp_path: Path, name: str) -> None:
    """Their methods would not be heard; versions that have no such method do not hear it either."""
    kind = type("Own", (transformers.Trainer,), {name: lambda self, *args, **kwargs: None})
    trainer = hf.trainer_of(tmp_path, kind=kind)
    if not hasattr(transformers.Trainer, name):
        assert adapters.transformers(trainer)
        return
    with pytest.raises(ValueError, match=rf"got Own with a {name} of its own; make a Trainer without it for the test"):
        adapters.transformers(trainer)
