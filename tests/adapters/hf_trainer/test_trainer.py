"""The keywords of a trainer, and the rate that goes back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from lr_widget import adapters, range_test
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

SHORT: dict[str, Any] = {"num_steps": 5, "progress": False}


# --- the rate ----------------------------------------------------------------------------------------------------------


def first_rate(trainer: Any) -> float:
    """Train and return the first rate in the log."""
    trainer.train()
    return float(next(log["learning_rate"] for log in trainer.state.log_history if "learning_rate" in log))


def test_train_uses_the_rate(tmp_path: Path) -> None:
    """The rate of a suggestion becomes the argument, and `train()` begins with it."""
    trainer = hf.trainer_of(tmp_path)
    setup = adapters.transformers(trainer)
    records = range_test(**{**setup, "num_steps": 60}, progress=False)
    suggestion = records.suggest("minimum/10")
    assert setup.apply(suggestion) == ["args.learning_rate"]
    assert trainer.args.learning_rate == suggestion.lr
    assert first_rate(trainer) == pytest.approx(suggestion.lr)


def test_a_given_optimizer_and_its_scheduler_get_the_rate(tmp_path: Path) -> None:
    """`train()` uses the optimizer that was given, whatever the argument says; a warm-up has left it at 0."""
    model = hf.bert()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, 2, 12)
    trainer = hf.trainer_of(tmp_path, model, options={"optimizers": (optimizer, scheduler)})
    assert adapters.transformers(trainer).apply(0.02) == ["args.learning_rate", "optimizer"]
    trainer.train()
    rates = [log["learning_rate"] for log in trainer.state.log_history if "learning_rate" in log]
    assert rates[:3] == pytest.approx([0.0, 0.01, 0.02])


def test_the_next_train_uses_the_rate(tmp_path: Path) -> None:
    """After a training, the optimizer that it made keeps its own rate, so that gets the new one."""
    trainer = hf.trainer_of(tmp_path)
    trainer.train()
    assert adapters.transformers(trainer).apply(0.02) == ["args.learning_rate", "optimizer"]
    assert first_rate(trainer) == pytest.approx(0.02)


def test_an_optimizer_class_gets_the_rate(tmp_path: Path) -> None:
    """A class given with its keywords holds the rate among them."""
    kwargs = {"lr": 0.5, "momentum": 0.9}
    trainer = hf.trainer_of(tmp_path, options={"optimizer_cls_and_kwargs": (torch.optim.SGD, kwargs)})
    setup = adapters.transformers(trainer)
    assert type(setup["optimizer"]) is torch.optim.SGD
    assert setup.apply(0.02) == ["args.learning_rate", "optimizer_cls_and_kwargs"]
    assert kwargs == {"lr": 0.5, "momentum": 0.9}
    assert first_rate(trainer) == pytest.approx(0.02)


@pytest.mark.parametrize("of_first", [{"lr": 0.5}, {}])
def test_the_groups_of_an_optimizer_class_keep_their_proportions(tmp_path: Path, of_first: Any) -> None:
    """Rates of param groups follow, too; a group without one has that of the keywords."""
    model = hf.bert()
    head, rest = [*model.classifier.parameters()], [*model.bert.parameters()]
    kwargs = {"params": [{"params": head, **of_first}, {"params": rest, "lr": 0.05}], "lr": 0.5, "momentum": 0.9}
    trainer = hf.trainer_of(tmp_path, model, options={"optimizer_cls_and_kwargs": (torch.optim.SGD, kwargs)})
    setup = adapters.transformers(trainer)
    assert setup.apply(0.04) == ["args.learning_rate", "optimizer_cls_and_kwargs"]
    assert setup.apply(0.02) == ["args.learning_rate", "optimizer_cls_and_kwargs"]
    assert [each.get("lr") for each in kwargs["params"]] == [of_first.get("lr"), 0.05]
    assert first_rate(trainer) == pytest.approx(0.02)
    assert [group["initial_lr"] for group in trainer.optimizer.param_groups] == pytest.approx([0.02, 0.002])


def test_a_model_that_is_made_anew_is_trained_at_the_rate(tmp_path: Path) -> None:
    """With `model_init`, `train()` makes a new model, of the weights that the test began with, and a new optimizer."""

    def model_init() -> Any:  # without an argument, which would be a trial's
        return hf.bert()

    options = {"model_init": model_init}
    trainer, other = (hf.trainer_of(tmp_path, options=options) for _ in range(2))
    setup = adapters.transformers(trainer)
    loss = range_test(**setup, **SHORT).loss[0]
    assert setup.apply(0.02) == ["args.learning_rate"]
    assert first_rate(trainer) == pytest.approx(0.02)
    assert trainer.state.log_history[0]["loss"] == loss
    other.args.learning_rate = 0.02
    other.train()
    hf.same_training(trainer, other)


class Scaled(transformers.Trainer):
    """Gives its first group a tenth of the rate."""

    def create_optimizer(self, model: Any = None) -> Any:
        if self.optimizer is None:
            first, *rest = self.model.parameters()
            groups = [{"params": [first], "lr": self.args.learning_rate / 10}, {"params": rest}]
            self.optimizer = torch.optim.SGD(groups, lr=self.args.learning_rate)
        return self.optimizer


class Fixed(transformers.Trainer):
    """Has a rate of its own."""

    def create_optimizer(self, model: Any = None) -> Any:
        self.optimizer = self.optimizer or torch.optim.SGD(self.model.parameters(), lr=0.3)
        return self.optimizer


def test_the_first_group_of_an_own_optimizer_gets_the_rate(tmp_path: Path) -> None:
    """Where the first group has a tenth of the argument, the argument becomes ten times the rate."""
    trainer = hf.trainer_of(tmp_path, kind=Scaled)
    adapters.transformers(trainer).apply(0.02)
    assert trainer.args.learning_rate == pytest.approx(0.2)
    assert first_rate(trainer) == pytest.approx(0.02)


def test_an_optimizer_with_a_rate_of_its_own_is_refused(tmp_path: Path) -> None:
    """Where the argument has no effect, nothing is set."""
    trainer = hf.trainer_of(tmp_path, kind=Fixed)
    setup = adapters.transformers(trainer)
    with pytest.raises(
        ValueError, match=r"the optimizer that Fixed makes has the rate 0\.3, whatever args\.learning_rate"
    ):
        setup.apply(0.02)
    assert trainer.args.learning_rate == 1e-3
    assert trainer.optimizer is None


def test_the_kept_optimizer_of_a_trainer_gets_the_rate_whatever_made_it(tmp_path: Path) -> None:
    """After a training there is no need to make another one."""
    trainer = hf.trainer_of(tmp_path, kind=Fixed)
    trainer.train()
    assert adapters.transformers(trainer).apply(0.02) == ["args.learning_rate", "optimizer"]
    assert first_rate(trainer) == pytest.approx(0.02)


class Both(transformers.Trainer):
    """Makes optimizer and scheduler in one method, which `train()` calls in transformers 4."""

    def create_optimizer_and_scheduler(self, num_training_steps: int) -> None:
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.args.learning_rate)
        self.lr_scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, num_training_steps)


def test_the_optimizer_is_of_the_kind_that_train_makes(tmp_path: Path) -> None:
    """In the version at hand."""
    trainer = hf.trainer_of(tmp_path, kind=Both)
    setup = adapters.transformers(trainer)
    assert trainer.optimizer is trainer.lr_scheduler is None
    trainer.train()
    assert type(setup["optimizer"]) is type(trainer.optimizer.optimizer)
    is_own = type(setup["optimizer"]) is torch.optim.SGD
    assert setup["train_schedule"] == ("cosine" if is_own else "linear")


# --- keywords that are given -------------------------------------------------------------------------------------------


def test_the_call_and_the_keywords_are_as_given(tmp_path: Path) -> None:
    """Keywords of `range_test` win; others are refused."""
    trainer = hf.trainer_of(tmp_path)
    setup = adapters.transformers(trainer, num_steps=7, end_lr=1.0, max_grad_norm=None)
    assert setup.call == ("transformers", {"trainer": trainer})
    assert (setup["num_steps"], setup["end_lr"], setup["start_lr"], setup["max_grad_norm"]) == (7, 1.0, 1e-7, None)
    with pytest.raises(TypeError, match=r"adapters\.transformers got an unexpected keyword argument 'num_iter'"):
        adapters.transformers(trainer, num_iter=3)


def test_the_optimizer_of_a_past_training_is_taken_out_of_its_wrapper(tmp_path: Path) -> None:
    """The wrapper's `step` would wait for the accelerator's accumulation."""
    trainer = hf.trainer_of(tmp_path)
    trainer.train()
    assert adapters.transformers(trainer)["optimizer"] is trainer.optimizer.optimizer


def test_device_and_scaler_are_the_trainers(tmp_path: Path) -> None:
    """The scaler is the accelerator's, which has one for float16 on a GPU."""
    trainer = hf.trainer_of(tmp_path)
    setup = adapters.transformers(trainer)
    assert (setup["device"], setup["grad_scaler"]) == (torch.device("cpu"), None)
    scaler = trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    setup = adapters.transformers(trainer)
    assert setup["grad_scaler"] is scaler
    assert len(range_test(**setup, **SHORT).loss) == 5


