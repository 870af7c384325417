"""What the browser shows beyond settings, curves and answer, made of plain values."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget import LRRecords, StepRecord
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget.browser import Talk, make_chart_state, make_progress, make_view
from lr_widget.widget.chart import LiveChart
from lr_widget.widget.jobs import Place
from lr_widget.widget.kernel import Run, hosts
from lr_widget.widget.results import Results

SWEEP = Sweep(1e-7, 10.0, 100)
FALLING = LRRecords([1e-3, 1e-2, 1e-1], [3.0, 2.0, 1.0], start_lr=1e-4, end_lr=1e-1, num_steps=3)


class FourSteps:
    """A job of four steps that takes none."""

    num_steps = 4

    def steps(self) -> Generator[StepRecord, None, str]:
        yield from ()
        return "completed"

    def total(self, done: int, stop_reason: str | None) -> int:
        return done if stop_reason else self.num_steps

    def place(self, done: int, last: StepRecord | None) -> str:
        return f"step {done} / {self.num_steps}"


def run_of(*seconds: float, is_blocking: bool = False) -> Run[Any]:
    """A run with the id 7 whose steps have taken these times."""
    run: Run[Any] = Run(7, FourSteps(), is_blocking)
    for step, each in enumerate(seconds, start=1):
        run.add(StepRecord(step, 1e-3 * step, 4.0 / step, (1e-3 * step,)), each)
    return run


def talk() -> Talk:
    """A talk of a widget that has nothing to say yet."""
    return Talk(lambda: None)


def view(**changes: Any) -> dict[str, Any]:
    """The view of a widget before its first run, but for the changes."""
    state: dict[str, Any] = {
        "status": "idle",
        "run": None,
        "shown_run": None,
        "possible": ["start", "set", "pick"],
        "has_curves": False,
        "talk": talk(),
        "failure": None,
    }
    return dict(make_view(**{**state, **changes}))


@pytest.fixture
def chart() -> Iterator[LiveChart]:
    """An empty chart."""
    chart = LiveChart(SWEEP, 0.0)
    yield chart
    chart.close()


@pytest.fixture
def results() -> Results:
    """The results of a widget before its first run."""
    owner = SimpleNamespace(horizon=Horizon(), suggest_from="loss", records=None)
    return Results(owner, Horizon())


# --- progress --------------------------------------------------------------------------------------------------------


def test_the_bar_is_empty_before_the_first_run() -> None:
    """It has the length of the test that is set."""
    assert make_progress(None, 200) == {"step": 0, "total": 200, "text": ""}


def test_a_run_in_progress_shows_its_place_and_its_speed() -> None:
    """Two steps a second after the first one: the two that are left take a second."""
    text = "step 2 / 4 · lr 2e-3 · loss 2 · 2.0 steps/s · 1 s left"
    assert make_progress(run_of(5.0, 0.5), 200) == {"step": 2, "total": 4, "text": text}


def test_a_pause_has_no_speed_and_no_time_left() -> None:
    """The clock stands."""
    run = run_of(5.0, 0.5)
    run.may_go_on.clear()
    assert make_progress(run, 200) == {"step": 2, "total": 4, "text": "step 2 / 4 · lr 2e-3 · loss 2"}


@pytest.mark.parametrize("reason", ["completed", "diverged", "non_finite", "exhausted"])
def test_the_bar_of_a_run_that_has_ended_is_full(reason: str) -> None:
    """It has no speed any more."""
    run = run_of(5.0, 0.5)
    run.stop_reason = reason
    assert make_progress(run, 200) == {"step": 2, "total": 2, "text": "step 2 / 4 · lr 2e-3 · loss 2"}


# --- view ------------------------------------------------------------------------------------------------------------


def test_the_view_before_the_first_run() -> None:
    """Only Run, the settings and the chart make sense."""
    assert view() == {
        "run_id": 0,
        "is_blocking": False,
        "deaf": "",
        "can": ["start", "set", "pick", "zoom"],
        "note": {"kind": "info", "text": "Ready."},
        "refused": "",
        "question": None,
        "failure": None,
    }


@pytest.mark.parametrize("has_curves", [True, False])
def test_a_table_needs_curves(has_curves: bool) -> None:
    """It is offered where there is something to write."""
    assert ("csv" in view(has_curves=has_curves)["can"]) == has_curves


@pytest.mark.parametrize(
    ("status", "is_blocking", "can"),
    [
        ("running", False, ["stop", "pause"]),
        ("paused", False, ["stop", "resume"]),
        ("running", True, ["stop", "pause"]),
        ("paused", True, ["stop", "resume"]),
    ],
)
def test_a_run_in_progress_can_be_steered(status: str, is_blocking: bool, can: list[str]) -> None:
    """Besides a look at the chart, nothing else makes sense until its end, and after Stop not even that."""
    run = run_of(is_blocking=is_blocking)
    shown = view(status=status, run=run, shown_run=run)
    assert (shown["can"], shown["is_blocking"], shown["run_id"]) == ([*can, "zoom"], is_blocking, 7)
    run.stop_requested.set()
    assert view(status=status, run=run, shown_run=run)["can"] == ["zoom"]


def test_the_id_of_a_run_that_has_ended_stays() -> None:
    """For clicks that come late."""
    run = run_of(5.0, 0.5)
    run.stop_reason = "diverged"
    assert view(status="finished", shown_run=run)["run_id"] == 7


@pytest.mark.parametrize("host", hosts.HOSTS.values(), ids=lambda host: host.name)
def test_a_deaf_run_has_no_buttons_and_says_what_to_press(monkeypatch: pytest.MonkeyPatch, host: hosts.Host) -> None:
    """In the words of the host; a run that hears says nothing."""
    monkeypatch.setattr(hosts, "_name", lambda: host.name)
    run = run_of(1.0, is_blocking=True)
    assert view(run=run, shown_run=run, status="running")["deaf"] == ""
    run.is_deaf = True
    deaf = view(run=run, shown_run=run, status="running", has_curves=True)
    assert deaf["deaf"] == f"This run hears no click. {host.interrupt} ends it and keeps the curve."
    assert deaf["can"] == []


def test_the_view_has_what_was_said_and_asked() -> None:
    """A refused entry is named, so that its field can say so."""
    said = talk()
    said.refuse("num_steps", "No.")
    said.ask("Really?", "Yes")
    failure = {"title": "a", "where": "b", "hint": "c", "traceback": "d"}
    shown = view(talk=said, failure=failure)
    assert shown["note"] == {"kind": "warning", "text": "No."}
    assert (shown["refused"], shown["failure"]) == ("num_steps", failure)
    assert shown["question"] == {"text": "Really?", "yes": "Yes"}


# --- chart -----------------------------------------------------------------------------------------------------------


def test_an_empty_chart_is_described(chart: LiveChart, results: Results) -> None:
    """No run, and nothing to explain."""
    state = make_chart_state(chart, results, SWEEP)
    assert (state["runs"], state["legend"], state["is_zoomed"], state["has_validation"]) == ([], [], False, False)
    assert set(state["margins"]) == {"top", "bottom", "left", "right"}
    assert state["text"] == "Loss over the learning rate, from 1e-7 to 10. No run yet."


def test_kept_runs_are_listed_with_all_that_tells_a_step(chart: LiveChart, results: Results) -> None:
    """Records that do not name their sweep tell no step, and a hidden run has no marks."""
    results.runs.add(LRRecords([1e-3, 1e-2], [2.0, 1.0]), {}, "plain")
    results.runs.add(FALLING, {}, "full", run_id=7)
    results.runs.add(FALLING, {}, "hidden", run_id=8)
    results.runs.hide(8)
    results.rates = {-1: "none", 7: "0.01", 8: "0.01"}
    results.current = 7
    chart.show_runs(*results.drawn())
    plain, full, hidden = make_chart_state(chart, results, SWEEP)["runs"]
    assert {name: full[name] for name in ("run_id", "name", "color", "lr", "num_points")} == {
        "run_id": 7,
        "name": "full",
        "color": 1,
        "lr": "0.01",
        "num_points": 3,
    }
    assert full["sweep"] == {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 3, "schedule": "exponential"}
    assert (plain["run_id"], plain["num_points"], plain["sweep"], plain["lr"]) == (-1, 2, None, "none")
    assert [run["is_current"] for run in (plain, full, hidden)] == [False, True, False]
    assert [run["is_hidden"] for run in (plain, full, hidden)] == [False, False, True]
    assert hidden["marks"] is None
    assert not any(run["is_growing"] for run in (plain, full, hidden))
    for run, losses in ((plain, [2.0, 1.0]), (full, [3.0, 2.0, 1.0])):
        assert run["marks"] is not None
        assert chart.figure.marks[run["marks"]["smoothed"]].y.tolist() == losses
    assert full["marks"] is not None
    assert chart.figure.marks[full["marks"]["raw"]].y.tolist() == [3.0, 2.0, 1.0]


def test_the_curve_that_grows_is_the_current_run(chart: LiveChart, results: Results) -> None:
    """It is no kept run yet; the text has no number that would change at each step."""
    results.runs.add(FALLING, {}, "first", run_id=7)
    results.rates, results.current = {7: "0.01"}, 7
    results.growing = Place(8, 3)
    sweep = Sweep(1e-5, 1.0, 50, "linear")
    chart.begin(8, sweep, 3, [])
    chart.grow([[StepRecord(1, 1e-3, 2.0, (1e-3,))]])
    state = make_chart_state(chart, results, sweep)
    first, growing = state["runs"]
    assert (first["is_current"], growing["is_current"]) == (False, True)
    assert (first["is_growing"], growing["is_growing"]) == (False, True)
    assert (growing["run_id"], growing["name"], growing["color"], growing["lr"]) == (8, "this run", 3, "")
    assert growing["sweep"] == {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 50, "schedule": "linear"}
    assert growing["marks"] is not None
    chart.grow([[StepRecord(step, 1e-3 * step, 2.0, (1e-3,)) for step in (1, 2)]])
    assert make_chart_state(chart, results, sweep) == state


def test_a_schedule_that_is_a_function_tells_no_step(chart: LiveChart, results: Results) -> None:
    """The browser knows two formulas."""
    results.growing = Place(8, 0)
    sweep = Sweep(1e-5, 1.0, 50, lambda step: 1e-5 * step)
    chart.begin(8, sweep, 0, [])
    assert make_chart_state(chart, results, sweep)["runs"][0]["sweep"] is None
