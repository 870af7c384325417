"""Colours, sizes and entries of the legend that the live chart, the picture of it and the front end share.

bqplot writes one colour into a mark, whatever the theme of the page: the key. It reads on white as well as on
near-black. The style sheet replaces it by the light or the dark colour, which read better and are told apart by the
colour-blind, too.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

LegendKind = Literal["raw", "smoothed", "validation", "band", "range", "unstable", "probe", "probe_aside", "probe_cut"]


class Margins(TypedDict):
    """The space around the plot area, in pixels."""

    top: int
    bottom: int
    left: int
    right: int


class Marks(TypedDict):
    """Places of a run's curves in the figure's list of marks; None for a curve that is not drawn."""

    raw: int | None
    smoothed: int | None
    validation: int | None


class LegendEntry(TypedDict):
    """A kind of mark that is on the chart now, in words."""

    kind: LegendKind
    text: str


class Tone(NamedTuple):
    """A colour on any ground, on a light one and on a dark one."""

    key: str
    light: str
    dark: str


HEIGHT_PX = 300
# The front end knows these: by them and the scales, a place becomes a rate.
MARGIN_PX: Margins = {"top": 12, "bottom": 44, "left": 78, "right": 20}

PALETTE = (  # of the runs
    Tone("#3a84e6", "#0060cc", "#9cb4fc"),
    Tone("#b47e00", "#907800", "#fcf000"),
    Tone("#c455c0", "#600c60", "#c0789c"),
    Tone("#66906c", "#608454", "#ccfc90"),
    Tone("#e25652", "#602424", "#cc7860"),
    Tone("#9672ba", "#0000fc", "#8478fc"),
    Tone("#36969c", "#0c8484", "#a8fcfc"),
    Tone("#b47236", "#6c3c00", "#e46c00"),
)
LINE_STYLES = ("solid", "dashed", "dotted", "dash_dotted") * 2  # of the earlier runs, by their place in the palette
MAX_RUNS = len(PALETTE)  # drawn at once

RAW = Tone("#7f858e", "#737a82", "#8d939b")
VALIDATION = Tone("#e0449b", "#0088bb", "#11eeaa")
SUGGESTION = Tone("#d06a08", "#9c4800", "#ffb366")
PICK = Tone("#b45ad6", "#8d2fb3", "#dfa3f7")
PROBE = Tone("#179365", "#0f6e4a", "#4fd3a0")
ASIDE = Tone("#80868f", "#676d75", "#a3a9b1")  # probes that do not count
UNSTABLE = Tone("#e8504a", "#b8261d", "#ffa199")

RAW_WIDTH, SMOOTHED_WIDTH, EARLIER_WIDTH, EDGE_WIDTH = 1.0, 2.6, 1.6, 1.0  # of lines, in pixels
BAND_OPACITY, RANGE_OPACITY, UNSTABLE_OPACITY = 0.22, 0.11, 0.1  # of areas; their edges have the full colour
# Places of the labels, as a share of the height: no two of them can cover each other.
SUGGESTION_HEIGHT, PICK_HEIGHT, UNSTABLE_HEIGHT = 0.95, 0.86, 0.04
LABEL_ROOM = 0.5  # from this part of the x axis on, a label stands to the left of its line
