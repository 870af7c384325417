"""The result as HTML, for pages without the live widget: one part for a notebook's file, or a page of its own."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, NamedTuple

from ...checks import legible
from ...schedule import rate_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...suggest import Suggestion

TITLE = "Learning-rate range test"
ALTERNATIVE = "Loss over the learning rate, with the suggested rate marked"

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 780px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 20px; }
figure { margin: 0; }
svg { max-width: 100%; height: auto; border: 1px solid #8a8a8a; border-radius: 6px; }
table { border-collapse: collapse; margin: 16px 0; }
td { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8a8a8a66; }
td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
ul { padding: 0; list-style: none; }
li { display: inline-block; margin-right: 20px; overflow-wrap: anywhere; }
li span { display: inline-block; width: 20px; height: 4px; margin-right: 8px; vertical-align: middle; }
pre { overflow-x: auto; padding: 10px 12px; border: 1px solid #8a8a8a66; border-radius: 6px; font-size: 13px; }
"""


class NamedRun(NamedTuple):
    """A run on the picture.

    Attributes:
        name: its name.
        color: of its curve, as CSS has it.
    """

    name: str
    color: str


def part(sentence: str, picture: str | None, name: str, alternative: str = ALTERNATIVE) -> str:
    """Write the part of a cell's output that a notebook keeps.

    Args:
        sentence: the result in words.
        picture: the chart as SVG, or None before the first run. It goes into an image, as pages take an SVG out of HTML
            that they do not trust.
        name: the class by which the live view finds this part and hides it.
        alternative: the picture in words.
    """
    image = ""
    if picture is not None:
        data = base64.b64encode(picture.encode()).decode()
        image = f'<img alt="{_text(alternative)}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'
    return f'<div class="{name}"><p>{_text(sentence)}</p>{image}</div>'


def page(
    sentence: str,
    picture: str,
    suggestions: Mapping[str, Suggestion],
    code: str,
    runs: Sequence[NamedRun] = (),
    alternative: str = ALTERNATIVE,
) -> str:
    """Write a page that needs nothing else: the result, the chart, the runs on it, every rule's rate and the code.

    Args:
        sentence: the result in words.
        picture: the chart as SVG.
        suggestions: by rule.
        code: the script, or nothing.
        runs: those on the chart, where there are several.
        alternative: the picture in words.
    """
    rows = [("rule", "rate", "why")]
    rows += [(name, "none" if s.lr is None else rate_text(s.lr), s.reason) for name, s in suggestions.items()]
    cells = "".join(f"<tr>{''.join(f'<td>{_text(text)}</td>' for text in row)}</tr>" for row in rows)
    table = f"<table>{cells}</table>" if suggestions else ""
    script = f"<h2>The same in a script</h2><pre>{_text(code)}</pre>" if code else ""
    items = [f'<li><span style="background: {_text(run.color)}"></span>{_text(run.name)}</li>' for run in runs]
    names = f"<ul>{''.join(items)}</ul>" if items else ""
    chart = f'<figure role="img" aria-label="{_text(alternative)}">{picture}</figure>'
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{TITLE}</title><style>{_STYLE}</style>"
        f"<h1>{TITLE}</h1><p>{_text(sentence)}</p>{chart}{names}{table}{script}</html>\n"
    )


def _text(text: str) -> str:
    """Return a text as HTML shows it: no markup, and nothing that cannot be encoded."""
    return html.escape(legible(text))
