"""The result as HTML, for pages without the live widget: one part for a notebook's file, or a page of its own."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from . import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..suggest import Suggestion

TITLE = "Learning-rate range test"

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 780px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 20px; }
svg { max-width: 100%; height: auto; border: 1px solid #8a8a8a; border-radius: 6px; }
table { border-collapse: collapse; margin: 16px 0; }
td { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8a8a8a66; }
td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 10px 12px; border: 1px solid #8a8a8a66; border-radius: 6px; font-size: 13px; }
"""


def part(sentence: str, picture: str | None, name: str) -> str:
    """Write the part of a cell's output that a notebook keeps.

    Args:
        sentence: the result in words.
        picture: the chart as SVG, or None before the first run. It goes into an image, as pages take an SVG out of HTML
            that they do not trust.
        name: the class by which the live view finds this part and hides it.
    """
    image = ""
    if picture is not None:
        data = base64.b64encode(picture.encode()).decode()
        alt = "Loss over the learning rate, with the suggested rate marked"
        image = f'<img alt="{alt}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'
    return f'<div class="{name}"><p>{escape(sentence)}</p>{image}</div>'


def page(sentence: str, picture: str, suggestions: Mapping[str, Suggestion], code: str) -> str:
    """Write a page that needs nothing else: the result, the chart, every rule's rate and the code."""
    rows = [("rule", "rate", "why")]
    rows += [(name, "none" if s.lr is None else words.rate(s.lr), s.reason) for name, s in suggestions.items()]
    cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    table = f"<table>{cells}</table>" if suggestions else ""
    script = f"<h2>The same in a script</h2><pre>{escape(code)}</pre>" if code else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{TITLE}</title><style>{_STYLE}</style>"
        f"<h1>{TITLE}</h1><p>{escape(sentence)}</p>{picture}{table}{script}</html>\n"
    )
