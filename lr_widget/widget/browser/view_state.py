"""Make the view, everything that the browser shows beyond the settings, out of the widget's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import words
from ..kernel import current_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...schedule import Sweep
    from ...suggest import Suggestion
    from ..chart import Margins
    from ..jobs import Job
    from ..kernel import Run
    from ..selection import Selection
    from . import messages


def make_view(
    *,
    status: str,
    sweep: Sweep,
    repeats: int,
    plan: str,
    run: Run[Job] | None,
    shown_run: Run[Job] | None,
    selection: Selection,
    note: messages.Note,
    failure: words.Failure | None,
    code: str,
    bounds: tuple[float, float],
    margins: Margins,
) -> messages.View:
    """Put the view together.

    Args:
        status: of the widget.
        sweep, repeats: the settings of the next test.
        plan: of the next probes, in words.
        run: the run in progress, or None.
        shown_run: the run whose curve or probes are shown, or None before the first.
        selection: the suggestions, the rule and the pick.
        note, failure: the status line and the error box.
        code: the script for *Copy code*; empty where no rate is selected.
        bounds, margins: the x axis and the space around the plot area, by which a click becomes a rate.
    """
    return {
        "run_id": shown_run.run_id if shown_run else 0,
        "is_blocking": run is not None and run.is_blocking,
        "deaf": words.deaf(current_host()) if run is not None and run.is_deaf else "",
        "can": _possible(status, run, selection),
        "note": note,
        "progress": _progress(shown_run, sweep.num_steps * repeats),
        "suggestion": _suggestion(run, selection, sweep, repeats),
        "plan": plan,
        "rules": _rules(selection.suggestions),
        "selected": selection.text,
        "is_picked": selection.pick is not None,
        "failure": failure,
        "code": code,
        "bounds": bounds,
        "margins": margins,
    }


def _possible(status: str, run: Run[Job] | None, selection: Selection) -> list[messages.Possible]:
    """List the commands that make sense now; the browser greys the others out."""
    if run is not None:
        if run.stop_requested.is_set() or run.is_deaf:
            return []
        return ["stop", "resume" if status == "paused" else "pause"]
    can: list[messages.Possible] = ["start", "set"]
    if selection.to_probe is not None:
        can.append("probe")
    if selection.lr is not None:
        can += ["copy", "apply", "code"]
    if selection.pick is not None:
        can.append("clear")
    return can


def _progress(run: Run[Job] | None, num_steps: int) -> messages.Progress:
    if run is None:
        return {"step": 0, "total": num_steps, "text": ""}
    total = run.job.total(run.count, run.stop_reason)
    speed = None if run.has_ended else run.steps_per_second()
    text = words.progress(run.job.place(run.count, run.last), run.last, total - run.count, speed)
    return {"step": run.count, "total": total, "text": text}


def _suggestion(run: Run[Job] | None, selection: Selection, sweep: Sweep, repeats: int) -> messages.Suggested:
    """Return the suggestion with its reason, or in its place the sentence about the run that will give one."""
    if run is not None:
        return {"lr": "", "range": "", "reason": run.job.waiting}
    suggested = selection.suggestion
    if suggested is None:
        return {"lr": "", "range": "", "reason": words.before_run(sweep, repeats, selection.horizon)}
    lr = "" if suggested.lr is None else words.rate(suggested.lr)
    return {"lr": lr, "range": words.range_text(suggested) if lr else "", "reason": selection.reason}


def _rules(suggestions: Mapping[str, Suggestion]) -> list[messages.Rule]:
    return [
        {"name": name, "lr": "none" if s.lr is None else words.rate(s.lr), "reason": s.reason}
        for name, s in suggestions.items()
    ]
