"""A cell that is run again closes the widgets of its earlier runs, unless something may still need them."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget.widget.kernel import cells, hosts


class Widget:
    """A widget that notes its end."""

    is_busy = False
    is_closed = False

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


class Notebook:
    """A notebook whose cells are run one after another."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.hidden: dict[str, Any] = {}
        self.shell = SimpleNamespace(user_ns=self.variables, user_ns_hidden=self.hidden, kernel=self)
        self._message: dict[str, Any] = {}
        self._runs = 0

    def get_parent(self, channel: str) -> dict[str, Any]:
        """Return the message that runs the cell."""
        return self._message

    def run(self, cell: str, *widgets: Widget) -> None:
        """Run a cell that shows widgets."""
        self._runs += 1
        self._message = {"header": {"msg_id": f"run {self._runs}"}, "metadata": {"cellId": cell} if cell else {}}
        for widget in widgets:
            cells.show_in_cell(widget)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook without a widget."""
    made = Notebook()
    monkeypatch.setattr(hosts, "shell", lambda: made.shell)
    cells._places.clear()
    return made


def test_the_widgets_of_an_earlier_run_of_the_cell_are_closed(notebook: Notebook) -> None:
    """All of them, and none that the same run shows."""
    first, second, third = (Widget() for _ in range(3))
    notebook.run("a", first, second, second)
    assert not first.is_closed
    notebook.run("a", third)
    assert (first.is_closed, second.is_closed, third.is_closed) == (True, True, False)


def test_widgets_of_other_cells_stay(notebook: Notebook) -> None:
    """Each cell has its own."""
    first, second = Widget(), Widget()
    notebook.run("a", first)
    notebook.run("b", second)
    assert not first.is_closed


def test_a_widget_that_the_cell_shows_again_stays(notebook: Notebook) -> None:
    """It was made elsewhere."""
    widget = Widget()
    for _ in range(3):
        notebook.run("a", widget)
    assert not widget.is_closed


def test_a_widget_that_another_cell_shows_stays_until_that_is_run_again(notebook: Notebook) -> None:
    """One of its views is still on the page."""
    widget = Widget()
    notebook.run("a", widget)
    notebook.run("b", widget)
    notebook.run("a", Widget())
    assert not widget.is_closed
    notebook.run("b", Widget())
    assert widget.is_closed


@pytest.mark.parametrize("hold", [lambda w: w, lambda w: [w], lambda w: (1, w), lambda w: {"a": w}, lambda w: {w}])
def test_a_widget_that_the_notebook_refers_to_stays_as_long_as_that(notebook: Notebook, hold: Any) -> None:
    """By a variable, or by a list and the like in one."""
    widget = Widget()
    notebook.run("a", widget)
    notebook.variables["_kept"] = hold(widget)
    notebook.run("a", Widget())
    assert not widget.is_closed
    del notebook.variables["_kept"]
    notebook.run("c", Widget())
    assert widget.is_closed


def test_ipythons_own_references_do_not_count(notebook: Notebook) -> None:
    """It keeps the results of all cells."""
    widget = Widget()
    notebook.run("a", widget)
    for name, value in (("_", widget), ("Out", {1: widget})):
        notebook.variables[name] = notebook.hidden[name] = value
    notebook.run("a", Widget())
    assert widget.is_closed


def test_a_widget_with_a_run_in_progress_is_closed_after_it(notebook: Notebook) -> None:
    """The training is not cut off."""
    widget = Widget()
    widget.is_busy = True
    notebook.run("a", widget)
    notebook.run("a", Widget())
    assert not widget.is_closed
    widget.is_busy = False
    notebook.run("a", Widget())
    assert widget.is_closed


@pytest.mark.parametrize("message", [{}, {"header": {"msg_id": "1"}, "metadata": {}}, None])
def test_where_the_page_does_not_say_which_cell_runs_nothing_is_closed(notebook: Notebook, message: Any) -> None:
    """So it is in a console, in a script, and where a notebook is executed by a tool."""
    widgets = [Widget(), Widget()]
    for widget in widgets:
        notebook._message = message
        cells.show_in_cell(widget)
    hosts_shell, notebook.shell = notebook.shell, None
    cells.show_in_cell(Widget())
    notebook.shell = hosts_shell
    assert not any(widget.is_closed for widget in widgets)
    assert len(cells._places) == 0


def test_nothing_is_kept_of_a_widget_that_is_gone(notebook: Notebook) -> None:
    """What is noted does not hold it."""
    notebook.run("a", Widget())
    gc.collect()
    assert len(cells._places) == 0
