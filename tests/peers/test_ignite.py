"""The cases of ignite (tests/ignite/handlers/test_lr_finder.py) as calls of ours; see `Suite` for how they are counted."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import numpy as np
import pytest
import torch

from lr_widget import LRRecords, NoSuggestionError, iter_range_test, range_test, suggest_lr
from lr_widget.suggest.peers import steepest_step_before_minimum

from .ranks import of_two_ranks
from .suite import Suite
from .trainings import Training, classes, parity, three_groups

mpl.use("agg")

NO_SKIP = (
    "nothing is skipped in a plot, so no number of points to skip can be negative; the loss axis is limited instead"
)
NO_XLA = "needs a TPU and torch_xla; nothing of ours knows either"

SUITE = Suite(
    "ignite",
    {
        "test_attach_incorrect_input_args: skip_start": NO_SKIP,
        "test_attach_incorrect_input_args: skip_end": NO_SKIP,
        "test_distrib_single_device_xla": NO_XLA,
        "test_distrib_xla_nprocs": NO_XLA,
    },
)

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1.0, "num_steps": 12, "diverge_factor": None}
BAD = "test_attach_incorrect_input_args: "


@SUITE.cases(
    {
        f"{BAD}no mapping to save": ({"also_restore": 123}, TypeError, "also_restore takes objects .*, got 123"),
        f"{BAD}nothing with a state": ({"also_restore": [2]}, TypeError, r"also_restore takes objects .*, got 2"),
        f"{BAD}diverge_th": ({"diverge_factor": 0.0}, ValueError, "diverge_factor must be a positive number .*got 0.0"),
        f"{BAD}num_iter is a float": ({"num_steps": 0.0}, TypeError, "num_steps must be an integer, got 0.0"),
        f"{BAD}num_iter is 0": ({"num_steps": 0}, ValueError, "num_steps must be at least 2, got 0"),
        f"{BAD}step_mode": ({"schedule": "abc"}, ValueError, 'schedule must be "exponential", "linear" or .*abc'),
        f"{BAD}too few start rates": ({"start_lr": [0.1, 0.1]}, TypeError, "start_lr must be .*a list of length 2"),
        f"{BAD}too few end rates": ({"end_lr": [0.1, 0.1]}, TypeError, "end_lr must be .*a list of length 2"),
        "test_wrong_values_start_lr_and_end_lr: one group": (
            {"start_lr": 10.0, "end_lr": 1.0},
            ValueError,
            "start_lr must be below end_lr, got 10 and 1",
        ),
        "test_wrong_values_start_lr_and_end_lr: one of several groups": (
            {"start_lr": [1.0, 10.0, 5.0], "end_lr": [10.0, 10.0, 10.0]},
            TypeError,
            "start_lr must be .*a list of length 3",
        ),
    }
)
def refuses(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    """A wrong argument is an error before anything changes; one pair of bounds serves all groups."""
    with pytest.raises(kind, match=message):
        three_groups().test(**options)


@SUITE.case(f"{BAD}no optimizer", None)
@SUITE.case(f"{BAD}a model for an optimizer", torch.nn.Linear(1, 1))
def refuses_an_optimizer(given: Any) -> None:
    """What is no optimizer is named, before anything changes."""
    training = parity()
    with pytest.raises(TypeError, match=f"optimizer must be .*{type(given).__name__}"):
        range_test(training.model, given, training.loss_fn, training.data)


@SUITE.case(f"{BAD}smooth_f")
def refuses_a_smoothing() -> None:
    """Smoothing comes after the test, and is checked there."""
    records = parity().test(num_steps=5)
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 234"):
        records.smoothed_loss(beta=234)
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 234"):
        records.plot(beta=234)


@SUITE.case(f"{BAD}start_lr is an int", {"start_lr": 1, "end_lr": 16.0})
@SUITE.case(f"{BAD}end_lr is an int", {"start_lr": 1.0, "end_lr": 16})
def takes_whole_numbers(bounds: dict[str, Any]) -> None:
    """Theirs must be floats; for ours, a rate of 1 is a rate."""
    assert parity().test(num_steps=4, diverge_factor=None, **bounds).lr.tolist() == pytest.approx([2, 4, 8, 16])


@SUITE.case("test_attach_without_with: nothing happens")
def does_nothing_unless_it_is_run() -> None:
    """A test that is made and not run changes nothing, not even when it is dropped after some training."""
    training, twin = parity(rates=(0.1,)), parity(rates=(0.1,))
    before = training.look()
    test = iter_range_test(training.model, training.optimizer, training.loss_fn, training.data, **SWEEP)
    before.assert_unchanged("by a test that was only made")
    losses = training.train(5)
    del test
    assert [*losses, *training.train(5)] == [*twin.train(5), *twin.train(5)]


@SUITE.case("test_attach_without_with: attached inside")
def holds_the_model_while_it_runs() -> None:
    """Between two steps the model is in a test, and no other can begin; at its end it is free."""
    training = parity()
    steps = training.steps(**SWEEP)
    next(steps)
    with pytest.raises(RuntimeError, match="another range test"):
        range_test(training.model, training.optimizer, training.loss_fn, training.data, progress=False)
    steps.close()
    training.test(**SWEEP)


@SUITE.case("test_attach_without_with: a suggestion before the run")
def has_no_suggestion_before_a_step() -> None:
    """Records of nothing say so; a number asked of them is an error."""
    suggestion = LRRecords(lr=np.array([]), loss=np.array([])).suggest()
    assert suggestion.lr is None
    with pytest.raises(
        NoSuggestionError, match="No rate has a finite loss; look for the cause in the data, the model or the loss"
    ):
        float(suggestion)


@SUITE.case("test_attach_without_with: a plot before the run")
def plots_why_there_is_nothing() -> None:
    """Theirs raises; ours is an empty picture with the reason for a title."""
    axes = LRRecords(lr=np.array([]), loss=np.array([])).plot()
    assert axes.get_title(loc="left").startswith("No rate has a finite loss; look for the cause in ")


@SUITE.case("test_with_attach")
def gives_results_and_holds_nothing() -> None:
    """The records are there, and no hook is on the model or the optimizer."""
    training = parity()
    records = training.test(**SWEEP)
    assert (len(records), records.stop_reason) == (12, "completed")
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in training.model.modules())
    assert not training.optimizer._optimizer_step_pre_hooks
    assert not training.optimizer._optimizer_step_post_hooks


class Trainer:
    """A loop that counts its steps, in place of an engine with a state."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.state = {"iteration": 0, "losses": [0.5]}

    def step(self, model: Any, batch: Any) -> torch.Tensor:
        loss = self.training.loss_fn(model(batch[0]), batch[1])
        self.state["iteration"] += 1
        self.state["losses"].append(loss.item())
        return loss


