"""Every state that a real widget can be in, each made by a notebook's cell and, where it takes a hand, by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .lab import Notebook

# `make` gives a widget whose model learns; `gate` holds a run at a step, so that it stays there.
SETUP = """
import threading, time, torch
from torch import nn
from lr_widget import LRFinderWidget, range_test
from lr_widget.widget.browser import receive

torch.set_num_threads(1)
held_at, gate, widget = None, threading.Event(), None

def data(count=512):
    torch.manual_seed(1)
    inputs = torch.randn(count, 10)
    return inputs, (inputs.sum(1) + 0.5 * torch.randn(count) > 0).long()

def make(of=lambda loss: loss, batch_size=32, kind=torch.optim.Adam, variable="lr", **keywords):
    global widget, held_at
    gate.set()
    if widget is not None:
        widget.close()
    gate.clear()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    calls, held = 0, held_at
    held_at = None

    def loss_fn(outputs, targets):
        nonlocal calls
        calls += 1
        if held is not None and not gate.is_set():
            time.sleep(0.02)  # so that all but the last steps are shown
        if calls == held:
            gate.wait(600)
        return of(nn.functional.cross_entropy(outputs, targets))

    keywords = {"start_lr": 1e-6, "dataloader_options": {"batch_size": batch_size}, **keywords}
    widget = LRFinderWidget(model, kind(model.parameters()), loss_fn, data(), variable=variable, **keywords)
    return widget

def ran(*arguments, **keywords):
    make(*arguments, **keywords).run()
    return widget

def running(step, then=lambda: None, **keywords):
    global held_at
    held_at = step
    make(**keywords).start()
    while widget.runner.current.count < step - 1:
        time.sleep(0.02)
    then()
    return widget

def fail(text):
    def of(loss):
        raise RuntimeError(text)
    try:
        ran(of)
    except RuntimeError:
        pass
    return widget

def send(**command):
    receive(widget, command)
    return widget
"""

Hand = Callable[["Notebook"], None]


class State(NamedTuple):
    """A state of the widget.

    Attributes:
        name: as in the gallery.
        code: of the cell that shows it, after `SETUP`.
        hand: does on the page what the kernel cannot do.
    """

    name: str
    code: str
    hand: Hand | None = None


def _type(name: str, text: str) -> Hand:
    def hand(notebook: Notebook) -> None:
        notebook.ref(name).fill(text)
        notebook.ref(name).press("Enter")
        notebook.widget.locator(f'[data-ref="{name}"][aria-invalid="true"]').wait_for()

    return hand


def _ask(notebook: Notebook) -> None:
    notebook.ref("copy").click()
    notebook.ref("question").wait_for()


def _read_the_chart(notebook: Notebook) -> None:
    plot = notebook.widget.locator(".lrw-plot")
    plot.focus()
    plot.press("ArrowRight")
    notebook.widget.locator(".lrw-readout").wait_for()


def _compare_rules(notebook: Notebook) -> None:
    notebook.ref("compare").locator("summary").click()
    notebook.ref("rules").locator("button").first.wait_for()


def _read_the_traceback(notebook: Notebook) -> None:
    notebook.ref("failureDetails").locator("summary").click()


def _lose_the_kernel(notebook: Notebook) -> None:
    notebook.kill_kernel()


_LONG_NAME = "a_variable_with_a_long_name_that_says_all_about_the_learning_rate"
_SEVERAL = "[ran(batch_size=size).records for size in (16, 64, 256)]"
_KEPT = f"[widget.add(records, name=name) for records, name in zip({_SEVERAL}, ('a', 'b', 'c'))]"

STATES = (
    State("idle", "make()"),
    State("running", "running(62)"),
    State("running the first step", "running(1)"),
    State("paused", "running(40, lambda: (widget.pause(), gate.set(), time.sleep(0.3)))"),
    State("finished", "ran()"),
    State("finished with a training", "ran(train_steps=5000, train_schedule='cosine')"),
    State("picked", "ran(); widget.selected_lr = 3.25e-3\nwidget"),
    State("picked outside", "ran(); widget.selected_lr = 1e-9\nwidget"),
    State("rules", "ran()", _compare_rules),
    State("another rule", "ran(); widget.rule = 'steepest'\nwidget", _compare_rules),
    State("no suggestion", "ran(end_lr=1e-4)"),
    State("not a number", "ran(lambda loss: loss * float('nan'))"),
    State("stopped", "running(50, lambda: (widget.stop(), gate.set(), widget.wait()))"),
    State("failed", "fail('CUDA out of memory. Tried to allocate 2.00 GiB')", _read_the_traceback),
    State("failed with a long text", "fail('a long text ' * 100_000)"),
    State("asked", "epochs = 10; ran(variable='epochs')", _ask),
    State("wrong field", "make()", _type("start_lr", "abc")),
    State("probed", "ran(); widget.probe(); widget"),
    State("repeats", "ran(repeats=3)"),
    State("validation", "ran(val_data=data(128))"),
    State("read from the validation loss", "ran(val_data=data(128)); widget.suggest_from = 'val_loss'\nwidget"),
    State("two runs", "make(); widget.run(); widget.num_steps = 60; widget.run(); widget"),
    State(
        "many runs", f"kept = {_SEVERAL} * 3; make(); widget.run()\nfor records in kept: widget.add(records)\nwidget"
    ),
    State("a hidden run", "make(); widget.run(); widget.run(); send(command='hide', run_id=1)"),
    State("saved records", f"widget = LRFinderWidget.from_records({_SEVERAL}[-1])\nwidget"),
    State("zoomed", "ran(); send(command='zoom', value=[1e-4, 1e-1, 0.2, 0.7])"),
    State("read", "ran()", _read_the_chart),
    State("logarithmic loss", "ran(); widget.loss_scale, widget.loss_max = 'log', 5.0\nwidget"),
    State("linear sweep", "ran(schedule='linear', start_lr=1e-3, end_lr=0.5)"),
    State("half a decade", "ran(start_lr=1e-3, end_lr=3e-3)"),
    State("flat", "ran(lambda loss: loss * 0 + 0.1)"),
    State("offset", "ran(lambda loss: loss * 1e-2 + 123456)"),
    State("tiny losses", "ran(lambda loss: loss * 1e-6)"),
    State("negative losses", "ran(lambda loss: loss - 100)"),
    State("long", f"ran(num_steps=20_000, variable={_LONG_NAME!r}); widget.num_steps = 1_000_000\nwidget"),
    State("offline", "ran()", _lose_the_kernel),  # the last, as it ends the kernel
)


CELLS = [SETUP, *(state.code for state in STATES)]


def visit(notebook: Notebook, states: Sequence[State] = STATES) -> Iterator[State]:
    """Show one state after the other in a notebook of `CELLS`."""
    notebook.run_cell(0)
    for state in states:
        index = 1 + STATES.index(state)
        notebook.run_cell(index)
        notebook.widget.wait_for()
        notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
        if state.hand is not None:
            state.hand(notebook)
        yield state
        notebook.clear_output(index)
