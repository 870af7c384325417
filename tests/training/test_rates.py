"""The rates on record are those that the optimizers applied, seen by a spy inside their step; schedules as functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count, pairwise
from types import MethodType
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR

from lr_widget import iter_range_test, range_test
from lr_widget.results.records import StepRecord
from lr_widget.schedule import constant, make_schedule, one_cycle

from ..no_trace.state import Look

mse = nn.functional.mse_loss
SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 6, "diverge_factor": None}
# 1e-4 · 1000 ** (k / 6): three decades in six steps
RATES = [1e-4 * 10 ** (k / 2) for k in range(1, 7)]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def batches(number: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(4, 3, generator=generator), torch.randn(4, 1, generator=generator)) for _ in range(number)]


def spy_on(*optimizers: torch.optim.Optimizer) -> list[list[float]]:
    """Return the list that fills with the rates of all groups of the optimizers, one entry a step of the last one."""
    applied: list[list[float]] = []

    def spy_in_step(optimizer: torch.optim.Optimizer, is_first: bool) -> None:
        own_step = optimizer.step

        def step(self: torch.optim.Optimizer, *args: Any, **keywords: Any) -> Any:
            if is_first:
                applied.append([])
            applied[-1].extend(float(group["lr"]) for group in self.param_groups)
            return own_step(*args, **keywords)

        optimizer.step = MethodType(step, optimizer)  # type: ignore[method-assign]

    for index, optimizer in enumerate(optimizers):
        spy_in_step(optimizer, index == 0)
    return applied


def rates_on_record(sweep: Iterable[StepRecord]) -> list[list[float]]:
    records = list(sweep)
    assert [record.lr for record in records] == [record.group_lrs[0] for record in records]
    return [list(record.group_lrs) for record in records]


OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.4, momentum=0.9),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.4),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.4),
    "adagrad, tensor rates": lambda groups: torch.optim.Adagrad(
        [{**group, "lr": torch.tensor(group.get("lr", 0.4))} for group in groups], lr=torch.tensor(0.4)
    ),
    "sgd, tensor rates": lambda groups: torch.optim.SGD(
        [{**group, "lr": torch.tensor(group.get("lr", 0.4), dtype=torch.float64)} for group in groups], foreach=False
    ),
}


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
@pytest.mark.parametrize(("mode", "factors"), [("ratio", [1.0, 0.25, 2.0]), ("equal", [1.0, 1.0, 1.0])])
def test_the_rates_of_all_groups_on_record_are_those_seen_inside_the_step(
    optimizer_name: str, mode: str, factors: list[float]
) -> None:
    """With proportions kept or flattened, a spy in `step` sees for every group exactly what is on record."""
    model = net()
    first, *rest = model.parameters()
    groups = [{"params": [first]}, {"params": rest[:1], "lr": 0.1}, {"params": rest[1:], "lr": 0.8}]
    optimizer = OPTIMIZERS[optimizer_name](groups)
    applied = spy_on(optimizer)
    recorded = rates_on_record(iter_range_test(model, optimizer, mse, batches(), group_lrs=mode, **SWEEP))
    assert recorded == applied
    rel = 1e-6 if "tensor" in optimizer_name else 1e-12
    assert recorded == [pytest.approx([rate * factor for factor in factors], rel=rel) for rate in RATES]


def test_a_tensor_rate_is_written_in_place_and_recorded_in_its_own_precision() -> None:
    """A float32 tensor rate stays the same tensor, and on record is the float32 number nearest to the schedule's."""
    model, rate = net(), torch.tensor(0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    held = []
    for record in iter_range_test(model, optimizer, mse, batches(), **SWEEP):
        held.append(optimizer.param_groups[0]["lr"])
        assert record.lr == float(torch.tensor(RATES[record.step - 1])) == float(held[-1])
    assert all(tensor is rate for tensor in held)
    assert float(rate) == 0.5


def test_the_weights_move_by_the_rate_on_record() -> None:
    """With a gradient of one, plain SGD moves each group's weight down by exactly its rate, by hand."""
    model = nn.ParameterDict({"a": nn.Parameter(torch.zeros(1).double()), "b": nn.Parameter(torch.zeros(1).double())})
    optimizer = torch.optim.SGD([{"params": [model["a"]], "lr": 1.0}, {"params": [model["b"]], "lr": 0.5}])
    sweep = iter_range_test(
        model, optimizer, None, [0], train_step=lambda model, batch: model["a"].sum() + model["b"].sum(), **SWEEP
    )
    travelled = [(-model["a"].item(), -model["b"].item()) for _ in sweep]
    sums = [sum(RATES[: k + 1]) for k in range(6)]
    assert travelled == [pytest.approx((total, total / 2), rel=1e-12) for total in sums]


@pytest.mark.parametrize(("mode", "factors"), [("ratio", [1.0, 0.5, 3.0]), ("equal", [1.0, 1.0, 1.0])])
def test_several_optimizers_are_recorded_one_after_another(mode: str, factors: list[float]) -> None:
    """The groups of all optimizers are on record in their order, each with the rate that its own step saw."""
    generator, critic = net(), net()
    first = torch.optim.Adam([{"params": generator[0].parameters()}, {"params": generator[2].parameters(), "lr": 0.1}])
    first.param_groups[0]["lr"] = 0.2
    second = torch.optim.SGD(critic.parameters(), lr=0.6)
    applied = spy_on(first, second)
    sweep = iter_range_test(
        [generator, critic],
        [first, second],
        None,
        batches(),
        train_step=lambda models, batch: mse(models[0](batch[0]) + models[1](batch[0]), batch[1]),
        group_lrs=mode,
        **SWEEP,
    )
    recorded = rates_on_record(sweep)
    assert recorded == applied
    assert recorded == [pytest.approx([rate * factor for factor in factors]) for rate in RATES]
    assert [group["lr"] for group in (*first.param_groups, *second.param_groups)] == [0.2, 0.1, 0.6]


def test_with_accumulation_there_is_one_rate_an_update() -> None:
    """Three micro-batches make one update, at one rate, and the next three the next."""
    model, losses_asked = net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied = spy_on(optimizer)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        losses_asked.append(optimizer.param_groups[0]["lr"])
        return mse(output, targets)

    recorded = rates_on_record(iter_range_test(model, optimizer, loss_fn, batches(), accumulation_steps=3, **SWEEP))
    assert recorded == applied == [[pytest.approx(rate)] for rate in RATES]
    assert losses_asked == [rate for [rate] in applied for _ in range(3)]


def test_lbfgs_takes_its_steps_at_the_rates_on_record() -> None:
    """An optimizer with a closure is given its rate before its step, too."""
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=3)
    applied = spy_on(optimizer)
    assert rates_on_record(iter_range_test(model, optimizer, mse, batches(), **SWEEP)) == applied
    assert applied == [[pytest.approx(rate)] for rate in RATES]


