"""Commands of the browser are checked, carried out in the right order, and answered."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from lr_widget import LRFinderWidget, LRRecords
from lr_widget.errors import OverwriteError
from lr_widget.widget.browser import receive
from lr_widget.widget.choice import Advice
from lr_widget.widget.kernel import hosts

from ..helpers import A_WHILE, Make, Training, click, in_another_thread, let_steps, note, wait_until
from .target import Target


def test_stop_pause_and_resume_from_the_browser(make_widget: Make, training: Training) -> None:
    """Pause and Resume steer the run; a stale Stop is ignored, the right one answered within a step."""
    training.may_step = threading.Semaphore(3)
    before = training.state()
    widget = make_widget(num_steps=50)
    click(widget, "start")
    wait_until(lambda: training.calls == 4)
    assert widget.status == "running"
    run_id = widget.view_state["run_id"]
    click(widget, "pause", run_id=run_id)
    training.may_step.release()
    wait_until(lambda: widget.status == "paused")
    assert widget.runner.current.count == 4
    click(widget, "resume", run_id=run_id)
    wait_until(lambda: widget.status == "running" and training.calls == 5)
    click(widget, "stop", run_id=run_id - 1)
    assert "stop" in widget.view_state["can"]
    click(widget, "stop", run_id=run_id)
    assert widget.view_state["can"] == ["zoom"]
    assert note(widget) == "Stopping after this step."
    training.may_step.release()
    assert widget.wait(20)
    assert (widget.records.stop_reason, len(widget.records)) == ("stopped", 5)
    training.may_step = None
    assert training.state() == before


@pytest.mark.parametrize(("action", "expected"), [("stop", "Stopped at step"), ("pause", "Paused.")])
def test_what_came_of_a_click_is_said_last(
    running: LRFinderWidget, training: Training, monkeypatch: pytest.MonkeyPatch, action: str, expected: str
) -> None:
    """The thread that trains may see the wish before the click is answered; the answer must not hide its outcome."""
    act = getattr(running.runner, action)

    def act_and_lose_time(run_id: int | None) -> bool:
        is_meant = act(run_id)
        let_steps(training, 1)
        time.sleep(A_WHILE)
        return bool(is_meant)

    monkeypatch.setattr(running.runner, action, act_and_lose_time)
    click(running, action, run_id=running.view_state["run_id"])
    wait_until(lambda: note(running).startswith(expected))


def test_a_second_click_on_pause_changes_nothing(paused: LRFinderWidget) -> None:
    """It was sent before the browser had seen the pause."""
    click(paused, "pause", run_id=paused.view_state["run_id"])
    assert (paused.status, note(paused)[:7]) == ("paused", "Paused.")


def test_a_resume_after_stop_is_ignored(running: LRFinderWidget) -> None:
    """The run ends; nothing says that it goes on."""
    run_id = running.view_state["run_id"]
    click(running, "stop", run_id=run_id)
    click(running, "resume", run_id=run_id)
    assert note(running) == "Stopping after this step."


def test_a_refusal_does_not_hide_the_end(
    running: LRFinderWidget, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run was pressed in two places; the test ends while the second one is told so."""
    say = running.screen.talk.say

    def say_late(kind: Any, text: str) -> None:
        let_steps(training, 100)
        time.sleep(A_WHILE)
        say(kind, text)

    monkeypatch.setattr(running.screen.talk, "say", say_late)
    click(running, "start")
    assert running.wait(20)
    assert note(running).startswith("Done")


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("start_lr", "end_lr") for value in ("abc", "-1", "0", "1e400", "", "nan", None, [], {})]
    + [("start_lr", "10"), ("num_steps", "1"), ("num_steps", "2.5"), ("smoothing", "2"), ("variable", "a b")],
)
def test_a_wrong_value_from_the_browser_is_ignored_with_a_message(make_widget: Make, name: str, value: Any) -> None:
    """It is refused as a command and as a trait that the browser sets, and the old value is named."""
    widget = make_widget()
    before = {key: getattr(widget, key) for key in ("start_lr", "end_lr", "num_steps", "smoothing", "variable")}
    click(widget, "set", name=name, value=value)
    assert widget.view_state["note"]["kind"] == "warning"
    stays = {"start_lr": "1e-7", "end_lr": "10", "num_steps": "100", "smoothing": "0.9", "variable": "'lr'"}[name]
    assert note(widget).endswith(f" It stays {stays}.")
    assert widget.view_state["refused"] == name
    widget.screen.talk.say("info", "")
    widget.set_state({name: value})
    assert "It stays" in note(widget)
    assert {key: getattr(widget, key) for key in before} == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("repeats", 0, '"repeats" must be at least 1, got 0; 1 is usual'),
        ("repeats", "two", "\"repeats\" must be a whole number, got 'two'; type one like 1"),
        ("max_probe_steps", 31, "The steps of the probes must be at least 32, got 31; 300 is usual"),
        ("max_probe_steps", "", "The steps of the probes must be a whole number, got ''; type one like 300"),
    ],
)
def test_wrong_numbers_are_ignored_with_a_message(make_widget: Make, name: str, value: Any, message: str) -> None:
    """Counts have a least value and an example of their own."""
    widget = make_widget()
    before = getattr(widget, name)
    click(widget, "set", name=name, value=value)
    assert message in note(widget)
    assert getattr(widget, name) == before


