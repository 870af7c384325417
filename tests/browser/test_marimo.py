"""The widget in marimo, which cannot mount the live chart: a picture of it follows the run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from .environments import PACKAGE_ROOT
from .server import free_port, wait_until_up
from .test_jupyterlab import SETUP

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

APP = """
import marimo
app = marimo.App()

@app.cell
def _():
{setup}
    widget
    return (widget,)

@app.cell
def _(widget):
    {second}
    return
"""


@pytest.fixture(params=["None", "widget.run()"], ids=["the button", "a cell"])
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """An app with the widget, and with a second cell that does nothing or runs the test."""
    setup = SETUP.replace("seconds_a_step, failing_step, calls = 0.3", "seconds_a_step, failing_step, calls = 0.25")
    setup = setup.replace("    global calls\n", "    calls = 1\n").replace("    calls += 1\n", "")
    indented = "".join(f"    {line}\n" for line in setup.splitlines())
    (tmp_path / "app.py").write_text(APP.format(setup=indented, second=request.param), encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "marimo", "-y", "run", "app.py", "--headless", "--no-token", f"--port={port}"]
    log_path = tmp_path / "log"
    with log_path.open("w") as log:
        variables = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
        variables |= {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "STATE", "DATA")}
        server = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_up(server, f"http://127.0.0.1:{port}/health", log_path)
            context = browser.new_context(viewport={"width": 1280, "height": 1000})
            context.set_default_timeout(60_000)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{port}")
            yield page
            context.close()
        finally:
            server.terminate()
            server.wait(timeout=30)


def points(widget: Locator) -> int:
    """Count the points of the smoothed curve in the picture."""
    source = unquote(widget.locator("img").get_attribute("src") or "")
    curves = re.findall(r"<polyline points='([^']*)'", source)
    return len(curves[-1].split()) if curves else 0


def test_the_picture_grows_and_ends_with_the_suggestion(page: Page, request: pytest.FixtureRequest) -> None:
    """From the button and in a cell, and the page says what it lacks."""
    widget = page.locator(".lrw")
    is_in_cell = "a cell" in request.node.name
    if not is_in_cell:
        widget.locator('[data-ref="start"]').click()
    note = widget.locator('[data-ref="note"]')
    note.filter(has_text="Running").wait_for()
    if is_in_cell:
        assert "The interrupt button of marimo ends the test" in note.inner_text()
        assert widget.locator('[data-ref="stop"]').is_disabled()
    counts = [points(widget)]
    while len(counts) < 3:
        page.wait_for_timeout(500)
        assert "Running" in note.inner_text()
        if points(widget) > counts[-1]:
            counts.append(points(widget))
    note.filter(has_text="Model and optimizer are as before.").wait_for()
    rate = widget.locator('[data-ref="suggested"]').inner_text()
    page.wait_for_function(
        "rate => decodeURIComponent(document.querySelector('marimo-anywidget').shadowRoot.querySelector('img').src)"
        ".includes(`suggested ${rate}`)",
        arg=rate,
    )
    if not is_in_cell:
        widget.locator('[data-ref="start"]').click()
        note.filter(has_text="Running").wait_for()
        page.wait_for_timeout(1500)
        widget.locator('[data-ref="stop"]').click()
        note.filter(has_text="Stopped at step").wait_for()
    assert "This page cannot show the live chart." in widget.locator('[data-ref="chart"]').inner_text()
