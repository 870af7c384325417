"""The widget in the hosts that users have, with the versions and the widget managers of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from .contrast import assert_readable
from .environments import COLAB, NEWEST
from .host_pages import HostNotebook, HostPage
from .lab import Notebook
from .test_exports import assert_pictures, saved
from .test_jupyterlab import SETUP, STEP_SHOWN

pytestmark = pytest.mark.browser

AnyNotebook = Notebook | HostNotebook
Open = Callable[..., AnyNotebook]

# JupyterLab with the newest of everything has tests of its own beside these.
HOSTS = {
    "kaggle": "kaggle_lab",
    "notebook": "notebook7",
    "vscode-8": HostPage("vscode", 8, NEWEST),
    "vscode-7": HostPage("vscode", 7, COLAB),
    "colab": HostPage("colab", 7, COLAB),
}
in_every_host = pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))

RUN_IN_A_CELL = "records = widget.run()\nprint(records.stop_reason, len(records), fingerprint() == before)"

# In one go, so that no step ends between the two.
CLICK_STOP = """() => {
    const ref = name => document.querySelector(`.lrw [data-ref=${name}]`);
    const shown = ref('progressText').textContent;
    ref('stop').click();
    return Number(shown.split(' ')[1]);
}"""


def show(open_in: Open, host: HostPage | str, *more: str, seconds_a_step: float, **options: object) -> AnyNotebook:
    """Open a notebook with the widget shown by its second cell, and wait until the chart is drawn."""
    setup = SETUP.replace(
        "seconds_a_step, failing_step, calls = 0.3", f"seconds_a_step, failing_step, calls = {seconds_a_step}"
    )
    notebook = open_in(host, [setup, "widget", *more], **options)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
    return notebook


@in_every_host
def test_everything_on_the_widget_works(open_in: Open, host: HostPage | str) -> None:
    """Run grows the curve, Stop ends it, a second run ends by itself; typed values, Copy and Probe do their work."""
    notebook = show(open_in, host, seconds_a_step=0.2)
    notebook.ref("start").click()
    points = 0
    for _ in range(3):
        points = notebook.wait_for_more_points(points + 2)
    notebook.wait_for(STEP_SHOWN, 12)
    assert "Waiting for the kernel" not in notebook.ref("note").inner_text()  # said when no answer came in 1.5 s
    notebook.ref("stop").click()
    notebook.wait_for_note("Stopped at step")
    assert points < int(notebook.ask("len(widget.records)")) < 100
    assert notebook.ask("fingerprint() == before") == "True"

    notebook.ask("globals().update(seconds_a_step=0.01)")
    notebook.ref("start").click()
    notebook.wait_for_note("Done in")
    assert notebook.ask("widget.records.stop_reason") in ("completed", "diverged")
    assert notebook.curve_points() > 50
    suggested = notebook.ref("suggested").inner_text()
    assert suggested == notebook.ask("rate_text(widget.suggestion.lr)")
    stored = notebook.frame.locator("[class^=lrw-picture]")
    assert suggested in (stored.text_content() or "")
    assert str(stored.locator("img").get_attribute("src")).startswith("data:image/svg+xml;base64,")
    assert stored.is_hidden()  # the live view is there

    for typed, note, value in (("3e-4", None, "3e-4"), ("abc", "It stays 3e-4.", "3e-4")):
        notebook.ref("start_lr").fill(typed)
        notebook.ref("start_lr").press("Enter")
        if note is not None:
            notebook.wait_for_note(note)
        notebook.wait_for("value => document.querySelector('.lrw [data-ref=start_lr]').value === value", value)
        assert float(notebook.ask("widget.start_lr")) == float(value)

    notebook.ref("copy").click()
    notebook.wait_for_note("The notebook's variable lr is now")
    assert float(notebook.ask("lr")) == float(suggested)
    assert notebook.ref("pick").input_value() == ""  # a click beside the chart picks nothing

    notebook.ref("max_probe_steps").fill("60")
    notebook.ref("max_probe_steps").press("Enter")
    notebook.ref("probe").click()
    notebook.wait_for_note("Probed: ")
    runs = int(notebook.ask("len(widget.evidence.runs)"))
    notebook.wait_for("runs => document.querySelectorAll('.lrw .bqplot path.dot').length === runs", runs)
    assert notebook.ask("fingerprint() == before") == "True"


@in_every_host
def test_the_chart_is_read_zoomed_picked_from_and_saved(open_in: Open, host: HostPage | str) -> None:
    """By mouse and keys; files come from the browser, and a number of the user's own is asked about."""
    notebook = show(open_in, host, seconds_a_step=0.002)
    notebook.ask("globals().update(epochs=10)")
    notebook.run()
    readout = notebook.widget.locator(".lrw-readout")
    notebook.move_to(0.5, 0.5)
    readout.filter(has_text="smoothed").wait_for()
    notebook.plot.focus()
    notebook.plot.press("Home")
    notebook.plot.press("ArrowRight")
    readout.filter(has_text="2 of 100").wait_for()
    notebook.plot.press("Enter")
    picked = notebook.ask("rate_text(widget.records.lr[1])")
    notebook.wait_for("rate => document.querySelector('.lrw [data-ref=pick]').value === rate", picked)
    notebook.drag((0.3, 0.3), (0.7, 0.7))
    notebook.ref("resetZoom").wait_for()
    assert notebook.ask("widget.chart_state['is_zoomed']") == "True"
    notebook.page.mouse.dblclick(*notebook.at(0.5, 0.5))
    notebook.ref("resetZoom").wait_for(state="hidden")
    assert notebook.ask("rate_text(widget.selected_lr)") == picked  # neither drag nor double click picks
    assert_pictures(notebook, picked)
    assert saved(notebook, "csv").startswith(b"run,step,lr,loss,smoothed")
    notebook.enter("variable", "epochs")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=variable]').dataset.shown === 'epochs'")
    notebook.ref("copy").click()
    notebook.ref("question").wait_for()
    notebook.ref("no").click()
    notebook.ref("question").wait_for(state="hidden")
    assert notebook.ask("epochs") == "10"


