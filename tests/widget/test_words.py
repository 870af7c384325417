"""The sentences on the screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lr_widget import StepRecord, Suggestion
from lr_widget.engine import Round
from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget import words

STEP = StepRecord(step=62, lr=7.4e-3, loss=1.8312, group_lrs=(7.4e-3,))


def test_progress_reads_as_in_the_design() -> None:
    """38 steps at 41 a second are under a second, which is said as one."""
    assert (
        words.progress(words.place(62, 100), STEP, 38, 41.2)
        == "step 62 / 100 · lr 7.4e-03 · loss 1.831 · 41 steps/s · 1 s left"
    )
    assert words.progress(words.place(62, 100), STEP, 38, None) == "step 62 / 100 · lr 7.4e-03 · loss 1.831"
    assert words.progress(words.place(0, 100), None, 100, None) == "step 0 / 100"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (8.2, "9 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    """In the unit that one would say."""
    assert words.duration(seconds) == text


def test_slow_steps_are_timed_the_other_way_round() -> None:
    """Half a step a second is two seconds a step."""
    assert words.speed(0.5) == "2.0 s a step"
    assert words.speed(3.14159) == "3.1 steps/s"


@pytest.mark.parametrize("reason", ["completed", "diverged", "non_finite", "stopped", "interrupted", "exhausted"])
def test_every_ending_says_that_the_model_is_as_before(reason: str) -> None:
    """People fear for their model."""
    assert words.ending(reason, STEP, 100, 62, 2.0).endswith("Model and optimizer are as before.")


def test_an_ending_names_step_and_rate() -> None:
    """A reader finds the place on the curve."""
    assert words.ending("diverged", STEP, 100, 62, 2.04).startswith(
        "Done in 2.0 s: the loss exploded at step 62 of 100 (lr 7.4e-03)."
    )


def test_a_failure_names_the_step_even_without_a_note() -> None:
    """The last step that went well is known."""
    failure = words.failure(ValueError("no"), STEP)
    assert failure["title"] == "ValueError: no"
    assert failure["where"] == "It came right after step 62 (rate 7.4e-03)."
    assert failure["traceback"] == "ValueError: no\n"


def test_out_of_memory_and_restore_errors_get_their_own_advice() -> None:
    """Correcting the code would not help there."""
    memory = type("OutOfMemoryError", (RuntimeError,), {})()
    assert "snapshot_device='cpu'" in words.failure(memory, None)["hint"]
    restore = type("RestoreError", (RuntimeError,), {})()
    assert words.failure(restore, None)["hint"] == "Make the model and the optimizer anew before you go on."


def test_sentences_keep_python_names_as_they_are() -> None:
    """A capital would make another name of it."""
    assert words.sentence("start_lr must be positive") == "start_lr must be positive."
    assert words.sentence("the name is taken.") == "The name is taken."


def test_the_places_of_repeats_and_probes() -> None:
    """The sweep or the probe comes first, then the step."""
    assert words.repeat_place(2, 3, 20, 100) == "sweep 2 / 3 · step 20 / 100"
    assert words.probe_place(4, 70, 300) == "probe 4 · step 70 of at most 300"


def test_the_dots_of_probes_are_explained_with_their_length_and_schedule() -> None:
    """While they are drawn."""
    assert words.while_probing(Round(75, "one_cycle", 300)) == (
        "Each dot is one training from the same state, now of 75 steps in one cycle; diamonds are not compared with "
        "dots, as their length is another one; a cross has stopped early or still runs."
    )


FIRST, SECOND = Round(75, "constant", 300), Round(300, "cosine", 900)
THIRD = Round(1100, "cosine", 3300)


@pytest.mark.parametrize(
    ("lr", "rounds", "longest", "steps", "plan"),
    [
        (3.2e-3, [FIRST], SECOND, 5000, "around 3.2e-03: trainings of 75 steps at a constant rate. "
         "With 4,800 steps, the longest would be of 300 steps with a cosine schedule."),
        (None, [FIRST, SECOND], THIRD, None, "around a picked or suggested rate: trainings of 75 steps at a constant "
         "rate, then of 300 steps with a cosine schedule. With 4,800 steps, the longest would be of 1,100 steps with a "
         "cosine schedule."),
        (3.2e-3, [FIRST, SECOND], SECOND, 400, "around 3.2e-03: trainings of 75 steps at a constant rate, then of 300 "
         "steps with a cosine schedule."),
        (3.2e-3, [FIRST], FIRST, 75, "around 3.2e-03: trainings of 75 steps at a constant rate. Yours is no longer than "
         "that."),
        (3.2e-3, [Round(8, "constant", 300)], FIRST, 5, "around 3.2e-03: trainings of 8 steps at a constant rate. Yours "
         "is no longer than that."),
    ],
)  # fmt: skip
def test_the_plan_of_probes_has_their_budget_their_lengths_and_the_use_of_more(
    lr: float | None, rounds: list[Round], longest: Round, steps: int | None, plan: str
) -> None:
    """Before they start, also where there is no rate yet; nothing is promised that a larger budget would not bring."""
    text = words.probe_plan(lr, 1200, rounds, 4800, longest, Horizon(steps))
    assert text == f"Up to 1,200 steps {plan}"


def test_the_rates_of_equal_groups_are_said_once() -> None:
    """Different ones are all said, in the order of the groups."""
    assert words.applied([0.5, 0.5]) == "The optimizer's learning rate is now 5.0e-01."
    assert words.applied([0.5, 0.05]) == "The optimizer's learning rate is now 5.0e-01, 5.0e-02."


@pytest.mark.parametrize(
    ("low", "high", "confidence", "text"),
    [
        (1e-3, 2e-3, "high", "1.0e-03 … 2.0e-03, high confidence"),
        (1e-3, 2e-3, None, "1.0e-03 … 2.0e-03"),
        (1e-3, 1.001e-3, "low", "low confidence"),  # no range in two digits
        (None, 2e-3, None, ""),
    ],
)
def test_a_range_is_written_as_far_as_it_is_known(
    low: float | None, high: float | None, confidence: str | None, text: str
) -> None:
    """The confidence comes behind it, or alone."""
    assert words.range_text(Suggestion(1e-3, "auto", "Because.", low, high, confidence)) == text


@pytest.mark.parametrize(
    ("lr", "suggestion", "end"),
    [
        (None, None, "idle)"),
        (None, Suggestion(None, "auto", "No fall."), "idle; no suggestion: No fall.)"),
        (5e-3, None, "idle; picked lr = 5.0e-03)"),
        (5e-3, Suggestion(1e-3, "auto", "Because."), "idle; picked lr = 5.0e-03)"),
        (1e-3, Suggestion(1e-3, "auto", "Because."), "idle; suggested lr = 1.0e-03: Because.)"),
    ],
)
def test_the_summary_tells_a_pick_from_a_suggestion(lr: float | None, suggestion: Suggestion | None, end: str) -> None:
    """Both stand behind the settings of the test."""
    text = words.summary(Sweep(1e-7, 10.0, 100), 3, "idle", lr, suggestion)
    assert text == f"LRFinderWidget(learning-rate range test, 1e-07 to 10 in 100 steps 3 times, {end}"


def test_the_browser_has_the_same_words_for_the_schedules() -> None:
    """Its list of schedules reads as the suggestion's reason does."""
    source = (Path(__file__).parents[2] / "js" / "src" / "template.ts").read_text(encoding="utf-8")
    listed = re.findall(r'^  (\w+): "((?:at|in|with) [^"]+)",$', source, flags=re.MULTILINE)
    assert listed == [(name, Horizon(schedule=name).words.removeprefix("a training ")) for name in TRAIN_SCHEDULES]


@pytest.mark.parametrize(("value", "text"), [(1e-07, "1e-07"), (10.0, "10"), (5000, "5,000"), ("lr", "'lr'")])
def test_values_are_written_as_one_would_type_them(value: float | str, text: str) -> None:
    """A rate as a float, a count with its thousands apart, a name in quotes."""
    assert words.plain(value) == text