@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1, dtype=torch.float64)], ids=["float", "tensor"])
def test_a_scheduler_called_in_the_training_step_does_not_change_the_applied_rate(
    accumulation_steps: int, rate: Any
) -> None:
    """A scheduler that the user's step calls is overruled before the update, and is back afterwards."""
    model = net()
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters()}, {"params": model[2].parameters()}], lr=rate, foreach=False
    )
    applied = spy_on(optimizer)
    scheduler = ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    scheduler.step()
    applied.clear()
    before = Look(model, optimizer, scheduler)

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        scheduler.step()
        return mse(model(batch[0]), batch[1])

    sweep = iter_range_test(
        model,
        optimizer,
        None,
        batches(),
        train_step=train_step,
        accumulation_steps=accumulation_steps,
        also_restore=[scheduler],
        **SWEEP,
    )
    assert rates_on_record(sweep) == applied == [[pytest.approx(rate)] * 2 for rate in RATES]
    before.assert_unchanged("after a test with a scheduler in the step")


class InfiniteGradient(torch.autograd.Function):
    """The identity, with an infinite gradient, as fp16 gives where it overflows."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * float("inf")


def overflowing(at: set[int]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss function whose gradient is infinite at the calls of these numbers, from 1."""
    calls = count(1)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mse(InfiniteGradient.apply(output) if next(calls) in at else output, targets)

    return loss_fn


