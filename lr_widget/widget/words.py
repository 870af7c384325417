"""The sentences on the screen: pure functions from results to words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from ..horizon import Horizon
from ..schedule import rate_text
from ..suggest import PROBE, RULES
from .failures import UNTOUCHED, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..engine import Round
    from ..results import Evidence, StepRecord
    from ..schedule import Sweep
    from ..suggest import Suggestion
    from .failures import Failure
    from .kernel import Host, Run

_MAX_TITLE = 300  # characters of an error, where a notebook keeps them

EndKind = Literal["good", "warning"]


def rate(lr: float) -> str:
    """Write a learning rate in two digits: `3.2e-3`."""
    return rate_text(lr)


def pick(lr: float) -> str:
    """Write a rate that somebody chose with as many digits as it has, up to six: `3.25e-3`."""
    return rate_text(lr, digits=6)


def plain(value: float | str) -> str:
    """Write a number as one would type it, `1e-7`, `0.01`, `5,000`; a name in quotes."""
    return repr(value) if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else pick(value)


def progress(where: str, step: StepRecord | None, steps_left: int, steps_per_second: float | None) -> str:
    """Write the line above the chart: `step 62 / 100 · lr 7.4e-3 · loss 1.83 · 41 steps/s · 1 s left`.

    Args:
        where: how far the test is.
        step: its last one, or None before the first.
        steps_left: to its end.
        steps_per_second: None where nothing goes on: before the second step, in a pause and after the end.
    """
    if step is None:
        return where
    parts = [where, f"lr {rate(step.lr)}", f"loss {step.loss:.4g}"]
    if steps_per_second is not None:
        parts += [speed(steps_per_second), f"{duration(steps_left / steps_per_second)} left"]
    return " · ".join(parts)


def place(step: int, num_steps: int) -> str:
    """Say how far a test of one sweep is."""
    return f"step {step:,} / {num_steps:,}"


def repeat_place(repeat: int, repeats: int, step: int, num_steps: int) -> str:
    """Say how far a test of several sweeps is."""
    return f"sweep {repeat:,} / {repeats:,} · {place(step, num_steps)}"


def probe_place(count: int, step: int, max_steps: int) -> str:
    """Say how far the probes are."""
    return f"probe {count:,} · step {step:,} of at most {max_steps:,}"


def speed(steps_per_second: float) -> str:
    """Write a speed in steps a second, or in seconds a step where a step takes longer than a second."""
    if steps_per_second >= 10:
        return f"{steps_per_second:.0f} steps/s"
    return f"{steps_per_second:.1f} steps/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s a step"


def duration(seconds: float) -> str:
    """Write a time span in the units that one would say: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def steps(count: int) -> str:
    """Count steps: `1 step`, `5,000 steps`."""
    return f"{count:,} step{'s' * (count != 1)}"


READY = "Ready."
STEERING = {
    "stop": "Stopping after this step.",
    "pause": "Pausing after this step.",
    "resume": "Running again.",
}
PAUSED = "Paused. The model is put back at the end of the test, not in a pause."


def beginning(run: Run[Any], host: Host) -> str:
    """Say that the test runs, and how to stop it where the buttons cannot."""
    if run.is_deaf:
        return f"Running in a cell, where no click is heard. {host.interrupt} ends the test and keeps the curve."
    if run.is_blocking:
        return "Running in a cell. Stop ends the test and keeps the curve."
    return "Running. The kernel stays free; do not train this model elsewhere until the end."


def deaf(host: Host) -> str:
    """Say how to end a run that hears no button."""
    return f"This run hears no click. {host.interrupt} ends it and keeps the curve."


