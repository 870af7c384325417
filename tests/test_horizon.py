"""The training that a rate is for: its words, what is refused, and its schedule scaled to a short training."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.schedule import one_cycle

NAMES = (
    '"constant", "one_cycle", "cosine", "linear", "constant_with_warmup", "cosine_with_warmup", "linear_with_warmup"'
)


def rates(horizon: Horizon, num_steps: int, lr: float = 1.0) -> list[float]:
    """The rates of steps 1 … n."""
    schedule = horizon.over(lr, num_steps)
    return [schedule(step) for step in range(1, num_steps + 1)]


@pytest.mark.parametrize(
    ("horizon", "words"),
    [
        (Horizon(), "a training at a constant rate"),
        (Horizon(1), "a training of 1 step at a constant rate"),
        (Horizon(5000, "cosine"), "a training of 5,000 steps with a cosine schedule"),
        (Horizon(1_000_000, "one_cycle"), "a training of 1,000,000 steps in one cycle"),
        (Horizon(20, "constant_with_warmup"), "a training of 20 steps at a constant rate after a warm-up"),
        (Horizon(schedule="linear_with_warmup"), "a training with a linear schedule after a warm-up"),
    ],
)
def test_a_training_has_words_for_a_sentence(horizon: Horizon, words: str) -> None:
    """Its length with commas, where it is known, and its schedule."""
    assert horizon.words == words


def test_the_schedules_that_decay_end_near_nothing_and_the_others_at_the_top() -> None:
    """The flag is true to the last of 1,000 rates, for every schedule."""
    for name in TRAIN_SCHEDULES:
        horizon = Horizon(1000, name)
        assert horizon.is_decaying == (rates(horizon, 1000)[-1] < 0.01), name
    assert [name for name in TRAIN_SCHEDULES if not Horizon(schedule=name).is_decaying] == [
        "constant",
        "constant_with_warmup",
    ]


class SchedulerType(str, enum.Enum):
    """Names as Transformers has them."""

    COSINE = "cosine"


def test_numbers_of_numpy_and_names_of_enums_become_plain() -> None:
    """They get into files and messages."""
    horizon = Horizon(np.int64(30), SchedulerType.COSINE)  # type: ignore[arg-type]
    assert (type(horizon.steps), type(horizon.schedule)) == (int, str)
    assert horizon == Horizon(30, "cosine")
    assert horizon.as_recorded() == {"train_steps": 30, "train_schedule": "cosine"}


SCHEDULER = lr_scheduler.LambdaLR(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), lambda step: 1.0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"steps": 0}, ValueError, r"^train_steps must be at least 1, got 0; 1000 is usual$"),
        ({"steps": -5}, ValueError, r"^train_steps must be at least 1, got -5"),
        ({"steps": 100.0}, TypeError, r"^train_steps must be an integer, got 100.0 of type float"),
        ({"steps": "100"}, TypeError, r"^train_steps must be an integer, got '100' of type str"),
        ({"steps": True}, TypeError, r"^train_steps must be an integer, got True of type bool"),
        (
            {"schedule": "polynomial"},
            ValueError,
            rf"^train_schedule must be one of {NAMES}, got 'polynomial'; give the one that is most like yours$",
        ),
        ({"schedule": ""}, ValueError, r"got ''; give the one"),
        ({"schedule": "Cosine"}, ValueError, r"got 'Cosine'; give the one"),
        ({"schedule": None}, TypeError, rf"^train_schedule must be one of {NAMES}, got None of .*; give its name$"),
        (
            {"schedule": SCHEDULER},
            TypeError,
            r"got <torch.optim.lr_scheduler.LambdaLR .* of type LambdaLR; give its name",
        ),
        ({"schedule": lambda step: 0.1}, TypeError, r"of type function; give its name$"),
    ],
)
def test_no_training_is_refused_with_rule_value_and_remedy(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A length that is none, a name that nobody knows, an object in place of a name."""
    with pytest.raises(error, match=message):
        Horizon(**given)


