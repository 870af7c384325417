"""Make all that the browser shows beyond settings, curves and answer out of the widget's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .. import words
from ..chart import MARGIN_PX
from ..inputs import sweep_of
from ..kernel import current_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...schedule import Sweep
    from ..chart import LiveChart
    from ..failures import Failure
    from ..jobs import Job, Place
    from ..kernel import Run
    from ..results import Results
    from ..runs import KeptRun
    from . import messages
    from .talk import Talk


_GROWING = "Loss over the learning rate, while the test runs."


def make_progress(run: Run[Job] | None, num_steps: int) -> messages.Progress:
    """Say how far a run is, or that nothing has run yet.

    Args:
        run: the run whose curve or probes are shown, or None before the first.
        num_steps: of the next test.
    """
    if run is None:
        return {"step": 0, "total": num_steps, "text": ""}
    total = run.job.total(run.count, run.stop_reason)
    speed = None if run.has_ended else run.steps_per_second()
    text = words.progress(run.job.place(run.count, run.last), run.last, total - run.count, speed)
    return {"step": run.count, "total": total, "text": text}


def make_view(
    *,
    status: str,
    run: Run[Job] | None,
    shown_run: Run[Job] | None,
    possible: Sequence[messages.Possible],
    has_curves: bool,
    talk: Talk,
    failure: Failure | None,
) -> messages.View:
    """List the commands that make sense now, and pass on the words to the person.

    Args:
        status: of the widget.
        run: the run in progress, or None.
        shown_run: the run whose curve or probes are shown, or None before the first.
        possible: what else can be done while no run is in progress.
        has_curves: a kept run is on the chart.
        talk: what is said.
        failure: the error box.
    """
    can = _steering(status, run) if run is not None else [*possible]
    if run is None or not run.is_deaf:
        can.append("zoom")
        if has_curves:
            can.append("csv")
    return {
        "run_id": shown_run.run_id if shown_run else 0,
        "is_blocking": run is not None and run.is_blocking,
        "deaf": words.deaf(current_host()) if run is not None and run.is_deaf else "",
        "can": can,
        "note": talk.note,
        "refused": talk.refused,
        "question": talk.question,
        "failure": failure,
    }


def make_chart_state(chart: LiveChart, results: Results, sweep: Sweep) -> messages.ChartState:
    """Describe the chart.

    Args:
        chart: the chart.
        results: the kept runs.
        sweep: of the run whose curve grows, if one does.
    """
    place = results.growing
    runs = [
        _kept(chart, run, results.rates[run.run_id], is_current=place is None and run.run_id == results.current)
        for run in results.runs.entries
    ]
    return {
        "margins": MARGIN_PX,
        "is_zoomed": chart.is_zoomed,
        "has_validation": results.has_validation,
        "legend": chart.legend(),
        "runs": runs if place is None else [*runs, _growing(chart, place, sweep)],
        "text": chart.text() if place is None else _GROWING,  # without numbers that change at every step
    }


def _kept(chart: LiveChart, run: KeptRun, lr: str, *, is_current: bool) -> messages.ShownRun:
    return {
        "run_id": run.run_id,
        "name": run.name,
        "color": run.color,
        "lr": lr,
        "is_hidden": run.is_hidden,
        "is_current": is_current,
        "is_growing": False,
        "num_points": len(run.records),
        "marks": chart.marks_of(run.run_id),
        "sweep": _told(sweep_of(run.records)),
    }


def _growing(chart: LiveChart, place: Place, sweep: Sweep) -> messages.ShownRun:
    return {
        "run_id": place.run_id,
        "name": "this run",
        "color": place.color,
        "lr": "",
        "is_hidden": False,
        "is_current": True,
        "is_growing": True,
        "num_points": sweep.num_steps,
        "marks": chart.marks_of(place.run_id),
        "sweep": _told(sweep),
    }


def _told(sweep: Sweep | None) -> messages.SweepOf | None:
    if sweep is None or callable(sweep.schedule):
        return None
    return cast("messages.SweepOf", sweep.as_recorded())


def _steering(status: str, run: Run[Job]) -> list[messages.Possible]:
    """List the commands to a run in progress; the browser greys the others out."""
    if run.stop_requested.is_set() or run.is_deaf:
        return []
    return ["stop", "resume" if status == "paused" else "pause"]
