"""Rounds at work: the rates that really run, where the longer trainings begin, who is stopped, and what remains."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget import probe
from lr_widget.engine.probes import Probing, make_probe_plan
from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.results import Evidence
from lr_widget.schedule import rate_text
from lr_widget.suggest.horizon import shift

from .helpers import bowl_options, ends, scripted

# The first trainings: the one at 0.1 has learnt 9 of 10, all others are stopped after three steps. They cost 20 steps.
FIRST = (1.0, 9.0, 9.0, 9.0, 9.0)


def lengths(evidence: Evidence) -> list[tuple[int | None, int, str]]:
    """The length that each training was to have, the one that it had, and why it ended."""
    return [(run.num_steps, run.loss.size, run.stop_reason) for run in evidence.runs]


FIRST_LENGTHS = [(8, 8, "completed"), *[(8, 3, "stopped")] * 4]


@pytest.mark.parametrize("schedule", TRAIN_SCHEDULES)
def test_longer_trainings_run_in_the_schedule_of_the_training(schedule: str) -> None:
    """A spy in the step sees the constant rates of the first round, then the schedule with the rate as its top."""
    options, rates = scripted(ends(*FIRST, 1.0), max_steps=128, train_steps=32, train_schedule=schedule)
    evidence = probe(**options)
    assert lengths(evidence)[:6] == [*FIRST_LENGTHS, (32, 32, "completed")]
    assert [run.schedule for run in evidence.runs] == ["constant"] * 5 + [schedule] * (len(evidence.runs) - 5)
    expected = []
    for run in evidence.runs:
        lr_of = Horizon(32, run.schedule).over(run.lr, 32)  # of 8 steps at a constant rate, too
        expected += [lr_of(k) for k in range(1, run.loss.size + 1)]
    assert rates == expected
    assert evidence.horizon == Horizon(32, schedule)
    assert evidence.probe_steps == 8


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_longer_round_begins_at_the_middle_carried_over_to_it(schedule: str) -> None:
    """By hand: 0.1 counts in full, the quarter and the half of a decade above it, which lost 0.45 of 9, count half.

    And from 8 steps at a constant rate on to 32 in the schedule.
    """
    options, _ = scripted(ends(1.0, 1.45, 9.0, 9.0, 1.45), max_steps=128, train_steps=10_000, train_schedule=schedule)
    evidence = probe(**options)
    rates = [run.lr for run in evidence.runs]
    assert rates[:5] == pytest.approx([0.1, 0.1 * 10**0.5, 0.1 * 10**-0.5, 1.0, 0.1 * 10**0.25])
    middle = (0.25 * 0.5 + 0.5 * 0.5) / (1 + 0.5 + 0.5)
    start = 0.1 * 10 ** (middle + shift(Horizon(32, schedule), 8)[0])
    assert rates[5:7] == pytest.approx([start, start * 10**0.5])


def test_a_longer_round_begins_at_a_rate_that_was_stable() -> None:
    """The best rate, 0.1, is the highest that got to its end; a cosine's top, which would be above it, is not."""
    loss_of = ends(1.0, 9.0, 9.0)
    options, _ = scripted(
        lambda number, step: 1e9**step if number == 1 else loss_of(number, step),
        max_steps=64,
        train_steps=16,
        train_schedule="cosine",
    )
    evidence = probe(**options)
    assert shift(Horizon(16, "cosine"), 8)[0] > 0
    assert next(run.lr for run in evidence.runs if run.num_steps == 16) == 0.1


@pytest.mark.parametrize("schedule", [name for name in TRAIN_SCHEDULES if name != "constant"])
def test_nobody_is_stopped_early_where_the_rate_changes(schedule: str) -> None:
    """However far behind: the loss may fall at the end of the schedule."""
    options, _ = scripted(ends(*FIRST, 1.0), max_steps=128, train_steps=32, train_schedule=schedule)
    evidence = probe(**options)
    assert lengths(evidence) == [*FIRST_LENGTHS, *[(32, 32, "completed")] * 3]


def test_longer_trainings_at_a_constant_rate_are_stopped_early() -> None:
    """From the ninth of 32 steps on, as in the first round from the third of 8; the steps saved are tried."""
    options, _ = scripted(ends(*FIRST, 1.0), max_steps=128, train_steps=32)
    evidence = probe(**options)
    assert lengths(evidence) == [*FIRST_LENGTHS, (32, 32, "completed"), *[(32, 9, "stopped")] * 4]


@pytest.mark.parametrize(("train_steps", "length"), [(20, 20), (5, 8)])
def test_a_short_training_is_probed_as_it_is(train_steps: int, length: int) -> None:
    """From the first training on, in its schedule, with the whole budget; a very short one at the least length."""
    options, rates = scripted(ends(1.0), probe_steps=None, train_steps=train_steps, train_schedule="linear")
    evidence = probe(**options)
    assert lengths(evidence) == [(length, length, "completed")] * 5
    assert {run.schedule for run in evidence.runs} == {"linear"}
    assert rates[:length] == [0.1 * (1 - k / length) for k in range(length)]
    assert evidence.probe_steps == length
    assert evidence.suggestion.lr == pytest.approx(0.1)
    assert evidence.suggestion.reason.endswith(
        f"; for a training of {train_steps} steps with a linear schedule the suggestion is about the same."
    )


