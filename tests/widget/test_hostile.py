"""Whatever a page sends, the widget takes it or refuses it in few words, and works afterwards."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import comm
import ipywidgets
import pytest
import torch
from comm.base_comm import BaseComm

from lr_widget import LRFinderWidget
from lr_widget.widget.browser.messages import COMMANDS, SETTINGS

from .helpers import Make, Training, click

NUM_MESSAGES = 100_000
MAX_BYTES = 60_000  # of a message that goes out, pictures included, and the front end's own code left out


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    inner: Any = 1
    for _ in range(depth):
        inner = [inner]
    return inner


SMALL: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 20, 0.5, 0.01, 1e-9, 1e308, -0.0, math.nan, math.inf, -math.inf, 2**63),
    *(10**9, 10**9 + 1, 10**30, 10**400, -(10**400), 10**5000),
    *(
        "",
        " ",
        "a",
        "lr",
        "0.01",
        "1e-3",
        "1e400",
        "-1e400",
        "1_000",
        "1,000",
        "1.000",
        "5 000",
        "nan",
        "inf",
        "1" * 400,
    ),
    *("٣", "0x10", "1e-400", "\x00", "\ud800", "\udc80x", "\u202egnp", "\x1b[31m", "<img src=x onerror=alert(1)>"),
    *(
        "print",
        "for",
        "_i1",
        "__import__('os')",
        "steepest",
        "probe",
        "log",
        "val_loss",
        "start",
        "constant",
        "'); drop",
    ),
    *(
        [],
        [[]],
        [0, 1],
        [1e-5, 1e-2, 0, 5],
        [1, 1, 1, 1],
        [None] * 4,
        [math.nan] * 4,
        [10**400] * 4,
        ["1"] * 4,
        nested(50),
    ),
    *([1e-3, 1e-5, 5, 0], [1e-300, 1e300, -1e300, 1e300], [1, 2, 3], [1] * 5),
    *({}, {"command": "start"}, {"a": {"b": []}}, {"\ud800": 1}),
]
LARGE: list[Any] = [
    "x" * 10**6,
    "\ud800" * 10**5,
    "9" * 10**5,
    "ﷺ" * 10**5,
    nested(900),
    [0] * 10**5,
    {"a": ["y" * 10**5]},
]


def value(source: random.Random) -> Any:
    """Draw a value; a large one now and then."""
    return source.choice(LARGE if source.random() < 0.002 else SMALL)


def content(source: random.Random, commands: Sequence[str]) -> Any:
    """Draw a message of the widget's own protocol, or one that is none."""
    kind = source.random()
    if kind < 0.05:
        return value(source)
    command = source.choice(commands) if kind < 0.95 else value(source)
    if command in ("start", "probe", "follow") and source.random() < 0.95:
        command = "set"  # or most of the time would go to runs
    message: dict[Any, Any] = {"command": command, "serial": value(source)}
    if source.random() < 0.8:
        message["name"] = source.choice(SETTINGS) if source.random() < 0.9 else value(source)
    if source.random() < 0.9:
        message["value"] = value(source)
    if source.random() < 0.7:
        message["run_id"] = value(source)
    if source.random() < 0.05:
        del message[source.choice(list(message))]
    return message


def data(source: random.Random, keys: Sequence[str], commands: Sequence[str]) -> dict[str, Any]:
    """Draw a message of ipywidgets."""
    kind = source.random()
    if kind < 0.85:
        return {"method": "custom", "content": content(source, commands)}
    if kind < 0.98:
        names = [source.choice(keys) for _ in range(source.randrange(4))]
        return {"method": "update", "state": {name: value(source) for name in names}, "buffer_paths": []}
    return {"method": source.choice(["request_state", "custom", "update"])}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the messages that a page gets, each of which could be sent."""
    if int(ipywidgets.__version__.split(".")[0]) < 8:
        pytest.skip("ipywidgets 7 has channels of its own")
    sizes: list[int] = []

    class Page(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            if msg_type == "comm_msg":
                state = {name: held for name, held in data.get("state", {}).items() if name not in ("_esm", "_css")}
                sizes.append(len(json.dumps({**data, "state": state}, ensure_ascii=False).encode()))

    monkeypatch.setattr(comm, "create_comm", Page)
    return sizes


@pytest.fixture
def attacked(page: list[int], make_widget: Make, training: Training) -> Iterator[LRFinderWidget]:
    """A widget after a run, on which everything will be tried."""
    widget = make_widget(num_steps=20, end_lr=0.1)
    widget.run()
    page.clear()
    yield widget
    widget.stop()
    assert widget.wait(30)


def weights(training: Training) -> list[Any]:
    """All that no message may change; a click on *Apply* may change the optimizer's rates."""
    return [
        [tensor.tolist() for tensor in training.model.state_dict().values()],
        repr(training.optimizer.state_dict()["state"]),
        [module.training for module in training.model.modules()],
        torch.get_rng_state().tolist(),
    ]


