"""A model as `train()` has it before its first step, in a test and never after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from lr_widget import adapters, range_test
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

SHORT: dict[str, Any] = {"num_steps": 3, "progress": False}

SEEN: list[Any] = []  # a record, which stays after a test


class Looking(transformers.Trainer):
    """Looks at the model that it computes a loss of."""

    def compute_loss(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        SEEN.append(self.look(model))
        return super().compute_loss(model, *args, **kwargs)

    def look(self, model: Any) -> Any:
        return type(model)


def seen_by(kind: type[Looking], folder: Path, model: Any = None, data: Any = None, **changes: Any) -> tuple[Any, Any]:
    """Return what a trainer sees in a test, and what it sees in its training."""
    trainer = hf.trainer_of(folder, model, data, kind=kind, **changes)
    before = hf.parts_of(trainer, folder)
    range_test(**adapters.transformers(trainer), **SHORT)
    seen = SEEN[-1]
    assert hf.parts_of(trainer, folder) == before
    SEEN.clear()
    trainer.train()
    return seen, SEEN[-1]


def test_activations_are_checkpointed(tmp_path: Path) -> None:
    """A model that fits only with them fits in a test, too."""

    class Checkpoints(Looking):
        def look(self, model: Any) -> Any:
            return [
                module.gradient_checkpointing for module in model.modules() if hasattr(module, "gradient_checkpointing")
            ]

    seen, trained = seen_by(Checkpoints, tmp_path, activation_checkpointing=True)
    assert seen == trained
    assert any(seen)
    assert not any(seen_by(Checkpoints, tmp_path)[0])


def test_noise_is_in_the_embeddings(tmp_path: Path) -> None:
    """NEFTune's hook acts in a test."""

    class Hooks(Looking):
        def look(self, model: Any) -> Any:
            embeddings = model.get_input_embeddings()
            return len(embeddings._forward_hooks), embeddings.neftune_noise_alpha

    assert seen_by(Hooks, tmp_path, neftune_noise_alpha=3.0) == ((1, 3.0), (1, 3.0))


def test_outputs_are_computed_in_half_precision_and_given_in_single(tmp_path: Path) -> None:
    """As in `train()`, only the forward pass is in autocast."""

    class Types(Looking):
        def look(self, model: Any) -> Any:
            inner: list[Any] = []
            handle = model.classifier.register_forward_hook(lambda module, inputs, output: inner.append(output.dtype))
            outputs = model(input_ids=torch.ones(2, 4, dtype=torch.long))
            handle.remove()
            return inner[0], outputs.logits.dtype, torch.is_autocast_enabled("cpu")

    half = (torch.bfloat16, torch.float32, False)
    assert seen_by(Types, tmp_path, bf16=True) == (half, half)


def test_several_devices_of_one_process_share_a_batch(tmp_path: Path) -> None:
    """A trainer that sees several devices wraps its model in DataParallel; here they are only said to be there."""
    trainer = hf.trainer_of(tmp_path, kind=Looking)
    trainer.args._n_gpu = 2
    range_test(**adapters.transformers(trainer), **SHORT)
    assert SEEN[-1] is nn.DataParallel


def tokenizer() -> Any:
    """A tokenizer with a token for padding, which the model's config lacks."""
    from tokenizers import Tokenizer, models

    words = {"<pad>": 0, "<unk>": 1, **{f"word{index}": index for index in range(2, hf.WORDS)}}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")


def test_the_model_gets_the_tokenizers_padding(tmp_path: Path) -> None:
    """GPT-2 classifies no batch of several texts without it, and `train()` sets it."""
    config = hf.gpt2().config
    config.num_labels = 2
    torch.manual_seed(0)
    model = transformers.GPT2ForSequenceClassification(config)
    assert model.config.pad_token_id is None

    class Padding(Looking):
        def look(self, model: Any) -> Any:
            return model.config.pad_token_id

    options = {"processing_class": tokenizer()}
    assert seen_by(Padding, tmp_path, model, hf.uneven(), options=options) == (0, 0)