@pytest.mark.parametrize("max_grad_norm", [None, 0.1])
def test_a_scaler_that_skips_is_on_record_and_applies_no_rate_in_these_steps(max_grad_norm: float | None) -> None:
    """Steps 1, 3 and 4 overflow: they are marked, the optimizer is not stepped and the weights stay."""
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}], 0.2)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
    scaler.scale(mse(*batches(1)[0][:1], torch.zeros(4, 3)))  # in use: it has its tensors
    applied, before = spy_on(optimizer), Look(model, optimizer, scaler)
    sweep = iter_range_test(
        model, optimizer, overflowing({1, 3, 4}), batches(), grad_scaler=scaler, max_grad_norm=max_grad_norm, **SWEEP
    )
    records, weights, scales = [], [model[0].weight.tolist()], []
    for record in sweep:
        records.append(record)
        weights.append(model[0].weight.tolist())
        scales.append(scaler.get_scale())
    assert [record.step for record in records if record.skipped] == [1, 3, 4]
    assert applied == [list(record.group_lrs) for record in records if not record.skipped]
    assert [record.group_lrs for record in records] == [pytest.approx((rate, rate / 2)) for rate in RATES]
    assert [new == old for old, new in pairwise(weights)] == [True, False, True, True, False, False]
    assert scales == [512.0, 1024.0, 512.0, 256.0, 512.0, 1024.0]
    assert scaler.get_scale() == 1024.0
    before.assert_unchanged("after a test whose scaler skipped steps")


def test_a_scaler_that_was_never_used_is_unused_again() -> None:
    """A fresh scaler makes its tensors during the test and has none after it."""
    model = net()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=64.0)
    list(iter_range_test(model, optimizer, overflowing({2}), batches(), grad_scaler=scaler, **SWEEP))
    assert scaler._scale is None
    assert scaler.state_dict()["scale"] == 64.0
    assert scaler.state_dict()["_growth_tracker"] == 0


def test_with_accumulation_one_infinite_micro_batch_skips_the_whole_step() -> None:
    """The fourth of eight micro-batches overflows, so the second of four steps is left out."""
    model = net()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=64.0)
    applied = spy_on(optimizer)
    records = range_test(
        model,
        optimizer,
        overflowing({4}),
        batches(),
        grad_scaler=scaler,
        accumulation_steps=2,
        progress=False,
        **(SWEEP | {"num_steps": 4}),
    )
    assert records.skipped is not None
    assert records.skipped.tolist() == [False, True, False, False]
    assert [rate for [rate] in applied] == records.lr[[0, 2, 3]].tolist()
    assert records.to_pandas()["skipped"].tolist() == [False, True, False, False]


def test_one_of_two_optimizers_that_overflows_marks_the_step() -> None:
    """Only the first model overflows in step 2: the second optimizer moves, and the step is marked as skipped."""
    models, calls = [net(), net()], count(1)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    first, second = spy_on(optimizers[0]), spy_on(optimizers[1])

    def train_step(models: Any, batch: Any) -> torch.Tensor:
        output = models[0](batch[0])
        return mse(InfiniteGradient.apply(output) if next(calls) == 2 else output, batch[1]) + mse(
            models[1](batch[0]), batch[1]
        )

    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    records = list(
        iter_range_test(models, optimizers, None, batches(), train_step=train_step, grad_scaler=scaler, **SWEEP)
    )
    assert [record.step for record in records if record.skipped] == [2]
    assert [len(first), len(second)] == [5, 6]


def test_ratio_needs_a_first_rate_and_equal_does_not() -> None:
    """There are no proportions to a first rate of 0: refused with a remedy, which then works."""
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}], 0.0)
    applied = spy_on(optimizer)
    with pytest.raises(ValueError, match=r'no proportions to keep: the first one.s lr is 0.0; .*group_lrs="equal"'):
        iter_range_test(model, optimizer, mse, batches(), **SWEEP)
    list(iter_range_test(model, optimizer, mse, batches(), group_lrs="equal", **SWEEP))
    assert applied == [[pytest.approx(rate)] * 2 for rate in RATES]


# --- schedules as functions ------------------------------------------------------------------------------------------


