"""The widget in a real JupyterLab, used as a person uses it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from .lab import Notebook

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

SETUP = """
import hashlib, time, torch
from torch import nn
from lr_widget import LRFinderWidget
from lr_widget.schedule import rate_text

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.BatchNorm1d(32), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters())
inputs = torch.randn(256, 10)
targets = (inputs.sum(1) > 0).long()
seconds_a_step, failing_step, calls = 0.3, None, 0

def loss_fn(outputs, targets):
    global calls
    calls += 1
    if calls == failing_step:
        raise RuntimeError("the user's <b>own</b> error")
    time.sleep(seconds_a_step)
    return nn.functional.cross_entropy(outputs, targets)

def fingerprint():
    parts = [model.state_dict(), optimizer.state_dict(), torch.get_rng_state().tolist()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()

torch.set_printoptions(profile="full", precision=12)
before = fingerprint()
widget = LRFinderWidget(
    model, optimizer, loss_fn, (inputs, targets), start_lr=1e-6, dataloader_options={"batch_size": 32}
)
"""

STEP_SHOWN = """least => {
    const text = document.querySelector('.lrw [data-ref=progressText]').textContent;
    return text.includes('left') && Number(text.split(' ')[1]) >= least;
}"""


CURVE_IN_ITS_CHART = """() => {
    const box = part => document.querySelector(`.lrw .bqplot ${part}`).getBoundingClientRect();
    const paths = [...document.querySelectorAll('.lrw .bqplot path.line')];
    const curve = paths.find(path => (path.getAttribute('d') ?? '').split('L').length > 50).getBoundingClientRect();
    const axis = box('.axis .domain');
    return [curve.left - axis.left, curve.right - axis.right, curve.top - axis.top];
}"""


def show(open_notebook: Open, *more: str, setup: str = SETUP, **options: object) -> Notebook:
    """Open a notebook with the widget shown by its second cell, and wait until the chart is drawn."""
    notebook = open_notebook([setup, "widget", *more], **options)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
    return notebook


def set_pace(notebook: Notebook, seconds_a_step: float) -> None:
    """Set the duration of a step; the slow default gives a busy machine time to act in the middle of a run."""
    notebook.ask(f"globals().update(seconds_a_step={seconds_a_step})")


def test_the_curve_grows_while_it_runs_and_the_rate_reaches_the_next_cell(open_notebook: Open) -> None:
    """Run, see the path grow, read the suggestion, run again, copy, and print the variable."""
    notebook = show(open_notebook, "print(lr)")
    notebook.ref("start").click()
    seen = []
    for step in (5, 10, 15):
        notebook.wait_for(STEP_SHOWN, step)
        seen.append(notebook.curve_points())
    assert 0 < seen[0] < seen[1] < seen[2]
    set_pace(notebook, 0.01)
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ask("fingerprint() == before") == "True"
    assert notebook.ref("suggested").inner_text() == notebook.ask("rate_text(widget.suggestion.lr)")
    assert notebook.ref("reason").inner_text() == notebook.ask("widget.suggestion.reason")

    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 5)
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ask("len(widget.history)") == "2"
    assert notebook.ask("(widget.history[0].lr == widget.history[1].lr).all()") == "True"

    notebook.ref("copy").click()
    notebook.wait_for_note("The notebook's variable lr is now")
    notebook.run_cell(2)
    notebook.output(2).wait_for()
    assert float(notebook.output(2).inner_text()) == float(notebook.ask("rate_text(widget.suggestion.lr)"))


def test_stop_in_the_middle_keeps_the_points_and_restores(open_notebook: Open) -> None:
    """Pause waits, Resume goes on, Stop ends the run where it is; the kernel answers in between."""
    notebook = show(open_notebook)
    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 10)
    notebook.ref("pause").click()
    notebook.wait_for_note("Paused.")
    paused_at = notebook.ask("widget.runner.current.count")
    assert notebook.ask("time.sleep(0.7) or widget.runner.current.count") == paused_at
    notebook.ref("pause").click()
    notebook.wait_for(STEP_SHOWN, int(paused_at) + 5)
    notebook.ref("stop").click()
    notebook.wait_for_note("Stopped at step")
    steps = int(notebook.ask("len(widget.records)"))
    assert int(paused_at) < steps < 100
    assert notebook.ask("widget.records.stop_reason + ' ' + widget.status") == "stopped finished"
    assert notebook.ask("fingerprint() == before") == "True"
    notebook.wait_for(
        """steps => [...document.querySelectorAll('.lrw .bqplot path.line')]
            .some(path => (path.getAttribute('d') ?? '').split('L').length === steps)""",
        steps,
    )
    assert notebook.ref("start").is_enabled()
    assert notebook.ref("stop").is_disabled()


def test_typed_values_and_sliders_reach_python_and_wrong_ones_do_not(open_notebook: Open) -> None:
    """Each control sets its trait; nonsense is refused in words, and the field shows the old value again."""
    notebook = show(open_notebook)

    def enter(ref: str, text: str) -> None:
        notebook.ref(ref).fill(text)
        notebook.ref(ref).press("Enter")

    enter("start_lr", "3e-4")
    enter("num_steps", "42")
    enter("variable", "rate")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=startSlider]').ariaValueText === '3e-4'")
    notebook.ref("endSlider").press("ArrowLeft")
    notebook.ref("smoothing").press("ArrowLeft")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=end_lr]').value === '8.9'")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=smoothingText]').textContent === '0.89'")
    values = "f'{widget.start_lr} {widget.end_lr} {widget.num_steps} {widget.smoothing} {widget.variable}'"
    assert notebook.ask(values) == "0.0003 8.9 42 0.89 rate"

    for wrong in ("abc", "-1", "0", "1e400", "", "9"):
        enter("start_lr", wrong)
        notebook.wait_for_note("It stays 3e-4.")
        notebook.wait_for("() => document.querySelector('.lrw [data-ref=start_lr]').value === '3e-4'")
        enter("start_lr", "3e-4")
        enter("num_steps", "1.5")
        notebook.wait_for_note("\"steps\" must be a whole number, got '1.5'; type one like 100")
    enter("variable", "for")
    notebook.wait_for_note("cannot be the Python keyword 'for'")
    assert notebook.ask("f'{widget.start_lr} {widget.num_steps} {widget.variable}'") == "0.0003 42 rate"

    box = notebook.ref("chart").bounding_box()
    assert box is not None
    notebook.ref("chart").click(position={"x": box["width"] / 2, "y": 80})
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=pick]').value !== ''")
    assert 3e-4 < float(notebook.ask("widget.selected_lr")) < 8.9


def test_an_error_of_the_users_code_is_shown_as_text(open_notebook: Open) -> None:
    """Message, step, what to do and the traceback are there; markup in the message stays text; Run works again."""
    notebook = show(open_notebook, setup=SETUP.replace("= 0.3, None", "= 0.01, 12"))
    notebook.ref("start").click()
    notebook.wait_for_note("The test failed")
    assert notebook.ref("failureTitle").inner_text() == "RuntimeError: the user's <b>own</b> error"
    assert "tep 12 of 100" in notebook.ref("failureWhere").inner_text()
    notebook.ref("failureDetails").locator("summary").click()
    assert "in loss_fn" in notebook.ref("failureTraceback").inner_text()
    assert notebook.ask("widget.status") == "failed"
    assert notebook.ask("fingerprint() == before") == "True"
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ref("failure").is_hidden()


def test_a_run_in_a_cell_is_live_and_both_ways_to_end_it_keep_the_curve(open_notebook: Open) -> None:
    """While the kernel is busy with run(), the chart grows; Stop and Jupyter's Interrupt end the test, not the cell."""
    cell = "records = widget.run(); time.sleep(1.5); print(records.stop_reason, len(records), fingerprint() == before)"
    notebook = show(open_notebook, cell, cell)
    notebook.run_cell(2)
    notebook.wait_for(STEP_SHOWN, 10)
    first = notebook.curve_points()
    notebook.wait_for(STEP_SHOWN, 15)
    assert notebook.curve_points() > first > 0
    notebook.ref("stop").dblclick()
    notebook.output(2).wait_for()
    reason, steps, is_restored = notebook.output(2).inner_text().split()
    assert (reason, is_restored) == ("stopped", "True")
    assert 15 <= int(steps) < 100

    notebook.run_cell(3)
    notebook.wait_for(STEP_SHOWN, 10)
    notebook.command("notebook:interrupt-kernel")
    notebook.output(3).wait_for()
    assert notebook.output(3).inner_text().split()[::2] == ["interrupted", "True"]
    notebook.wait_for_note("Interrupted at step")


def test_run_waits_for_the_cell_that_is_running(open_notebook: Open) -> None:
    """The cell may be training the same model; the widget says what it waits for, and runs when the cell has ended."""
    cell = """
for _ in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
    time.sleep(0.1)
before = fingerprint()
print(calls)
"""
    notebook = show(open_notebook, cell)
    set_pace(notebook, 0.01)
    notebook.ref("variable").fill("rate")
    notebook.ref("variable").press("Enter")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=variable]').dataset.shown === 'rate'")
    notebook.run_cell(2)
    notebook.wait_for("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    notebook.ref("start").click()
    notebook.wait_for_note("Waiting for the kernel: it is busy with a cell")
    notebook.output(2).wait_for()
    assert notebook.output(2).inner_text().strip() == "0"
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ask("fingerprint() == before") == "True"
    assert int(notebook.ask("calls")) > 50


def test_repeats_are_shaded_and_probes_are_dots(open_notebook: Open) -> None:
    """Three sweeps leave a band; probes leave a dot each and their outcome as the suggestion; the model is as before."""
    notebook = show(open_notebook)
    set_pace(notebook, 0.004)
    assert notebook.ref("probe").is_disabled()
    notebook.ref("repeats").fill("3")
    notebook.ref("repeats").press("Enter")
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ask("len(widget.records.repeats)") == "3"
    assert "sweep 3 / 3" in notebook.ref("progressText").inner_text()
    notebook.wait_for(
        """() => [...document.querySelectorAll('.lrw .bqplot path.area')]
            .some(area => (area.getAttribute('d') ?? '').split('L').length > 50)"""
    )
    notebook.ref("max_probe_steps").fill("80")
    notebook.ref("max_probe_steps").press("Enter")
    notebook.ref("probe").click()
    notebook.wait_for_note("Probed: ")
    assert notebook.ask("fingerprint() == before") == "True"
    assert 1 <= int(notebook.ask("widget.evidence.num_steps")) <= 80
    assert notebook.ref("suggested").inner_text() == notebook.ask("rate_text(widget.evidence.suggestion.lr)")
    assert (notebook.widget.locator(".lrw-chip[aria-pressed=true]").text_content() or "").startswith("probe ")
    runs = int(notebook.ask("len(widget.evidence.runs)"))
    notebook.wait_for("runs => document.querySelectorAll('.lrw .bqplot path.dot').length === runs", runs)


def test_a_reloaded_page_and_a_second_view_show_the_same(open_notebook: Open) -> None:
    """The state lives in Python: another view and a page loaded anew show it, and each can steer the run."""
    notebook = show(open_notebook, "widget")
    set_pace(notebook, 0.01)
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    suggested = notebook.ref("suggested").inner_text()
    notebook.run_cell(2)
    second = notebook.page.locator(".lrw").nth(1)
    second.locator(".bqplot path.line").first.wait_for(state="attached")
    assert second.locator('[data-ref="suggested"]').inner_text() == suggested

    notebook.save()
    notebook.open()
    notebook.wait_for("() => document.querySelectorAll('.lrw').length === 2")
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 10")
    assert notebook.ref("suggested").first.inner_text() == suggested
    assert notebook.curve_points() > 50

    set_pace(notebook, 0.3)
    notebook.ref("start").nth(1).click()
    notebook.wait_for(STEP_SHOWN, 5)
    notebook.ref("stop").nth(0).click()
    notebook.ref("note").nth(1).filter(has_text="Stopped at step").wait_for()
    # A view that is gone receives nothing: clearing one output leaves the other alive.
    notebook.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    notebook.command("notebook:clear-cell-output")
    notebook.wait_for("() => document.querySelectorAll('.lrw').length === 1")
    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 5)
    notebook.ref("stop").click()
    notebook.wait_for_note("Stopped at step")


