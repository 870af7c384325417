"""What the widget says: pure functions from results to sentences."""

from __future__ import annotations

import math
import traceback
from typing import TypedDict

from ..results.evidence import Evidence
from ..results.records import StepRecord
from ..suggest.rules import Suggestion

_UNTOUCHED = "Model and optimizer are as before."


class Failure(TypedDict):
    """An exception of the user's code, as the widget shows it."""

    title: str
    where: str
    hint: str
    traceback: str


def rate(lr: float) -> str:
    """A learning rate in two digits: ``3.2e-03``."""
    return f"{lr:.1e}"


def plain(value: float | str) -> str:
    """A number as one would type it: ``1e-07``, ``0.01``, ``10``; a name in quotes."""
    return repr(value) if isinstance(value, str) else f"{value:g}"


def progress(where: str, step: StepRecord | None, steps_left: int, steps_per_second: float | None) -> str:
    """The line above the chart: ``step 62 / 100 · lr 7.4e-03 · loss 1.83 · 41 steps/s · 1 s left``."""
    if step is None:
        return where
    parts = [where, f"lr {rate(step.lr)}", f"loss {step.loss:.4g}"]
    if steps_per_second is not None:
        parts += [speed(steps_per_second), f"{duration(steps_left / steps_per_second)} left"]
    return " · ".join(parts)


def place(step: int, num_steps: int) -> str:
    """Where a test is."""
    return f"step {step} / {num_steps}"


def repeat_place(repeat: int, repeats: int, step: int, num_steps: int) -> str:
    """Where a test of several sweeps is."""
    return f"sweep {repeat} / {repeats} · {place(step, num_steps)}"


def probe_place(count: int, step: int, max_steps: int) -> str:
    """Where the probes are."""
    return f"probe {count} · step {step} of at most {max_steps}"


def speed(steps_per_second: float) -> str:
    """Steps a second, or seconds a step where a step takes longer than a second."""
    if steps_per_second >= 10:
        return f"{steps_per_second:.0f} steps/s"
    return f"{steps_per_second:.1f} steps/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s a step"


def duration(seconds: float) -> str:
    """A time span, in the unit that one would say: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def steps(count: int) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} step" if count == 1 else f"{count} steps"


PAUSED = "Paused. The model is put back at the end of the test, not in a pause."


def beginning(*, is_blocking: bool, host: str) -> str:
    """One sentence while the test runs: how to stop it."""
    if not is_blocking:
        return "Running. The kernel stays free; do not train this model elsewhere until the end."
    stop = "Runtime > Interrupt execution" if host == "colab" else "Stop, or interrupting the kernel,"
    return f"Running in a cell. {stop} ends the test and keeps the curve."


def ending(stop_reason: str, last: StepRecord | None, num_steps: int, done: int, seconds: float) -> str:
    """One sentence on how the test ended, after ``done`` steps of all sweeps, and what that means."""
    if last is None:
        return f"Stopped before the first step; there is nothing to show. {_UNTOUCHED}"
    at = f"step {last.step} of {num_steps} (lr {rate(last.lr)})"
    took = f"{seconds:.1f} s"
    sentences = {
        "completed": f"Done: {steps(done)} in {took}.",
        "diverged": f"Done in {took}: the loss exploded at {at}.",
        "non_finite": f"Done in {took}: the loss became {last.loss} at {at}.",
        "stopped": f"Stopped at {at}; the curve is kept.",
        "interrupted": f"Interrupted at {at}; the curve is kept.",
        "exhausted": f"The data ended at {at}; the curve is kept.",
    }
    return f"{sentences[stop_reason]} {_UNTOUCHED}"


FAILED = "The test failed; see the message above."
OBSERVER_FAILED = "Done and kept, but code that observes the widget failed; see the message above."


def failure(error: BaseException, last: StepRecord | None) -> Failure:
    """The error of the user's code: what it is, where in the sweep, what to do, and the full traceback."""
    name = type(error).__name__
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    after = f"It came right after step {last.step} (rate {rate(last.lr)})." if last else "It came in the first step."
    return {
        "title": f"{name}: {error}" if str(error) else name,
        "where": " ".join(map(sentence, notes)) or after,
        "hint": _hint(name),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }


