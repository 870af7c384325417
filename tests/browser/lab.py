"""A Jupyter server and a notebook open in JupyterLab or Notebook, as the browser tests use them."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Locator, Page

CURVE_POINTS = """Math.max(0, ...[...document.querySelectorAll('.lrw .bqplot path.line')]
    .map(path => (path.getAttribute('d') ?? '').split('L').length - 1))"""


class Lab:
    """The running server."""

    def __init__(self, url: str, token: str, root: Path) -> None:
        self.url = url
        self.token = token
        self.root = root

    def write(self, cells: list[str], kernel: str = "python3") -> str:
        """Put a notebook of these code cells into the server's folder and return its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        name = f"{secrets.token_hex(4)}.ipynb"
        nbformat.write(notebook, self.root / name)
        return name


class WidgetPage:
    """A page with one widget on it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def frame(self) -> Page | Frame:
        """The document that the widget is in."""
        return self.page

    @property
    def widget(self) -> Locator:
        """The only widget on the page."""
        return self.frame.locator(".lrw")

    def ref(self, name: str) -> Locator:
        """The part of the widget with this `data-ref`."""
        return self.widget.locator(f'[data-ref="{name}"]')

    @property
    def plot(self) -> Locator:
        """The part of the chart that takes the mouse and the keys."""
        return self.widget.locator(".lrw-plot")

    def at(self, across: float, up: float) -> tuple[float, float]:
        """Return the place on the page of these shares of the plot area, from its lower left corner."""
        self.plot.scroll_into_view_if_needed()
        box = self.widget.locator(".bqplot .plotarea_background").bounding_box()
        assert box is not None
        return box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"]

    def move_to(self, across: float, up: float) -> None:
        """Move the mouse over the chart."""
        self.page.mouse.move(*self.at(across, up), steps=4)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a rectangle on the chart."""
        self.move_to(*start)
        self.page.mouse.down()
        self.move_to(*end)
        self.page.mouse.up()

    def enter(self, name: str, text: str) -> None:
        """Type a text into a field and press Enter."""
        self.ref(name).fill(text)
        self.ref(name).press("Enter")

    def run(self) -> None:
        """Click Run and wait until the test has ended and the page says how."""
        before = self.ask("widget.view_state['run_id']")
        self.ref("start").click()
        while self.ask(f"widget.view_state['run_id'] == {before} or widget.status in ('running', 'paused')") == "True":
            self.page.wait_for_timeout(50)
        self.wait_for_note(self.ask("widget.view_state['note']['text']"))

    def ask(self, expression: str) -> str:
        """Evaluate an expression in the kernel, past the notebook's cells, and return its `str`."""
        raise NotImplementedError

    def curve_points(self) -> int:
        """Count the points of the smoothed curve as it is drawn."""
        return int(self.frame.evaluate(f"() => {CURVE_POINTS}"))

    def wait_for_more_points(self, count: int) -> int:
        """Wait until the smoothed curve has more points than that, and count them."""
        self.wait_for(f"count => {CURVE_POINTS} > count", count)
        return self.curve_points()

    def wait_for(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript function returns a true value."""
        self.frame.wait_for_function(condition, arg=argument)

    def wait_for_note(self, text: str) -> None:
        """Wait until the status line has this text."""
        self.ref("note").filter(has_text=text).wait_for()


class Notebook(WidgetPage):
    """A notebook open in JupyterLab, with the widgets in it."""

    address = "lab/tree/{name}?reset&"  # `reset`: with this notebook alone

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        super().__init__(page)
        self.lab = lab
        self.name = name

    def open(self) -> None:
        """Load the notebook."""
        self.page.goto(f"{self.lab.url}/{self.address.format(name=self.name)}token={self.lab.token}")
        self.page.wait_for_function("() => window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the notebook has an idle kernel."""
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )

    def command(self, name: str) -> None:
        """Execute a command of JupyterLab without waiting for its end."""
        self.page.evaluate("name => { window.jupyterapp.commands.execute(name); }", name)

    def save(self) -> None:
        """Write the notebook's file."""
        self.command("docmanager:save")
        self.wait_for("() => !window.jupyterapp.shell.currentWidget.model.dirty")

    def shut_down_kernel(self) -> None:
        """End the notebook's kernel from the menu."""
        self.command("kernelmenu:shutdown")
        self.wait_for("() => !window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel")

    def kill_kernel(self) -> None:
        """End the kernel as one that runs out of memory ends, and wait until the widget knows."""
        os.kill(int(self.ask("__import__('os').getpid()")), signal.SIGKILL)
        self.page.locator(".jp-Dialog", has_text="appears to have died").locator("button").click()
        self.wait_for_note("No kernel is connected")

    def run_cell(self, index: int) -> None:
        """Run one cell, without waiting for its end."""
        self.page.evaluate(
            """index => {
                const content = window.jupyterapp.shell.currentWidget.content;
                content.activeCellIndex = index;
                content.deselectAll();
                window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def clear_output(self, index: int) -> None:
        """Take a cell's outputs away, and the views in them."""
        self.page.evaluate(
            """index => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                window.jupyterapp.commands.execute('notebook:clear-cell-output');
            }""",
            index,
        )
        self.wait_for("() => document.querySelectorAll('.lrw').length === 0")

    def set_theme(self, theme: str) -> None:
        """Change the theme to "Light" or "Dark", which the server keeps."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}"
        )

    def output(self, index: int) -> Locator:
        """The outputs of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea-output")

    def ask(self, expression: str) -> str:
        """Evaluate an expression in the kernel, past the notebook's cells, and return its `str`."""
        return str(
            self.page.evaluate(
                """async expression => {
                    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                    const code = '';
                    const asked = kernel.requestExecute(
                        {code, silent: true, user_expressions: {answer: `str(${expression})`}});
                    // Of thousands of messages, Jupyter drops some on a busy machine, maybe the one that says "idle".
                    const replied = new Promise(resolve => { asked.onReply = resolve; });
                    const late = replied.then(reply => new Promise(resolve => setTimeout(() => resolve(reply), 20000)));
                    const reply = await Promise.race([asked.done, late]);
                    const answer = reply.content.user_expressions.answer;
                    return answer.data ? answer.data['text/plain'] : answer.evalue;
                }""",
                expression,
            )
        ).strip("'\"")


class Notebook7(Notebook):
    """A notebook open in Notebook 7, which is made of JupyterLab's parts."""

    address = "notebooks/{name}?"
