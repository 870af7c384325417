"""Schedulers of torch, and the schedules that they are most like."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from lr_widget.adapters.schedules import schedule_of

NUM_STEPS = 100


def _lambda(function: Callable[[int], float]) -> Callable[[Any], Any]:
    return lambda optimizer: torchs.LambdaLR(optimizer, function)


def _sequence(first: Callable[[Any], Any], last: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda optimizer: torchs.SequentialLR(optimizer, [first(optimizer), last(optimizer)], milestones=[10])


def _warm(step: int) -> float:
    return min(1.0, (step + 1) / 10)


def _rising(optimizer: Any) -> Any:
    return torchs.LinearLR(optimizer, start_factor=0.01, total_iters=10)


def _cosine(optimizer: Any) -> Any:
    return torchs.CosineAnnealingLR(optimizer, T_max=90)


CASES: list[tuple[str, Callable[[Any], Any], str]] = [
    ("one cycle", lambda o: torchs.OneCycleLR(o, 1.0, total_steps=NUM_STEPS), "one_cycle"),
    ("cosine", _cosine, "cosine"),
    ("restarts", lambda o: torchs.CosineAnnealingWarmRestarts(o, 10), "cosine"),
    ("polynomial", lambda o: torchs.PolynomialLR(o, NUM_STEPS), "linear"),
    ("falling line", lambda o: torchs.LinearLR(o, 1.0, 0.0, NUM_STEPS), "linear"),
    ("rising line", _rising, "constant"),
    ("steps", lambda o: torchs.StepLR(o, 30), "constant"),
    ("plateau", torchs.ReduceLROnPlateau, "constant"),
    ("lambda constant", _lambda(lambda step: 1.0), "constant"),
    ("lambda line", _lambda(lambda step: 1 - step / NUM_STEPS), "linear"),
    ("lambda line to a tenth", _lambda(lambda step: 1 - 0.9 * step / NUM_STEPS), "linear"),
    ("lambda line to a half", _lambda(lambda step: 1 - 0.5 * step / NUM_STEPS), "constant"),
    ("lambda cosine", _lambda(lambda step: 0.5 + 0.5 * math.cos(math.pi * step / NUM_STEPS)), "cosine"),
    ("lambda warm", _lambda(_warm), "constant_with_warmup"),
    ("lambda warm line", _lambda(lambda step: min(_warm(step), 1 - step / NUM_STEPS)), "linear_with_warmup"),
    ("lambda nothing", _lambda(lambda step: 0.0), "constant"),
    ("warm, then cosine", _sequence(_rising, _cosine), "cosine_with_warmup"),
    ("warm lambda, then cosine", _sequence(_lambda(_warm), _cosine), "cosine_with_warmup"),
    ("warm, then constant", _sequence(_rising, _lambda(lambda step: 1.0)), "constant_with_warmup"),
    ("constant, then cosine", _sequence(_lambda(lambda step: 1.0), _cosine), "cosine"),
]


@pytest.mark.parametrize(("make", "schedule"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_scheduler_has_the_name_of_the_schedule_that_it_is_most_like(make: Any, schedule: str) -> None:
    """By its class, its lambda, or the last part of a sequence after a warm-up."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    assert schedule_of(make(optimizer), NUM_STEPS) == schedule


def test_without_a_length_a_lambda_says_nothing() -> None:
    """It may be asked for the steps of a training only."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    assert schedule_of(torchs.LambdaLR(optimizer, lambda step: 1 - step / NUM_STEPS), None) == "constant"
