"""Makes what the browser shows out of the widget's state; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...engine.probing import Probing
from ...engine.range_test import RangeTest
from ...suggest.rules import Suggestion
from .. import words
from ..chart.figure import MARGIN_PX
from ..kernel import variable as notebook
from . import messages as protocol

if TYPE_CHECKING:
    from ..kernel.runner import Run


def make(
    *,
    status: str,
    sweep: dict[str, Any],
    run: Run | None,
    shown_run: Run | None,
    suggestion: Suggestion | None,
    suggestions: dict[str, Suggestion],
    selected: float | None,
    is_picked: bool,
    note: protocol.Note,
    failure: words.Failure | None,
    chart_bounds: tuple[float, float],
) -> protocol.View:
    """Put everything together; ``run`` is the run in progress, ``shown_run`` that of the current curve."""
    return {
        "run_id": shown_run.run_id if shown_run else 0,
        "is_blocking": run is not None and run.is_blocking,
        "host": notebook.current_host(),
        "can": _possible(status, run, has_rate=selected is not None, is_picked=is_picked),
        "note": note,
        "progress": _progress(shown_run, sweep["num_steps"] * sweep["repeats"]),
        "suggestion": _suggestion(run, suggestion, sweep),
        "rules": _rules(suggestions),
        "selected": "" if selected is None else words.rate(selected),
        "is_picked": is_picked,
        "failure": failure,
        "code": "" if selected is None else words.code(**sweep, lr=selected),
        "bounds": list(chart_bounds),
        "margins": MARGIN_PX,
    }


def _possible(status: str, run: Run | None, *, has_rate: bool, is_picked: bool) -> list[str]:
    """The commands that make sense now; the browser greys the others out."""
    if run is not None:
        if run.stop_requested.is_set():
            return []
        # A run that blocks the kernel would not hear of a pause before its end.
        return ["stop"] if run.is_blocking else ["stop", "resume" if status == "paused" else "pause"]
    commands = ["start", "set", "pick", "choose"]
    if has_rate:
        commands += ["probe", "copy", "apply", "code"]
    return [*commands, "clear"] if is_picked else commands


def _progress(run: Run | None, num_steps: int) -> protocol.Progress:
    """How far the run is, or was."""
    if run is None:
        return {"step": 0, "total": num_steps, "text": ""}
    done, total = len(run.steps), run.job.num_steps
    speed = run.steps_per_second() if not run.has_ended else None
    if isinstance(run.job, Probing) and run.stop_reason == "completed":
        total = done  # fewer steps were needed than were allowed
    text = words.progress(_place(run), run.steps[-1] if run.steps else None, total - done, speed)
    return {"step": done, "total": total, "text": text}


def _place(run: Run) -> str:
    done, job = len(run.steps), run.job
    if isinstance(job, Probing):
        return words.probe_place(job.count, done, job.num_steps)
    if isinstance(job, RangeTest) and job.repeats > 1 and run.steps:
        return words.repeat_place(len(job.sweeps), job.repeats, run.steps[-1].step, job.num_steps // job.repeats)
    return words.place(done, job.num_steps)


def _suggestion(run: Run | None, suggested: Suggestion | None, sweep: dict[str, Any]) -> protocol.Suggested:
    """The suggestion with its reason, or what to expect in its place."""
    if run is not None:
        reason = words.WHILE_PROBING if isinstance(run.job, Probing) else words.WHILE_RUNNING
        return {"lr": "", "range": "", "reason": reason}
    if suggested is None:
        return {"lr": "", "range": "", "reason": words.before_run(**sweep)}
    lr = "" if suggested.lr is None else words.rate(suggested.lr)
    return {"lr": lr, "range": words.range_text(suggested) if lr else "", "reason": suggested.reason}


def _rules(suggestions: dict[str, Suggestion]) -> list[protocol.Rule]:
    """Each rule with its rate."""
    return [
        {"name": name, "lr": "none" if s.lr is None else words.rate(s.lr), "reason": s.reason}
        for name, s in suggestions.items()
    ]
