"""Screenshots of every state of the widget, in light and dark and in three widths: `python -m tests.browser.gallery FOLDER`."""

from __future__ import annotations

import argparse
import html
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from .conftest import launch
from .lab import Notebook
from .server import serve
from .states import CELLS, STATES, visit

if TYPE_CHECKING:
    from .states import State

THEMES = ("Light", "Dark")
WIDTHS_PX = (1200, 800, 400)


def main() -> None:
    """Fill a folder with pictures and an index of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of the states")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [state for state in STATES if arguments.only in state.name]
    with (
        tempfile.TemporaryDirectory() as private,
        serve("jupyterlab", Path(private)) as lab,
        sync_playwright() as engine,
    ):
        browser = launch(engine)
        page = browser.new_page(viewport={"width": max(WIDTHS_PX) + 400, "height": 1400})
        notebook = Notebook(page, lab, lab.write(CELLS))
        notebook.open()
        for state in visit(notebook, chosen):
            _take(notebook, state, folder)
            print(state.name)
        browser.close()
    (folder / "index.html").write_text(_index(chosen), encoding="utf-8")


def _take(notebook: Notebook, state: State, folder: Path) -> None:
    for theme in THEMES:
        notebook.set_theme(theme)
        notebook.widget.and_(notebook.page.locator(f'[data-theme="{theme.lower()}"]')).wait_for()
        for width in WIDTHS_PX:
            notebook.page.evaluate(
                "width => { document.querySelector('.lrw').parentElement.style.width = `${width}px`; }", width
            )
            notebook.page.wait_for_timeout(400)  # bqplot draws its figure anew some time after a change of its size
            notebook.widget.screenshot(path=folder / _file(state, theme, width))


def _file(state: State, theme: str, width: int) -> str:
    return f"{re.sub('[^a-z]+', '-', state.name)}-{theme.lower()}-{width}.png"


def _index(states: list[State]) -> str:
    rows = []
    for state in states:
        images = "".join(
            f'<img src="{_file(state, theme, width)}" width="{width}" alt="">'
            for theme in THEMES
            for width in WIDTHS_PX
        )
        rows.append(f"<h2>{html.escape(state.name)}</h2>{images}")
    return f'<!doctype html><meta charset="utf-8"><title>The widget</title>{"".join(rows)}\n'


if __name__ == "__main__":
    main()