@SUITE.case("test_model_optimizer_reset")
def puts_everything_back() -> None:
    """Model, optimizer and the trainer's own state; `test` itself compares the first two bit for bit."""
    training = parity()
    training.optimizer = torch.optim.Adam(training.model.parameters(), lr=0.1)
    training.train(3)
    trainer = Trainer(training)
    records = training.test(train_step=trainer.step, num_steps=100, diverge_factor=None)
    assert (len(records), records.stop_reason) == (100, "completed")
    assert trainer.state == {"iteration": 0, "losses": [0.5]}


@SUITE.case("test_lr_policy: linear", "linear", np.asarray, 0.9999 / 12)
@SUITE.case("test_lr_policy: exponential", "exponential", np.log10, 4 / 12)
def rises(schedule: str, scale: Any, height: float) -> None:
    """Every rate is the same height above the one before, on the schedule's own scale, up to the end rate."""
    lr = parity().test(**SWEEP, schedule=schedule).lr
    np.testing.assert_allclose(np.diff(scale(lr)), height)
    assert lr[-1] == 1.0


@SUITE.case("test_multiple_optimizers: exponential", "exponential")
@SUITE.case("test_multiple_optimizers: linear", "linear")
def rises_in_every_group(schedule: str) -> None:
    """Theirs have bounds a group; ours keep the proportions of the groups' rates, 0.4 to 0.03 to 0.003."""
    rates = three_groups().test(start_lr=0.1, end_lr=1.0, num_steps=20, schedule=schedule).group_lrs
    assert (np.diff(rates, axis=0) > 0).all()
    np.testing.assert_allclose(rates, np.outer(rates[:, 0], [1, 0.075, 0.0075]))


