"""The range test on a small CNN with everything that can go wrong between two training runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain, count
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRRecords, iter_range_test, range_test

cross_entropy = nn.functional.cross_entropy


class Session:
    """A user in the middle of training: a CNN with dropout and BatchNorm, Adam with state, a shuffling loader."""

    def __init__(self, warm_up_steps: int = 3) -> None:
        torch.manual_seed(0)
        images, labels = torch.randn(60, 1, 8, 8), torch.randint(0, 10, (60,))
        self.loader = DataLoader(TensorDataset(images, labels), batch_size=8, shuffle=True)
        self.model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 10)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.train(warm_up_steps)

    def train(self, steps: int) -> list[float]:
        losses: list[float] = []
        while len(losses) < steps:
            for images, labels in self.loader:
                self.optimizer.zero_grad()
                loss = cross_entropy(self.model(images), labels)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
                if len(losses) == steps:
                    break
        return losses

    def sweep(self, **options: Any) -> Any:
        return iter_range_test(
            self.model, self.optimizer, options.pop("loss_fn", cross_entropy), self.loader, **options
        )


def nothing(session: Session) -> None:
    assert session.optimizer.param_groups[0]["lr"] == 1e-3


def complete(session: Session) -> None:
    records = list(session.sweep(end_lr=0.1, num_steps=20))
    assert len(records) == 20


def diverge(session: Session) -> None:
    calls = count()

    def explode(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(output, labels) * 10.0 ** max(0, next(calls) - 15)

    records = range_test(session.model, session.optimizer, explode, session.loader, num_steps=30, progress=False)
    assert records.stop_reason == "diverged"


def close_half_way(session: Session) -> None:
    sweep = session.sweep(end_lr=1.0, num_steps=20)
    for _ in range(10):
        next(sweep)
    sweep.close()


def raise_in_the_middle(session: Session) -> None:
    fail_at(session, ZeroDivisionError("division by zero"), step=7)


def interrupt(session: Session) -> None:
    fail_at(session, KeyboardInterrupt(), step=7)


def fail_at(session: Session, error: BaseException, step: int) -> None:
    calls = 0

    def loss_fn(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == step:
            raise error
        return cross_entropy(output, labels)

    with pytest.raises(type(error), match=rf"^{re.escape(str(error))}") as caught:
        list(session.sweep(loss_fn=loss_fn, end_lr=1.0, num_steps=20))
    assert caught.value is error


@pytest.mark.parametrize("end", [complete, diverge, close_half_way, raise_in_the_middle, interrupt])
def test_training_goes_on_as_if_there_had_been_no_test(end: Any) -> None:
    assert losses_after(end) == losses_after(nothing)


def losses_after(what: Callable[[Session], object]) -> list[float]:
    session = Session()  # it seeds the random generators: all that follows depends on what is left in them
    what(session)
    return session.train(12)


def test_ten_tests_leave_no_more_trace_than_none() -> None:
    def ten_times(session: Session) -> None:
        for _ in range(10):
            complete(session)

    assert losses_after(ten_times) == losses_after(nothing)


def test_1e_6_to_1_in_100_steps_applies_and_records_the_rates_of_the_article() -> None:
    session, applied = Session(), []

    class Spy(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            applied.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    optimizer = Spy(session.model.parameters(), lr=1e-3)
    records = range_test(
        session.model,
        optimizer,
        cross_entropy,
        session.loader,
        start_lr=1e-6,
        end_lr=1.0,
        diverge_factor=None,
        progress=False,
    )
    assert len(records) == len(records.to_pandas()) == 100
    assert records.lr[:3] == pytest.approx([1.148154e-06, 1.318257e-06, 1.513561e-06], rel=1e-6)
    assert records.lr[-1] == 1.0
    assert records.group_lrs is not None
    assert records.group_lrs.tolist() == applied
    assert records.stop_reason == "completed"
    assert optimizer.param_groups[0]["lr"] == 1e-3


def test_the_losses_on_record_are_those_of_a_plain_loop_at_these_rates() -> None:
    twin, expected = Session(), []
    for k, (images, labels) in enumerate(chain(twin.loader, twin.loader), 1):
        twin.optimizer.param_groups[0]["lr"] = 1e-3 * 10 ** (k / 10)
        twin.optimizer.zero_grad()
        loss = cross_entropy(twin.model(images), labels)
        loss.backward()
        twin.optimizer.step()
        expected.append(loss.item())
        if k == 10:
            break
    session = Session()
    sweep = session.sweep(start_lr=1e-3, end_lr=1e-2, num_steps=10)
    assert [record.loss for record in sweep] == pytest.approx(expected, rel=1e-6)


def test_a_nan_ends_the_test_at_its_step_and_stays_on_record() -> None:
    session, calls = Session(), 0

    def loss_fn(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return cross_entropy(output, labels) * (float("nan") if calls == 40 else 1.0)

    records = range_test(session.model, session.optimizer, loss_fn, session.loader, end_lr=0.01, progress=False)
    assert records.stop_reason == "non_finite"
    assert len(records) == 40
    assert np.isnan(records.loss[-1])
    assert np.isfinite(records.loss[:-1]).all()


def test_the_stop_callable_ends_the_test_with_its_record() -> None:
    session = Session()
    records = range_test(
        session.model,
        session.optimizer,
        cross_entropy,
        session.loader,
        stop=lambda record: record.step == 7,
        progress=False,
    )
    assert (len(records), records.stop_reason) == (7, "stopped")


def test_ctrl_c_keeps_the_records_and_says_interrupted() -> None:
    session, calls = Session(), 0

    def loss_fn(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return cross_entropy(output, labels)

    records = range_test(session.model, session.optimizer, loss_fn, session.loader, progress=False)
    assert (len(records), records.stop_reason) == (5, "interrupted")


def test_the_users_exception_has_a_note_that_names_step_and_rate() -> None:
    session = Session()
    with pytest.raises(RuntimeError, match="out of luck") as caught:
        list(session.sweep(loss_fn=lambda output, labels: fail("out of luck"), start_lr=1e-3, end_lr=1.0, num_steps=10))
    notes = caught.value.__notes__  # type: ignore[attr-defined]
    assert notes == ["while lr_widget was in step 1 of 10, at learning rate 2e-3"]


def fail(message: str) -> torch.Tensor:
    raise RuntimeError(message)


def test_an_eval_mode_model_is_trained_in_train_mode_and_put_back() -> None:
    session, modes = Session(), []
    session.model.eval()
    session.model.register_forward_hook(lambda model, args, output: modes.append(model.training))
    list(session.sweep(num_steps=5))
    assert modes == [True] * 5
    assert not any(module.training for module in session.model.modules())


def test_a_submodule_frozen_in_eval_mode_stays_so_during_the_test() -> None:
    session, modes = Session(), []
    session.model[1].eval()
    session.model[1].register_forward_hook(lambda module, args, output: modes.append(module.training))
    list(session.sweep(num_steps=5))
    assert modes == [False] * 5
    assert [module.training for module in session.model] == [True, False, True, True, True, True]


def test_nothing_happens_before_the_first_record_is_asked_for() -> None:
    def make_and_train(session: Session) -> None:
        session.unused = session.sweep()  # type: ignore[attr-defined]
        session.train(2)

    assert losses_after(make_and_train) == losses_after(lambda session: session.train(2))


def test_a_seed_makes_two_tests_identical_and_another_seed_does_not() -> None:
    session = Session()
    first, second, other = (
        range_test(
            session.model, session.optimizer, cross_entropy, session.loader, num_steps=10, seed=seed, progress=False
        ).loss.tolist()
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_repeats_differ_in_data_order_and_are_averaged() -> None:
    session = Session()
    records = range_test(
        session.model, session.optimizer, cross_entropy, session.loader, num_steps=10, repeats=3, progress=False
    )
    curves = [repeat.loss.tolist() for repeat in records.repeats]
    assert len(curves) == 3
    assert len({tuple(curve) for curve in curves}) == 3
    assert records.loss == pytest.approx(np.mean(curves, axis=0))
    assert [repeat.lr.tolist() for repeat in records.repeats] == [records.lr.tolist()] * 3


def test_the_training_that_the_rate_is_for_is_on_record_and_changes_no_step() -> None:
    """With repeats in each sweep; the losses are those of a test that knows of no training."""
    session = Session()

    def test(**training: Any) -> LRRecords:
        given = (session.model, session.optimizer, cross_entropy, session.loader)
        return range_test(*given, num_steps=10, seed=1, repeats=2, progress=False, **training)

    aimed, plain = test(train_steps=5000, train_schedule="cosine"), test()
    assert (aimed.train_steps, aimed.train_schedule) == (5000, "cosine")
    assert [(each.train_steps, each.train_schedule) for each in aimed.repeats] == [(5000, "cosine")] * 2
    assert (plain.train_steps, plain.train_schedule) == (None, "constant")
    assert aimed.loss.tolist() == plain.loss.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"start_lr": 1.0, "end_lr": 0.1},
            ValueError,
            "start_lr must be below end_lr, got 1 and 0.1; lower start_lr or raise end_lr",
        ),
        ({"start_lr": -1.0}, ValueError, "start_lr must be a positive, finite learning rate, got -1.0"),
        ({"end_lr": float("nan")}, ValueError, "end_lr must be a positive, finite learning rate, got nan"),
        ({"num_steps": 1}, ValueError, "num_steps must be at least 2, got 1"),
        ({"schedule": "cosine"}, ValueError, "schedule must be"),
        ({"accumulation_steps": 0}, ValueError, "accumulation_steps must be at least 1, got 0; 1 is usual"),
        ({"val_every": 0.5}, TypeError, "val_every must be an integer, got 0.5 of type float; 5 is usual"),
        ({"max_grad_norm": -1.0}, ValueError, "max_grad_norm must be positive or None for no clipping, got -1.0"),
        ({"group_lrs": "same"}, ValueError, 'group_lrs must be "ratio" or "equal", got \'same\''),
        ({"diverge_factor": 0}, ValueError, "diverge_factor must be a positive number or None"),
        ({"autocast": "bf16"}, TypeError, "autocast must be a dtype such as torch.bfloat16"),
        ({"also_restore": [object()]}, TypeError, "also_restore takes objects with state_dict"),
        ({"train_step": lambda model, batch: None}, TypeError, "give loss_fn or train_step, not both"),
        ({"loss_fn": "mse"}, TypeError, "loss_fn must be callable, got 'mse' of type str"),
        ({"learning_rate": 1.0}, TypeError, "unexpected keyword argument 'learning_rate'"),
    ],
)
def test_a_wrong_argument_gets_one_clear_sentence_before_anything_runs(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    session = Session(warm_up_steps=0)
    with pytest.raises(error, match=message) as caught:
        session.sweep(**options)
    assert "\n" not in str(caught.value)


def test_repeats_must_be_positive() -> None:
    session = Session(warm_up_steps=0)
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0; 1 is usual"):
        range_test(session.model, session.optimizer, cross_entropy, session.loader, repeats=0)


def test_an_optimizer_of_another_model_is_refused() -> None:
    session, other = Session(warm_up_steps=0), nn.Linear(2, 2)
    with pytest.raises(ValueError, match="the optimizer SGD has none of the model's parameters"):
        iter_range_test(session.model, torch.optim.SGD(other.parameters(), lr=0.1), cross_entropy, session.loader)


def test_an_optimizer_without_parameters_is_refused() -> None:
    session = Session(warm_up_steps=0)
    session.optimizer.param_groups.clear()
    with pytest.raises(ValueError, match="the optimizer Adam has no parameters; make it with"):
        session.sweep()


@pytest.mark.parametrize(
    ("model", "optimizer", "message"),
    [
        ("resnet", None, "model must be a torch.nn.modules.module.Module or several, got 'resnet' of type str"),
        (None, "adam", "optimizer must be a torch.optim.optimizer.Optimizer or several, got 'adam' of type str"),
        ([], None, "model is empty; give at least one"),
    ],
)
def test_a_model_or_optimizer_of_a_wrong_type_is_refused(model: Any, optimizer: Any, message: str) -> None:
    session = Session(warm_up_steps=0)
    with pytest.raises((TypeError, ValueError), match=message):
        iter_range_test(
            session.model if model is None else model,
            session.optimizer if optimizer is None else optimizer,
            cross_entropy,
            session.loader,
        )


@pytest.mark.parametrize(
    ("loss_fn", "error", "message"),
    [
        (lambda output, labels: output, ValueError, r"the loss must be one real number, got .* of shape \(8, 10\)"),
        (lambda output, labels: output.sum().detach(), ValueError, "the loss has no gradient"),
        (
            lambda output, labels: output.sum().item(),
            TypeError,
            "the loss must be a scalar tensor, got .* of type float",
        ),
    ],
)
def test_a_loss_that_cannot_be_trained_on_is_refused_without_a_trace(
    loss_fn: Any, error: type[Exception], message: str
) -> None:
    def try_it(session: Session) -> None:
        with pytest.raises(error, match=message):
            next(session.sweep(loss_fn=loss_fn))

    assert losses_after(try_it) == losses_after(nothing)


@pytest.mark.parametrize("at", [13, 16])
def test_repeats_that_are_cut_short_say_so(at: int) -> None:
    """Ctrl-C in the first or fourth step of the second sweep of three: the first is the records, as "interrupted"."""
    session, calls = Session(), count(1)

    def loss_fn(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if next(calls) == at:
            raise KeyboardInterrupt
        return cross_entropy(output, labels)

    options: dict[str, Any] = {"num_steps": 12, "end_lr": 0.1, "diverge_factor": None, "repeats": 3, "progress": False}
    records = range_test(session.model, session.optimizer, loss_fn, session.loader, **options)
    assert (len(records), records.stop_reason) == (12, "interrupted")


def test_the_validation_loss_is_the_mean_over_batches() -> None:
    """Squared errors 0, 0 and 9 in batches of two and one: (0 + 9) / 2, and not 9 / 3."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    val_data = [(torch.zeros(2, 1), torch.zeros(2, 1)), (torch.zeros(1, 1), torch.full((1, 1), 3.0))]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sweep = iter_range_test(model, optimizer, nn.functional.mse_loss, val_data, val_data=val_data, val_every=1)
    assert next(sweep).val_loss == 4.5
