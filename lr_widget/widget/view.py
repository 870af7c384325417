"""Makes what the browser shows out of the widget's state; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..suggest import Suggestion
from . import notebook, protocol, words
from .chart import MARGIN_PX

if TYPE_CHECKING:
    from .runner import Run


def make(
    *,
    status: str,
    bounds: dict[str, Any],
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
        "progress": _progress(shown_run, bounds["num_steps"]),
        "suggestion": _suggestion(run, suggestion, bounds),
        "rules": _rules(suggestions),
        "selected": "" if selected is None else words.rate(selected),
        "is_picked": is_picked,
        "failure": failure,
        "code": "" if selected is None else words.code(**bounds, lr=selected),
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
        commands += ["copy", "apply", "code"]
    return [*commands, "clear"] if is_picked else commands


def _progress(run: Run | None, num_steps: int) -> protocol.Progress:
    """How far the run is, or was."""
    if run is None:
        return {"step": 0, "total": num_steps, "text": ""}
    last = run.steps[-1] if run.steps else None
    speed = run.steps_per_second() if not run.has_ended else None
    text = words.progress(last, run.num_steps, speed)
    return {"step": last.step if last else 0, "total": run.num_steps, "text": text}


def _suggestion(run: Run | None, suggested: Suggestion | None, bounds: dict[str, Any]) -> protocol.Suggested:
    """The suggestion with its reason, or what to expect in its place."""
    if run is not None:
        return {"lr": "", "range": "", "reason": words.WHILE_RUNNING}
    if suggested is None:
        return {"lr": "", "range": "", "reason": words.before_run(**bounds)}
    lr = "" if suggested.lr is None else words.rate(suggested.lr)
    return {"lr": lr, "range": words.range_text(suggested.low, suggested.high), "reason": suggested.reason}


def _rules(suggestions: dict[str, Suggestion]) -> list[protocol.Rule]:
    """Each rule with its rate."""
    return [
        {"name": name, "lr": "none" if s.lr is None else words.rate(s.lr), "reason": s.reason}
        for name, s in suggestions.items()
    ]