@SUITE.case("test_num_iter_is_none", 12)
@SUITE.case("test_num_iter_is_enough", 6)
@SUITE.case("test_num_iter_is_not_enough", 18)
@SUITE.case("test_different_num_iters: 200", 200)
@SUITE.case("test_different_num_iters: 1000", 1000)
def takes_exactly_its_steps(num_steps: int) -> None:
    """As many as asked for, where one pass over the data has 12; the loader starts over."""
    training = parity(batches=12)
    assert len(training.data) == 12
    records = training.test(**{**SWEEP, "end_lr": 0.1, "num_steps": num_steps})
    assert len(records.lr) == len(records.loss) == num_steps
    assert (records.num_steps, records.stop_reason) == (num_steps, "completed")


@SUITE.case("test_detach_terminates")
def training_goes_on_after_an_explosion() -> None:
    """Three epochs after a test that diverged are those of a twin without a test."""
    training, twin = parity(rates=(0.01,)), parity(rates=(0.01,))
    records = training.test(end_lr=100.0, diverge_factor=2.0)
    assert (records.stop_reason, len(records) < 100) == ("diverged", True)
    assert training.train(36) == twin.train(36)


@SUITE.case("test_start_lr: exponential", "exponential", 0.01 * 1000**0.2)
@SUITE.case("test_start_lr: linear", "linear", 0.01 + 9.99 / 5)
def starts_one_step_above_the_start_rate(schedule: str, first: float) -> None:
    """Five steps from 0.01 to 10; theirs begin at 0.01 itself, ours one step above it."""
    records = parity().test(start_lr=0.01, end_lr=10.0, num_steps=5, schedule=schedule)
    assert records.lr[0] == pytest.approx(first)


@SUITE.case("test_engine_output_type: a list", lambda loss: [10.0], TypeError, "the loss must be a scalar tensor")
@SUITE.case("test_engine_output_type: a tuple", lambda loss: (10, 5), TypeError, "the loss must be a scalar tensor")
@SUITE.case(
    "test_engine_output_type: two numbers", lambda loss: loss.repeat(2), ValueError, "the loss must be one real"
)
@SUITE.case("test_engine_output_type: a scalar", lambda loss: loss)
@SUITE.case("test_engine_output_type: one number in a vector", lambda loss: loss.reshape(1))
def reads_the_loss(answer: Any, kind: type[Exception] | None = None, message: str = "") -> None:
    """A tensor with one number is a loss and on record as a float; anything else is refused, and nothing changes."""
    training = parity()

    def train_step(model: Any, batch: Any) -> Any:
        return answer(training.loss_fn(model(batch[0]), batch[1]))

    if kind is not None:
        before = training.look()
        with pytest.raises(kind, match=message):
            training.test(**SWEEP, train_step=train_step)
        before.assert_unchanged("after a loss that is none")
        return
    records = training.test(**SWEEP, train_step=train_step)
    inputs, targets = next(iter(training.data))
    assert records.loss.dtype == np.float64
    assert records.loss[0] == training.loss_fn(training.model(inputs), targets).item()


@SUITE.case("test_lr_suggestion_unexpected_curve")
def finds_no_rate_where_the_first_loss_is_lowest() -> None:
    """Theirs raises; ours is a suggestion without a rate that says why."""
    records = parity().test(start_lr=1e-4, end_lr=1.0, num_steps=30, diverge_factor=None)
    losses = np.concatenate([[0.0], records.loss[1:]])
    for rule in ("ignite", "minimum/10"):
        suggestion = suggest_lr(records.lr, losses, rule)
        assert suggestion.lr is None
        assert suggestion.reason


@SUITE.case("test_lr_suggestion_single_param_group")
def finds_their_rate() -> None:
    """A parabola against linear rates falls fastest at the second of a hundred points: 0.01 + 9.99 / 99."""
    losses, lrs = np.linspace(-5.0, 5.0, 100) ** 2 + 0.05, np.linspace(0.01, 10, 100)
    assert steepest_step_before_minimum(lrs, losses) == pytest.approx(0.01 + 9.99 / 99)


