"""A notebook that was saved without its widgets shows the curve and the rate, wherever it is opened."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbclient
import nbformat
import pytest
from nbconvert import HTMLExporter

import lr_widget

from .test_jupyterlab import SETUP, Open, set_pace, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore")]  # of the libraries that start kernels

QUICKSTART = Path(lr_widget.__file__).parents[1] / "notebooks" / "quickstart.ipynb"


def drawn(image: Locator) -> str:
    """The SVG document in an image that the browser has drawn."""
    image.wait_for()
    assert image.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 760
    return base64.b64decode(str(image.get_attribute("src")).partition(",")[2]).decode()


def ticks(svg: str) -> set[str]:
    """The texts of a picture."""
    return set(re.findall(r">([^<>]+)</text>", svg))


def test_jupyterlab_keeps_the_result_hides_it_beside_the_widget_and_shows_it_without(open_notebook: Open) -> None:
    """One picture in the file, below 60 KB; reopened without kernel and widget state, it is on the page."""
    notebook = show(open_notebook)
    set_pace(notebook, 0.01)
    kept = notebook.page.locator('[class^="lrw-picture-"]')
    assert "not been run yet" in kept.text_content()
    assert kept.is_hidden()
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    rate = notebook.ref("suggested").inner_text()
    kept.filter(has_text=f"Suggested learning rate: {rate}").wait_for(state="attached")
    assert kept.is_hidden()
    assert notebook.curve_points() > 50  # the live view was not drawn anew

    notebook.save()
    text = (notebook.lab.root / notebook.name).read_text(encoding="utf-8")
    assert text.count("data:image/svg+xml;base64") == 1
    assert len(text) < 60_000
    notebook.shut_down_kernel()
    notebook.page.goto(f"{notebook.lab.url}/lab/tree/{notebook.name}?token={notebook.lab.token}&reset")
    kept.get_by_text(f"Suggested learning rate: {rate}").wait_for()
    assert f"suggested {rate}" in ticks(drawn(kept.locator("img")))


def test_in_an_output_widget_the_view_is_shown_and_the_stored_part_hidden(open_notebook: Open) -> None:
    """Tabs and `interact` show widgets in such outputs, which lie in an output of JupyterLab themselves."""
    shown_inside = "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    display(widget)\nout"
    notebook = open_notebook([SETUP, shown_inside])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.ref("start").wait_for()
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot .axis .tick').length >= 5")
    assert notebook.page.locator('[class^="lrw-picture-"]').is_hidden()


def test_a_closed_widget_leaves_its_picture(open_notebook: Open) -> None:
    """The view goes, and what the notebook stores takes its place."""
    notebook = show(open_notebook)
    set_pace(notebook, 0.01)
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    rate = notebook.ref("suggested").inner_text()
    notebook.ask("widget.close()")
    notebook.page.locator('[class^="lrw-picture-"]').get_by_text(f"Suggested learning rate: {rate}").wait_for()


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """The quickstart with all its outputs, and without widget state."""
    package = str(Path(lr_widget.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))}
    notebook = nbformat.read(QUICKSTART, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", store_widget_state=False).execute(
        env=environment
    )
    assert "widgets" not in notebook.metadata
    return notebook


def test_the_executed_quickstart_shows_curve_and_rate_offline(
    executed: nbformat.NotebookNode, browser: Browser, tmp_path: Path
) -> None:
    """As nbconvert makes it, without any network."""
    page_file = tmp_path / "quickstart.html"
    page_file.write_text(HTMLExporter().from_notebook_node(executed)[0], encoding="utf-8")
    [stored] = [cell for cell in executed.cells if cell.id == "widget"]
    said = "".join(str(output.data.get("text/plain", "")) for output in stored.outputs)
    rate = re.findall(r"suggested lr = (\S+):", said)[0]
    assert sum(len(str(value)) for output in stored.outputs for value in output.data.values()) < 60_000

    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.goto(page_file.as_uri())
        kept = page.locator('[class^="lrw-picture-"]')
        kept.get_by_text(f"learning rate: {rate}").wait_for()
        svg = drawn(kept.locator("img"))
    finally:
        context.close()
    assert ticks(svg) >= {"1e-6", "1e-3", "1", "learning rate", "loss", "raw loss", "smoothed", f"suggested {rate}"}
    assert svg.count("<polyline") == 2
