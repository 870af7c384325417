"""The page and the kernel work on after thousands of messages and clicks that nobody means well by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .lab import Notebook
from .test_jupyterlab import SETUP, show

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

FAST = SETUP.replace("= 0.3, None", "= 0.0005, None").replace(
    "parts = [model.state_dict(), optimizer.state_dict(), torch.get_rng_state().tolist()]",
    "parts = [model.state_dict(), optimizer.state_dict()['state']]",  # Apply, which may be clicked, sets a rate
)

# What comes after the door that bounds texts from outside, as if that were open.
TO_THE_PAGE = """
import json, random
from itertools import chain, repeat

chance = random.Random(0)
PIECES = ["x", "1", "<img src=x onerror=alert(1)>", "1e-5 ", "\\n", "\\u202e", "\\u0000", "\\U0001f4a5", "1.", "e-", "&amp;", "'\\\\\\"`",
          "\\u0301", "]]>", "${}", "../", "=cmd|' /C calc'!A0,", "\\ufffe", "\\ud800"]

def text(size):
    piece = chance.choice(PIECES)
    return piece * (size // len(piece) + 1)

def spoiled(value, sizes):
    if isinstance(value, dict):
        return {key: spoiled(each, sizes) for key, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, sizes) for each in value]
    # The kind of a note, and other words of the protocol, come from the package alone.
    return text(next(sizes)) if isinstance(value, str) and value not in WORDS and chance.random() < 0.3 else value

WORDS = {"info", "good", "warning", "error", *widget.view_state["can"]}
WORDS |= {entry["kind"] for entry in widget.chart_state["legend"]}

def junk(depth=0):
    kind = chance.randrange(9 if depth < 4 else 6)
    simple = [None, True, -1, 10**400, 1e308, text(chance.randrange(200))]
    if kind < 6:
        return simple[kind]
    if kind == 6:
        return [junk(depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(["done", "csv", "command", "serial", text(5)]): junk(depth + 1) for _ in range(chance.randrange(4))}

def attack(count):
    for index in range(count):
        size = 10_000_000 if index in (7, 77) else 1_000_000 if index % 100 == 50 else chance.randrange(1, 2000)
        if index % 2:
            name = chance.choice(["progress", "view_state", "answer", "chart_state", "picture"])
            data = {"method": "update", "state": {name: spoiled(getattr(widget, name), chain([size], repeat(100)))}, "buffer_paths": []}
        else:
            content = junk() if size < 2000 else {chance.choice(["csv", "done", "else"]): text(size)}
            data = {"method": "custom", "content": content}
        data = json.loads(json.dumps(data).replace("\\\\ud800", "\\\\ufffd"))  # Jupyter itself cannot send it
        widget.comm.send(data)
    widget.send_state()
    return count
"""

# In a function of `id`, a widget's: its way to the kernel.
COMM = """[...window.jupyterapp.shell.currentWidget.sessionContext.session.kernel._comms.values()]
        .find(comm => comm.commId === id)"""

# In each message one thing is wrong, or all.
TO_THE_KERNEL = (
    f"async ({{ id, count }}) => {{ const comm = {COMM};"
    + """
    let seed = 1;
    const chance = below => (seed = (seed * 48271) % 2147483647) % below;
    const commands = ['start', 'stop', 'pause', 'set', 'probe', 'copy', 'apply', 'zoom', 'follow', 'confirm', 'dismiss',
        'rename', 'hide', 'show', 'remove', 'csv', 'draw', 'eval', '__class__', 'close'];
    const names = ['start_lr', 'num_steps', 'repeats', 'train_steps', 'smoothing', 'variable', 'rule', 'selected_lr',
        'loss_scale', 'loss_min', 'suggest_from', 'records', '__init__', '_esm', 'status'];
    const values = [null, '', 'x'.repeat(100000), '9'.repeat(5000), -1, 1e308, [], {}, [[[[]]]], '<b>', '\\ud800', true,
        '1e-3; import os', [1, 2, 3, 4, 5], [0, 0, 0, 0], { a: { b: 1 } }, 'nan', '-inf', '__import__("os")', 0.1 + 0.2];
    const of = list => list[chance(list.length)];
    for (let index = 0; index < count; index++) {
        const content = index % 5 === 0 ? of(values)
            : { command: index % 7 === 0 ? of(values) : of(commands.slice(1)), run_id: of(values), name: of(names),
                value: of(values), serial: of(values) };
        const data = index % 11 === 0 ? { method: of(['update', 'request_state']), state: { [of(names)]: of(values) } }
            : { method: 'custom', content };
        comm.send(data);
        if (index % 50 === 0) {
            await new Promise(resolve => setTimeout(resolve));
        }
    }
}"""
)

# JupyterLab sends messages to a widget on a way of their own, on which they come later than a cell that was run after them.
THE_LAST = (
    f"id => {COMM}.send({{ method: 'custom', content: {{ command: 'set', name: 'variable', value: 'the_last' }} }})"
)

# What a cat on the keyboard does.
CLICKS = """async count => {
    let seed = 7;
    const chance = below => (seed = (seed * 48271) % 2147483647) % below;
    const of = list => list[chance(list.length)];
    const keys = ['Enter', 'Escape', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'PageUp', 'Home', 'End', 'Tab', ' ', 'a', 'Delete'];
    const texts = ['', '1e-5', '0.5', 'abc', '-1', '9'.repeat(400), '50', '1e400', 'model', 'x = 1', '<b>', '1,000', '1.0.0', '\\ud800'];
    const root = document.querySelector('.lrw');
    for (let index = 0; index < count; index++) {
        const parts = [...root.querySelectorAll('button, input, select, summary, .lrw-plot, .lrw-plot, .lrw-plot')]
            .filter(part => part.checkVisibility());
        const part = of(parts);
        const box = part.getBoundingClientRect();
        const at = () => ({ clientX: box.left + chance(1000) / 1000 * box.width, clientY: box.top + chance(1000) / 1000 * box.height,
            bubbles: true, cancelable: true, pointerId: 1, isPrimary: true, button: 0, buttons: 1, pointerType: 'mouse' });
        const kind = chance(6);
        if (part.matches('input[type=text]') && kind < 3) {
            part.focus();
            part.value = of(texts);
            part.dispatchEvent(new InputEvent('input', { bubbles: true }));
            part.dispatchEvent(new Event('change', { bubbles: true }));
        } else if (part.matches('input[type=range]') && kind < 3) {
            part.value = String(Number(part.min) + chance(100) / 100 * (part.max - part.min));
            part.dispatchEvent(new InputEvent('input', { bubbles: true }));
            part.dispatchEvent(new Event('change', { bubbles: true }));
        } else if (part.matches('select') && kind < 4) {
            part.selectedIndex = chance(part.options.length);
            part.dispatchEvent(new Event('change', { bubbles: true }));
        } else if (kind < 3) {
            part.focus();
            part.dispatchEvent(new KeyboardEvent('keydown', { key: of(keys), bubbles: true, cancelable: true }));
        } else if (part.matches('.lrw-plot')) {
            part.dispatchEvent(new PointerEvent('pointerdown', at()));
            part.dispatchEvent(new PointerEvent('pointermove', at()));
            part.dispatchEvent(new PointerEvent(chance(9) ? 'pointerup' : 'pointercancel', at()));
            part.dispatchEvent(new MouseEvent(chance(9) ? 'click' : 'dblclick', at()));
        } else if (!['png', 'svg', 'csv'].includes(part.dataset.ref) || index < 300) { // files pile up
            part.click();
        }
        if (index % 10 === 0) {
            await new Promise(resolve => setTimeout(resolve, 2));
        }
    }
}"""


# Jupyter tells of an exception in a message's handler in its log, if at all.
COUNT_FAULTS = """
import logging, traceback

faults = []

class _Faults(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.ERROR:
            faults.append(record.getMessage())

logging.getLogger().addHandler(_Faults())
logging.getLogger("Comm").addHandler(_Faults())
get_ipython().log.addHandler(_Faults())
get_ipython().showtraceback = lambda *arguments, **keywords: faults.append(traceback.format_exc())
"""


def watched(open_notebook: Open, *more: str) -> tuple[Notebook, list[str]]:
    """Show a widget with one finished run, and collect the page's errors."""
    notebook = show(open_notebook, *more, setup=FAST + COUNT_FAULTS)
    errors: list[str] = []
    notebook.page.on("pageerror", lambda error: errors.append(str(error)))
    notebook.page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    return notebook, errors


def assert_works(notebook: Notebook, errors: list[str]) -> None:
    """Wait until the page is idle, run a test to its end, and compare the model bit for bit."""
    notebook.wait_for(
        """() => {
            window.idle ??= new Promise(resolve => requestIdleCallback(() => resolve(true)));
            return window.idle;
        }"""
    )
    notebook.page.evaluate(THE_LAST, notebook.ask("widget.model_id"))
    is_quiet = "widget.variable == 'the_last' and widget.runner.current is None and not widget.cells_thread.has_waiting"
    quiet_times = 0
    while quiet_times < 3:  # what waited for the kernel has its turn in between
        is_at_rest = notebook.ask(f"(widget.stop(), widget.wait(60)) and {is_quiet}") == "True"
        quiet_times = quiet_times + 1 if is_at_rest else 0
        notebook.page.wait_for_timeout(200)
    # The end first goes where any start lies below it.
    settings = (
        "[setattr(widget, name, value) for name, value in (('end_lr', 1e9), ('start_lr', 1e-6), ('end_lr', 10.0), "
        "('num_steps', 97), ('repeats', 1), ('smoothing', 0.9), ('loss_min', None), ('loss_max', None))]"
    )
    assert notebook.ask(settings) == str([None] * 8)
    assert notebook.ask("widget.start() or widget.wait(60)") == "True"
    assert (
        notebook.ask("len(widget.records) > 50 and widget.records.stop_reason in ('completed', 'diverged')") == "True"
    )
    assert notebook.ask("fingerprint() == before") == "True"
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=progressText]').textContent.includes('/ 97')")
    assert notebook.page.locator(".lrw img:not([src^=data])").count() == 0
    assert not errors
    assert notebook.ask("faults[:3]") == "[]"


def test_two_thousand_hostile_messages_from_the_kernel_leave_the_page_idle(open_notebook: Open) -> None:
    """Texts of up to 10 MB and messages of any form neither stop the page nor are taken for HTML."""
    notebook, errors = watched(open_notebook, TO_THE_PAGE)
    notebook.run_cell(2)
    assert notebook.ask("attack(2000)") == "2000"
    assert_works(notebook, errors)


def test_two_thousand_wrong_messages_from_the_page_leave_the_kernel_at_work(open_notebook: Open) -> None:
    """Each is ignored with a message: none raises in the kernel, and none is carried out that is not allowed."""
    notebook, errors = watched(open_notebook)
    notebook.page.evaluate(TO_THE_KERNEL, {"id": notebook.ask("widget.model_id"), "count": 2000})
    assert notebook.ask("widget.is_open") == "True"
    assert_works(notebook, errors)


def test_three_thousand_clicks_and_keys_leave_the_widget_at_work(open_notebook: Open) -> None:
    """Wherever they go, and in whatever order."""
    notebook, errors = watched(open_notebook)
    notebook.page.evaluate(CLICKS, 3000)
    assert_works(notebook, errors)
