"""The step of a trainer up to its loss: what is asked of its own methods, and what is copied before a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from lr_widget import adapters, range_test
from lr_widget.restore.reach import Reach
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

SHORT: dict[str, Any] = {"num_steps": 5, "progress": False}


class Alone(transformers.Trainer):
    """Computes its gradients without the accelerator."""

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        loss = self.compute_loss(model, self._prepare_inputs(inputs))
        loss.backward()
        return loss.detach()


class Twice(transformers.Trainer):
    """Computes gradients twice."""

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        super().training_step(model, inputs, num_items_in_batch)
        return super().training_step(model, inputs, num_items_in_batch)


@pytest.mark.parametrize(("kind", "times"), [(Alone, 0), (Twice, 2)])
def test_a_step_that_computes_its_gradients_itself_is_refused(tmp_path: Path, kind: Any, times: int) -> None:
    """The sentence says what to give instead, and no trace is left."""
    trainer = hf.trainer_of(tmp_path, kind=kind)
    before = hf.parts_of(trainer, tmp_path)
    sentence = (
        rf"{kind.__name__} must call self.accelerator.backward\(loss\) once, it did {times} times; give train_step"
    )
    with pytest.raises(RuntimeError, match=sentence):
        range_test(**adapters.transformers(trainer), **SHORT)
    assert hf.parts_of(trainer, tmp_path) == before


class Counting(transformers.Trainer):
    """Keeps books of its losses, in all places that a user may think of, and looks at its data."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0
        self.mean = torch.zeros(())
        self.history: list[float] = []
        self.weights = {"last": 1.0}
        self.teacher = nn.BatchNorm1d(2)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        assert len(self.train_dataset) == 24
        assert self.is_in_train
        assert self.state.epoch == self.count / 6
        assert self.state.max_steps == 12
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True)
        self.teacher(outputs.logits.detach())
        self.count += 1
        self.mean += loss.detach()
        self.history.append(float(loss.detach()))
        self.weights["last"] = self.history[-1]
        self.log({"loss of my own": loss.item()})
        self.args.weight_decay = 0.5
        return (loss, outputs) if return_outputs else loss


def test_the_books_of_a_trainer_come_back(tmp_path: Path) -> None:
    """Attributes, tensors, lists, dicts and modules that its `compute_loss` writes to are as before, also its log."""
    trainer = hf.trainer_of(tmp_path, kind=Counting)
    before = hf.parts_of(trainer, tmp_path)
    assert len(range_test(**adapters.transformers(trainer), **SHORT).loss) == 5
    assert hf.parts_of(trainer, tmp_path) == before
    assert (trainer.count, float(trainer.mean), trainer.history, trainer.weights) == (0, 0, [], {"last": 1.0})
    assert trainer.teacher.num_batches_tracked == 0
    assert trainer.teacher.running_mean.tolist() == [0, 0]
    assert trainer.state.log_history == []


STEPS: list[tuple[bool, int, float]] = []  # a record, which stays after a test


class Counted(transformers.Trainer):
    """Looks at the count of steps."""

    def compute_loss(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        STEPS.append((model.training, self.state.global_step, self.state.epoch))
        return super().compute_loss(model, *args, **kwargs)


def test_steps_are_counted_from_the_start_as_train_counts_them(tmp_path: Path) -> None:
    """Also in validation, after a training and in a second test."""
    trainer = hf.trainer_of(tmp_path, kind=Counted, gradient_accumulation_steps=2)
    trainer.train()
    setup = adapters.transformers(trainer, val_data=hf.sentences(8), val_every=2)
    for _ in range(2):
        STEPS.clear()
        range_test(**{**setup, "num_steps": 4}, progress=False)
        trained = [[(True, step, pytest.approx(step / 3))] * 2 for step in range(4)]
        validated = [(False, step, pytest.approx(step / 3)) for step in (2, 4)]
        seen = STEPS[:]
        assert seen == [*trained[0], *trained[1], validated[0], *trained[2], *trained[3], validated[1]]
    assert trainer.state.global_step == 6


def counted_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
    """The sum over the batch, divided by the number of labels where the trainer counts them."""
    summed = nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / (3 if num_items_in_batch is None else num_items_in_batch)


class OwnPrediction(transformers.Trainer):
    """Validates in its own way."""

    def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
        loss, *others = super().prediction_step(*args, **kwargs)
        return loss * 2, *others


@pytest.mark.parametrize("case", [{"kind": OwnPrediction}, {"options": {"compute_loss_func": counted_loss}}])
def test_a_batch_is_validated_as_in_evaluate(tmp_path: Path, case: Any) -> None:
    """By the trainer's `prediction_step`, with the count of labels where that one gives it."""
    trainer = hf.trainer_of(tmp_path, **case)
    data = hf.sentences(9)
    setup = adapters.transformers(trainer, val_data=data, val_every=1, start_lr=1e-30, end_lr=1e-29)
    records = range_test(**setup, **SHORT)
    assert records.val_loss.tolist() == pytest.approx([trainer.evaluate(data)["eval_loss"]] * 5)


def test_validation_data_without_labels_are_refused(tmp_path: Path) -> None:
    """`evaluate()` has no loss of them."""
    trainer = hf.trainer_of(tmp_path)
    trainer.label_names = ["others"]
    setup = adapters.transformers(trainer, val_data=hf.sentences(8), val_every=1)
    with pytest.raises(
        ValueError, match=r"val_data must have the labels that evaluate\(\) needs.*got .*'labels'.*; name"
    ):
        range_test(**setup, **SHORT)


def test_the_data_is_not_copied(tmp_path: Path) -> None:
    """A long list of samples is no state of the trainer, though the trainer holds it."""
    rows = hf.sentences(2000).rows
    trainer = hf.trainer_of(tmp_path, data=rows, options={"eval_dataset": rows})
    setup = adapters.transformers(trainer)
    source = {id(row["input_ids"]) for row in rows}
    reach = Reach([setup["model"]], [setup["train_step"]], [setup["train_data"]])
    assert not [name for name, thing in reach.things if id(thing) in source or thing is rows]
    assert [name for name, thing in reach.things if thing is trainer.model.classifier.weight]
    assert len(range_test(**setup, **SHORT).loss) == 5


def test_frozen_weights_stay_frozen(tmp_path: Path) -> None:
    """Of a model with LoRA only the adapters train, in a test and after it."""
    trainer = hf.trainer_of(tmp_path, hf.lora(), hf.texts())
    setup = adapters.transformers(trainer)
    trained = {id(p) for group in setup["optimizer"].param_groups for p in group["params"]}
    named = dict(trainer.model.named_parameters())
    assert {name for name, p in named.items() if id(p) in trained} == {name for name in named if "lora" in name}
    frozen = {name: p.detach().clone() for name, p in named.items() if "lora" not in name}
    seen: list[bool] = []

    def stop(record: Any) -> bool:
        seen.append(all(torch.equal(named[name], weight) for name, weight in frozen.items()))
        return False

    range_test(**setup, **SHORT, stop=stop)
    assert seen == [True] * 5
    trainer.train()
    assert all(torch.equal(named[name], weight) for name, weight in frozen.items())
