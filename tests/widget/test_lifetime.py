"""Nothing is left of a widget that is closed, and no model of one whose cell was run again: in a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .kernel.live_kernel import LiveKernel

SETUP = """
import gc, json, threading, weakref
import torch
from IPython.display import display
from ipywidgets.widgets import widget as registry
from torch import nn
from lr_widget import LRFinderWidget

torch.set_num_threads(1)
refs = []

def make(loss_fn=nn.functional.cross_entropy, **keywords):
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs = torch.randn(32, 4)
    data = (inputs, (inputs.sum(1) > 0).long())
    widget = LRFinderWidget(model, optimizer, loss_fn, data, **{"num_steps": 10, "end_lr": 1e-2, **keywords})
    refs.append([weakref.ref(widget), weakref.ref(model), weakref.ref(optimizer)])
    return widget

gc.collect()
gc.freeze()  # what is loaded so far need not be looked through again and again

def registered():
    return registry._instances if hasattr(registry, "_instances") else registry.Widget.widgets  # in ipywidgets 7

def listeners():
    events = get_ipython().events.callbacks
    return sum(map(len, events.values()))

def left():
    gc.collect()
    alive = [sum(entry[kind]() is not None for entry in refs) for kind in range(3)]
    print(json.dumps({
        "widgets": alive[0], "models": alive[1], "optimizers": alive[2],
        "registered": len(registered()), "comms": len(get_ipython().kernel.comm_manager.comms),
        "threads": sum(thread.name.startswith("lr_widget") for thread in threading.enumerate()),
        "classes": len(LRFinderWidget.__subclasses__()), "listeners": listeners(),
    }))
"""

# Each ends in a closed widget that nobody refers to.
ENDINGS = {
    "it was never shown": "make().close()",
    "it never ran": "w = make(); display(w); w.close()",
    "it ran in the cell": "w = make(); display(w); w.run(); w.close()",
    "it ran in the background": "w = make(); display(w); w.start(); w.wait(); w.close()",
    "it ran twice": "w = make(); display(w); w.run(); w.run(); w.close()",
    "it was closed while it ran": "w = make(num_steps=1000); display(w); w.start(); w.close()",
    "it was closed in a pause": "w = make(num_steps=1000); display(w); w.start(); w.pause(); w.close()",
    "it probed": "w = make(max_probe_steps=48); display(w); w.run(); w.selected_lr = 1e-3; w.probe(); w.close()",
    "it changed": "w = make(); display(w); w.run(); w.smoothing = 0.5; w.variable = 'x'; w.selected_lr = 0.1; w.close()",
    "it failed": "w = make(loss_fn=lambda o, t: 1 / 0); display(w); w.start(); w.wait(); w.close()",
    "it was closed twice": "w = make(); display(w); w.close(); w.close()",
    "it was shown afterwards": "w = make(); display(w); w.run(); w.close(); display(w)",
    "somebody observed it": "w = make(); w.observe(lambda change, w=w: w.records, 'records'); w.run(); w.close()",
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKernel]:
    """A kernel in which the model and its widget are made by `make`."""
    started = LiveKernel(tmp_path_factory.mktemp("ipython"))
    assert started.run(SETUP) == ""
    yield started
    started.close()


def left(kernel: LiveKernel) -> dict[str, Any]:
    """What is left in the kernel after a collection of garbage."""
    found: dict[str, Any] = json.loads(kernel.run("left()"))
    return found


@pytest.fixture
def before(kernel: LiveKernel) -> dict[str, Any]:
    """What is there before a test."""
    kernel.run("registry.Widget.close_all(); refs.clear(); w = None")
    return left(kernel)


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_of_a_closed_widget(kernel: LiveKernel, before: dict[str, Any], ending: str) -> None:
    """No model, no widget or part of one in any registry, no channel, thread, listener or class."""
    printed = kernel.run(f"for _ in range(2):\n    {ENDINGS[ending]}\nw = None")
    assert "Traceback" not in printed
    assert left(kernel) == before


def test_fifty_closed_widgets_leave_nothing(kernel: LiveKernel, before: dict[str, Any]) -> None:
    """As many as a long afternoon has."""
    assert kernel.run(f"for _ in range(50):\n    {ENDINGS['it ran in the background']}\nw = None") == ""
    assert left(kernel) == before


def test_a_closed_widget_that_is_still_referred_to_holds_no_model(kernel: LiveKernel, before: dict[str, Any]) -> None:
    """IPython keeps the result of every cell; what the runs have shown is there as before."""
    for _ in range(3):
        kernel.run("w = make(); w.run(); w.close(); w")
    found = left(kernel)
    assert (found["models"], found["optimizers"], found["registered"]) == (0, 0, before["registered"])
    assert kernel.run("print(len(w.records), w.suggestion.rule, len(w.history))").split() == ["10", "auto", "1"]


def test_a_closed_widget_says_that_it_is_closed(kernel: LiveKernel) -> None:
    """It cannot run any more."""
    for action in ("run", "start", "probe", "start_probe", "apply"):
        printed = kernel.run(f"w = make(); w.selected_lr = 0.1; w.close()\nw.{action}()")
        assert "closed" in printed.splitlines()[-1], action


@pytest.mark.parametrize(
    ("code", "runs"),
    [
        ("make()", 50),
        ("w = make()\nw", 5),
        ("w = make()\ndisplay(w)\nw.run()", 5),
        ("for _ in 1, 2:\n  display(make())", 5),
    ],
)
def test_many_runs_of_a_cell_leave_the_models_of_the_last_one(
    kernel: LiveKernel, before: dict[str, Any], code: str, runs: int
) -> None:
    """The page has removed the earlier views; nothing else is left of them either."""
    kernel.run(code, cell="one")
    once = left(kernel)
    for _ in range(runs - 1):
        kernel.run(code, cell="one")
    assert left(kernel) | {"widgets": 0, "classes": 0} == once | {"widgets": 0, "classes": 0}
    assert once["models"] == code.count("1, 2") + 1


def test_a_widget_that_a_variable_refers_to_outlives_its_cell(kernel: LiveKernel, before: dict[str, Any]) -> None:
    """It may be shown again, and run."""
    kernel.run("w = make()\nw", cell="one")
    kernel.run("kept = w")
    kernel.run("w = make()\nw", cell="one")
    assert kernel.run("print(len(kept.run()))").split() == ["10"]
    kernel.run("kept.close(); kept = None")
    assert left(kernel)["models"] == 1
