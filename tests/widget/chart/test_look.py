"""The colours of lines and dots show on white and on the dark grounds of notebooks."""

from __future__ import annotations

import pytest

from lr_widget.widget.chart import look

GROUNDS = ["#ffffff", "#eeeeee", "#383838", "#1e1e1e", "#111111"]
COLORS = [name for name in dir(look) if name.endswith("_COLOR")]


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio by WCAG 2.2."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_guideline() -> None:
    """21 for black on white, 1 for the same, and the guideline's often quoted grey."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", COLORS)
def test_lines_and_dots_show(name: str, ground: str) -> None:
    """3 : 1, as for all graphics that carry a meaning (WCAG 2.2, 1.4.11)."""
    assert contrast(getattr(look, name), ground) >= 3