class Drawing(transformers.Trainer):
    """Draws random numbers wherever it can."""

    def get_train_dataloader(self) -> Any:
        torch.rand(3)
        return super().get_train_dataloader()

    def create_optimizer(self, model: Any = None) -> Any:
        torch.rand(3)
        return super().create_optimizer()


def test_random_numbers_that_are_drawn_to_make_the_keywords_are_put_back(tmp_path: Path) -> None:
    """And those that are drawn when a rate is applied."""
    trainer = hf.trainer_of(tmp_path, kind=Drawing)
    before = torch.get_rng_state()
    setup = adapters.transformers(trainer)
    assert torch.equal(torch.get_rng_state(), before)
    setup.apply(0.02)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_given_accumulation_is_that_of_the_counts(tmp_path: Path) -> None:
    """Labels are counted over the batches of a step as it is in the test."""
    accumulating = hf.trainer_of(tmp_path, hf.gpt2(), hf.texts(), gradient_accumulation_steps=2)
    expected = range_test(**adapters.transformers(accumulating), **SHORT).loss.tolist()
    setup = adapters.transformers(hf.trainer_of(tmp_path, hf.gpt2(), hf.texts()), accumulation_steps=2)
    assert range_test(**setup, **SHORT).loss.tolist() == expected


def test_a_given_step_gets_the_trainers_batches(tmp_path: Path) -> None:
    """Without the counts, which are for the trainer's own step."""
    trainer = hf.trainer_of(tmp_path, max_grad_norm=0.0)
    expected = range_test(**adapters.transformers(trainer), **SHORT).loss.tolist()
    setup = adapters.transformers(trainer, train_step=lambda model, batch: model(**batch).loss)
    assert range_test(**setup, **SHORT).loss.tolist() == expected


def test_validation_is_that_of_the_trainer(tmp_path: Path) -> None:
    """The loss of `evaluate()`, in eval mode; of a dataset or of batches."""
    held_out = hf.sentences(9)  # the last batch is of one sample
    for data in (hf.sentences(8), held_out, held_out.rows):  # a list of rows is known as the trainer's own dataset
        trainer = hf.trainer_of(tmp_path, options={"eval_dataset": data}, label_smoothing_factor=0.1)
        before = hf.parts_of(trainer, tmp_path)
        setup = adapters.transformers(trainer, val_data=data)
        hardly: dict[str, Any] = {"start_lr": 1e-30, "end_lr": 1e-29, "val_every": 1}
        records = range_test(**{**setup, **hardly}, **SHORT)
        assert hf.parts_of(trainer, tmp_path) == before
        assert records.val_loss.tolist() == pytest.approx([trainer.evaluate()["eval_loss"]] * 5)
    assert "val_step" not in adapters.transformers(trainer)
