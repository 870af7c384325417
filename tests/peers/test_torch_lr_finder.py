"""The cases of torch-lr-finder (tests/test_lr_finder.py) as calls of ours; see `Suite` for how they are counted."""

from __future__ import annotations

from typing import Any
from unittest import mock

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lr_widget import LRRecords, range_test
from lr_widget.suggest.peers import steepest_step

from .suite import Suite
from .trainings import Training, parity

mpl.use("agg")

APEX = "apex.amp is no longer maintained; its losses are scaled by a context of its own, not by a grad_scaler"

SUITE = Suite(
    "torch-lr-finder",
    {"test_gradient_accumulation_with_apex_amp": APEX, "test_mixed_precision_apex": APEX},
)

TO_A_TENTH: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 0.1, "diverge_factor": None}

SENTENCES = ["the dog ate the apple", "everybody read that book", "the fox jumps over the dog", "he wore his hat"]
WORDS = sorted({word for sentence in SENTENCES for word in sentence.split()})


class Tagger(nn.Module):
    """Scores tags for each word of a list of sentences."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Embedding(len(WORDS), 3)

    def forward(self, sentences: list[list[str]]) -> torch.Tensor:
        return self.scores(torch.tensor([[WORDS.index(word) for word in words] for words in sentences])).flatten(0, 1)


class Sentences(Dataset[Any]):
    """The first four words of each sentence, with a tag each; no tensors but the tags."""

    def __len__(self) -> int:
        return len(SENTENCES)

    def __getitem__(self, index: int) -> tuple[list[str], torch.Tensor]:
        return SENTENCES[index].split()[:4], torch.tensor([0, 1, 2, index % 3])


def collate(samples: list[tuple[list[str], torch.Tensor]]) -> tuple[list[list[str]], torch.Tensor]:
    return [words for words, _ in samples], torch.cat([tags for _, tags in samples])


def tagger() -> Training:
    torch.manual_seed(1)
    model = Tagger()
    loader = DataLoader(Sentences(), batch_size=2, collate_fn=collate)
    return Training(model, torch.optim.SGD(model.parameters(), lr=1e-5), nn.CrossEntropyLoss(), loader)


def with_extras() -> Training:
    """Batches of (bits, parity, two values more)."""
    training = parity()
    bits, targets = training.data.dataset.tensors
    extras = torch.zeros(len(bits), dtype=torch.int64)
    training.data = DataLoader(TensorDataset(bits, targets, extras, extras), 8)
    return training


def two_groups() -> Training:
    return parity(rates=(1e-3, 1e-5))


def first_two(training: Training) -> Any:
    return lambda model, batch: training.loss_fn(model(batch[0]), batch[1])


TASKS = {"XOR": parity, "XOR with extra values": with_extras, "a rate a layer": two_groups, "words": tagger}


def run(make: Any, **options: Any) -> LRRecords:
    """Go up to 0.1, and assert the rates of the groups in every step."""
    training = make()
    if make is with_extras:
        options["train_step"] = first_two(training)
    records = training.test(**TO_A_TENTH, **options)
    assert records.stop_reason == "completed"
    assert records.lr.tolist() == pytest.approx([1e-5 * 1e4 ** (k / 100) for k in range(1, 101)])
    assert records.lr[-1] == 0.1
    if make is two_groups:
        np.testing.assert_allclose(records.group_lrs, np.outer(records.lr, [1, 0.01]))
    assert records.loss[-1] != records.loss[0]
    return records


@SUITE.cases({f"test_run: {name}": (make,) for name, make in TASKS.items()})
@SUITE.case("test_run_non_tensor_dataset", tagger)
def goes_up_to_the_end_rate(make: Any) -> None:
    """A hundred rates, the last of them the end rate, whatever the batches hold."""
    assert len(run(make)) == 100


@SUITE.cases({f"test_run_with_val_loader: {name}": (make,) for name, make in TASKS.items()})
@SUITE.case("test_run_non_tensor_dataset_with_val_loader", tagger)
def validates(make: Any) -> None:
    """Each step has a validation loss, and the training losses are those of a test without validation."""
    records = run(make, val_data=make().data, val_every=1)
    assert np.isfinite(records.val_loss).all()
    assert records.val_loss[0] != records.val_loss[-1]
    assert records.loss.tolist() == run(make).loss.tolist()


@SUITE.case("test_reset: XOR", parity, [1e-5])
@SUITE.case("test_reset: a rate a layer", two_groups, [1e-3, 1e-5])
def puts_the_rates_back(make: Any, rates: list[float]) -> None:
    """Each group has its own rate again, without a call."""
    training = make()
    run(lambda: training)
    assert [group["lr"] for group in training.optimizer.param_groups] == rates


@SUITE.case("test_linear_lr_history", {"schedule": lambda step: 1e-5 * step}, [1e-5, 2e-5, 3e-5, 4e-5, 5e-5])
@SUITE.case("test_exponential_lr_history", {"start_lr": 1e-6, "end_lr": 0.1}, [1e-5, 1e-4, 1e-3, 1e-2, 0.1])
def has_these_rates(bounds: dict[str, Any], rates: list[float]) -> None:
    """Five steps, worked out by hand; ours leave the start rate out, theirs begin with it."""
    records = parity().test(num_steps=5, **bounds)
    assert records.lr.tolist() == pytest.approx(rates, rel=1e-12)


@SUITE.case("test_gradient_accumulation", 4, False)
@SUITE.case("test_gradient_accumulation_with_torch_amp", 4, True)
@SUITE.case("test_mixed_precision_torch", 1, True)
def uses_each_micro_batch_once(batches_a_step: int, is_mixed: bool) -> None:
    """Ten steps compute the loss of ten times as many batches as a step has, and scale each where there is a scaler."""
    training, scaler = parity(batch_size=8), torch.amp.GradScaler("cpu")
    options: dict[str, Any] = {"autocast": torch.bfloat16, "grad_scaler": scaler} if is_mixed else {}
    losses: list[torch.Tensor] = []
    scaled: list[torch.Tensor] = []

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        losses.append(nn.functional.mse_loss(outputs.float(), targets))
        return losses[-1]

    def scale(loss: torch.Tensor, scale: Any = scaler.scale) -> torch.Tensor:
        scaled.append(scale(loss))
        return scaled[-1]

    training.loss_fn = loss_fn
    with mock.patch.object(scaler, "scale", scale):
        records = training.test(num_steps=10, end_lr=0.1, accumulation_steps=batches_a_step, **options)
    assert len(records) == 10
    assert len(losses) == 10 * batches_a_step
    assert len(scaled) == (10 * batches_a_step if is_mixed else 0)


def counted(loader: DataLoader[Any]) -> list[int]:
    """Return a list that will hold the size of each batch that a loader makes."""
    sizes, collate_samples = [], loader.collate_fn

    def collate_and_count(samples: list[Any]) -> Any:
        sizes.append(len(samples))
        return collate_samples(samples)

    loader.collate_fn = collate_and_count
    return sizes


@SUITE.case("test_traindataloaderiter: one pass", 8, 8)
@SUITE.case("test_traindataloaderiter: more than a pass", 9, 9)
@SUITE.case("test_run_range_test_with_traindataloaderiter", 5, 5)
def takes_as_many_batches_as_steps(steps: int, batches: int) -> None:
    """A loader of eight batches starts over when it ends, and gives one batch a step."""
    training = parity(batches=8)
    made = counted(training.data)
    numbers = [record.step for record in training.steps(num_steps=steps, end_lr=0.1)]
    assert (numbers[-1], made) == (steps, [8] * batches)


@SUITE.case("test_valdataloaderiter: one pass", 1)
@SUITE.case("test_valdataloaderiter: starts over", 2)
@SUITE.case("test_run_range_test_with_valdataloaderiter", 5)
def validates_on_one_pass_each_time(times: int) -> None:
    """Each evaluation takes the three batches of the validation data once, and the next one takes them again."""
    training, val = parity(), parity(batches=3).data
    made, val_made = counted(training.data), counted(val)
    steps = training.steps(val_data=val, val_every=1, num_steps=5, end_lr=0.1)
    for _ in range(times):
        next(steps)
    assert (made, val_made) == ([8] * times, [8] * 3 * times)
    steps.close()


class Plain:
    """An iterable of batches that is of no class known to us."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader

    def __iter__(self) -> Any:
        return iter(self.loader)


