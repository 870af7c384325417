"""The rates on record are those that the optimizers applied, seen by a spy inside their step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR

from lr_widget import iter_range_test
from lr_widget.training.rates import RateSetter

from ..no_trace.state import Look
from .helpers import (
    BATCH,
    TWO_STEPS,
    batches,
    mse,
    net,
    one_weight,
    rates_on_record,
    sgd,
    spy_on,
)

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 6, "diverge_factor": None}


# 1e-4 · 1000 ** (k / 6): three decades in six steps
RATES = [1e-4 * 10 ** (k / 2) for k in range(1, 7)]


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


# --- param groups ----------------------------------------------------------------------------------------------------


def test_ratio_needs_a_first_rate_and_equal_does_not() -> None:
    """There are no proportions to a first rate of 0: refused with a remedy that works."""
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}], 0.0)
    applied = spy_on(optimizer)
    with pytest.raises(ValueError, match=r'no proportions to keep: the first one.s lr is 0.0; .*group_lrs="equal"'):
        iter_range_test(model, optimizer, mse, batches(), **SWEEP)
    list(iter_range_test(model, optimizer, mse, batches(), group_lrs="equal", **SWEEP))
    assert applied == [[pytest.approx(rate)] * 2 for rate in RATES]


def test_the_rate_reaches_groups_that_load_state_dict_has_replaced() -> None:
    """load_state_dict puts new groups in the place of the old ones; the rate on record is the one applied."""
    model = one_weight()
    optimizer, applied = sgd(model), []
    optimizer.register_step_pre_hook(lambda optimizer, args, keywords: applied.append(optimizer.param_groups[0]["lr"]))

    def step(model: Any, batch: Any) -> torch.Tensor:
        optimizer.load_state_dict(optimizer.state_dict())
        return mse(model(batch[0]), batch[1])

    sweep = iter_range_test(model, optimizer, None, [BATCH], train_step=step, **TWO_STEPS)
    optimizer.load_state_dict(optimizer.state_dict())
    assert [record.lr for record in sweep] == applied == [pytest.approx(0.15), 0.2]


def test_another_number_of_groups_is_refused() -> None:
    """A group that a step adds has no proportion to the others; the error says when to add it."""
    model, late = one_weight(), nn.Parameter(torch.ones(1))
    optimizer = sgd(model)

    def step(model: Any, batch: Any) -> torch.Tensor:
        optimizer.add_param_group({"params": [late]})
        return mse(model(batch[0]), batch[1])

    with pytest.raises(
        ValueError, match="param groups must stay as it was at first, 1, got 2; add or remove groups before"
    ):
        next(iter_range_test(model, optimizer, None, [BATCH], train_step=step))
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(("mode", "shares"), [("ratio", (1.0, 0.25, 2.0)), ("equal", (1.0, 1.0, 1.0))])
def test_the_shares_are_the_groups_rates_over_the_first_groups(mode: str, shares: tuple[float, ...]) -> None:
    """Rates of 0.4, 0.1 and, in a second optimizer, a tensor of 0.8 are shares of 1, 1/4 and 2; setting keeps them."""
    first, rate = nn.Linear(2, 1), torch.tensor(0.8, dtype=torch.float64)
    optimizers = [
        torch.optim.SGD([{"params": first.weight, "lr": 0.4}, {"params": first.bias, "lr": 0.1}]),
        torch.optim.Adam(one_weight().parameters(), lr=rate),
    ]
    set_rate = RateSetter(optimizers, mode)
    assert set_rate.shares == pytest.approx(shares, rel=1e-12)
    assert set_rate(3.0) == pytest.approx([3.0 * share for share in shares], rel=1e-12)
    assert float(rate) == pytest.approx(3.0 * shares[-1])
    assert optimizers[1].param_groups[0]["lr"] is rate
    assert set_rate.shares == pytest.approx(shares, rel=1e-12)


def test_the_shares_are_read_only() -> None:
    """They belong to the groups as they were when the setter was made."""
    set_rate = RateSetter([sgd(one_weight())])
    assert set_rate.shares == (1.0,)
    with pytest.raises(AttributeError, match="shares"):
        set_rate.shares = (2.0,)  # type: ignore[misc]


def test_after_a_warm_up_from_0_the_initial_rates_give_the_shares() -> None:
    """Where a scheduler has set the rates to 0, the proportions are those of its `initial_lr`."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD([{"params": model.weight, "lr": 0.2}, {"params": model.bias, "lr": 0.1}])
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0]
    assert RateSetter([optimizer]).shares == (1.0, 0.5)