def test_a_kernel_that_dies_in_the_middle_leaves_a_readable_widget(open_notebook: Open) -> None:
    """The curve stays, and the widget says that no kernel is connected."""
    notebook = show(open_notebook)
    pid = int(notebook.ask("__import__('os').getpid()"))
    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 12)
    os.kill(pid, signal.SIGKILL)
    notebook.wait_for_note("No kernel is connected")
    assert notebook.curve_points() > 10


def test_a_saved_notebook_opened_without_its_kernel_shows_the_result(open_notebook: Open) -> None:
    """The chart is drawn as before, curves on their axes, with the suggestion and a note that no kernel is connected."""
    notebook = show(open_notebook)
    set_pace(notebook, 0.01)
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    suggested = notebook.ref("suggested").inner_text()
    before = notebook.page.evaluate(CURVE_IN_ITS_CHART)
    notebook.command("@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    notebook.page.wait_for_timeout(500)
    notebook.save()
    notebook.shut_down_kernel()
    notebook.open()
    notebook.wait_for_note("No kernel is connected")
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 10")
    assert notebook.ref("suggested").inner_text() == suggested
    assert notebook.page.evaluate(CURVE_IN_ITS_CHART) == pytest.approx(before, abs=2)
    # The server keeps this setting, so it is switched off again for the next test.
    notebook.command("@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    notebook.page.wait_for_timeout(500)


def test_nothing_sticks_out_of_a_narrow_widget(open_notebook: Open) -> None:
    """In 420 pixels."""
    notebook = show(open_notebook)
    notebook.page.evaluate("() => { document.querySelector('.lrw').parentElement.style.width = '420px'; }")
    notebook.wait_for(
        """() => {
            const widget = document.querySelector('.lrw');
            const right = widget.getBoundingClientRect().right;
            return widget.clientWidth <= 420 && widget.clientWidth > 380
                && [...widget.querySelectorAll('button, input, p, svg')]
                    .every(part => part.getBoundingClientRect().right <= right + 1);
        }"""
    )


def test_closing_the_widget_in_the_middle_restores(open_notebook: Open) -> None:
    """close() ends the run and removes every view."""
    notebook = show(open_notebook)
    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 10)
    assert notebook.ask("widget.close() or fingerprint() == before") == "True"
    notebook.wait_for("() => document.querySelectorAll('.lrw').length === 0")