@pytest.mark.parametrize("host", ["lab", *HOSTS.values()], ids=["jupyterlab", *HOSTS])
def test_stop_in_the_middle_of_a_run_in_a_cell_is_heard(open_in: Open, host: HostPage | str) -> None:
    """Pause waits and Resume goes on while a cell is running; Stop ends the test within two steps, not the cell."""
    notebook = show(open_in, host, RUN_IN_A_CELL, seconds_a_step=0.5)
    notebook.run_cell(2)
    notebook.wait_for(STEP_SHOWN, 3)
    notebook.ref("pause").click()
    notebook.wait_for_note("Paused.")
    paused = notebook.ref("progressText").inner_text()
    notebook.page.wait_for_timeout(1500)
    assert notebook.ref("progressText").inner_text() == paused
    notebook.ref("pause").click()
    notebook.wait_for(STEP_SHOWN, int(paused.split()[1]) + 2)

    shown = int(notebook.frame.evaluate(CLICK_STOP))
    notebook.wait_for_note("Stopped at step")
    notebook.output(2).wait_for()
    reason, steps, is_restored = notebook.output(2).inner_text().split()
    assert (reason, is_restored) == ("stopped", "True")
    assert shown <= int(steps) <= shown + 2


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["vscode-8", "vscode-7", "colab"])
def test_a_finished_run_is_readable_whatever_the_system_is_set_to(open_in: Open, name: str, dark: bool) -> None:
    """Suggestion, pick, curve and controls, on the host's own light and dark pages."""
    host = HOSTS[name]
    assert isinstance(host, HostPage)
    notebook = show(open_in, replace(host, dark=dark), seconds_a_step=0.002)
    notebook.ref("start").click()
    notebook.wait_for_note("Done in")
    notebook.ref("pick").fill("3e-5")
    notebook.ref("pick").press("Enter")
    notebook.wait_for("() => [...document.querySelectorAll('.lrw text')].some(e => e.textContent === 'your pick 3e-5')")
    for system in ("light", "dark"):
        notebook.page.emulate_media(color_scheme=system)
        expected = "dark" if dark else "light"
        notebook.wait_for("theme => document.querySelector('.lrw').dataset.theme === theme", expected)
        assert_readable(notebook.frame, f"{name} on a {system} system", paper="#383838" if dark else "#fff")
