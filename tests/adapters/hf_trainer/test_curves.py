"""The curve of a trainer is that of its own `train()` at the same rates, and of the plain engine; nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.utils.data import IterableDataset

from lr_widget import adapters, range_test
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1e-1, "num_steps": 10, "diverge_factor": None, "progress": False}


class OwnLoss(transformers.Trainer):
    """Has a loss of its own, and logs a part of it."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(**inputs)
        loss = nn.functional.cross_entropy(outputs.logits, inputs["labels"], label_smoothing=0.2)
        self.log({"part": loss.item()})
        return (loss, outputs) if return_outputs else loss


class ByProgress(transformers.Trainer):
    """Weights its loss by how far the training is."""

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        state = self.state
        weight = 1 + state.global_step / state.max_steps + state.epoch / state.num_train_epochs
        return super().compute_loss(*args, **kwargs) * weight


class OwnStep(transformers.Trainer):
    """Has a training step of its own."""

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        model.train()
        loss = self.compute_loss(model, self._prepare_inputs(inputs)) * 2
        self.accelerator.backward(loss)
        return loss.detach()


class OwnOptimizer(transformers.Trainer):
    """Makes its own optimizer, in which the head learns faster."""

    def create_optimizer(self, model: Any = None) -> Any:
        head = [*self.model.classifier.parameters()]
        rest = [p for name, p in self.model.named_parameters() if not name.startswith("classifier")]
        groups = [{"params": rest}, {"params": head, "lr": 10 * self.args.learning_rate}]
        if self.optimizer is None:
            self.optimizer = torch.optim.SGD(groups, lr=self.args.learning_rate, momentum=0.9)
        return self.optimizer