def test_an_unknown_mode_is_refused() -> None:
    """The error names both modes."""
    with pytest.raises(ValueError, match='group_lrs must be "ratio" or "equal", got \'same\''):
        RateSetter([sgd(one_weight())], "same")


def test_an_optimizer_that_sets_its_own_rate_is_refused() -> None:
    """With lr=None, as for Adafactor, there is no rate to sweep."""
    optimizer = sgd(one_weight())
    optimizer.param_groups[0]["lr"] = None
    with pytest.raises(ValueError, match=r"param group 0 has lr None, so its optimizer sets its own rate .*numeric lr"):
        RateSetter([optimizer])


@pytest.mark.parametrize(("rate", "held"), [(1e-9, "0"), (1e5, "inf")])
def test_a_rate_that_its_tensor_cannot_hold_is_refused(rate: float, held: str) -> None:
    """In half precision, 1e-9 is 0 and 1e5 infinite: neither was asked for, and neither belongs on record."""
    set_rate = RateSetter([torch.optim.SGD(one_weight().parameters(), lr=torch.tensor(0.1, dtype=torch.float16))])
    with pytest.raises(ValueError, match=rf"a torch.float16 tensor, in which .* becomes {held}; give it a float32"):
        set_rate(rate)


# --- one group alone -------------------------------------------------------------------------------------------------


def three_groups() -> list[torch.optim.Optimizer]:
    """Two groups of SGD at 0.4 and 0.1, and one of Adam whose rate is a tensor of 0.75."""
    first = nn.Linear(2, 1)
    return [
        torch.optim.SGD([{"params": first.weight, "lr": 0.4}, {"params": first.bias, "lr": 0.1}]),
        torch.optim.Adam(one_weight().parameters(), lr=torch.tensor(0.75)),
    ]


def rates_in(optimizers: list[torch.optim.Optimizer]) -> list[float]:
    return [float(group["lr"]) for optimizer in optimizers for group in optimizer.param_groups]


@pytest.mark.parametrize(
    ("group", "rates"), [(0, (3.0, 0.1, 0.75)), (1, (0.4, 3.0, 0.75)), (2, (0.4, 0.1, 3.0))], ids=["0", "1", "2"]
)
def test_one_group_alone_gets_the_rate_and_the_others_are_held(group: int, rates: tuple[float, ...]) -> None:
    """Over all optimizers, tensor rates included; a rate that somebody else has set in between is overruled."""
    optimizers = three_groups()
    tensor = optimizers[1].param_groups[0]["lr"]
    set_rate = RateSetter(optimizers, groups=group)
    assert (set_rate.group, set_rate.leader) == (group, group)
    for each in (each for optimizer in optimizers for each in optimizer.param_groups):
        each["lr"] = each["lr"] * 7
    optimizers[1].param_groups[0]["lr"] = tensor
    assert set_rate(3.0) == rates == tuple(rates_in(optimizers))
    assert optimizers[1].param_groups[0]["lr"] is tensor


def test_each_group_has_a_setter_of_its_own() -> None:
    """In the order of the optimizers, whatever the first setter is for."""
    for groups in ("together", 1):
        setters = RateSetter(three_groups(), groups=groups).of_each_group()
        assert [setter(3.0) for setter in setters] == [(3.0, 0.1, 0.75), (0.4, 3.0, 0.75), (0.4, 0.1, 3.0)]
        assert [setter.group for setter in setters] == [0, 1, 2]


