"""Scripts as beginners have them from tutorials, each with a range test before its `train()`; on tiny models and data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DataCollatorForLanguageModeling,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from lr_widget import adapters, range_test
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

REVIEWS = [("a fine warm film", 1), ("dull and long", 0), ("i laughed and cried", 1), ("do not see this", 0)] * 6
STORY = "the cat sat on the mat and the dog sat on the log and all was well in the old house by the sea " * 8
COMMON: dict[str, Any] = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train a tokenizer on the words of this file."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[EOS]"]
    texts = [text for text, _ in REVIEWS] + [STORY]
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=special))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[EOS]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def make_classifier(tokenizer: PreTrainedTokenizerFast) -> BertForSequenceClassification:
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), num_labels=2, **small))


def tokenized(tokenizer: PreTrainedTokenizerFast) -> list[dict[str, Any]]:
    return [{**tokenizer(text, truncation=True), "label": label} for text, label in REVIEWS]


def accuracy(prediction: Any) -> dict[str, float]:
    logits, labels = prediction
    return {"accuracy": float((np.argmax(logits, axis=-1) == labels).mean())}


def swept(trainer: Trainer) -> float:
    """The line that the README adds to such a script; the test may move the rate by its suggestion."""
    setup = adapters.transformers(trainer)
    records = range_test(**setup, progress=False)
    assert len(records.loss) > 40
    setup.apply(records.suggest("minimum/10"))
    return float(trainer.args.learning_rate)


def test_text_classification(tmp_path: Path) -> None:
    """Padding, metrics, an evaluation after every epoch, and the best model at the end."""
    tokenizer = make_tokenizer()
    data = tokenized(tokenizer)
    args = TrainingArguments(
        output_dir=str(tmp_path),
        learning_rate=2e-5,
        per_device_train_batch_size=4,
        per_device_eval_batch_size=4,
        num_train_epochs=4,
        weight_decay=0.01,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        **COMMON,
    )
    trainer = Trainer(
        model=make_classifier(tokenizer),
        args=args,
        train_dataset=data[:20],
        eval_dataset=data[20:],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer=tokenizer),
        compute_metrics=accuracy,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=3)],
    )
    rate = swept(trainer)
    assert rate > 1e-4
    assert not [*tmp_path.rglob("*")]
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] == 1.0
    assert trainer.predict(data[20:]).predictions.shape == (4, 2)


def test_a_causal_language_model(tmp_path: Path) -> None:
    """A text in blocks, whose labels the collator makes."""
    tokenizer = make_tokenizer()
    ids = tokenizer(STORY)["input_ids"]
    blocks = [{"input_ids": ids[start : start + 16]} for start in range(0, len(ids) - 16, 16)]
    torch.manual_seed(0)
    end = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_positions=16, n_embd=16, n_layer=1, n_head=2, **end)
    )
    args = TrainingArguments(
        output_dir=str(tmp_path),
        eval_strategy="epoch",
        learning_rate=2e-5,
        weight_decay=0.01,
        num_train_epochs=20,
        per_device_train_batch_size=4,
        save_strategy="no",
        **COMMON,
    )
    collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False)
    trainer = Trainer(
        model=model, args=args, train_dataset=blocks[:-2], eval_dataset=blocks[-2:], data_collator=collator
    )
    before = trainer.evaluate()["eval_loss"]
    rate = swept(trainer)
    trainer.train()
    assert rate > 1e-4
    assert trainer.evaluate()["eval_loss"] < 0.8 * before


def test_lora(tmp_path: Path) -> None:
    """Adapters and a new head on a frozen model."""
    tokenizer = make_tokenizer()
    config = peft.LoraConfig(task_type=peft.TaskType.SEQ_CLS, r=4, lora_alpha=16, target_modules=["query", "value"])
    model = peft.get_peft_model(make_classifier(tokenizer), config)
    frozen = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    args = TrainingArguments(
        output_dir=str(tmp_path),
        learning_rate=1e-3,
        per_device_train_batch_size=8,
        num_train_epochs=10,
        save_strategy="epoch",
        **COMMON,
    )
    data = tokenized(tokenizer)
    trainer = Trainer(model=model, args=args, train_dataset=data, processing_class=tokenizer, compute_metrics=accuracy)
    swept(trainer)
    trainer.train()
    assert all(torch.equal(dict(model.named_parameters())[name], weight) for name, weight in frozen.items())
    assert trainer.evaluate(data)["eval_accuracy"] > 0.9
    assert [*tmp_path.glob("checkpoint-*/adapter_model.safetensors")]


def test_a_model_for_each_try(tmp_path: Path) -> None:
    """A search over hyperparameters makes its models by `model_init`; each try has a test of its own."""
    tokenizer = make_tokenizer()
    data = tokenized(tokenizer)

    def model_init() -> Any:
        return make_classifier(tokenizer)

    found = {}
    for batch_size in (4, 8):
        args = TrainingArguments(
            output_dir=str(tmp_path / str(batch_size)),
            per_device_train_batch_size=batch_size,
            max_steps=30,
            save_strategy="no",
            eval_strategy="no",
            **COMMON,
        )
        trainer = Trainer(model_init=model_init, args=args, train_dataset=data, processing_class=tokenizer)
        rate = swept(trainer)
        trainer.train()
        assert trainer.optimizer.param_groups[0]["initial_lr"] == rate
        found[batch_size] = trainer.evaluate(data)["eval_loss"]
    assert all(loss < 0.4 for loss in found.values())
