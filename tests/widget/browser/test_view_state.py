"""The view: everything that the browser shows beyond the settings, made of plain values."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from lr_widget import StepRecord, Suggestion
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget.browser import make_view
from lr_widget.widget.kernel import Run, hosts
from lr_widget.widget.selection import Selection

SUGGESTED = Suggestion(3.2e-3, "auto", "Steepest fall.", low=1.1e-3, high=6e-3, confidence="high")
NONE = Suggestion(None, "steepest", "No fall.")


class FourSteps:
    """A job of four steps that takes none."""

    waiting = "Wait for the end."
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


def view(**changes: Any) -> dict[str, Any]:
    """The view of a widget before its first run, but for the changes."""
    state: dict[str, Any] = {
        "status": "idle",
        "sweep": Sweep(1e-7, 10.0, 100),
        "repeats": 2,
        "plan": "Up to 300 steps.",
        "run": None,
        "shown_run": None,
        "selection": Selection(),
        "note": {"kind": "info", "text": "Ready."},
        "failure": None,
        "code": "",
        "bounds": (1e-7, 10.0),
        "margins": {"top": 1, "bottom": 2, "left": 3, "right": 4},
    }
    return dict(make_view(**{**state, **changes}))


def test_the_view_before_the_first_run() -> None:
    """The bar is empty, a sentence announces the run, and only Run and the settings make sense."""
    assert view() == {
        "run_id": 0,
        "is_blocking": False,
        "deaf": "",
        "can": ["start", "set"],
        "note": {"kind": "info", "text": "Ready."},
        "progress": {"step": 0, "total": 200, "text": ""},
        "suggestion": {
            "lr": "",
            "range": "",
            "reason": "Run trains 2 times for 100 steps while the rate grows from 1e-07 to 10, "
            "then puts the model back as it was and suggests a rate.",
        },
        "plan": "Up to 300 steps.",
        "rules": [],
        "selected": "",
        "is_picked": False,
        "failure": None,
        "code": "",
        "bounds": (1e-7, 10.0),
        "margins": {"top": 1, "bottom": 2, "left": 3, "right": 4},
    }


def test_a_suggestion_is_shown_with_its_range_and_its_rivals() -> None:
    """A rule without a rate says none, and the rate can be probed, copied and applied."""
    shown = view(status="finished", selection=Selection({"auto": SUGGESTED, "steepest": NONE}), code="lr = 3.2e-03")
    assert shown["suggestion"] == {
        "lr": "3.2e-03",
        "range": "1.1e-03 … 6.0e-03, high confidence",
        "reason": "Steepest fall.",
    }
    assert shown["rules"] == [
        {"name": "auto", "lr": "3.2e-03", "reason": "Steepest fall."},
        {"name": "steepest", "lr": "none", "reason": "No fall."},
    ]
    assert (shown["selected"], shown["is_picked"], shown["code"]) == ("3.2e-03", False, "lr = 3.2e-03")
    assert shown["can"] == ["start", "set", "probe", "copy", "apply", "code"]


def test_a_rule_without_a_rate_shows_its_reason() -> None:
    """Nothing is selected, so there is nothing to copy or apply; where the curve has a rate, probes can go around it."""
    shown = view(selection=Selection({"auto": SUGGESTED, "steepest": NONE}, rule="steepest"))
    assert shown["suggestion"] == {"lr": "", "range": "", "reason": "No fall."}
    assert (shown["selected"], shown["can"]) == ("", ["start", "set"])
    shown = view(selection=Selection({"auto": NONE}, near={"auto": 3.2e-3}))
    assert (shown["selected"], shown["can"]) == ("", ["start", "set", "probe"])


def test_the_training_that_the_rate_is_for_is_announced_before_the_first_run() -> None:
    """Once its length is known."""
    shown = view(selection=Selection(horizon=Horizon(5000, "cosine")))["suggestion"]["reason"]
    assert shown.endswith(" suggests a rate for a training of 5,000 steps with a cosine schedule.")
    assert view(selection=Selection(horizon=Horizon(None, "cosine")))["suggestion"]["reason"].endswith("a rate.")


def test_a_pick_is_selected_and_can_be_cleared() -> None:
    """The suggestion is shown beside it."""
    shown = view(selection=Selection({"auto": SUGGESTED}, pick=0.02))
    assert (shown["selected"], shown["is_picked"]) == ("2.0e-02", True)
    assert shown["suggestion"]["lr"] == "3.2e-03"
    assert shown["can"] == ["start", "set", "probe", "copy", "apply", "code", "clear"]


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
    """Nothing else makes sense until its end, and after Stop not even that."""
    run = run_of(is_blocking=is_blocking)
    shown = view(status=status, run=run, shown_run=run, selection=Selection({"auto": SUGGESTED}, pick=0.02))
    assert (shown["can"], shown["is_blocking"], shown["run_id"]) == (can, is_blocking, 7)
    run.stop_requested.set()
    assert view(status=status, run=run, shown_run=run)["can"] == []


def test_a_run_in_progress_shows_its_place_and_its_speed() -> None:
    """Two steps a second after the first one: the two that are left take a second."""
    run = run_of(5.0, 0.5)
    shown = view(status="running", run=run, shown_run=run, selection=Selection({"auto": SUGGESTED}))
    text = "step 2 / 4 · lr 2.0e-03 · loss 2 · 2.0 steps/s · 1 s left"
    assert shown["progress"] == {"step": 2, "total": 4, "text": text}
    assert shown["suggestion"] == {"lr": "", "range": "", "reason": "Wait for the end."}


def test_a_run_that_has_ended_is_still_shown() -> None:
    """Its bar is full and has no speed, and its id stays for clicks that come late."""
    run = run_of(5.0, 0.5)
    run.stop_reason = "diverged"
    shown = view(status="finished", shown_run=run, selection=Selection({"auto": SUGGESTED}))
    assert shown["progress"] == {"step": 2, "total": 2, "text": "step 2 / 4 · lr 2.0e-03 · loss 2"}
    assert (shown["run_id"], shown["suggestion"]["lr"]) == (7, "3.2e-03")


@pytest.mark.parametrize("host", hosts.HOSTS.values(), ids=lambda host: host.name)
def test_a_deaf_run_has_no_buttons_and_says_what_to_press(monkeypatch: pytest.MonkeyPatch, host: hosts.Host) -> None:
    """In the words of the host; a run that hears says nothing."""
    monkeypatch.setattr(hosts, "_name", lambda: host.name)
    run = run_of(1.0, is_blocking=True)
    assert (view(run=run, shown_run=run, status="running")["deaf"]) == ""
    run.is_deaf = True
    deaf = view(run=run, shown_run=run, status="running")
    assert deaf["deaf"] == f"This run hears no click. {host.interrupt} ends it and keeps the curve."
    assert deaf["can"] == []


def test_a_suggestion_of_an_earlier_run_says_so() -> None:
    """After a run that failed, it is still on the screen."""
    selection = Selection({"auto": SUGGESTED}, earlier={"auto"})
    assert (
        view(selection=selection)["suggestion"]["reason"] == "This is the suggestion of an earlier run. Steepest fall."
    )