def test_a_function_of_the_step_gives_the_applied_rates() -> None:
    """A zigzag function is asked for the steps 1 … n, and what it answers is applied and on record."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied = spy_on(optimizer)

    def zigzag(step: int) -> float:
        return 0.01 * step if step % 2 else 0.001 * step

    records = range_test(model, optimizer, mse, batches(), schedule=zigzag, num_steps=5, progress=False)
    assert records.lr.tolist() == [rate for [rate] in applied] == [0.01, 0.002, 0.03, 0.004, 0.05]
    assert (records.schedule, records.start_lr, records.end_lr, records.num_steps) == ("custom", None, None, 5)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (0.0, ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got 0.0"),
        (-0.1, ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got -0.1"),
        (float("nan"), ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got nan"),
        (float("inf"), ValueError, "the schedule's rate for step 7 must be a positive, finite learning rate, got inf"),
        ("fast", TypeError, "the schedule's rate for step 7 must be a number, got 'fast' of type str"),
        (None, TypeError, "the schedule's rate for step 7 must be a number, got None of type NoneType"),
    ],
)
def test_a_wrong_rate_of_a_function_is_refused_before_any_step(
    wrong: Any, error: type[Exception], message: str
) -> None:
    """Every rate is looked at when the arguments are, so a wrong one at step 7 costs no training."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied, before = spy_on(optimizer), Look(model, optimizer)
    with pytest.raises(error, match=message):
        iter_range_test(
            model, optimizer, mse, batches(), schedule=lambda step: wrong if step == 7 else 0.1, num_steps=10
        )
    assert applied == []
    before.assert_unchanged("after a refused schedule")


@pytest.mark.parametrize("num_steps", [5, 6, 7, 10, 11, 33, 50, 100, 101, 400])
@pytest.mark.parametrize("max_lr", [0.1, 3e-4])
def test_one_cycle_is_that_of_torch(num_steps: int, max_lr: float) -> None:
    """The rates of steps 1 … n are those of OneCycleLR with as many steps, of any length."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = OneCycleLR(optimizer, max_lr, total_steps=num_steps, cycle_momentum=False)
    rates = []
    for step in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < num_steps - 1:
            scheduler.step()
    schedule = one_cycle(max_lr, num_steps)
    assert [schedule(k) for k in range(1, num_steps + 1)] == pytest.approx(rates, rel=1e-9, abs=1e-15)


def test_a_very_short_one_cycle_still_goes_up() -> None:
    """Of three steps the second is three quarters of the way up, by hand: (1 + cos 60°) / 2."""
    schedule = one_cycle(1.0, 3)
    assert [schedule(k) for k in (1, 2, 3)] == pytest.approx([0.04, 0.75, 4e-6], rel=1e-5)


@pytest.mark.parametrize("make", [lambda lr: one_cycle(lr, 10), constant])
@pytest.mark.parametrize(
    ("lr", "error", "message"),
    [
        (0.0, ValueError, "must be a positive, finite learning rate, got 0.0"),
        (float("inf"), ValueError, "must be a positive, finite learning rate, got inf"),
        ("0.1", TypeError, "must be a number, got '0.1' of type str"),
    ],
)
def test_a_schedule_of_a_wrong_rate_is_refused(
    make: Callable[[Any], Any], lr: Any, error: type[Exception], message: str
) -> None:
    """A rate that is none is refused when the schedule is made, with its value."""
    with pytest.raises(error, match=message):
        make(lr)


def test_a_constant_schedule_is_one_rate_in_every_step() -> None:
    """A sweep at one rate is training at that rate: same losses as a bare loop."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    records = list(
        iter_range_test(model, optimizer, mse, batches(), schedule=constant(0.05), num_steps=6, diverge_factor=None)
    )
    assert [record.lr for record in records] == [0.05] * 6

    losses, data = [], batches()
    for step in range(6):
        inputs, targets = data[step % 5]
        loss = mse(model(inputs), targets)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients):
                parameter.sub_(gradient, alpha=0.05)
        losses.append(loss.item())
    assert [record.loss for record in records] == pytest.approx(losses, rel=1e-5)


def test_a_schedule_that_is_no_name_and_no_function_is_refused() -> None:
    """A list of rates is no schedule; the error says what is."""
    with pytest.raises(ValueError, match=r'schedule must be "exponential", "linear" or a function .*got \[0.1\]'):
        make_schedule([0.1], 1e-4, 0.1, 6)  # type: ignore[arg-type]
