"""Tiny models, data and trainers of Hugging Face."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from torch.utils.data import Dataset

WORDS = 40
NOISE = (  # of the frameworks themselves, in versions that we do not choose
    "ignore:.*pin_memory.*:UserWarning",
    "ignore:.*lr_scheduler.step.*:UserWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
)


class Rows(Dataset[Any]):
    """Samples in a list."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


def sentences(count: int = 24, *, length: int = 6) -> Rows:
    """Sentences with a label that one of their words gives away."""
    source = torch.Generator().manual_seed(0)
    ids = torch.randint(5, WORDS, (count, length), generator=source)
    return Rows([{"input_ids": row, "labels": (row[0] > WORDS // 2).long()} for row in ids])


def texts(count: int = 24, *, length: int = 6) -> Rows:
    """Texts to be continued, of several lengths, padded; the padding is no target."""
    source = torch.Generator().manual_seed(1)
    rows = []
    for row in torch.randint(5, WORDS, (count, length), generator=source):
        end = int(torch.randint(2, length + 1, (1,), generator=source))
        mask = (torch.arange(length) < end).long()
        rows.append({"input_ids": row, "attention_mask": mask, "labels": torch.where(mask > 0, row, -100)})
    return Rows(rows)


def bert(*, dropout: float = 0.1) -> transformers.BertForSequenceClassification:
    """A classifier of sentences."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    config.num_labels = 2
    return transformers.BertForSequenceClassification(config)


def gpt2() -> transformers.GPT2LMHeadModel:
    """A language model."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=WORDS, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    config.bos_token_id = config.eos_token_id = 1
    return transformers.GPT2LMHeadModel(config)


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the arguments of a short training on the CPU."""
    common = {
        "output_dir": str(folder),
        "use_cpu": True,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 2,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    return {**common, **changes}


def trainer_of(
    folder: Path,
    model: nn.Module | None = None,
    data: Any = None,
    *,
    kind: Callable[..., Any] = transformers.Trainer,
    options: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Any:
    """Make a trainer; by default of `bert` on `sentences`.

    Args:
        folder: where it may write.
        model, data, kind: its model, data and class.
        options: more of its keywords.
        **changes: of its arguments.
    """
    given = {"model": bert() if model is None else model, **(options or {})}
    if given.get("model_init") is not None:
        del given["model"]
    of_kind = transformers.Seq2SeqTrainingArguments if kind is transformers.Seq2SeqTrainer else None
    args = (of_kind or transformers.TrainingArguments)(**settings(folder, **changes))
    return kind(args=args, train_dataset=sentences() if data is None else data, **given)


def losses_of_train(trainer: Any, rates: list[float]) -> list[float]:
    """Train at given rates, one a step, by the trainer's own `train()`, and return the losses that it logs."""
    trainer.args.max_steps, trainer.args.learning_rate = len(rates), 1.0
    trainer.create_optimizer()
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(trainer.optimizer, lambda step: [*rates, 0.0][step])
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    logged = [log["learning_rate"] for log in logs]
    assert logged in (rates, [*rates[1:], 0.0])  # the latter in the oldest versions, which log the next rate
    return [log["loss"] for log in logs]


def parts_of(trainer: Any, folder: Path) -> dict[str, Any]:
    """List all that a test could leave a trace in: on the trainer, in its parts, in the process and on disk."""
    accelerator, state = trainer.accelerator, trainer.state
    parts = {
        "attributes": {name: id(value) for name, value in vars(trainer).items()},
        "args": repr(trainer.args.to_dict()),
        "state": repr(state),
        "control": repr(trainer.control),
        "accelerator": {name: id(value) for name, value in vars(accelerator).items()},
        "prepared": [
            [id(each) for each in vars(accelerator)[name]] for name in ("_models", "_optimizers", "_dataloaders")
        ],
        "gradient_state": {name: repr(value) for name, value in vars(accelerator.gradient_state).items()},
        "callbacks": [id(each) for each in trainer.callback_handler.callbacks],
        "handler": {name: id(value) for name, value in vars(trainer.callback_handler).items()},
        "files": sorted(str(path) for path in folder.rglob("*")),
        "random": (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()),
    }
    return {**parts, **parts_of_model(trainer.model), **parts_of_optimizer(trainer.optimizer)}


def parts_of_model(model: nn.Module) -> dict[str, Any]:
    """List the weights, gradients, modes, hooks and attributes of a model."""
    return {
        "tensors": {
            name: (id(t), t.detach().flatten().tolist()) for name, t in model.state_dict(keep_vars=True).items()
        },
        "gradients": {name: None if p.grad is None else p.grad.tolist() for name, p in model.named_parameters()},
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "modules": {
            name: (module.training, sorted(vars(module)), len(module._forward_hooks), len(module._forward_pre_hooks))
            for name, module in model.named_modules()
        },
        "config": repr(model.config),
    }


def parts_of_optimizer(optimizer: Any) -> dict[str, Any]:
    """List the state and the groups of an optimizer; of None nothing."""
    if optimizer is None:
        return {"optimizer": None}
    return {"optimizer": repr(optimizer.state_dict())}


def same_training(ours: Any, other: Any) -> None:
    """Assert that two trained trainers are equal: logs but for their times, weights, optimizer, schedule, random numbers."""
    assert logs_of(ours) == logs_of(other)
    assert ours.state.global_step == other.state.global_step > 0
    for (name, weight), twin in zip(ours.model.state_dict().items(), other.model.state_dict().values(), strict=True):
        assert torch.equal(weight, twin), name
    assert repr(ours.optimizer.state_dict()) == repr(other.optimizer.state_dict())
    assert ours.lr_scheduler.get_last_lr() == other.lr_scheduler.get_last_lr()


def logs_of(trainer: Any) -> list[dict[str, Any]]:
    """Return the log without times."""
    timed = ("runtime", "per_second")
    return [{k: v for k, v in log.items() if not any(word in k for word in timed)} for log in trainer.state.log_history]


def lora() -> Any:
    """A language model of which only low-rank adapters train."""
    import peft

    config = peft.LoraConfig(
        r=2, target_modules=["c_attn"], fan_in_fan_out=True, lora_dropout=0.1, task_type="CAUSAL_LM"
    )
    model = gpt2()
    torch.manual_seed(3)
    return peft.get_peft_model(model, config)


def t5() -> transformers.T5ForConditionalGeneration:
    """A translator."""
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=WORDS, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    config.decoder_start_token_id = 0
    return transformers.T5ForConditionalGeneration(config)


def translations(count: int = 24) -> Rows:
    """Sentences and themselves in reverse."""
    ids = torch.randint(5, WORDS, (count, 6), generator=torch.Generator().manual_seed(2))
    return Rows([{"input_ids": row, "labels": row.flip(0)} for row in ids])


def uneven(count: int = 24) -> Rows:
    """Sentences of several lengths, as lists."""
    source = torch.Generator().manual_seed(4)
    lengths = torch.randint(2, 9, (count,), generator=source).tolist()
    rows = [torch.randint(5, WORDS, (length,), generator=source).tolist() for length in lengths]
    return Rows([{"input_ids": row, "label": row[0] % 2} for row in rows])


def pad(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Make a batch of sentences of several lengths."""
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    mask = [torch.ones_like(each) for each in ids]
    return {
        "input_ids": nn.utils.rnn.pad_sequence(ids, batch_first=True),
        "attention_mask": nn.utils.rnn.pad_sequence(mask, batch_first=True),
        "labels": torch.tensor([row["label"] for row in rows]),
    }
