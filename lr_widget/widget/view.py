"""Makes what the browser shows out of the widget's state; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..suggest import Suggestion
from . import protocol, words

if TYPE_CHECKING:
    from .runner import Run


def possible(status: str, run: Run | None, *, has_rate: bool, is_picked: bool) -> list[str]:
    """The commands that make sense now; the browser greys the others out."""
    if run is not None:
        if run.stop_requested.is_set():
            return []
        # A run that blocks the kernel would not hear of a pause before its end.
        return ["stop"] if run.is_blocking else ["stop", "resume" if status == "paused" else "pause"]
    commands = ["start", "set", "pick", "choose"]
    if has_rate:
        commands += ["copy", "apply", "code"]
    return [*commands, "clear"] if is_picked else commands


def progress(run: Run | None, num_steps: int) -> protocol.Progress:
    """How far the run is, or was."""
    if run is None:
        return {"step": 0, "total": num_steps, "text": ""}
    last = run.steps[-1] if run.steps else None
    speed = run.steps_per_second() if not run.has_ended else None
    text = words.progress(last, run.num_steps, speed)
    return {"step": last.step if last else 0, "total": run.num_steps, "text": text}


def suggestion(run: Run | None, suggested: Suggestion | None, bounds: dict[str, Any]) -> protocol.Suggested:
    """The suggestion with its reason, or what to expect in its place."""
    if run is not None:
        return {"lr": "", "range": "", "reason": words.WHILE_RUNNING}
    if suggested is None:
        return {"lr": "", "range": "", "reason": words.before_run(**bounds)}
    lr = "" if suggested.lr is None else words.rate(suggested.lr)
    return {"lr": lr, "range": words.range_text(suggested.low, suggested.high), "reason": suggested.reason}


def rules(suggestions: dict[str, Suggestion]) -> list[protocol.Rule]:
    """Each rule with its rate."""
    return [
        {"name": name, "lr": "none" if s.lr is None else words.rate(s.lr), "reason": s.reason}
        for name, s in suggestions.items()
    ]