@settings(max_examples=25, deadline=None)
@given(
    probe_steps=st.integers(8, 20),
    extra=st.integers(60, 400),
    start=st.sampled_from([1e-4, 0.1, 1.0, 100.0]),
    train_steps=st.none() | st.integers(1, 10_000),
    schedule=st.sampled_from(["constant", "cosine"]),
)
def test_the_cost_of_all_rounds_is_kept(
    probe_steps: int, extra: int, start: float, train_steps: int | None, schedule: str
) -> None:
    """However the trainings go, all their steps are at most max_steps, that many are taken, and the lengths grow.

    No training begins that could go beyond.
    """
    options, taken = bowl_options(), itertools.count()
    options["train_step"] = lambda model, batch: (next(taken), model(batch))[1]
    budget = {"probe_steps": probe_steps, "max_steps": probe_steps + extra}
    evidence = probe(**options, **budget, around=start, train_steps=train_steps, train_schedule=schedule)
    assert evidence.num_steps <= probe_steps + extra
    assert next(taken) == evidence.num_steps
    of_each = [run.num_steps for run in evidence.runs]
    assert of_each == sorted(of_each)
    assert all(run.loss.size <= run.num_steps for run in evidence.runs)
    costs = itertools.accumulate((run.loss.size for run in evidence.runs), initial=0)
    assert all(cost + run.num_steps <= probe_steps + extra for cost, run in zip(costs, evidence.runs, strict=False))
    assert train_steps is None or evidence.runs[-1].num_steps <= max(train_steps, 8)


def test_the_first_round_goes_on_beyond_its_budget_until_a_training_has_an_end() -> None:
    """Five rates explode in eight steps each; a round of four trainings has nowhere to begin before the sixth."""
    options, _ = scripted(lambda number, step: float("nan") if number < 5 and step == 8 else 10.0 - step, max_steps=128)
    evidence = probe(**options)
    assert lengths(evidence)[:6] == [*[(8, 8, "non_finite")] * 5, (8, 8, "completed")]
    assert lengths(evidence)[6][0] == 26


def test_a_training_that_falls_behind_with_its_last_step_is_compared() -> None:
    """By more than half of the 9 learnt from the 17th of 32 steps on, so that the last one tells, but ends it anyway."""
    loss_of = ends(*FIRST, 1.0, 1.0)
    late = {(6, step): 5.6 for step in range(17, 33)}
    options, _ = scripted(
        lambda number, step: late.get((number, step), loss_of(number, step)), max_steps=128, diverge_factor=None
    )
    assert lengths(probe(**options))[5:7] == [(32, 32, "completed")] * 2


# --- what goes wrong in a longer round -------------------------------------------------------------------------------


class Fading:
    """Twenty batches in its first pass, none in the next one; its state comes back after each training."""

    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        self.passes += 1
        return iter([torch.zeros(1)] * (20 if self.passes == 1 else 0))


def test_data_that_end_in_a_longer_training_leave_the_first_round() -> None:
    """No other rate is tried, as they would end there, too."""
    options, _ = scripted(ends(*FIRST, 1.0), train_data=Fading(), max_steps=128)
    evidence = probe(**options)
    assert lengths(evidence) == [*FIRST_LENGTHS, (32, 20, "exhausted")]
    assert evidence.compared == evidence.runs[:5]
    assert evidence.suggestion.lr == 0.1
    assert evidence.suggestion.reason == (
        "In 6 short trainings (40 steps in all), the rate 0.1, where they began, ended with the lowest loss after 8 "
        "steps at a constant rate, 1; the suggestion holds for about 8 steps at a constant rate; for a longer training, "
        "say its length."
    )


def test_data_that_get_fewer_end_the_probes() -> None:
    """A stream that nobody can put back gives the second training five batches; a longer one would not get further."""
    passes = itertools.count()

    class Stream:
        def __iter__(self) -> Iterator[torch.Tensor]:
            return iter([torch.zeros(1)] * {0: 8, 1: 5}.get(next(passes), 0))

    options, _ = scripted(ends(1.0, 1.0), train_data=Stream(), max_steps=128)
    assert lengths(probe(**options)) == [(8, 8, "completed"), (8, 5, "exhausted")]