@SUITE.case("test_lr_suggestion_multiple_param_groups")
def finds_their_rates() -> None:
    """The suggestion is the first group's rate, and the record of that step has those of the others."""
    losses, rates = np.linspace(-5.0, 5.0, 50) ** 2 + 0.06, np.linspace(0.01, 10, 100).reshape(50, 2)
    records = LRRecords(rates[:, 0], losses, group_lrs=rates)
    lr = steepest_step_before_minimum(records.lr, records.loss)
    [row] = records.group_lrs[records.lr == lr]
    assert row == pytest.approx([0.01 + 2 * 9.99 / 99, 0.01 + 3 * 9.99 / 99])


@SUITE.case("test_lr_suggestion_mnist")
def finds_a_rate_for_a_classifier() -> None:
    """Ten classes in fifty linear steps: their rule, as ours by default, gives a rate between 1e-4 and 2."""
    records = classes().test(start_lr=1e-4, end_lr=10.0, num_steps=50, schedule="linear", diverge_factor=2.0)
    for rule in ("ignite", "auto"):
        assert 1e-4 <= float(records.suggest(rule)) <= 2


@SUITE.case("test_apply_suggested_lr_unmatched_optimizers")
def applies_no_rate_to_other_groups() -> None:
    """An optimizer that has another number of groups than in the test is refused and keeps its rates."""
    training = parity(rates=(0.1,))
    with training.widget(end_lr=1.0, num_steps=30) as widget:
        widget.run()
        training.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.5})
        with pytest.raises(ValueError, match="the number of param groups must stay as it was at first, 1, got 2"):
            widget.apply()
    assert [group["lr"] for group in training.optimizer.param_groups] == [0.1, 0.5]


@SUITE.case("test_apply_suggested_lr_single_param_groups", classes, [1])
@SUITE.case("test_apply_suggested_lr_multiple_param_groups", three_groups, [1, 0.075, 0.0075])
def applies_the_suggestion(make: Any, shares: list[float]) -> None:
    """Each group gets its share of the suggested rate, rounded as it is shown."""
    training = make()
    with training.widget(end_lr=10.0) as widget:
        suggestion = widget.run().suggest()
        applied = widget.apply()
    assert applied == pytest.approx(float(suggestion), rel=0.05)
    rates = [group["lr"] for group in training.optimizer.param_groups]
    assert rates == pytest.approx([applied * share for share in shares])


@SUITE.case("test_no_matplotlib")
def says_how_to_get_matplotlib() -> None:
    """A plot without matplotlib is an ImportError with the remedy; everything else works without it."""
    records = parity().test(**SWEEP)
    with (
        mock.patch.dict(sys.modules, {"matplotlib": None, "matplotlib.pyplot": None}),
        pytest.raises(ImportError, match=r"pip install 'lr_widget\[plot\]'"),
    ):
        records.plot()


@SUITE.case("test_plot_single_param_group", classes)
@SUITE.case("test_plot_multiple_param_groups", three_groups)
def plots_into_a_file(make: Any) -> None:
    """On a log axis with both labels, in axes of its own and in given ones."""
    import matplotlib.pyplot as plt

    records = make().test(end_lr=20.0)
    given = plt.figure().subplots()
    assert records.plot(given, beta=0.04) is given
    for axes in (records.plot(), given):
        assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "learning rate", "loss")
        assert axes.get_lines()[0].get_xdata().tolist() == records.lr.tolist()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "curve.png"
            axes.figure.savefig(file)
            assert file.stat().st_size > 1000
    plt.close("all")


@SUITE.case("test_distrib_gloo_cpu_or_gpu", "gloo")
@SUITE.case("test_distrib_nccl_gpu", "nccl")
def agrees_on_all_ranks(backend: str) -> None:
    """Losses of 0.01 and 0.02 are 0.015 on record on both ranks (theirs add them up), with the same suggestion."""
    if backend == "nccl" and torch.cuda.device_count() < 2:
        pytest.skip("there are no two CUDA devices")
    first, second = of_two_ranks(backend)
    for rank in (first, second):
        assert rank["means"] == pytest.approx([0.015] * 5, rel=1e-6)
        assert rank["is_unchanged"]
    assert first["suggested"] == second["suggested"]
    assert 1e-3 <= first["suggested"] <= 1
    assert len(first["records"].plot().get_lines()) == 3


@pytest.mark.parametrize("name", SUITE.expressed)
def test_a_case_of_ignite(name: str) -> None:
    """Each of their cases holds for a call of ours."""
    SUITE.expressed[name]()
