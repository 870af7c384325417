"""Several runs on one chart in a real JupyterLab: their names, colours, and those of elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .lab import Notebook
from .test_jupyterlab import SETUP, show

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

FAST = SETUP.replace("= 0.3, None", "= 0.001, None")
COMPARE = """
from lr_widget import range_test
for size in (16, 64, 256):
    widget.add(range_test(model, optimizer, loss_fn, (inputs, targets), start_lr=1e-6, dataloader_options={"batch_size": size},
                          progress=False), name=f"batch {size}")
widget.history[-1].save("run.json")
"""
SAVED = """
from lr_widget import LRRecords
widget = LRFinderWidget.from_records(LRRecords.load("run.json"))
widget
"""


def names(notebook: Notebook) -> list[str]:
    """The names in the list of runs, from the top."""
    found: list[str] = (
        notebook.ref("runs").locator("input[type=text]").evaluate_all("fields => fields.map(e => e.value)")
    )
    return found


def wait_for_names(notebook: Notebook, *wanted: str) -> None:
    """Wait until the list of runs has these names, from the top."""
    notebook.wait_for(
        """wanted => JSON.stringify(wanted) === JSON.stringify(
            [...document.querySelectorAll('.lrw [data-ref=runs] input[type=text]')].map(field => field.value))""",
        list(wanted),
    )


def test_runs_are_named_by_their_difference_hidden_renamed_and_removed(open_notebook: Open) -> None:
    """Each has a name and a colour of its own; `history` follows a removal, and a hidden run leaves the chart."""
    notebook = show(open_notebook, setup=FAST)
    notebook.run()
    assert notebook.ref("runs").is_hidden()  # one run needs no list
    first = int(notebook.ask("len(widget.records)"))
    notebook.enter("num_steps", "60")
    notebook.run()
    notebook.ref("runs").wait_for()
    newest, oldest = names(notebook)
    assert "60" in newest
    assert "100" in oldest
    rows = notebook.ref("runs").locator(".lrw-run")
    assert len(set(rows.evaluate_all("rows => rows.map(row => row.dataset.color)"))) == 2

    drawn = """() => [...document.querySelectorAll('.lrw .bqplot path.line')]
        .filter(line => line.checkVisibility() && (line.getAttribute('d') ?? '').split('L').length > 30).length"""
    notebook.wait_for(f"() => ({drawn})() >= 3")  # raw, smoothed and the earlier run
    before = int(notebook.frame.evaluate(drawn))
    rows.nth(1).locator("input[type=checkbox]").uncheck()
    notebook.wait_for(f"before => ({drawn})() === before - 1", before)
    assert notebook.ask("len(widget.history)") == "2"
    rows.nth(1).locator("input[type=checkbox]").check()
    notebook.wait_for(f"before => ({drawn})() === before", before)

    rows.nth(1).locator("input[type=text]").fill("the <b>first</b> one")
    rows.nth(1).locator("input[type=text]").press("Enter")
    wait_for_names(notebook, newest, "the <b>first</b> one")
    rows.nth(1).locator("input[type=text]").fill("")
    rows.nth(1).locator("input[type=text]").press("Enter")
    wait_for_names(notebook, newest, oldest)
    rows.nth(1).locator("input[type=text]").fill("not kept")
    rows.nth(1).locator("input[type=text]").press("Escape")
    wait_for_names(notebook, newest, oldest)

    rows.nth(1).locator("button").click()
    notebook.ref("runs").wait_for(state="hidden")
    assert notebook.ask("[len(records) for records in widget.history]") == notebook.ask("[len(widget.records)]")
    assert first != int(notebook.ask("len(widget.records)"))
    assert notebook.ask("fingerprint() == before") == "True"


def test_records_of_elsewhere_are_added_and_saved_ones_opened_without_a_model(open_notebook: Open) -> None:
    """Three batch sizes are told apart by their names; a widget on saved records shows them and runs nothing."""
    notebook = show(open_notebook, COMPARE, SAVED, setup=FAST)
    notebook.run_cell(2)
    notebook.wait_for("() => document.querySelectorAll('.lrw [data-ref=runs] .lrw-run').length === 3")
    # The one that the suggestion is read off, then the newest first.
    assert names(notebook) == ["batch 16", "batch 256", "batch 64"]
    assert notebook.ref("suggested").is_visible()
    assert notebook.ask("fingerprint() == before") == "True"
    notebook.move_to(0.5, 0.5)
    notebook.widget.locator(".lrw-readout strong").wait_for()
    assert notebook.widget.locator(".lrw-readout strong").inner_text() in names(notebook)

    notebook.clear_output(1)
    notebook.run_cell(3)
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
    notebook.ref("suggested").wait_for()
    assert notebook.ref("suggested").inner_text() == notebook.ask("rate_text(widget.suggestion.lr)")
    assert notebook.curve_points() > 30
    assert notebook.ref("start").is_disabled()
    assert notebook.ref("copy").is_enabled()
    notebook.ref("copy").click()
    notebook.wait_for_note("The notebook's variable lr is now")