def ending(
    stop_reason: str, last: StepRecord | None, num_steps: int, done: int, seconds: float, *, has_rate: bool
) -> tuple[EndKind, str]:
    """Say how the test ended, "good" only where it gave a rate, and that the model is as before.

    Args:
        stop_reason, last: of the test; its last step, or None where there was none.
        num_steps: of a sweep.
        done, seconds: steps and time of all sweeps together.
        has_rate: the test gave a rate.
    """
    if last is None:
        return "warning", f"Stopped before the first step; there is nothing to show. {UNTOUCHED}"
    at = f"step {last.step:,} of {num_steps:,} (lr {rate(last.lr)})"
    how, took = "Done" if has_rate else "Ended without a rate", f"{seconds:.1f} s"
    sentences = {
        "completed": f"{how}: {steps(done)} in {took}.",
        "diverged": f"{how} in {took}: the loss exploded at {at}.",
        "non_finite": f"{how} in {took}: the loss became {last.loss} at {at}.",
        "stopped": f"Stopped at {at}; the curve is kept.",
        "interrupted": f"Interrupted at {at}; the curve is kept.",
        "exhausted": f"The data ended at {at}; the curve is kept.",
    }
    return "good" if has_rate else "warning", f"{sentences[stop_reason]} {UNTOUCHED}"


FAILED = "The test failed; see the message above."
OBSERVER_FAILED = "Done and kept, but code that observes the widget failed; see the message above."
WHILE_RUNNING = "The suggestion comes when the test ends."


def while_probing(current: Round) -> str:
    """Explain the dots that are drawn, in place of the suggestion."""
    return (
        f"Each dot is one training from the same state, now of {_length(current)}; diamonds are not compared with "
        "dots, as their length is another one; a cross has stopped early or still runs."
    )


def end_of_probes(stop_reason: str, evidence: Evidence, seconds: float) -> tuple[EndKind, str]:
    """Say how the probes ended, "good" only where they gave a rate, and that the model is as before."""
    how = "Probed" if stop_reason == "completed" else "Stopped probing"
    if not evidence.runs:
        return "warning", f"{how}; nothing was tried. {UNTOUCHED}"
    number = f"{len(evidence.runs)} training{'s' * (len(evidence.runs) != 1)}"
    has_rate = evidence.suggestion.lr is not None
    without = "" if has_rate else ", but none gave a rate"
    said = f"{how}: {steps(evidence.num_steps)} in {number}, {seconds:.1f} s{without}. {UNTOUCHED}"
    return "good" if has_rate else "warning", said


def copied(variable: str, lr: float, since: Literal["now", "still"] = "now") -> str:
    """Say that the notebook's variable has the rate, or has it still when another one is selected."""
    return f"The notebook's variable {variable} is {since} {pick(lr)}."


OVERWRITE = "Overwrite it"  # the label of the button


def may_overwrite(variable: str, held: str) -> str:
    """Ask about a variable that holds a number of the user's own; `held` is that number in words."""
    return f"{variable} is {held} and was not written by this widget. Overwrite it?"


def not_overwritten(variable: str) -> str:
    """Say that nothing was done."""
    return f"{variable} is as it was; type another name for the variable to copy the rate there."


def applied(rates: Sequence[float], places: Sequence[str] = ()) -> str:
    """Say that the optimizer's groups have these rates, equal ones once, or that places of a framework have them."""
    now = ", ".join(dict.fromkeys(map(pick, rates)))
    return f"Applied {now} to {' and '.join(places)}." if places else f"The optimizer's learning rate is now {now}."


def before_run(sweep: Sweep, repeats: int, horizon: Horizon) -> str:
    """Announce the steps and the rates of a run, in place of the suggestion."""
    often = "" if repeats == 1 else f"{repeats:,} times "
    purpose = "" if horizon.steps is None else f" for {horizon.words}"
    return (
        f"Run trains {often}for {steps(sweep.num_steps)} while the rate grows from {pick(sweep.start_lr)} to "
        f"{pick(sweep.end_lr)}, then puts the model back as it was and suggests a rate{purpose}."
    )


