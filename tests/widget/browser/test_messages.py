"""Messages of the browser are parsed into commands, and typed texts into values."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_widget.widget.browser.messages import (
    COMMANDS,
    OF_A_RUN,
    SETTINGS,
    Command,
    CommandName,
    parse,
    read_value,
    read_window,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
TEXTS = ("variable", "rule", "train_schedule", "loss_scale", "suggest_from")
COUNTS = ("num_steps", "repeats", "max_probe_steps", "train_steps")


@pytest.mark.parametrize(
    ("content", "command"),
    [
        ({"command": "start"}, Command("start")),
        ({"command": "stop", "run_id": 3, "serial": "7"}, Command("stop", 3)),
        ({"command": "set", "name": "rule", "value": "auto"}, Command("set", None, "rule", "auto")),
        ({"command": "set", "name": "selected_lr", "value": None}, Command("set", None, "selected_lr", None)),
        ({"command": "apply", "unknown": [1]}, Command("apply")),
        ({"command": "rename", "run_id": -3, "value": "a"}, Command("rename", -3, value="a")),
        ({"command": "follow", "value": "Wait"}, Command("follow", value="Wait")),
        ({"command": "zoom", "value": [1, 2, 3, 4]}, Command("zoom", value=[1, 2, 3, 4])),
    ],
)
def test_a_message_becomes_a_command(content: dict[str, Any], command: Command) -> None:
    """Keys that belong to no command are left out."""
    assert parse(content) == command


@pytest.mark.parametrize("run_id", ["3", 3.0, True, None, [3], {}])
def test_a_run_id_that_is_no_integer_is_none(run_id: Any) -> None:
    """The command is then meant for the run in progress."""
    assert parse({"command": "pause", "run_id": run_id}).run_id is None


@pytest.mark.parametrize("content", [None, "start", 3, [], {}, {"command": "eval"}, {"command": ["start"]}])
def test_a_message_without_a_known_command_is_refused(content: Any) -> None:
    """Nothing in it is read further."""
    with pytest.raises(ValueError, match=r"^a message that this widget does not know was ignored$"):
        parse(content)


@pytest.mark.parametrize("name", ["status", "figure", "_esm", "", 3, None, ["rule"]])
def test_only_settings_can_be_set(name: Any) -> None:
    """The message names the setting that does not exist."""
    with pytest.raises(ValueError, match="is no setting of this widget; the message was ignored") as raised:
        parse({"command": "set", "name": name, "value": 1})
    assert str(raised.value).startswith(repr(name))


@given(
    JSON
    | st.fixed_dictionaries(
        {"command": st.sampled_from(COMMANDS) | JSON},
        optional={"name": st.sampled_from(SETTINGS) | JSON, "value": JSON, "run_id": JSON, "serial": JSON},
    )
)
def test_any_message_is_a_command_or_a_value_error(content: Any) -> None:
    """No JSON raises another exception."""
    try:
        command = parse(content)
    except ValueError:
        return
    assert command.command in get_args(CommandName)
    assert command.command != "set" or command.name in SETTINGS
    assert command.run_id is None or type(command.run_id) is int
    assert command.run_id is not None or command.command not in OF_A_RUN


def test_commands_either_touch_the_model_or_steer_or_do_neither() -> None:
    """Four wait for the cell, as an advice may run, three go to the run in progress, and the others set or read."""
    touching = [name for name in get_args(CommandName) if Command(name).touches_model]
    assert touching == ["start", "probe", "apply", "follow"]
    assert [name for name in get_args(CommandName) if Command(name).steers] == ["stop", "pause", "resume"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("num_steps", "100", 100),
        ("num_steps", " 42 ", 42),
        ("num_steps", "100.0", 100),
        ("num_steps", "1e2", 100),
        ("num_steps", 100.0, 100),
        ("num_steps", 100, 100),
        ("num_steps", 2.5, 2.5),  # for the trait to refuse
        ("repeats", 3.0, 3),
        ("train_steps", "5000", 5000),
        ("train_steps", "5,000", 5000),
        ("train_steps", "1,234,567", 1234567),
        ("train_steps", "5.000", 5000),
        ("train_steps", "5 000", 5000),
        ("train_steps", "5\N{NO-BREAK SPACE}000", 5000),
        ("train_steps", "5'000", 5000),
        ("train_steps", "5_000", 5000),
        ("train_steps", "5e3", 5000),
        ("train_steps", "5.5e3", 5500),
        ("train_steps", 5e3, 5000),
        ("train_steps", "-5,000", -5000),  # for the trait to refuse
        ("train_steps", "", None),
        ("train_steps", "  ", None),
        ("train_steps", None, None),
        ("num_steps", "1,000", 1000),
        ("start_lr", "1.000", 1.0),
        ("start_lr", "1,000", 1.0),
        ("train_schedule", " cosine ", "cosine"),
        ("smoothing", "0,5", 0.5),
        ("smoothing", 1.0, 1.0),
        ("start_lr", "2.5", 2.5),
        ("start_lr", " 3e-4 ", 3e-4),
        ("end_lr", "10", 10.0),
        ("selected_lr", "2e-3", 2e-3),
        ("selected_lr", "", None),
        ("selected_lr", "  ", None),
        ("selected_lr", None, None),
        ("loss_min", "", None),
        ("loss_max", "5", 5.0),
        ("loss_max", "-2,5", -2.5),
        ("loss_scale", " log ", "log"),
        ("suggest_from", "val_loss", "val_loss"),
        ("variable", " rate ", "rate"),
        ("variable", "", ""),  # for the trait to refuse
        ("rule", "steepest", "steepest"),
        ("rule", ["auto"], ["auto"]),  # for the trait to refuse
    ],
)
def test_a_typed_text_becomes_the_value_of_its_setting(name: str, value: Any, expected: Any) -> None:
    """Counts become integers, other numbers floats, names stay texts, and an empty pick is none."""
    read = read_value(name, value)
    assert (read, type(read)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_steps", "2.5", "num_steps must be a whole number, got '2.5'; type one like 100"),
        ("train_steps", "5,00", "train_steps must be a whole number, got '5,00'; type one like 5,000"),
        ("max_probe_steps", "0.300", "max_probe_steps must be a whole number, got '0.300'; type one like 300"),
        ("num_steps", "", "num_steps must be a whole number, got ''; type one like 100"),
        ("num_steps", "inf", "num_steps must be a whole number, got 'inf'; type one like 100"),
        ("repeats", "two", "repeats must be a whole number, got 'two'; type one like 1"),
        ("max_probe_steps", "nan", "max_probe_steps must be a whole number, got 'nan'; type one like 300"),
        ("train_steps", "long", "train_steps must be a whole number, got 'long'; type one like 5,000"),
        ("train_steps", "5,5", "train_steps must be a whole number, got '5,5'; type one like 5,000"),
        ("train_steps", "5,000.000", "train_steps must be a whole number, got '5,000.000'; type one like 5,000"),
        ("train_steps", "1e400", "train_steps must be a whole number, got '1e400'; type one like 5,000"),
        ("start_lr", "", "start_lr must be a number, got ''; type one like 3e-4"),
        ("end_lr", "nan", "end_lr must be a number, got 'nan'; type one like 3e-4"),
        ("end_lr", "0.5.1", "end_lr must be a number, got '0.5.1'; type one like 3e-4"),
        ("smoothing", "much", "smoothing must be a number, got 'much'; type one like 0.9"),
        ("selected_lr", "best", "selected_lr must be a number, got 'best'; type one like 3e-4"),
        ("loss_max", "high", "loss_max must be a number, got 'high'; type one like 5"),
    ],
)
def test_a_text_that_is_no_such_number_is_refused_with_an_example(name: str, value: str, message: str) -> None:
    """The message shows the text as it was typed."""
    with pytest.raises(ValueError, match="must be") as raised:
        read_value(name, value)
    assert str(raised.value) == message


@given(st.sampled_from(SETTINGS), JSON)
def test_any_value_is_read_or_a_value_error(name: str, value: Any) -> None:
    """No JSON raises another exception, and a text never becomes NaN."""
    try:
        read = read_value(name, value)
    except ValueError:
        return
    if isinstance(value, str) and name not in TEXTS and read is not None:
        assert type(read) is (int if name in COUNTS else float)
        assert not math.isnan(read)


@given(st.integers(-(10**15), 10**15))
def test_counts_do_not_depend_on_how_they_arrive(count: int) -> None:
    """JSON makes 100 of 100.0, and a person may type either."""
    for value in (count, float(count), str(count), f"{count:,}", f"{count}.0", json.loads(json.dumps(count))):
        assert read_value("num_steps", value) == count
        assert type(read_value("num_steps", value)) is int


def test_a_name_nested_too_deep_for_its_text_is_refused_like_any_other() -> None:
    """The message about it does not repeat it."""
    name: list[object] = []
    for _ in range(100_000):
        name = [name]
    with pytest.raises(ValueError, match="one of type list is no setting of this widget"):
        parse({"command": "set", "name": name})


def test_a_window_is_read_as_floats() -> None:
    """None is the whole chart; JSON makes integers of whole floats, and a tuple is as good as a list."""
    assert read_window(None) is None
    read = read_window([1, 10, 0.5, -2])
    assert read == (1.0, 10.0, 0.5, -2.0)
    assert read is not None
    assert {type(limit) for limit in read} == {float}


@given(JSON | st.lists(JSON, min_size=4, max_size=4))
def test_any_window_is_read_or_refused(value: Any) -> None:
    """No JSON raises another exception, and no limit is infinite or NaN."""
    try:
        read = read_window(value)
    except (ValueError, TypeError):
        return
    assert read is None or (len(read) == 4 and all(map(math.isfinite, read)))
