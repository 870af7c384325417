"""A run in a cell of a real kernel hears its own widget, and everything else waits for the end of the cell."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from lr_widget.widget.kernel import Inbox, hosts

from .live_kernel import LiveKernel

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels

SETUP = """
import time, torch, ipywidgets
from torch import nn
from lr_widget import LRFinderWidget
torch.set_num_threads(1)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs = torch.randn(64, 4)
targets = (inputs.sum(1) > 0).long()
def loss_fn(outputs, targets):
    time.sleep(0.1)
    return nn.functional.cross_entropy(outputs, targets)
widget = LRFinderWidget(model, optimizer, loss_fn, (inputs, targets), dataloader_options={"batch_size": 16})
slider, seen = ipywidgets.IntSlider(), []
slider.observe(lambda change: seen.append(widget.status), "value")
print(widget.model_id, slider.model_id)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKernel]:
    """A kernel with a slow widget and a slider."""
    kernel = LiveKernel(tmp_path_factory.mktemp("ipython"))
    yield kernel
    kernel.close()


@pytest.fixture
def ids(kernel: LiveKernel) -> list[str]:
    """The widget's and the slider's comm."""
    return kernel.run(SETUP).split()


def is_at_step(number: int) -> Any:
    """Return a condition for the message that shows this step, or a later one."""

    def shows(message: dict[str, Any]) -> bool:
        state = message["content"].get("data", {}).get("state", {}) if message["msg_type"] == "comm_msg" else {}
        return bool(state.get("progress", {}).get("step", 0) >= number)

    return shows


def test_stop_is_heard_in_the_cell_and_everything_else_waits_for_its_end(kernel: LiveKernel, ids: list[str]) -> None:
    """The next cell and the slider of the same notebook come after it, in their order, and none is lost."""
    widget, slider = ids
    cell = kernel.begin("records = widget.run(); print(len(records), records.stop_reason, seen)")
    kernel.wait_for(is_at_step(5))
    kernel.send(slider, {"method": "update", "state": {"value": 7}, "buffer_paths": []})
    later = [kernel.begin("print('second', len(widget.history))"), kernel.begin("print('third', seen, slider.value)")]
    stop = kernel.click(widget, command="stop", run_id=1)
    steps, reason, heard = kernel.end(cell).split()
    assert (reason, heard) == ("stopped", "[]")
    assert 5 <= int(steps) < 100  # of 100: a busy machine may let some go by before it delivers the click
    assert [kernel.end(each).strip() for each in later] == ["second 1", "third ['finished'] 7"]
    assert kernel.states(stop) == ["busy", "idle"]
    assert kernel.states(cell) == ["busy", "busy", "idle"]  # the page does not take the cell for ended meanwhile


def test_a_paused_run_in_a_cell_hears_resume(kernel: LiveKernel, ids: list[str]) -> None:
    """And goes on; a Stop for another run is not for it, and what is printed afterwards belongs to the cell."""
    widget, _ = ids
    cell = kernel.begin("records = widget.run(); print(records.stop_reason)")
    kernel.wait_for(is_at_step(3))
    kernel.click(widget, command="pause", run_id=1)
    kernel.wait_for(lambda message: "Paused." in str(message["content"]))
    kernel.click(widget, command="resume", run_id=1)
    kernel.click(widget, command="stop", run_id=7)  # of another run
    kernel.wait_for(lambda message: "Running again." in str(message["content"]))
    kernel.click(widget, command="stop", run_id=1)
    assert kernel.end(cell) == "stopped\n"


def test_a_message_with_a_wrong_signature_is_dropped(kernel: LiveKernel, ids: list[str]) -> None:
    """As the kernel itself drops it."""
    widget, _ = ids
    cell = kernel.begin("records = widget.run(); print(records.stop_reason, len(records) > 6)")
    kernel.wait_for(is_at_step(2))
    kernel.send(widget, {"method": "custom", "content": {"command": "stop", "run_id": 1}}, is_signed=False)
    kernel.wait_for(is_at_step(8))
    kernel.click(widget, command="stop", run_id=1)
    assert kernel.end(cell) == "stopped True\n"