def test_right_values_from_the_browser_arrive(make_widget: Make) -> None:
    """Text and numbers, also with a decimal comma."""
    widget = make_widget()
    for name, value in [
        ("start_lr", " 3e-4 "),
        ("end_lr", "0,5"),
        ("num_steps", "42"),
        ("smoothing", 0),
        ("variable", "r"),
    ]:
        click(widget, "set", name=name, value=value)
    widget.set_state({"end_lr": 0.25})
    assert (widget.start_lr, widget.end_lr, widget.num_steps, widget.smoothing) == (3e-4, 0.25, 42, 0.0)
    assert widget.variable == "r"
    assert widget.run().num_steps == 42


@pytest.mark.parametrize(
    "content",
    [None, "start", 3, [], {}, {"command": "eval"}, {"command": ["start"]}, {"command": "set", "name": "status"},
     {"command": "set", "name": 3}, {"command": "set", "name": "rule", "value": "best"},
     {"command": "set", "name": "selected_lr", "value": {}}, {"command": "pick", "value": 1e-3}],
)  # fmt: skip
def test_a_message_that_is_none_is_ignored_with_a_message(make_widget: Make, content: Any) -> None:
    """Nothing in it is executed."""
    widget = make_widget()
    widget._handle_custom_msg(content, [])
    assert widget.view_state["note"]["kind"] == "warning"
    assert widget.status == "idle"


def test_the_browser_cannot_set_what_is_not_its_own(make_widget: Make) -> None:
    """Status, view and chart are Python's."""
    widget = make_widget()
    figure = widget.figure
    widget.set_state({"status": "running", "view_state": {}, "figure": "IPY_MODEL_x", "_esm": "alert(1)"})
    assert (widget.status, widget.figure) == ("idle", figure)
    assert widget.view_state["note"]["text"] == "Ready."


def test_every_command_is_answered(make_widget: Make, messages: list[dict[str, Any]]) -> None:
    """The browser can tell a kernel that is busy from one that has done it."""
    widget = make_widget()
    click(widget, "set", name="selected_lr", value="1e-3")
    assert {"done": "1"} in [message.get("content") for message in messages]


@pytest.mark.parametrize("command", ["start", "probe", "apply"])
def test_what_touches_the_model_waits_for_the_end_of_the_cell(
    make_widget: Make, training: Training, messages: list[dict[str, Any]], command: str
) -> None:
    """The cell may be training the same model; what only steers or reads is done at once."""
    shown = []

    async def cells() -> None:
        widget = make_widget(num_steps=20, max_probe_steps=40)
        widget.selected_lr = 1e-2
        in_another_thread(lambda: click(widget, "set", name="variable", value="rate"))
        in_another_thread(lambda: click(widget, command))
        time.sleep(A_WHILE)
        shown.append((widget.variable, training.calls, training.optimizer.param_groups[0]["lr"]))
        await asyncio.sleep(0.01)
        assert widget.wait(20)
        shown.append((widget.records is not None, widget.evidence is not None))

    asyncio.run(cells())
    lr = training.optimizer.param_groups[0]["lr"]
    done = {"start": (True, False), "probe": (False, True), "apply": (False, False)}
    assert shown == [("rate", 0, 1e-3), done[command]]
    assert lr == (1e-2 if command == "apply" else 1e-3)