@pytest.mark.parametrize(("exploding", "reason"), [(1e9, "diverged"), (float("nan"), "non_finite")])
def test_where_all_longer_trainings_explode_the_rate_is_well_below_theirs(exploding: float, reason: str) -> None:
    """Half a decade below the lowest one; they are tried down four decades while there are steps."""
    loss_of = ends(*FIRST)
    options, _ = scripted(
        lambda number, step: exploding * 2**step if number >= 5 and step > 10 else loss_of(number, step),
        max_steps=128,
        train_steps=5000,
    )
    evidence = probe(**options)
    failed = evidence.runs[5:]
    assert {run.stop_reason for run in failed} == {reason}
    assert evidence.num_steps > 128 - 32 >= evidence.num_steps - failed[-1].loss.size  # a training more has no room
    start = 0.1 * 10 ** shift(Horizon(32), 8)[0]
    assert [run.lr for run in failed] == pytest.approx([start * 10 ** (-k / 2) for k in range(len(failed))])
    limit = failed[-1].lr / 10**0.5
    found = evidence.suggest(train_steps=8)
    assert [found.lr, found.low, found.high] == pytest.approx([limit] * 3)
    assert found.reason.endswith(
        f"; that would be 0.1, so it is kept at {rate_text(limit)}, half a decade below those that failed for longer."
    )
    assert (evidence.best, evidence.compared) == (evidence.runs[0], evidence.runs[:5])


def test_a_longer_training_that_gets_to_its_end_below_those_that_explode_decides() -> None:
    """The first two of that length explode in the third step, the third trains."""
    loss_of = ends(*FIRST, 0.0, 0.0, 1.0)
    options, _ = scripted(
        lambda number, step: float("inf") if number in (5, 6) and step == 3 else loss_of(number, step), max_steps=128
    )
    evidence = probe(**options)
    assert lengths(evidence)[5:8] == [(32, 3, "non_finite"), (32, 3, "non_finite"), (32, 32, "completed")]
    assert evidence.compared == evidence.runs[5:]
    assert evidence.best is evidence.runs[7]
    assert evidence.suggestion.high < evidence.runs[6].lr
    assert (
        f"; at {rate_text(evidence.runs[5].lr)}, where those of 32 steps began, it was not finite; "
        in evidence.suggestion.reason
    )


@pytest.mark.parametrize(
    ("at", "ended", "decides"), [(21, 0, False), (40, 0, False), (53, 1, False), (54, 1, False), (62, 2, True)]
)
def test_ctrl_c_in_a_longer_round_keeps_what_has_ended(at: int, ended: int, decides: bool) -> None:
    """One training of that length tells no rates apart, two do; the first one ends with step 52, the second with 61."""
    options, _ = scripted(ends(*FIRST, 1.0), max_steps=128)
    train_step, calls = options["train_step"], itertools.count(1)

    def step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == at:
            raise KeyboardInterrupt
        return train_step(model, batch)

    evidence = probe(**{**options, "train_step": step})
    assert evidence.num_steps == at - 1
    later = evidence.runs[5:]
    assert [run.stop_reason for run in later[:ended]] == ["completed", "stopped"][:ended]
    assert [run.stop_reason for run in later[ended:]] in ([], ["interrupted"])
    assert evidence.compared == (later if decides else evidence.runs[:5])
    assert evidence.suggestion.lr == pytest.approx(evidence.compared[0].lr)
    assert options["model"].step == 0


def test_validation_data_decide_in_every_round() -> None:
    """They are evaluated once a training, at its end; nobody is stopped early, and the best one stands alone."""
    val_ends, validated_at = [5.0, 6.0, 6.0, 4.0, 3.0, 2.0, 6.0], list[int]()

    def val_step(model: Any, batch: Any) -> torch.Tensor:
        validated_at.append(int(model.step))
        return torch.tensor(val_ends[len(validated_at) - 1])

    validation = {"val_data": [torch.zeros(1)], "val_step": val_step}
    options, _ = scripted(ends(1.0), max_steps=128, train_steps=32, **validation)
    evidence = probe(**options)
    assert lengths(evidence) == [*[(8, 8, "completed")] * 4, *[(32, 32, "completed")] * 3]
    assert validated_at == [8, 8, 8, 8, 32, 32, 32]
    assert [run.val_loss for run in evidence.runs] == val_ends
    assert evidence.best is evidence.runs[5]
    assert evidence.suggestion.lr == evidence.runs[5].lr
    assert (
        "ended with the lowest validation loss after 32 steps at a constant rate, 2; at " in evidence.suggestion.reason
    )


def test_probing_says_what_is_under_way() -> None:
    """The round and the number of trainings that have begun, before and in each of its steps."""
    options, _ = scripted(ends(*FIRST, 1.0))
    given = [options[name] for name in ("model", "optimizer", "loss_fn", "train_data")]
    probing = Probing(make_probe_plan(*given, train_step=options["train_step"]), 0.1, probe_steps=8, max_steps=128)
    seen = [(probing.count, probing.round.num_steps)]
    seen.extend((probing.count, probing.round.num_steps) for _ in probing.steps())
    assert seen == [(0, 8), *((number, run.num_steps) for number, run in enumerate(probing.runs, 1) for _ in run.loss)]
    assert {length for _, length in seen} == {8, 32}
