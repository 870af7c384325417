"""Views that are gone leave nothing of ours on the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .heap import WATCH, Heap
from .lab import Notebook
from .test_jupyterlab import SETUP

pytestmark = pytest.mark.browser

MAKE = """
widget = LRFinderWidget(
    model, optimizer, loss_fn, (inputs, targets), start_lr=1e-6, dataloader_options={"batch_size": 32}
)
"""
CELLS = [
    SETUP.replace("= 0.3, None", "= 0.0, None"),
    MAKE + "widget",
    MAKE + "widget.figure",
]
WARM_UP, RUNS = 3, 25

# Run the cell, wait until its chart is drawn, and keep no hold of the view.
RUN_AGAIN = """async index => {
    const content = window.jupyterapp.shell.currentWidget.content;
    content.activeCellIndex = index;
    content.deselectAll();
    const before = document.querySelector('.bqplot');
    await window.jupyterapp.commands.execute('notebook:run-cell');
    const isDrawn = () => document.querySelectorAll('.bqplot .axis .tick').length >= 5 && document.querySelector('.bqplot') !== before;
    while (!isDrawn()) {
        await new Promise(resolve => setTimeout(resolve, 20));
    }
    const root = document.querySelector('.lrw');
    if (root) {
        (window.roots ??= []).push(new WeakRef(root));
    }
}"""
LIVING_ROOTS = "() => window.roots.filter(root => root.deref() !== undefined).length"


def test_a_cell_that_is_run_again_leaves_no_view_listener_observer_or_timer_of_ours(
    open_notebook: Callable[..., Notebook],
) -> None:
    """After 28 runs of the cell; the nodes that stay are those of a bare bqplot figure, shown as often."""
    notebook = open_notebook(CELLS, init_script=WATCH)
    heap = Heap(notebook.page)
    notebook.run_cell(0)
    grown = {}
    for index in (2, 1):
        for _ in range(WARM_UP):
            notebook.page.evaluate(RUN_AGAIN, index)
        first = heap.memory()
        for _ in range(RUNS):
            notebook.page.evaluate(RUN_AGAIN, index)
        grown[index] = heap.memory().per(RUNS, first)
        if index == 1:
            assert notebook.ask("widget.start() or widget.wait(60)") == "True"
            assert heap.left_by_widgets()  # those of the view that is there
            notebook.clear_output(index)
    notebook.page.wait_for_timeout(2000)
    heap.memory()
    assert heap.left_by_widgets() == {}
    assert notebook.page.evaluate(LIVING_ROOTS) == 0
    assert notebook.page.locator(".lrw, .lrw *").count() == 0
    (figure_nodes, figure_listeners, _), (nodes, listeners, _) = grown[2], grown[1]
    assert nodes < figure_nodes + 12, grown
    assert listeners < figure_listeners + 12, grown