def test_what_comes_after_a_waiting_command_waits_behind_it(make_widget: Make, training: Training) -> None:
    """Apply takes the rate that was shown when it was clicked."""

    async def cell() -> None:
        widget = make_widget(num_steps=20)
        widget.selected_lr = 1e-2
        in_another_thread(lambda: click(widget, "apply"))
        in_another_thread(lambda: click(widget, "set", name="selected_lr", value="1e-1"))
        await asyncio.sleep(0.01)
        assert widget.selected_lr == 1e-1

    asyncio.run(cell())
    assert training.optimizer.param_groups[0]["lr"] == 1e-2


def test_a_widget_that_is_closed_while_a_click_waits_runs_nothing(make_widget: Make, training: Training) -> None:
    """The next cell may train."""

    async def cell() -> None:
        widget = make_widget(num_steps=20)
        in_another_thread(lambda: click(widget, "start"))
        widget.close()
        await asyncio.sleep(A_WHILE)
        assert widget.wait(20)

    asyncio.run(cell())
    assert training.calls == 0


@pytest.mark.parametrize(
    ("content", "deed"),
    [
        ({"command": "start"}, ("start",)),
        ({"command": "probe"}, ("probe",)),
        ({"command": "copy"}, ("copy",)),
        ({"command": "apply"}, ("apply",)),
        ({"command": "zoom", "value": [1e-5, 1, 0.5, 2]}, ("zoom", (1e-5, 1.0, 0.5, 2.0))),
        ({"command": "zoom"}, ("zoom", None)),
        ({"command": "draw"}, ("draw",)),
        ({"command": "stop", "run_id": 3}, ("stop", 3)),
        ({"command": "pause", "run_id": 3}, ("pause", 3)),
        ({"command": "resume"}, ("resume", None)),
    ],
)
def test_each_command_does_its_one_deed(content: dict[str, Any], deed: tuple[Any, ...]) -> None:
    """It is done under the widget's lock and answered with its own serial number."""
    target = Target()
    receive(target, {**content, "serial": "7"})
    assert (target.done, target.said, target.sent) == ([deed], [], [{"done": "7"}])
    assert target.is_locked


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ({"command": "rename", "value": "  small   batches "}, ("small batches", False)),
        ({"command": "rename", "value": ""}, ("run 1", False)),
        ({"command": "hide"}, ("first", True)),
        ({"command": "show"}, ("first", False)),
    ],
)
def test_a_kept_run_is_named_hidden_and_shown(content: dict[str, Any], after: tuple[str, bool]) -> None:
    """The run with the id that the browser sends, and the chart is drawn anew."""
    target = Target()
    target.screen.runs.add(LRRecords([1e-3], [1.0]), {}, "first", run_id=4)
    receive(target, {**content, "run_id": 4, "serial": "7"})
    assert (target.done, target.said, target.sent) == ([("runs", (4, *after))], [], [{"done": "7"}])
    assert target.is_locked


def test_a_run_is_removed() -> None:
    """The others stay; records of elsewhere have ids below 0."""
    target = Target()
    target.screen.runs.add(LRRecords([1e-3], [1.0]), {}, "first", run_id=4)
    target.screen.runs.add(LRRecords([1e-3], [1.0]), {}, "of elsewhere")
    receive(target, {"command": "remove", "run_id": -2})
    assert target.done == [("runs", (4, "first", False))]


@pytest.mark.parametrize("command", ["rename", "hide", "show", "remove"])
@pytest.mark.parametrize(
    ("run_id", "message"),
    [
        (5, "run_id must be that of a kept run, got 5; it may have been removed meanwhile."),
        pytest.param(
            10**5000,
            "run_id must be that of a kept run, got one of type int; it may have been removed meanwhile.",
            id="an int of 5,000 digits",
        ),
        *[(wrong, "A message that names no run was ignored.") for wrong in ("4", 4.0, True, None, [4], {})],
    ],
)
def test_a_run_that_is_not_there_is_refused_in_words(command: str, run_id: Any, message: str) -> None:
    """Nothing is changed, and the browser gets its answer."""
    target = Target()
    target.screen.runs.add(LRRecords([1e-3], [1.0]), {}, "first", run_id=4)
    receive(target, {"command": command, "run_id": run_id, "value": "name", "serial": "7"})
    assert (target.done, target.said, target.sent) == ([], [("warning", message)], [{"done": "7"}])
    assert target.screen.runs.names == ("first",)


