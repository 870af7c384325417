"""Colours and sizes that the live chart and the picture of it share.

The colours read on white as well as on near-black: the marks of bqplot cannot follow a theme.
"""

from __future__ import annotations

from typing import TypedDict


class Margins(TypedDict):
    """The space around the plot area, in pixels."""

    top: int
    bottom: int
    left: int
    right: int


HEIGHT_PX = 300
# The front end knows these: by them and the bounds, a click becomes a rate.
MARGIN_PX: Margins = {"top": 12, "bottom": 44, "left": 64, "right": 20}

LOSS_COLOR = "#3a84e6"
EARLIER_COLOR = "#7f858e"
SUGGESTION_COLOR = "#d06a08"
PICK_COLOR = "#b45ad6"
PROBE_COLOR = "#179365"
RAW_OPACITY, EARLIER_OPACITY = 0.55, 0.65
MAX_EARLIER_RUNS = 4
LABEL_ROOM = 0.6  # from this part of the x axis on, a label stands to the left of its line