def receive(widget: LRFinderWidget, message: Any) -> None:
    """Give the widget a message as the kernel does."""
    widget._handle_msg({"content": {"comm_id": widget.comm.comm_id, "data": message}, "buffers": []})


def assert_works(widget: LRFinderWidget) -> None:
    """It takes ordinary clicks, and a run comes to its end."""
    click(widget, "stop")
    assert widget.wait(30)
    usual = {"loss_min": "", "loss_max": "", "loss_scale": "linear", "suggest_from": "loss", "rule": "auto"}
    usual |= {"start_lr": "1e-320", "end_lr": "1e-1", "num_steps": "20", "repeats": "1", "smoothing": "0.9"}
    for name, text in [*usual.items(), ("start_lr", "1e-6"), ("train_steps", ""), ("train_schedule", "constant")]:
        click(widget, "set", name=name, value=text)
    click(widget, "start")
    assert widget.wait(30)
    assert (widget.status, len(widget.records), widget.num_steps) == ("finished", 20, 20)
    assert widget.records.start_lr == 1e-6


def attack(widget: LRFinderWidget, source: random.Random, count: int, commands: Sequence[str]) -> None:
    """Send hostile messages."""
    keys = [*widget.keys, "nothing"]
    for _ in range(count):
        message = data(source, keys, commands)
        try:
            receive(widget, message)
        except KeyError:  # ipywidgets itself asks for the parts of an envelope
            assert "content" not in message
            assert "state" not in message


def test_a_hundred_thousand_hostile_messages_do_no_harm(
    attacked: LRFinderWidget, training: Training, page: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing raises, all that goes out is small and can be sent, and the model is bit for bit as before."""
    before = weights(training)
    source = random.Random(12)
    # Once asked for, pictures of the chart are sent, too: at the end, for they take their time.
    attack(attacked, source, NUM_MESSAGES - 200, [command for command in COMMANDS if command != "draw"])
    attack(attacked, source, 200, COMMANDS)
    assert_works(attacked)
    assert weights(training) == before
    assert max(page) < MAX_BYTES
    assert caplog.records == []  # ipywidgets writes there what a handler raises


class Hostile(Exception):
    """An exception whose every text raises, and whose notes are none."""

    __notes__ = 5  # type: ignore[assignment]

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (ValueError("no file \ud800\udc80\x00"), "ValueError: no file \ufffd\ufffd\ufffd"),
        (Hostile(), "Hostile: a Hostile that cannot be written as text"),
        (ValueError("x" * 10**6), "ValueError: " + "x" * 100),
        (ValueError("x\n" * 10**5), "ValueError: x\nx\n"),
        (KeyError(nested(900)), "KeyError: "),
    ],
    ids=["surrogates", "silent", "long", "high", "deep"],
)
def test_an_error_of_any_kind_ends_the_run_and_is_shown(
    page: list[int], make_widget: Make, training: Training, error: Exception, title: str
) -> None:
    """The page gets a few words, the widget says that it failed, and the next run works."""

    def fail(call: int) -> None:
        if call == 5:
            raise error

    before = weights(training)
    widget = make_widget(num_steps=20, end_lr=0.1)
    training.at_step = fail
    widget.start()
    assert widget.wait(30)
    assert widget.status == "failed"
    assert widget.view_state["failure"]["title"].startswith(title)
    assert "in fail" in widget.view_state["failure"]["traceback"]
    assert weights(training) == before
    assert max(page) < MAX_BYTES
    assert "The last run failed" in str(widget.screen.pages.stored()["text/html"])
    training.at_step = lambda call: None
    assert_works(widget)