@SUITE.case("test_run_range_test_with_trainloaderiter_without_subclassing", "data")
@SUITE.case("test_run_range_test_with_valloaderiter_without_subclassing", "val_data")
def takes_any_iterable(which: str) -> None:
    """Theirs must be of a class of theirs; ours takes what can be iterated twice, and refuses what can not."""
    expected, training = parity().test(num_steps=5, val_data=parity().data), parity()
    given: dict[str, Any] = {"data": training.data, "val_data": training.data}
    training.data = Plain(training.data) if which == "data" else training.data
    val_data = Plain(training.data) if which == "val_data" else given["val_data"]
    records = training.test(num_steps=5, val_data=val_data)
    assert (records.loss.tolist(), records.val_loss[4]) == (expected.loss.tolist(), expected.val_loss[4])
    given[which] = 3
    with pytest.raises(TypeError, match="must be a DataLoader, a Dataset"):
        range_test(training.model, training.optimizer, training.loss_fn, given["data"], val_data=given["val_data"])


@SUITE.cases(
    {
        f"test_scheduler_and_num_iter: {num_steps} steps, {schedule}": (num_steps, schedule)
        for num_steps in (0, 1)
        for schedule in ("exponential", "linear")
    }
)
def refuses_too_few_steps(num_steps: int, schedule: str) -> None:
    """A sweep has two steps at least, and nothing is changed before that is said."""
    with pytest.raises(ValueError, match=f"num_steps must be at least 2, got {num_steps}"):
        parity().test(num_steps=num_steps, schedule=schedule)


