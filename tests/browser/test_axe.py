"""Every state of the widget is free of axe-core's findings and readable, in light and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from .axe import assert_accessible, findings
from .contrast import assert_readable
from .lab import Notebook
from .states import CELLS, visit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        ("<button></button>", "button-name"),
        ("<input>", "label"),
        ('<p style="color: #aaa">pale</p>', "color-contrast"),
        ('<div role="slider" tabindex="0" aria-label="a"></div>', "aria-required-attr"),
    ],
)
def test_a_fault_is_found(browser: Browser, html: str, rule: str) -> None:
    """A nameless button, a field without a label, pale text and a role without its values are each found."""
    page = browser.new_page()
    page.set_content(f'<!doctype html><html lang="en"><body style="background: white"><div class="lrw">{html}</div>')
    found = findings(page)
    page.close()
    assert [line.partition(":")[0] for line in found] == [rule]


def test_no_state_has_a_finding(open_notebook: Callable[..., Notebook]) -> None:
    """All states of `states.py`, the failed and the offline ones, too; text has a contrast of 4.5, marks have one of 3."""
    notebook = open_notebook(CELLS)
    faults, themes = [], ("Light", "Dark")
    try:
        for state in visit(notebook):
            for theme in themes:
                notebook.set_theme(theme)
                notebook.widget.and_(notebook.page.locator(f'[data-theme="{theme.lower()}"]')).wait_for()
                for check in (assert_accessible, assert_readable):
                    try:
                        check(notebook.page, f"{theme}, {state.name}")
                    except AssertionError as error:  # one list of all faults tells more than the first of them
                        faults.append(str(error))
            themes = themes[::-1]  # the next state begins with the theme that is there, as a change takes a second
    finally:
        notebook.set_theme("Light")  # the server keeps it, for the next test, too
    assert not faults, "\n".join(faults)
