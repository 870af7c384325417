"""The answer of a rule: its number, and its range with repeats."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from lr_widget.errors import NoSuggestionError
from lr_widget.suggest import Suggestion, of_ended_test, of_one_group, with_spread

FOUND = Suggestion(1e-3, "auto", "Here.")
NO_NUMBER = r"^a Suggestion is no number, here for the rate 1e-3; use float\(suggestion\)$"


def test_a_suggestion_without_a_rate_says_why_when_asked_for_its_number():
    """Code that wants a number must not go on with a made-up one."""
    with pytest.raises(NoSuggestionError, match=r"^flat as a plate$"):
        float(Suggestion(lr=None, rule="auto", reason="flat as a plate"))


def test_the_spread_leaves_out_sweeps_without_a_rate() -> None:
    """Three, one or none of the sweeps that have a rate, and a range that is already wider."""
    mean = Suggestion(1e-3, "auto", "Here.", low=1e-5, high=2e-3)
    none = Suggestion(None, "auto", "Flat.")
    at = [Suggestion(rate, "auto", "") for rate in (2.1e-4, 4e-3)]
    spread = with_spread(mean, [*at, none])
    assert (spread.low, spread.high, spread.reason) == (
        1e-5,
        4e-3,
        "Here. 2 of the 3 sweeps by themselves give 2.1e-4 … 4e-3.",
    )
    assert with_spread(mean, [at[0], none]).reason == "Here. 1 of the 2 sweeps by itself gives 2.1e-4."
    assert with_spread(mean, [at[0], at[0]]).reason == "Here. The 2 sweeps by themselves give 2.1e-4."
    assert with_spread(mean, [none, none]) == with_spread(mean, []) == mean
    assert with_spread(none, at) == none


CALCULATIONS: dict[str, Callable[[Any], object]] = {
    "below 0": lambda lr: lr < 0.0,
    "at least 0": lambda lr: lr >= 0.0,
    "above": lambda lr: lr > 1.0,
    "at most": lambda lr: lr <= 1.0,
    "minus": lambda lr: -lr,
    "decay": lambda lr: 1 - lr * 0.1,
    "corrected": lambda lr: lr / 0.9,
    "warmed up": lambda lr: 0.5 * lr,
    "divided": lambda lr: 1 / lr,
    "plus": lambda lr: lr + 1,
    "one more": lambda lr: 1 + lr,
    "less": lambda lr: lr - 1,
    "down to": lambda lr: 1 - lr,
    "squared": lambda lr: lr**2,
    "as a power": lambda lr: 2**lr,
    "a tensor's factor": lambda lr: torch.ones(2) * lr,
    "with NumPy": lambda lr: np.float64(2) * lr,
    "an optimizer's": lambda lr: torch.optim.AdamW(torch.nn.Linear(1, 1).parameters(), lr=lr),
}


@pytest.mark.parametrize("calculate", CALCULATIONS.values(), ids=CALCULATIONS)
def test_a_suggestion_is_no_number_and_says_how_to_get_it(calculate: Callable[[Any], object]) -> None:
    """Where there is no rate, the error is the reason; nobody trains with a made-up one."""
    with pytest.raises(TypeError, match=NO_NUMBER):
        calculate(FOUND)
    with pytest.raises(NoSuggestionError, match=r"^flat as a plate$"):
        calculate(Suggestion(None, "auto", "flat as a plate"))
    calculate(float(FOUND))


OPTIMIZERS = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("options", [{"foreach": True}, {"foreach": False}, {"fused": True}, {}], ids=str)
def test_a_suggestion_in_a_param_group_never_trains(
    kind: type[torch.optim.Optimizer], options: dict[str, bool]
) -> None:
    """No optimizer checks it there; its step fails before any weight moves."""
    weight = torch.nn.Parameter(torch.ones(3))
    try:
        optimizer = kind([weight], lr=0.1, **options)  # type: ignore[call-arg]
    except TypeError:
        pytest.skip("not an option of this optimizer")
    weight.grad = torch.ones(3)
    optimizer.param_groups[0]["lr"] = FOUND
    before = copy.deepcopy(weight)
    with pytest.raises(TypeError, match="Suggestion"):
        optimizer.step()
    assert torch.equal(weight, before)
    optimizer.param_groups[0]["lr"] = float(FOUND)
    optimizer.step()
    assert not torch.equal(weight, before)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, FOUND, total_steps=10),  # type: ignore[arg-type]
    ],
)
def test_a_scheduler_does_not_take_a_suggestion(schedule: Callable[[torch.optim.Optimizer], object]) -> None:
    """Neither from a param group nor as an argument."""
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=0.1)
    optimizer.param_groups[0]["lr"] = FOUND
    with pytest.raises(TypeError, match=NO_NUMBER):
        schedule(optimizer)


def test_suggestions_are_still_compared_copied_and_told_apart() -> None:
    """Only the order of two has no meaning."""
    assert FOUND == Suggestion(1e-3, "auto", "Here.") == copy.deepcopy(FOUND)
    assert FOUND != 1e-3
    assert len({FOUND, Suggestion(1e-3, "auto", "Here.")}) == 1
    with pytest.raises(TypeError, match=NO_NUMBER):
        sorted([FOUND, FOUND])


@pytest.mark.parametrize(("lowest", "confidence"), [(1.001e-3, "high"), (0.999e-3, "medium")])
def test_sweeps_that_lie_more_than_a_decade_apart_are_no_high_confidence(lowest: float, confidence: str) -> None:
    """The range that holds them is wider than "high" promises."""
    found = Suggestion(5e-3, "auto", "Here.", low=3e-3, high=1e-2, confidence="high")
    assert with_spread(found, [Suggestion(lowest, "auto", "There.")]).confidence == confidence


def test_the_reason_of_one_group_says_that_the_others_train_too() -> None:
    """The rate stays."""
    others = "The other param groups train at their own rates meanwhile: a fall from the first rates on may be theirs."
    assert of_one_group(FOUND) == Suggestion(1e-3, "auto", f"Here. {others}")


@pytest.mark.parametrize(
    ("stop_reason", "steps", "start"),
    [
        ("interrupted", 43, "The test was interrupted after 43 steps. "),
        ("stopped", 1, "The test was stopped after 1 step. "),
        ("exhausted", 1056, "The data ended after 1,056 steps; a DataLoader or a list would begin anew. "),
        ("completed", 100, ""),
        ("diverged", 60, ""),
    ],
)
def test_the_reason_for_no_rate_begins_with_what_ended_the_test(stop_reason: str, steps: int, start: str):
    """More steps do not help where the user or the data ended it; a rate keeps its reason."""
    none = Suggestion(None, "auto", "Noise hides it.")
    assert of_ended_test(none, stop_reason, steps).reason == f"{start}Noise hides it."
    some = Suggestion(0.1, "auto", "A clear fall.")
    assert of_ended_test(some, stop_reason, steps) is some


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [
        ("stopped", "The test was stopped after 43 steps, while the loss still fell; let it run to its end."),
        ("interrupted", "The test was interrupted after 43 steps, while the loss still fell; let it run to its end."),
        (
            "exhausted",
            "The data ended after 43 steps, while the loss still fell; a DataLoader or a list would begin anew.",
        ),
    ],
)
def test_a_test_that_ended_in_the_fall_needs_its_rest_and_no_higher_end(stop_reason: str, reason: str):
    """The higher rates were to come."""
    none = Suggestion(None, "auto", "It falls to the very end; extend the end.", remedies=("end_lr",))
    assert of_ended_test(none, stop_reason, 43) == Suggestion(None, "auto", reason)


def test_a_printed_suggestion_has_what_a_person_asks_for_in_one_line():
    """The rate, its range and its confidence as far as the rule knows them, and the reason."""
    whole = Suggestion(0.04983, "auto", "A clear fall.", 0.0131, 0.197, "medium")
    assert str(whole) == f"{whole}" == "0.05 (0.013 … 0.2), medium confidence: A clear fall."
    assert str(Suggestion(1e-5, "steepest", "Steep.")) == "1e-5: Steep."
    assert str(Suggestion(None, "auto", "Noise.")) == "no rate: Noise."


def test_a_format_is_that_of_the_rate():
    """As for a float; without a rate it is an error like any other use as a number."""
    assert f"{Suggestion(0.04983, 'auto', 'A fall.'):.1e}" == "5.0e-02"
    with pytest.raises(NoSuggestionError, match=r"^Noise\.$"):
        f"{Suggestion(None, 'auto', 'Noise.'):.1e}"