@pytest.mark.parametrize("value", [3, None, ["a"], {"a": 1}, True])
def test_a_name_that_is_no_text_is_refused(value: Any) -> None:
    """The run keeps its name."""
    target = Target()
    target.screen.runs.add(LRRecords([1e-3], [1.0]), {}, "first", run_id=4)
    receive(target, {"command": "rename", "run_id": 4, "value": value})
    assert target.screen.runs.names == ("first",)
    assert [kind for kind, _ in target.said] == ["warning"]
    assert "name of a run must be a text" in target.said[0][1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2, 3], "a part of the chart has four limits, got [1, 2, 3]"),
        ("all", "a part of the chart has four limits, got 'all'"),
        ({}, "a part of the chart has four limits, got {}"),
        (0, "a part of the chart has four limits, got 0"),
        ([1, 2, 3, "4"], "a limit of the chart must be a number, got '4' of type str"),
        ([1, 2, 3, None], "a limit of the chart must be a number, got None of type NoneType"),
        ([1, True, 3, 4], "a limit of the chart must be a number, got True of type bool"),
        ([1, 2, 3, float("nan")], "a limit of the chart must be finite, got nan"),
        ([1, 10**400, 3, 4], "a limit of the chart must be finite, got 1000"),
    ],
)
def test_a_window_that_is_none_is_refused_in_words(value: Any, message: str) -> None:
    """The chart stays as it is."""
    target = Target()
    receive(target, {"command": "zoom", "value": value})
    [(kind, text)] = target.said
    assert (target.done, kind) == ([], "warning")
    assert text.lower().startswith(message.lower())


def test_a_table_is_sent_when_it_is_asked_for() -> None:
    """After the answer, in a message of its own."""
    target = Target()
    receive(target, {"command": "csv", "serial": "7"})
    assert (target.done, target.sent) == ([("csv",)], [{"done": "7"}, {"csv": "run,step"}])


@pytest.mark.parametrize(("action", "deeds"), [("start", [("start",)]), ("probe", [("probe",)]), ("none", [])])
def test_an_advice_is_taken(action: Any, deeds: list[Any]) -> None:
    """Its settings are changed, and what it says is done."""
    target = Target()
    target.screen.offered = {"Do it": Advice("Do it", {"num_steps": 300, "variable": "rate"}, action)}
    receive(target, {"command": "follow", "value": "Do it"})
    assert (target.num_steps, target.variable, target.done, target.said) == (300, "rate", deeds, [])


@pytest.mark.parametrize("label", ["Do nothing", "", None, 3, ["Wait"], {}])
def test_an_advice_that_is_not_offered_is_refused(label: Any) -> None:
    """A click that comes late changes nothing."""
    target = Target()
    receive(target, {"command": "follow", "value": label})
    assert target.said == [("warning", "This advice is not offered any more.")]
    assert (target.num_steps, target.done) == (100, [])


def test_before_a_number_of_the_users_is_overwritten_there_is_a_question() -> None:
    """Once, and only the answer yes overwrites it."""
    target = Target()
    target.error = OverwriteError("epochs", "10")
    receive(target, {"command": "copy"})
    asked = "epochs is 10 and was not written by this widget. Overwrite it?"
    assert target.screen.talk.question == {"text": asked, "yes": "Overwrite it"}
    target.error = None
    receive(target, {"command": "confirm"})
    receive(target, {"command": "confirm"})
    assert (target.done, target.screen.talk.question) == ([("overwrite",)], None)


def test_a_question_can_be_answered_with_no() -> None:
    """It goes, nothing is overwritten, and a second no says nothing more."""
    target = Target()
    target.variable, target.error = "epochs", OverwriteError("epochs", "10")
    receive(target, {"command": "copy"})
    receive(target, {"command": "dismiss"})
    no = {"kind": "info", "text": "epochs is as it was; type another name for the variable to copy the rate there."}
    assert (target.done, target.screen.talk.question, target.screen.talk.note) == ([], None, no)
    target.screen.talk.say("good", "Something else.")
    receive(target, {"command": "dismiss"})
    assert target.screen.talk.note["text"] == "Something else."