# --- scaled to a short training ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [1.0] * 4),
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("cosine", [1.0, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        # one step of warm-up, a quarter of a step rounded up, then three steps
        ("constant_with_warmup", [1.0] * 4),
        ("linear_with_warmup", [1.0, 1.0, 2 / 3, 1 / 3]),
        ("cosine_with_warmup", [1.0, 1.0, 0.75, 0.25]),
    ],
)
def test_a_short_schedule_has_the_rates_worked_out_by_hand(name: str, expected: list[float]) -> None:
    """Of four steps, whatever the length of the training itself."""
    assert rates(Horizon(5000, name), 4, lr=0.2) == pytest.approx([0.2 * rate for rate in expected])
    assert rates(Horizon(None, name), 4) == pytest.approx(expected)


def test_a_warm_up_takes_the_first_tenth_in_a_straight_line_from_nothing() -> None:
    """30 steps: 1/3, 2/3 and the top, then the whole of the other schedule over the 27 steps that are left."""
    for name in ("constant", "cosine", "linear"):
        warmed = rates(Horizon(None, f"{name}_with_warmup"), 30)
        assert warmed[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
        assert warmed[3:] == rates(Horizon(None, name), 27)


def test_a_cycle_is_that_of_the_ground() -> None:
    """The one whose rates are compared with torch."""
    cycle = one_cycle(0.3, 40)
    assert rates(Horizon(5000, "one_cycle"), 40, lr=0.3) == [cycle(step) for step in range(1, 41)]


@given(
    name=st.sampled_from(TRAIN_SCHEDULES),
    steps=st.none() | st.integers(1, 10**9),
    num_steps=st.integers(2, 400),
    lr=st.floats(1e-12, 1e6),
)
def test_every_short_schedule_is_positive_reaches_its_top_and_goes_up_and_down_once(
    name: str, steps: int | None, num_steps: int, lr: float
) -> None:
    """In any training from two steps on; a sweep takes no rate of 0. The top of a cycle lies between two steps."""
    found = np.array(rates(Horizon(steps, name), num_steps, lr)) / lr
    assert (found > 0).all()
    assert found.max() <= 1 + 1e-12
    top = int(found.argmax())
    assert (np.diff(found[: top + 1]) >= -1e-12).all()
    assert (np.diff(found[top:]) <= 1e-12).all()
    assert name == "one_cycle" or found.max() == pytest.approx(1)


@pytest.mark.parametrize("name", TRAIN_SCHEDULES)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0.1, 1), ValueError, r"num_steps must be at least 2, got 1"),
        ((0.1, 2.0), TypeError, r"num_steps must be an integer, got 2.0"),
        ((0.0, 10), ValueError, r"lr must be a positive, finite learning rate, got 0.0"),
        (("0.1", 10), TypeError, r"lr must be a number, got '0.1'"),
    ],
)
def test_a_short_schedule_of_a_wrong_rate_or_length_is_refused(
    name: str, arguments: tuple[Any, Any], error: type[Exception], message: str
) -> None:
    """When it is made, for every schedule alike."""
    with pytest.raises(error, match=message):
        Horizon(5000, name).over(*arguments)


def of_torch(make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], num_steps: int) -> list[float]:
    """The rates that a scheduler of torch gives to the steps of a training with 0.5 for a rate."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler, found = make(optimizer), []
    for _ in range(num_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("num_steps", [2, 5, 33, 100])
def test_cosine_and_linear_are_those_of_torch(num_steps: int) -> None:
    """CosineAnnealingLR and PolynomialLR over as many steps."""
    cosine = of_torch(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, num_steps), num_steps)
    linear = of_torch(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, num_steps), num_steps)
    assert rates(Horizon(schedule="cosine"), num_steps, lr=0.5) == pytest.approx(cosine)
    assert rates(Horizon(schedule="linear"), num_steps, lr=0.5) == pytest.approx(linear)
