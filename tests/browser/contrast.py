"""The contrast of everything that a widget shows, computed from the page as WCAG 2.2 defines it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

_MEASURE = (Path(__file__).parent / "contrast.js").read_text()


class Pairing(NamedTuple):
    """A part with the contrast that it has and the one that it needs."""

    what: str
    ratio: float
    needed: float


def pairings(page: Page | Frame, selector: str = ".lrw", paper: str | None = None) -> list[Pairing]:
    """Measure every text, border, slider and curve that is shown.

    Args:
        page: the page or the frame in it.
        selector: of the elements whose parts are measured.
        paper: the colour behind a frame that has none of its own.
    """
    found = page.evaluate(_MEASURE, {"selector": selector, "paper": paper})
    return [Pairing(**pairing) for pairing in found]


def assert_readable(page: Page | Frame, where: str, paper: str | None = None) -> None:
    """Fail with a list of the parts of the widget whose contrast is too small."""
    found = pairings(page, paper=paper)
    assert len(found) > 20, f"{where}: only {len(found)} parts are shown"
    faint = [f"{what}: {ratio:.2f} < {needed}" for what, ratio, needed in found if ratio < needed]
    assert not faint, f"{where}:\n" + "\n".join(faint)