class OwnModel(nn.Module):
    """A model that is none of the library's and knows nothing of counts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = None
        self.embedding, self.classifier = nn.Embedding(hf.WORDS, 8), nn.Linear(8, 2)

    def forward(self, input_ids: Any, labels: Any) -> Any:
        logits = self.classifier(self.embedding(input_ids).mean(1))
        return nn.functional.cross_entropy(logits, labels), logits


class OwnLoader(transformers.Trainer):
    """Makes its own loader."""

    def get_train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.train_dataset, batch_size=6, shuffle=True)


class Stream(IterableDataset[Any]):
    """Samples without a length."""

    def __iter__(self) -> Iterator[Any]:
        return iter(hf.sentences(40).rows)


def counted_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
    """The sum over the labels, divided by their number in the whole step."""
    flat = outputs.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    return nn.functional.cross_entropy(*flat, reduction="sum") / num_items_in_batch


GPT: dict[str, Any] = {"model": hf.gpt2, "data": hf.texts()}
CASES: dict[str, dict[str, Any]] = {
    "a classifier": {},
    "a language model": GPT,
    "LoRA": {**GPT, "model": hf.lora},
    "a translator": {"model": hf.t5, "data": hf.translations(), "kind": transformers.Seq2SeqTrainer},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation of counted labels": {**GPT, "gradient_accumulation_steps": 3},
    "a loss function of counted labels": {**GPT, "gradient_accumulation_steps": 2, "options": {"compute_loss_func": counted_loss}},
    "accumulation over an epoch": {"data": hf.sentences(8), "gradient_accumulation_steps": 4},
    "an own loss": {"kind": OwnLoss},
    "an own loss with accumulation": {"kind": OwnLoss, "gradient_accumulation_steps": 2},
    "a loss by progress": {"kind": ByProgress},
    "a loss by progress with accumulation": {"kind": ByProgress, "gradient_accumulation_steps": 3},
    "a loss by progress on a stream": {"kind": ByProgress, "data": Stream()},
    "an own step": {"kind": OwnStep},
    "an own optimizer": {"kind": OwnOptimizer},
    "an own loader": {"kind": OwnLoader},
    "an own model": {"model": OwnModel},
    "an own model with accumulation": {"model": OwnModel, "gradient_accumulation_steps": 3},
    "clipping": {"max_grad_norm": 0.1},
    "no clipping": {"max_grad_norm": 0.0},
    "label smoothing": {"label_smoothing_factor": 0.2},
    "bfloat16": {"bf16": True},
    "bfloat16 with label smoothing": {"bf16": True, "label_smoothing_factor": 0.2},
    "batches of like lengths": {"train_sampling_strategy": "group_by_length"},
    "a fixed order": {"train_sampling_strategy": "sequential"},
    "a stream": {"data": Stream()},
    "noisy embeddings": {"neftune_noise_alpha": 5.0},
    "checkpointed activations": {"activation_checkpointing": True},
    "checkpointed activations with LoRA": {**GPT, "model": hf.lora, "activation_checkpointing": True},
    "Adafactor": {"optim": "adafactor"},
    "workers": {"dataloader_num_workers": 1},
    "a padding collator": {"data": hf.uneven(), "options": {"data_collator": hf.pad}},
}  # fmt: skip


def trainer_of(folder: Path, *, model: Any = None, **case: Any) -> Any:
    return hf.trainer_of(folder, model() if model is not None else None, **{"max_steps": 10, **case})


@pytest.mark.parametrize("name", CASES)
def test_the_curve_is_that_of_the_trainers_own_train(tmp_path: Path, name: str) -> None:
    """At the same rates, `train()` has the same losses, batch for batch; and the test leaves no trace, twice."""
    trainer = trainer_of(tmp_path, **CASES[name])
    before = hf.parts_of(trainer, tmp_path)
    setup = adapters.transformers(trainer)
    assert hf.parts_of(trainer, tmp_path) == before
    records = range_test(**{**setup, **SWEEP})
    assert hf.parts_of(trainer, tmp_path) == before
    assert range_test(**{**setup, **SWEEP}).loss.tolist() == records.loss.tolist()
    trained = hf.losses_of_train(trainer_of(tmp_path, **CASES[name]), records.lr.tolist())
    assert records.loss.tolist() == pytest.approx(trained, rel=1e-6)


def test_each_case_trains_in_its_own_way(tmp_path: Path) -> None:
    """No two of the cases on the same model and data have the same curve, so that each can fail."""
    same = ("checkpointed activations", "workers", "no clipping")
    cases = {name: case for name, case in CASES.items() if name not in same and not {"model", "data"} & case.keys()}
    curves = {
        name: tuple(range_test(**{**adapters.transformers(trainer_of(tmp_path, **case)), **SWEEP}).loss.tolist())
        for name, case in cases.items()
    }
    alike = [(a, b) for a in curves for b in curves if a < b and curves[a] == curves[b]]
    assert not alike
    assert len(curves) > 10


def test_the_curve_is_that_of_the_plain_engine(tmp_path: Path) -> None:
    """A loop of one's own over the same batches, with the optimizer that the trainer makes, gives the same losses."""
    trainer = trainer_of(tmp_path, model=lambda: hf.bert(dropout=0.0), train_sampling_strategy="sequential")
    records = range_test(**{**adapters.transformers(trainer), **SWEEP})
    other = trainer_of(tmp_path, model=lambda: hf.bert(dropout=0.0))
    batches = [other.data_collator(other.train_dataset.rows[start : start + 4]) for start in range(0, 24, 4)]
    optimizer = other.create_optimizer()
    plain = range_test(
        other.model, optimizer, None, batches, train_step=lambda m, b: m(**b).loss, max_grad_norm=1.0, **SWEEP
    )
    assert records.loss.tolist() == plain.loss.tolist()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(
    "changes", [{}, {"fp16": True}, {"bf16": True}, {"fp16": True, "gradient_accumulation_steps": 2}]
)
def test_the_curve_on_a_gpu_is_that_of_the_trainers_own_train(tmp_path: Path, changes: Any) -> None:
    """Also in half precision with a scaler, which comes back with all else."""
    case = {**GPT, "data": hf.texts(32), "use_cpu": False, **changes}
    trainer = trainer_of(tmp_path, **case)
    scaler = trainer.accelerator.scaler
    before = hf.parts_of(trainer, tmp_path), scaler and scaler.state_dict()
    records = range_test(**{**adapters.transformers(trainer), **SWEEP})
    assert (hf.parts_of(trainer, tmp_path), scaler and scaler.state_dict()) == before
    trained = hf.losses_of_train(trainer_of(tmp_path, **case), records.lr.tolist())
    assert records.loss.tolist() == pytest.approx(trained, rel=1e-3)
