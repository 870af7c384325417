"""The chart and its numbers as files, saved by a real JupyterLab with a kernel and without."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pandas as pd
import pytest

from .lab import Notebook, WidgetPage
from .test_jupyterlab import SETUP, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

FAST = SETUP.replace("= 0.3, None", "= 0.001, None")


def saved(notebook: WidgetPage, kind: str) -> bytes:
    """Click a button and return the file that the browser saves."""
    with notebook.page.expect_download() as download:
        notebook.ref(kind).click()
    assert download.value.suggested_filename == f"lr_range_test.{kind}"
    return Path(download.value.path()).read_bytes()


def texts(svg: bytes) -> list[str]:
    """The texts of a drawing."""
    root = ElementTree.fromstring(svg)
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


def assert_pictures(notebook: WidgetPage, rate: str) -> None:
    """Save both pictures and look into them."""
    svg = saved(notebook, "svg")
    words = texts(svg)
    assert {"learning rate", "loss"} <= set(words)
    assert any(rate in word for word in words)
    assert b"http://127.0.0.1" not in svg
    curves = [line for line in svg.decode().split("<path")[1:] if line.count("L") > 50]
    assert len(curves) >= 2  # raw and smoothed
    png = saved(notebook, "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    box = notebook.plot.bounding_box()
    assert box is not None
    assert width >= 2 * int(box["width"]) - 2
    assert height >= 2 * int(box["height"])


def assert_table(notebook: Notebook, csv: bytes, run: int = -1) -> None:
    """Compare the rows of the latest run with its records."""
    table = pd.read_csv(io.BytesIO(csv))
    assert list(table.columns)[:5] == ["run", "step", "lr", "loss", "smoothed"]
    last = table[table["run"] == table["run"].iloc[run]]
    losses = notebook.ask("' '.join(map(repr, widget.records.loss.tolist()))")
    assert last["loss"].tolist() == [float(loss) for loss in losses.split()]
    assert last["step"].tolist() == list(range(1, len(last) + 1))


def test_a_short_run_is_saved_with_a_kernel_and_after_it_died(open_notebook: Open, browser: Browser) -> None:
    """Picture, drawing and table are complete both times; the picture is one that a browser shows."""
    notebook = show(open_notebook, setup=FAST)
    notebook.run()
    rate = notebook.ref("suggested").inner_text()
    assert_pictures(notebook, rate)
    table = saved(notebook, "csv")
    assert_table(notebook, table)
    notebook.kill_kernel()
    assert_pictures(notebook, rate)
    assert saved(notebook, "csv") == table

    page = browser.new_page()
    page.set_content("<body>")
    svg = saved(notebook, "svg").decode()
    size = page.evaluate(
        """async svg => {
            const image = new Image();
            image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
            await image.decode();
            return [image.naturalWidth, image.naturalHeight];
        }""",
        svg,
    )
    page.close()
    assert min(size) >= 300


def test_a_long_run_is_saved_whole_by_the_kernel(open_notebook: Open) -> None:
    """All steps of two runs, more than the chart draws; without the kernel, the points that are drawn, and it says so."""
    notebook = show(open_notebook, setup=FAST.replace("time.sleep(seconds_a_step)", "pass"))
    notebook.enter("num_steps", "1500")
    notebook.run()
    notebook.enter("num_steps", "1400")
    notebook.run()
    notebook.ask("widget.wait(60)")
    table = saved(notebook, "csv")
    assert_table(notebook, table)
    assert pd.read_csv(io.BytesIO(table))["run"].nunique() == 2
    names = notebook.ref("runs").locator("input[type=text]").evaluate_all("fields => fields.map(e => e.value)")
    words = texts(saved(notebook, "svg"))
    assert set(names) <= set(words)
    notebook.kill_kernel()
    drawn = pd.read_csv(io.BytesIO(saved(notebook, "csv")))
    notebook.ref("note").filter(has_text="the points that are drawn").wait_for()
    assert 100 < len(drawn) < len(pd.read_csv(io.BytesIO(table)))