def probe_plan(
    around: str, max_steps: int, rounds: Sequence[Round], larger: int, longest: Round, horizon: Horizon
) -> str:
    """Announce probes: their budget, their lengths and schedules, and the use of more steps.

    Args:
        around: the rate that they would start from.
        max_steps: what they may cost together.
        rounds: the trainings that they would be.
        larger, longest: another budget, and the longest trainings that it would pay for.
        horizon: the training that the rate is for.
    """
    plan = f"Up to {max_steps:,} steps around {around}: trainings of {', then of '.join(map(_length, rounds))}."
    if horizon.steps is not None and rounds[-1].num_steps >= horizon.steps:
        return f"{plan} Yours is no longer than that."
    gains = longest.num_steps > rounds[-1].num_steps
    return plan + (f" With {larger:,} steps, the longest would be of {_length(longest)}." if gains else "")


def _length(trainings: Round) -> str:
    return f"{trainings.num_steps:,} steps {Horizon(schedule=trainings.schedule).manner}"


def purpose(rule: str, horizon: Horizon) -> str:
    """Name the training that a rule's rate is for; nothing for the rules that ask for none."""
    if rule not in (RULES[0], PROBE):
        return ""
    if horizon.steps is not None:
        return f"for {horizon.words}"
    return f"for a training about as long as the {'probes' if rule == PROBE else 'test'}, {horizon.manner}"


def range_text(suggestion: Suggestion) -> str:
    """Write the range around a suggestion: `1.1e-3 … 6e-3`; nothing where the rule knows none."""
    if suggestion.low is None or suggestion.high is None:
        return ""
    low, high = rate(suggestion.low), rate(suggestion.high)
    return "" if low == high else f"{low} … {high}"


def confidence(suggestion: Suggestion) -> str:
    """Write how sure a suggestion is: `high confidence`; nothing where the rule does not know."""
    return "" if suggestion.confidence is None else f"{suggestion.confidence} confidence"


def earlier(reason: str) -> str:
    """Say that a suggestion is not of the run that is shown."""
    return f"This is the suggestion of an earlier run. {reason}"


def of_validation(reason: str) -> str:
    """Say that a suggestion is read off the validation losses."""
    return f"By the validation loss: {reason[0].lower()}{reason[1:]}"


NO_VALIDATION = "This run has no validation losses; choose the training loss, or give val_data."


def result(
    picked: float | None, suggestion: Suggestion | None, reason: str, failure: Failure | None, *, is_running: bool
) -> str:
    """Say the result in a few sentences, for a page that shows the chart as a picture.

    Args:
        picked, suggestion: the user's own rate and the suggestion of the chosen rule, each None where there is none.
        reason: of the suggestion, as it is shown.
        failure: the error of the latest run, or None.
        is_running: a run is in progress.
    """
    said = ["A run is in progress."] if is_running else []
    if failure is not None:
        said.append(sentence(f"The last run failed: {failure['title'].splitlines()[0][:_MAX_TITLE]}"))
    if picked is not None:
        said.append(f"Picked learning rate: {pick(picked)}.")
    if suggestion is None:
        return " ".join(said) or "The range test has not been run yet."
    if suggestion.lr is None:
        return " ".join([*said, f"No rate is suggested: {reason}"])
    known = ", ".join(filter(None, [range_text(suggestion), confidence(suggestion)]))
    around = f" ({known})" if known else ""
    return " ".join([*said, f"Suggested learning rate: {rate(suggestion.lr)}{around}.", reason])


def summary(sweep: Sweep, repeats: int, status: str, lr: float | None, suggestion: Suggestion | None) -> str:
    """Describe the widget in one line, for where it cannot be shown."""
    often = "" if repeats == 1 else f" {repeats:,} times"
    bounds = f"{pick(sweep.start_lr)} to {pick(sweep.end_lr)}"
    test = f"learning-rate range test, {bounds} in {steps(sweep.num_steps)}{often}, {status}"
    if lr is None:
        return f"LRFinderWidget({test}{f'; no suggestion: {suggestion.reason}' if suggestion else ''})"
    if suggestion is None or suggestion.lr != lr:
        return f"LRFinderWidget({test}; picked lr = {pick(lr)})"
    return f"LRFinderWidget({test}; suggested lr = {rate(lr)}: {suggestion.reason})"
