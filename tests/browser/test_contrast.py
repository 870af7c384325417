"""The widget is readable on light and dark pages of every host, also where the system's setting says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from . import plain
from .contrast import Pairing, assert_readable, pairings
from .lab import Notebook
from .test_jupyterlab import STEP_SHOWN, set_pace, show

pytestmark = pytest.mark.browser

SYSTEMS = ["light", "dark"]


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page; indirectly parametrized, on a system with that colour scheme."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 1000}, color_scheme=getattr(request, "param", "light")
    )
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, Any]]:
    """What the widget shows, by the name of its state."""
    return plain.states()


def only(page: Page, html: str) -> Pairing:
    """Measure the only part of a page."""
    page.set_content(html)
    (found,) = pairings(page, "main")
    return found


@pytest.mark.parametrize(
    ("style", "ratio"),
    [
        ("color: black; background: white", 21),
        ("color: white; background: white", 1),
        ("color: #767676; background: #fff", 4.54),
        ("color: rgba(0, 0, 0, 0.5); background: white", 3.98),  # as #808080, but for rounding
        ("color: white; background: rgba(0, 0, 0, 0.5)", 3.98),
        ("color: black; opacity: 0.5", 3.98),
        ("color: color(srgb 1 1 1); background: oklch(0 0 0)", 21),
    ],
)
def test_the_contrast_of_known_colours(page: Page, style: str, ratio: float) -> None:
    """Hand-computed ratios come out, through translucent colours and backgrounds as well."""
    found = only(page, f'<body style="background: white"><main><p style="{style}">text</p></main></body>')
    assert found.ratio == pytest.approx(ratio, abs=0.04)
    assert found.needed == 4.5


@pytest.mark.parametrize(
    ("html", "what"),
    [
        ('<p style="color: #aaa">pale</p>', 'text "pale" of P'),
        ('<svg><text y="20" style="fill: #ccc">pale</text></svg>', 'text "pale" of text'),
        ('<input type="text" value="1" style="color: #bbb; border: 1px solid black">', "value of INPUT"),
        ('<input type="text" value="1" style="color: black; border: 1px solid #ccc">', "border of INPUT"),
        ('<select style="color: #bbb; border: 1px solid black"><option>1</option></select>', "choice of SELECT"),
        ('<select style="color: black; border: 1px solid #ccc"><option>1</option></select>', "border of SELECT"),
        ('<button style="background: none; border: 0"></button>', "border of BUTTON"),
        ('<button disabled style="color: #ddd">Run</button>', 'text "Run" of BUTTON'),
        ('<div class="bqplot"><svg><path class="line" d="M0,0L9,9" style="stroke: #ddd"/></svg></div>', "mark of line"),
    ],
)
def test_a_bad_pairing_is_found(page: Page, html: str, what: str) -> None:
    """Pale text, values, borders and curves are each found, and nothing else is."""
    page.set_content(f'<body style="background: white"><main>{html}</main></body>')
    assert [found.what for found in pairings(page, "main") if found.ratio < found.needed] == [what]


@pytest.mark.parametrize("page", SYSTEMS, indirect=True)
@pytest.mark.parametrize("host", plain.HOSTS, ids=lambda host: host.name)
def test_it_is_readable_on_the_pages_of_other_hosts(
    page: Page, host: plain.Host, states: dict[str, dict[str, Any]]
) -> None:
    """Each state is, in the theme that is behind the widget and not in the system's."""
    frame = plain.open_page(page, host, states["idle"])
    for name, state in states.items():
        plain.show(frame, state)
        if state["view_state"]["failure"] is not None:
            frame.locator('[data-ref="failureDetails"] summary').click()
        assert frame.locator(".lrw").get_attribute("data-theme") == host.theme
        assert_readable(frame, f"{host.name}, {name}", host.paper)


@pytest.mark.parametrize("kind", [{"forced_colors": "active"}, {"contrast": "more"}], ids=str)
@pytest.mark.parametrize("system", SYSTEMS)
def test_it_is_readable_in_colours_that_the_system_forces(
    browser: Browser, kind: dict[str, Any], system: Any, states: dict[str, dict[str, Any]]
) -> None:
    """With Windows' high contrast, and where more contrast is asked for, each state is."""
    context = browser.new_context(color_scheme=system, **kind)
    page = context.new_page()
    frame = plain.open_page(page, plain.Host("any", "", ""), states["idle"])
    for name, state in states.items():
        plain.show(frame, state)
        assert_readable(frame, f"{kind}, {name}")
    context.close()


def test_each_label_of_the_chart_has_the_colour_of_its_line(page: Page, states: dict[str, dict[str, Any]]) -> None:
    """The labels' colours, darker or brighter than those of the lines, are not the same."""
    frame = plain.open_page(page, plain.Host("any", "", ""), states["finished"])
    fills = frame.locator("text.label").evaluate_all("labels => labels.map(label => getComputedStyle(label).fill)")
    assert len(set(fills)) == 2


def test_the_charts_background_stays_in_its_box(page: Page, states: dict[str, dict[str, Any]]) -> None:
    """bqplot's background covers neither the other controls nor the page."""
    frame = plain.open_page(page, plain.Host("any", "", ""), states["finished"])
    background, box = (frame.locator(part).bounding_box() for part in (".svg-background", ".lrw-plot"))
    assert background == box


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_is_readable_in_jupyterlab(open_notebook: Callable[..., Notebook], system: str) -> None:
    """Before, in and after a run, with a pick, warnings and errors, in both themes, which can change at any time."""
    notebook = show(open_notebook, color_scheme=system)
    try:
        _assert_readable_in_both_themes(notebook, "idle")
        notebook.ref("start").click()
        notebook.wait_for(STEP_SHOWN, 5)
        _assert_readable_in_both_themes(notebook, "running")
        set_pace(notebook, 0.01)
        notebook.wait_for_note("Model and optimizer are as before.")
        notebook.ref("pick").fill("1e-2")
        notebook.ref("pick").press("Enter")
        notebook.widget.locator("text.label", has_text="your pick").wait_for()
        notebook.page.keyboard.press("Tab")
        _assert_readable_in_both_themes(notebook, "finished")
        notebook.ref("variable").fill("model")
        notebook.ref("variable").press("Enter")
        notebook.ref("copy").click()
        notebook.widget.locator('[data-ref="note"][data-kind="warning"]').wait_for()
        _assert_readable_in_both_themes(notebook, "warned")
        notebook.ask("globals().update(failing_step=calls + 5)")
        notebook.ref("start").click()
        notebook.wait_for_note("The test failed")
        notebook.ref("failureDetails").locator("summary").click()
        _assert_readable_in_both_themes(notebook, "failed")
    finally:
        notebook.set_theme("Light")  # the server keeps it, for the next test, too


def _assert_readable_in_both_themes(notebook: Notebook, state: str) -> None:
    for theme in ("Dark", "Light"):
        notebook.set_theme(theme)
        notebook.widget.and_(notebook.page.locator(f'[data-theme="{theme.lower()}"]')).wait_for()
        assert_readable(notebook.page, f"JupyterLab {theme}, {state}")
