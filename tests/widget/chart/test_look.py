"""The colours of lines and dots show on the grounds of notebooks, and the runs are told apart by the colour-blind, too."""

from __future__ import annotations

import numpy as np
import pytest

from lr_widget.widget.chart import look

LIGHT, DARK = ["#ffffff", "#eeeeee"], ["#383838", "#1e1e1e", "#111111"]
OTHERS = {
    name: getattr(look, name) for name in ("RAW", "VALIDATION", "SUGGESTION", "PICK", "PROBE", "ASIDE", "UNSTABLE")
}
TONES = OTHERS | {f"run {place}": tone for place, tone in enumerate(look.PALETTE)}

# How dichromats see linear sRGB: Machado, Oliveira and Fernandes (2009), severity 1.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
EYES = {"usual": np.eye(3), "protanopia": np.array(PROTANOPIA), "deuteranopia": np.array(DEUTERANOPIA)}

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> np.ndarray:
    """Red, green and blue of `#rrggbb`, without the gamma of sRGB."""
    parts = np.array([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast ratio by WCAG 2.2."""
    dark, light = sorted(float(_TO_XYZ[1] @ linear(color)) for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(color: str, eye: np.ndarray) -> np.ndarray:
    """A colour in CIELAB, as an eye sees it."""
    xyz = _TO_XYZ @ np.clip(eye @ linear(color), 0, 1) / _TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def least_difference(colors: list[str], eye: np.ndarray) -> float:
    """The smallest distance between two of the colours (CIE 1976; one just seen is about 2.3)."""
    seen = np.array([lab(color, eye) for color in colors])
    distances = np.linalg.norm(seen[:, None] - seen, axis=-1)
    return float(distances[np.triu_indices(len(colors), 1)].min())


def test_contrast_is_that_of_the_guideline() -> None:
    """21 for black on white, 1 for the same, and the guideline's often quoted grey."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#123456", "#123456") == 1


def test_differences_are_those_of_eyes() -> None:
    """Black and white are 100 apart; red and green of the same lightness are much nearer without the red cones."""
    assert least_difference(["#000000", "#ffffff"], EYES["usual"]) == pytest.approx(100, abs=0.1)
    red, green = "#e04040", "#609030"
    assert least_difference([red, green], EYES["usual"]) > 3 * least_difference([red, green], EYES["deuteranopia"])


@pytest.mark.parametrize("name", TONES)
def test_lines_and_dots_show(name: str) -> None:
    """3 : 1, as for all graphics that carry a meaning (WCAG 2.2, 1.4.11), with the style sheet and without it."""
    key, light, dark = TONES[name]
    assert min(contrast(key, ground) for ground in LIGHT + DARK) >= 3
    assert min(contrast(light, ground) for ground in LIGHT) >= 3
    assert min(contrast(dark, ground) for ground in DARK) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "region", "opacity"),
    [
        ("SUGGESTION", "SUGGESTION", look.RANGE_OPACITY),
        ("SUGGESTION", "UNSTABLE", look.UNSTABLE_OPACITY),
        ("PICK", "SUGGESTION", look.RANGE_OPACITY),
        ("PICK", "UNSTABLE", look.UNSTABLE_OPACITY),
        ("UNSTABLE", "UNSTABLE", look.UNSTABLE_OPACITY),
    ],
)
def test_labels_can_be_read(name: str, region: str, opacity: float, theme: str) -> None:
    """4.5 : 1, as for all texts, also over a shaded region."""
    text, shade = getattr(OTHERS[name], theme), getattr(OTHERS[region], theme)
    grounds = [over(ground, shade, opacity) for ground in (LIGHT if theme == "light" else DARK)]
    assert min(contrast(text, ground) for ground in grounds) >= 4.5


def over(ground: str, color: str, opacity: float) -> str:
    """A shade over a ground."""
    mixed = [round(opacity * int(color[k : k + 2], 16) + (1 - opacity) * int(ground[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in mixed)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_any_two_runs_are_told_apart(theme: str, eye: str) -> None:
    """By ten times the difference that is just seen, on a page with the style sheet."""
    assert least_difference([getattr(tone, theme) for tone in look.PALETTE], EYES[eye]) >= 23


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_validation_loss_is_told_from_any_run(theme: str, eye: str) -> None:
    """And from the raw losses, with which it shares the chart."""
    validation = getattr(look.VALIDATION, theme)
    for other in (*look.PALETTE, look.RAW):
        assert least_difference([validation, getattr(other, theme)], EYES[eye]) >= 23


def test_runs_are_told_apart_without_the_style_sheet() -> None:
    """By usual eyes: a colour that reads on white and on black leaves no room for more."""
    assert least_difference([tone.key for tone in look.PALETTE], EYES["usual"]) >= 9


def test_neighbours_differ_in_more_than_colour() -> None:
    """Thin lines of neighbouring places have another style, and each style comes twice."""
    assert all(one != other for one, other in zip(look.LINE_STYLES, look.LINE_STYLES[1:], strict=False))
    assert len(look.LINE_STYLES) == len(look.PALETTE)
    assert {look.LINE_STYLES.count(style) for style in look.LINE_STYLES} == {2}


def test_no_key_stands_for_two_colours() -> None:
    """The style sheet knows a colour by its key."""
    assert len({tone.key for tone in TONES.values()}) == len(TONES)