def test_an_interrupt_while_messages_wait_loses_none_of_them(kernel: LiveKernel, ids: list[str]) -> None:
    """A Ctrl-C that comes while one is handled waits for the others: the cell behind it and all later ones run."""
    widget, slider = ids
    kernel.run("import os, signal; widget.observe(lambda change: os.kill(os.getpid(), signal.SIGINT), 'smoothing')")
    cell = kernel.begin("records = widget.run(); print(records.stop_reason)")
    kernel.wait_for(is_at_step(3))
    kernel.click(widget, command="set", name="smoothing", value=0.5)
    kernel.send(slider, {"method": "update", "state": {"value": 7}, "buffer_paths": []})
    later = kernel.begin("print('second')")
    assert kernel.end(cell).strip() == "interrupted"
    assert kernel.end(later).strip() == "second"
    assert kernel.run("print(slider.value)").strip() == "7"


def test_a_widget_that_is_closed_in_its_own_run_leaves_the_messages_to_the_kernel(
    kernel: LiveKernel, ids: list[str]
) -> None:
    """The run ends without an error, and what waits for others arrives."""
    widget, slider = ids
    kernel.run("widget.observe(lambda change: widget.close(), 'repeats')")
    cell = kernel.begin("records = widget.run(); print(records.stop_reason)")
    kernel.wait_for(is_at_step(3))
    kernel.click(widget, command="set", name="repeats", value=2)
    kernel.send(slider, {"method": "update", "state": {"value": 7}, "buffer_paths": []})
    assert kernel.end(cell).strip() == "stopped"
    assert kernel.run("print(slider.value)").strip() == "7"


def test_a_click_in_a_run_is_no_end_of_the_cell(kernel: LiveKernel, ids: list[str]) -> None:
    """Hooks that IPython calls after a cell, such as the one that closes figures, are not called for it."""
    widget, _ = ids
    kernel.run("ends = []; get_ipython().events.register('post_execute', lambda: ends.append(widget.status))")
    cell = kernel.begin("del ends[:]; records = widget.run(); print(records.stop_reason, ends)")
    kernel.wait_for(is_at_step(3))
    kernel.click(widget, command="stop", run_id=1)
    assert kernel.end(cell).strip() == "stopped []"


class Stream:
    """A stream of a kernel with some messages that wait, and a note of those that it got back."""

    def __init__(self, *waiting: list[zmq.Frame]) -> None:
        self.waiting = list(waiting)
        self.got_back: list[list[zmq.Frame]] = []
        self.socket = self

    def getsockopt(self, option: int) -> int:
        assert option == zmq.EVENTS
        return zmq.POLLOUT | (zmq.POLLIN if self.waiting else 0)

    def recv_multipart(self, flags: int, copy: bool) -> list[zmq.Frame]:
        assert (flags, copy) == (zmq.NOBLOCK, False)
        return self.waiting.pop(0)

    def _recv_callback(self, frames: list[zmq.Frame]) -> None:
        self.got_back.append(frames)

    def _run_callback(self, callback: Any, frames: list[zmq.Frame]) -> None:
        callback(frames)


def test_what_is_no_message_of_the_protocol_goes_the_kernels_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like ipykernel's note to itself after an error, which is one word, and like a message cut short."""
    notes = [[zmq.Frame(b"stop aborting")], [zmq.Frame(b"<IDS|MSG>"), zmq.Frame(b"signature")]]
    stream = Stream(*notes)
    kernel = SimpleNamespace(shell_stream=stream, session=Session(key=b"secret"))
    monkeypatch.setattr(hosts, "shell", lambda: SimpleNamespace(kernel=kernel, user_ns={}))
    read = Inbox(SimpleNamespace(comm=SimpleNamespace(comm_id="1"))).reader()
    assert read is not None
    read()
    assert stream.got_back == notes


@pytest.mark.parametrize(
    "kernel",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(shell_stream=object()),
        SimpleNamespace(shell_channel_thread=SimpleNamespace(manager=object())),
    ],
)
def test_an_unknown_kernel_cannot_be_read(monkeypatch: pytest.MonkeyPatch, kernel: Any) -> None:
    """Its runs are deaf, and say so."""
    monkeypatch.setattr(hosts, "shell", lambda: SimpleNamespace(kernel=kernel, user_ns={}))
    assert Inbox(SimpleNamespace(comm=None)).reader() is None
