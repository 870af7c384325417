"""The sentences on the screen."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from lr_widget import Evidence, ProbeRun, StepRecord, Suggestion
from lr_widget.engine import Round
from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget import words

STEP = StepRecord(step=62, lr=7.4e-3, loss=1.8312, group_lrs=(7.4e-3,))


def test_progress_reads_as_in_the_design() -> None:
    """38 steps at 41 a second are under a second, which is said as one."""
    assert (
        words.progress(words.place(62, 100), STEP, 38, 41.2)
        == "step 62 / 100 · lr 7.4e-3 · loss 1.831 · 41 steps/s · 1 s left"
    )
    assert words.progress(words.place(62, 100), STEP, 38, None) == "step 62 / 100 · lr 7.4e-3 · loss 1.831"
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


ENDS = ["completed", "diverged", "non_finite", "stopped", "interrupted", "exhausted"]


@pytest.mark.parametrize("reason", ENDS)
@pytest.mark.parametrize("has_rate", [True, False])
def test_an_ending_is_good_only_with_a_rate_and_says_that_the_model_is_as_before(reason: str, has_rate: bool) -> None:
    """People fear for their model, and green is for an answer."""
    kind, text = words.ending(reason, STEP, 100, 62, 2.0, has_rate=has_rate)
    assert kind == ("good" if has_rate else "warning")
    assert text.endswith("Model and optimizer are as before.")
    assert not text.startswith("Done" if not has_rate else "Ended")


@pytest.mark.parametrize(
    ("reason", "has_rate", "begin"),
    [
        ("completed", True, "Done: 6,200 steps in 2.0 s. "),
        ("completed", False, "Ended without a rate: 6,200 steps in 2.0 s. "),
        ("diverged", True, "Done in 2.0 s: the loss exploded at step 62 of 1,000,000 (lr 7.4e-3). "),
        ("non_finite", False, "Ended without a rate in 2.0 s: the loss became nan at step 62 of 1,000,000 (lr 7.4e-3). "),
        ("stopped", True, "Stopped at step 62 of 1,000,000 (lr 7.4e-3); the curve is kept. "),
    ],
)  # fmt: skip
def test_an_ending_names_step_and_rate(reason: str, has_rate: bool, begin: str) -> None:
    """A reader finds the place on the curve."""
    last = STEP._replace(loss=math.nan) if reason == "non_finite" else STEP
    assert words.ending(reason, last, 1_000_000, 6200, 2.04, has_rate=has_rate)[1].startswith(begin)


def test_a_test_that_did_no_step_is_no_success() -> None:
    """Somebody was quick, or the data was empty."""
    said = "Stopped before the first step; there is nothing to show. Model and optimizer are as before."
    assert words.ending("stopped", None, 100, 0, 0.0, has_rate=False) == ("warning", said)


def probed(*ends: float, reason: str = "completed") -> Evidence:
    """Trainings of ten steps with these ends."""
    runs = [ProbeRun(0.01 * 3**i, np.array([5.0, *[end] * 9]), reason) for i, end in enumerate(ends)]
    return Evidence(0.01, tuple(runs), 10)


@pytest.mark.parametrize(
    ("reason", "evidence", "end"),
    [
        ("completed", probed(1.0, 2.0), ("good", "Probed: 20 steps in 2 trainings, 1.5 s.")),
        ("stopped", probed(1.0), ("good", "Stopped probing: 10 steps in 1 training, 1.5 s.")),
        ("completed", probed(math.nan), ("warning", "Probed: 10 steps in 1 training, 1.5 s, but none gave a rate.")),
        ("stopped", probed(), ("warning", "Stopped probing; nothing was tried.")),
    ],
)
def test_the_end_of_probes_is_good_only_with_a_rate(reason: str, evidence: Evidence, end: tuple[str, str]) -> None:
    """With their number and their cost."""
    kind, text = end
    assert words.end_of_probes(reason, evidence, 1.5) == (kind, f"{text} Model and optimizer are as before.")


def test_the_places_of_repeats_and_probes() -> None:
    """The sweep or the probe comes first, then the step."""
    assert words.repeat_place(2, 3, 20, 100) == "sweep 2 / 3 · step 20 / 100"
    assert words.probe_place(4, 70, 300) == "probe 4 · step 70 of at most 300"


def test_large_counts_have_their_thousands_apart() -> None:
    """A million is seen at once."""
    assert words.place(62, 1_000_000) == "step 62 / 1,000,000"
    assert words.repeat_place(2, 1000, 1234, 5000) == "sweep 2 / 1,000 · step 1,234 / 5,000"
    assert words.probe_place(3, 1080, 1200) == "probe 3 · step 1,080 of at most 1,200"
    assert (words.steps(1), words.steps(12_345)) == ("1 step", "12,345 steps")
    before = words.before_run(Sweep(1e-7, 10.0, 1_000_000), 1, Horizon())
    assert before.startswith("Run trains for 1,000,000 steps while the rate grows from 1e-7 to 10, then")


def test_the_dots_of_probes_are_explained_with_their_length_and_schedule() -> None:
    """While they are drawn."""
    assert words.while_probing(Round(75, "one_cycle", 300)) == (
        "Each dot is one training from the same state, now of 75 steps in one cycle; diamonds are not compared with "
        "dots, as their length is another one; a cross has stopped early or still runs."
    )


FIRST, SECOND = Round(75, "constant", 300), Round(300, "cosine", 900)
THIRD = Round(1100, "cosine", 3300)


@pytest.mark.parametrize(
    ("around", "rounds", "longest", "steps", "plan"),
    [
        ("3.2e-3", [FIRST], SECOND, 5000, "around 3.2e-3: trainings of 75 steps at a constant rate. "
         "With 4,800 steps, the longest would be of 300 steps with a cosine schedule."),
        ("some rate", [FIRST, SECOND], THIRD, None, "around some rate: trainings of 75 steps at a constant "
         "rate, then of 300 steps with a cosine schedule. With 4,800 steps, the longest would be of 1,100 steps with a "
         "cosine schedule."),
        ("3.2e-3", [FIRST, SECOND], SECOND, 400, "around 3.2e-3: trainings of 75 steps at a constant rate, then of 300 "
         "steps with a cosine schedule."),
        ("3.2e-3", [FIRST], FIRST, 75, "around 3.2e-3: trainings of 75 steps at a constant rate. Yours is no longer than "
         "that."),
        ("3.2e-3", [Round(8, "constant", 300)], FIRST, 5, "around 3.2e-3: trainings of 8 steps at a constant rate. Yours "
         "is no longer than that."),
    ],
)  # fmt: skip
def test_the_plan_of_probes_has_their_budget_their_lengths_and_the_use_of_more(
    around: str, rounds: list[Round], longest: Round, steps: int | None, plan: str
) -> None:
    """Before they start, also where there is no rate yet; nothing is promised that a larger budget would not bring."""
    text = words.probe_plan(around, 1200, rounds, 4800, longest, Horizon(steps))
    assert text == f"Up to 1,200 steps {plan}"


def test_the_rates_of_equal_groups_are_said_once() -> None:
    """Different ones are all said, in the order of the groups."""
    assert words.applied([0.5, 0.5]) == "The optimizer's learning rate is now 0.5."
    assert words.applied([0.5, 0.05]) == "The optimizer's learning rate is now 0.5, 0.05."


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1e-3, 2e-3, "1e-3 … 2e-3"),
        (1.1e-3, 0.06, "1.1e-3 … 0.06"),
        (1e-3, 1.001e-3, ""),  # no range in two digits
        (None, 2e-3, ""),
        (1e-3, None, ""),
    ],
)
def test_a_range_is_written_as_far_as_it_is_known(low: float | None, high: float | None, text: str) -> None:
    """In the digits of a suggestion."""
    assert words.range_text(Suggestion(1e-3, "auto", "Because.", low, high)) == text


@pytest.mark.parametrize(("confidence", "text"), [("high", "high confidence"), ("low", "low confidence"), (None, "")])
def test_the_confidence_is_written_where_the_rule_knows_it(confidence: str | None, text: str) -> None:
    """Nothing is made up."""
    assert words.confidence(Suggestion(1e-3, "auto", "Because.", confidence=confidence)) == text


@pytest.mark.parametrize(
    ("rule", "horizon", "text"),
    [
        ("auto", Horizon(5000, "cosine"), "for a training of 5,000 steps with a cosine schedule"),
        ("probe", Horizon(1), "for a training of 1 step at a constant rate"),
        ("auto", Horizon(), "for a training about as long as the test, at a constant rate"),
        ("probe", Horizon(None, "one_cycle"), "for a training about as long as the probes, in one cycle"),
        ("steepest", Horizon(5000), ""),
        ("valley", Horizon(), ""),
    ],
)
def test_a_rate_is_for_a_training(rule: str, horizon: Horizon, text: str) -> None:
    """Only the rules that are carried over to one say so."""
    assert words.purpose(rule, horizon) == text


@pytest.mark.parametrize(
    ("low", "confidence", "known"),
    [
        (1e-3, "high", " (1e-3 … 2e-3, high confidence)"),
        (1e-3, None, " (1e-3 … 2e-3)"),
        (None, "low", " (low confidence)"),
        (None, None, ""),
    ],
)
def test_the_result_of_a_page_has_rate_range_confidence_and_reason(
    low: float | None, confidence: str | None, known: str
) -> None:
    """As far as they are known."""
    found = Suggestion(1.5e-3, "auto", "Because.", low, 2e-3, confidence)
    said = words.result(None, found, found.reason, None, is_running=False)
    assert said == f"Suggested learning rate: 1.5e-3{known}. Because."


def test_the_result_of_a_page_names_a_pick_a_run_a_failure_and_a_missing_rate() -> None:
    """In this order, each in a sentence."""
    assert words.result(None, None, "", None, is_running=False) == "The range test has not been run yet."
    none = Suggestion(None, "auto", "No fall.")
    failure = {"title": "ValueError: no" + "o" * 400 + "\nmore", "where": "", "hint": "", "traceback": ""}
    said = words.result(0.0325, none, none.reason, failure, is_running=True)  # type: ignore[arg-type]
    assert said == (
        f"A run is in progress. The last run failed: ValueError: no{'o' * 286}. Picked learning rate: 0.0325. "
        "No rate is suggested: No fall."
    )


def test_a_variable_of_the_user_is_asked_about() -> None:
    """With its name and its value."""
    assert words.may_overwrite("epochs", "10") == "epochs is 10 and was not written by this widget. Overwrite it?"
    assert words.not_overwritten("epochs").startswith("epochs is as it was; ")


@pytest.mark.parametrize(
    ("lr", "suggestion", "end"),
    [
        (None, None, "idle)"),
        (None, Suggestion(None, "auto", "No fall."), "idle; no suggestion: No fall.)"),
        (5e-3, None, "idle; picked lr = 5e-3)"),
        (5e-3, Suggestion(1e-3, "auto", "Because."), "idle; picked lr = 5e-3)"),
        (1e-3, Suggestion(1e-3, "auto", "Because."), "idle; suggested lr = 1e-3: Because.)"),
    ],
)
def test_the_summary_tells_a_pick_from_a_suggestion(lr: float | None, suggestion: Suggestion | None, end: str) -> None:
    """Both stand behind the settings of the test."""
    text = words.summary(Sweep(1e-7, 10.0, 100), 3, "idle", lr, suggestion)
    assert text == f"LRFinderWidget(learning-rate range test, 1e-7 to 10 in 100 steps 3 times, {end}"


def test_the_browser_has_the_same_words_for_the_schedules() -> None:
    """Its list of schedules reads as the suggestion's reason does."""
    source = (Path(__file__).parents[2] / "js" / "src" / "template.ts").read_text(encoding="utf-8")
    listed = re.findall(r'^  (\w+): "((?:at|in|with) [^"]+)",$', source, flags=re.MULTILINE)
    assert listed == [(name, Horizon(schedule=name).words.removeprefix("a training ")) for name in TRAIN_SCHEDULES]


@pytest.mark.parametrize(
    ("value", "text"), [(1e-07, "1e-7"), (10.0, "10"), (0.0, "0"), (-2.5, "-2.5"), (5000, "5,000"), ("lr", "'lr'")]
)
def test_values_are_written_as_one_would_type_them(value: float | str, text: str) -> None:
    """A rate as a float, a count with its thousands apart, a name in quotes."""
    assert words.plain(value) == text