@SUITE.cases(
    {
        f"test_plot_with_skip_and_suggest_lr: {start} and {end}, {'a' if suggest else 'no'} suggestion": args
        for suggest in (False, True)
        for start in (0, 5, 10)
        for end in (0, 5, 10)
        for args in [(suggest, start, end)]
    }
)
def plots_a_part(suggest: bool, start: int, end: int) -> None:
    """A part of eleven records, as records of its own, is drawn as it is; with too few points it has no mark but a reason."""
    import matplotlib.pyplot as plt

    all_records = parity().test(num_steps=11, start_lr=1e-5, end_lr=0.1)
    part = slice(start, 11 - end)
    records = LRRecords(all_records.lr[part], all_records.loss[part])
    axes = plt.figure().subplots()
    assert records.plot(axes, rule="steepest" if suggest else None) is axes
    raw, _, *marks = axes.get_lines()
    assert raw.get_xdata().tolist() == all_records.lr[part].tolist()
    assert raw.get_ydata().tolist() == all_records.loss[part].tolist()
    suggestion = records.suggest("steepest")
    if suggest and max(0, 11 - start - end) >= 5:
        assert [mark.get_xdata()[0] for mark in marks] == [suggestion.lr]
    else:
        assert marks == []
        assert axes.get_title(loc="left") == (suggestion.reason if suggest else "")
    plt.close("all")


@SUITE.case("test_suggest_lr: in the middle", [10, 8, 4, 1, 4, 16], 3)
@SUITE.case("test_suggest_lr: at the first point", [1, 0, 1, 2, 3, 4], 1)
@SUITE.case("test_suggest_lr: at the last point", [0, 1, 2, 3, 4, 3], 6)
def finds_the_steepest_step(losses: list[float], rate: float) -> None:
    """By central differences, at the rates 1 … 6."""
    assert steepest_step(np.arange(1.0, 7.0), np.array(losses, dtype=float)) == rate


@pytest.mark.parametrize("name", SUITE.expressed)
def test_a_case_of_torch_lr_finder(name: str) -> None:
    """Each of their cases holds for a call of ours."""
    SUITE.expressed[name]()