def test_rates_found_for_other_groups_can_be_held() -> None:
    """Those that are given take the place of the groups' own; the swept group's does not count."""
    second = RateSetter(three_groups(), groups=1)
    assert second.holding({0: 0.03})(3.0) == (0.03, 3.0, 0.75)
    assert second.holding({2: 0.5, 1: 9.0}).holding({0: 0.03})(3.0) == (0.03, 3.0, 0.75)
    assert second.holding({}).shares == second.shares == (0.0, 1.0, 0.0)


def test_groups_at_a_rate_of_0_are_held_there_unless_a_warm_up_has_left_them() -> None:
    """A warm-up leaves all rates of an optimizer at 0, and its `initial_lr` counts; one rate of 0 is a frozen group."""
    warm = nn.Linear(2, 1)
    warming = torch.optim.SGD([{"params": warm.weight, "lr": 0.2}, {"params": warm.bias, "lr": 0.1}])
    torch.optim.lr_scheduler.LambdaLR(warming, lambda epoch: 0.0)
    cold = nn.Linear(2, 1)
    thawing = torch.optim.SGD([{"params": cold.weight, "lr": 0.2}, {"params": cold.bias, "lr": 0.1}])
    torch.optim.lr_scheduler.LambdaLR(thawing, [lambda epoch: 0.0, lambda epoch: 1.0])
    assert rates_in([warming, thawing]) == [0.0, 0.0, 0.0, 0.1]
    assert RateSetter([warming, thawing], groups=3)(3.0) == (0.2, 0.1, 0.0, 3.0)
    by_hand = torch.optim.SGD([{"params": cold.weight, "lr": 0.0}, {"params": cold.bias, "lr": 0.0}], lr=0.1)
    assert RateSetter([by_hand], groups=1)(3.0) == (0.0, 3.0)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1])
def test_a_rate_that_no_record_takes_is_not_held(rate: float) -> None:
    """It is refused before the test, not by the records at its end; the swept group's own rate does not matter."""
    optimizers = three_groups()
    optimizers[0].param_groups[1]["lr"] = rate
    with pytest.raises(ValueError, match=rf"^the rate of param group 1, which is held, must be finite .* got {rate};"):
        RateSetter(optimizers, groups=0)
    assert RateSetter(optimizers, groups=1)(3.0) == (0.4, 3.0, 0.75)


@pytest.mark.parametrize(
    ("groups", "error", "shown"),
    [
        (3, ValueError, "3"),
        (-1, ValueError, "-1"),
        ("all", ValueError, "'all'"),
        (1.0, TypeError, r"1\.0"),
        (True, TypeError, "True"),
        (None, TypeError, "None"),
    ],
)
def test_an_unknown_group_is_refused(groups: Any, error: type[Exception], shown: str) -> None:
    """The error says how many groups there are, and all that `groups` takes."""
    rule = 'groups must be "together", "each" or the index of one of the 3 param groups, counted from 0'
    with pytest.raises(error, match=rf"^{rule}, got {shown}$"):
        RateSetter(three_groups(), groups=groups)


def test_a_group_with_nothing_to_train_is_not_swept() -> None:
    """Its curve would show how the others learn; with all groups together it does no harm."""
    model = nn.Linear(2, 1)
    model.weight.requires_grad_(requires_grad=False)
    optimizer = torch.optim.SGD([{"params": model.weight, "lr": 0.2}, {"params": model.bias, "lr": 0.1}])
    with pytest.raises(
        ValueError, match=r"^param group 0 must have a parameter that requires grad, .*; give groups the"
    ):
        RateSetter([optimizer], groups=0)
    assert RateSetter([optimizer])(3.0) == (3.0, 1.5)
    assert RateSetter([optimizer], groups=1)(0.7) == (3.0, 0.7)


def test_a_tensor_rate_of_0_is_held_at_0() -> None:
    """It is no rate that its dtype cannot hold."""
    frozen, swept = next(net().parameters()), torch.nn.Parameter(torch.ones(1))
    groups = [{"params": [frozen], "lr": torch.tensor(0.0)}, {"params": [swept], "lr": torch.tensor(0.1)}]
    assert RateSetter([torch.optim.SGD(groups, foreach=False)], groups=1)(0.5) == (0.0, 0.5)