def test_on_colab_the_lock_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test blocks the only thread there, and its own messages need the lock."""
    monkeypatch.setattr(hosts, "_name", lambda: "colab")
    target = Target()
    receive(target, {"command": "start"})
    assert (target.done, target.is_locked) == ([("start",)], False)


@pytest.mark.parametrize(
    ("content", "answers"),
    [({"command": "eval", "serial": "7"}, [{"done": "7"}]), ({"command": "eval"}, []), ("start", []), (None, [])],
)
def test_a_wrong_message_gets_a_warning_and_an_answer(content: Any, answers: list[Any]) -> None:
    """A browser that waits for its serial number hears of it, and nothing is done."""
    target = Target()
    target.cells_thread.is_running = True
    receive(target, content)
    assert target.said == [("warning", "A message that this widget does not know was ignored.")]
    assert (target.done, target.sent) == ([], answers)


def test_a_refusal_is_a_warning_and_a_fault_is_an_exception() -> None:
    """Both are answered, so that no button stays grey."""
    target = Target()
    target.error = RuntimeError("a range test is running already")
    receive(target, {"command": "start", "serial": "1"})
    assert target.said == [("warning", "A range test is running already.")]
    target.error = ZeroDivisionError("a fault of ours")
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        receive(target, {"command": "start", "serial": "2"})
    assert target.sent == [{"done": "1"}, {"done": "2"}]


def test_a_setting_is_set_or_stays() -> None:
    """After a wrong value, the browser is sent the right one again; an empty pick has no value that could stay."""
    target = Target()
    receive(target, {"command": "set", "name": "num_steps", "value": "50"})
    assert (target.num_steps, target.said, target.sent) == (50, [], [])
    receive(target, {"command": "set", "name": "num_steps", "value": "many"})
    assert target.screen.talk.refused == "num_steps"
    receive(target, {"command": "set", "name": "selected_lr", "value": "best"})
    assert target.screen.talk.refused == "selected_lr"
    assert (target.num_steps, target.selected_lr) == (50, None)
    assert target.sent == ["num_steps", "selected_lr"]
    assert [kind for kind, _ in target.said] == ["warning", "warning"]
    assert [text.partition("; ")[2] for _, text in target.said] == [
        "type one like 100. It stays 50.",
        "type one like 3e-4.",
    ]


def test_commands_to_the_model_wait_for_the_cell_and_later_ones_wait_behind_them() -> None:
    """Before the first of them nothing waits, and Stop, Pause and Resume never do."""
    target = Target()
    target.cells_thread.is_running = True
    receive(target, {"command": "copy", "serial": "1"})
    receive(target, {"command": "start", "serial": "2"})
    receive(target, {"command": "copy", "serial": "3"})
    receive(target, {"command": "set", "name": "num_steps", "value": "50", "serial": "4"})
    receive(target, {"command": "stop", "serial": "5"})
    assert (target.done, target.num_steps) == ([("copy",), ("stop", None)], 100)
    assert target.sent == [{"done": "1"}, {"done": "5"}]
    target.cells_thread.end()
    assert (target.done[2:], target.num_steps) == ([("start",), ("copy",)], 50)
    assert target.sent[2:] == [{"done": "2"}, {"done": "3"}, {"done": "4"}]


@pytest.mark.parametrize("serial", [3, None, "", "a" * 1000, "\u0663", "\ud800", ["1"], {"done": "1"}, 10.0])
def test_only_a_number_as_a_page_makes_it_is_sent_back(serial: Any) -> None:
    """Whatever else a message says is not repeated to the page; the command is carried out all the same."""
    target = Target()
    receive(target, {"command": "copy", "serial": serial})
    assert (target.done, target.sent) == ([("copy",)], [] if serial != "" else [{"done": ""}])


def test_a_target_that_is_closed_meanwhile_does_nothing() -> None:
    """There is nobody left to answer, either."""
    target = Target()
    target.cells_thread.is_running = True
    receive(target, {"command": "start", "serial": "1"})
    target.is_open = False
    target.cells_thread.end()
    assert (target.done, target.said, target.sent) == ([], [], [])
