"""axe-core's findings on a widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .server import HOST_PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

_SOURCE = HOST_PAGES / "node_modules" / "axe-core" / "axe.min.js"

# All rules but the experimental ones, the best practices, too; those for a whole page do not apply to a part of it.
_RUN = """async selector => {
    const { violations } = await window.axe.run(selector, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
        `${id}: ${target} ${failureSummary}`));
}"""


def findings(page: Page | Frame, selector: str = ".lrw") -> list[str]:
    """Run axe-core on the elements of a selector and return a line for each finding."""
    assert _SOURCE.exists(), "`make browser-test` installs axe-core"
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_SOURCE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_RUN, selector)
    return found


def assert_accessible(page: Page | Frame, where: str) -> None:
    """Fail with a list of axe-core's findings on the widget."""
    found = findings(page)
    assert not found, f"{where}:\n" + "\n".join(found)
