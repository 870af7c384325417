"""VS Code and Colab as far as a widget can tell: their widget managers on a page of our own, with a real kernel."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from .lab import WidgetPage
from .server import HOST_PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Locator, Page, Route

    from .environments import Environment
    from .lab import Lab

BEFORE = {
    # The name of the notebook's file is what VS Code puts into a kernel that it has started.
    "vscode": "__vsc_ipynb_file__ = '/notebook.ipynb'",
    # Colab's page does not show what a background thread sends to a widget (colabtools issue 3373).
    "colab": """
import sys, threading, types

sys.modules["google.colab"] = types.ModuleType("google.colab")

def _patch(session):
    send = session.send
    def send_from_the_main_thread(stream, message, *arguments, **keywords):
        kind = message if isinstance(message, str) else message["header"]["msg_type"]
        if not kind.startswith("comm_") or threading.current_thread() is threading.main_thread():
            return send(stream, message, *arguments, **keywords)
    session.send = send_from_the_main_thread

_patch(get_ipython().kernel.session)
""",
}


@dataclass(frozen=True)
class HostPage:
    """How a host shows a notebook.

    Attributes:
        name: of the host.
        manager: the line of ipywidgets that its page has.
        environment: the packages of the kernel.
        dark: its own theme, the system's is the browser's `color_scheme`.
    """

    name: Literal["vscode", "colab"]
    manager: Literal[7, 8]
    environment: Environment
    dark: bool = False


class HostNotebook(WidgetPage):
    """A notebook of code cells open in VS Code or Colab."""

    def __init__(self, page: Page, lab: Lab, host: HostPage, cells: list[str]) -> None:
        super().__init__(page)
        self.lab = lab
        self.host = host
        self.cells = cells

    def open(self) -> None:
        """Load the page, out of reach of anything but the server, and start its kernel."""
        assert (HOST_PAGES / "dist" / "services.js").exists(), "`make browser-test` builds the page of these hosts"
        self.page.route(re.compile("^https?://(?!127[.]0[.]0[.]1:)"), lambda route: route.abort())
        self.page.route(f"{self.lab.url}/nbextensions/**", self._serve)
        options = {
            "host": self.host.name,
            "managerVersion": self.host.manager,
            "kernel": self.host.environment.name,
            "isDark": self.host.dark,
            "server": f"{self.lab.url}/",
            "token": self.lab.token,
            "cells": self.cells,
            "before": BEFORE[self.host.name],
        }
        self.page.goto(f"{self.lab.url}/static/index.html?{quote(json.dumps(options))}")
        self.page.wait_for_function("() => window.notebook")

    # Only the kernel's own environment is asked for the front ends of widgets, whatever the server has.
    def _serve(self, route: Route) -> None:
        path = route.request.url.partition("?")[0].removeprefix(f"{self.lab.url}/nbextensions/")
        route.fulfill(path=self.host.environment.nbextensions / path)

    def run_cell(self, index: int) -> None:
        """Run one cell, without waiting for its end."""
        self.page.evaluate("index => { window.notebook.runCell(index); }", index)

    def output(self, index: int) -> Locator:
        """The outputs of a cell."""
        return self._document_of(index).locator(f"#cell-{index} > .output")

    def ask(self, expression: str) -> str:
        """Evaluate an expression in the kernel, past the notebook's cells, and return its `str`."""
        return str(self.page.evaluate("expression => window.notebook.ask(expression)", expression)).strip("'\"")

    @property
    def frame(self) -> Page | Frame:
        """The document that the widget is in: that of the second cell in Colab, the page in VS Code."""
        return self._document_of(1)

    def _document_of(self, cell: int) -> Page | Frame:
        if self.host.name == "vscode":
            return self.page
        element = self.page.locator(f"iframe[name=cell-{cell}]").element_handle()
        assert element is not None
        frame = element.content_frame()
        assert frame is not None
        return frame