def _hint(name: str) -> str:
    if name == "RestoreError":
        return "Make the model and the optimizer anew before you go on."
    if name == "OutOfMemoryError":
        return f"{_UNTOUCHED} Use a smaller batch, or snapshot_device='cpu', and run again."
    return f"{_UNTOUCHED} Correct the code, then run its cell and the widget's cell again."


WHILE_RUNNING = "The suggestion comes when the test ends."
WHILE_PROBING = (
    "Short trainings from the same state show which rate is best; each dot is one; a cross has not come to its end."
)


def end_of_probes(stop_reason: str, evidence: Evidence, seconds: float) -> str:
    """One sentence on how the probes ended, and what that means."""
    how = "Probed" if stop_reason == "completed" else "Stopped probing"
    if not evidence.runs:
        return f"{how}; nothing was tried. {_UNTOUCHED}"
    rates = f"{len(evidence.runs)} rate{'s' * (len(evidence.runs) != 1)}"
    return f"{how}: {steps(evidence.num_steps)} at {rates} in {seconds:.1f} s. {_UNTOUCHED}"


def before_run(start_lr: float, end_lr: float, num_steps: int, repeats: int) -> str:
    """What stands where the suggestion will be."""
    often = "" if repeats == 1 else f"{repeats} times "
    return (
        f"Run trains {often}for {steps(num_steps)} while the rate grows from {plain(start_lr)} to {plain(end_lr)}, "
        "then puts the model back as it was and suggests a rate."
    )


def sentence(text: str) -> str:
    """A message as a sentence: a capital first, except for a Python name, and a full stop last."""
    first = text.split(" ", 1)[0]
    start = text[:1] if "_" in first else text[:1].upper()
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def range_text(suggestion: Suggestion) -> str:
    """The range around a suggestion and its confidence, as far as the rule knows them."""
    low, high, confidence = suggestion.low, suggestion.high, suggestion.confidence
    has_range = low is not None and high is not None and rate(low) != rate(high)
    parts = [f"{rate(low)} … {rate(high)}"] if has_range and low is not None and high is not None else []
    return ", ".join([*parts, *([f"{confidence} confidence"] if confidence else [])])


def code(start_lr: float, end_lr: float, num_steps: int, repeats: int, lr: float) -> str:
    """The test and the choice as a script would write them."""
    repeated = "" if repeats == 1 else f", repeats={repeats}"
    return (
        "from lr_widget import range_test\n\n"
        "records = range_test(\n"
        "    model, optimizer, loss_fn, train_data,\n"
        f"    start_lr={plain(start_lr)}, end_lr={plain(end_lr)}, num_steps={num_steps}{repeated},\n"
        ")\n"
        f"lr = {rate(lr)}\n"
        "for group in optimizer.param_groups:\n"
        '    group["lr"] = lr\n'
    )


def summary(
    start_lr: float,
    end_lr: float,
    num_steps: int,
    repeats: int,
    status: str,
    lr: float | None,
    suggestion: Suggestion | None,
) -> str:
    """The widget in one line, for where it cannot be shown."""
    often = "" if repeats == 1 else f" {repeats} times"
    test = f"learning-rate range test, {plain(start_lr)} to {plain(end_lr)} in {steps(num_steps)}{often}, {status}"
    if lr is None:
        return f"LRFinderWidget({test}{f'; no suggestion: {suggestion.reason}' if suggestion else ''})"
    if suggestion is None or suggestion.lr != lr:
        return f"LRFinderWidget({test}; picked lr = {rate(lr)})"
    return f"LRFinderWidget({test}; suggested lr = {rate(lr)}: {suggestion.reason})"
