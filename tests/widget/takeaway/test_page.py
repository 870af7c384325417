"""The result as HTML: a part for the notebook's file, and a page that needs nothing else."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget import Suggestion
from lr_widget.widget.takeaway.page import NamedRun, page, part

SVG = "<svg xmlns='http://www.w3.org/2000/svg'><text>1e-3</text></svg>"
HOSTILE = '</pre></p></li><script>alert(1)</script><img src=x onerror=alert(1)>" onload="alert(1)\' \ud800\0'


class Reader(HTMLParser):
    """The elements of a page, their attributes, and its texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def a_page(text: str, runs: int = 2) -> str:
    """A page with one text wherever one comes from outside."""
    suggestions = {text: Suggestion(1e-3, "auto", text), "steepest": Suggestion(None, "steepest", "None here.")}
    return page(text, SVG, suggestions, text, [NamedRun(text, "#123456")] * runs, text)


def test_a_page_has_the_result_the_chart_the_runs_the_rates_and_the_script() -> None:
    """In the notation of everywhere, and a rule without a rate says so."""
    suggestions = {"auto": Suggestion(3.16e-3, "auto", "It falls."), "steepest": Suggestion(None, "steepest", "No.")}
    runs = [NamedRun("batch 32", "#3a84e6"), NamedRun("batch 64", "#d06a08")]
    html = page("Suggested: 3.2e-3.", SVG, suggestions, "lr = 3.2e-3\n", runs, "Two curves that fall.")
    found = Reader(html)
    assert "<p>Suggested: 3.2e-3.</p>" in html
    assert '<figure role="img" aria-label="Two curves that fall.">' + SVG in html
    assert '<li><span style="background: #3a84e6"></span>batch 32</li>' in html
    assert "<tr><td>auto</td><td>3.2e-3</td><td>It falls.</td></tr>" in html
    assert "<tr><td>steepest</td><td>none</td><td>No.</td></tr>" in html
    assert "<pre>lr = 3.2e-3\n</pre>" in html
    assert found.tags.count("li") == 2
    assert re.findall(r"https?://[^'\"]+", html) == ["http://www.w3.org/2000/svg"]


def test_a_page_leaves_out_what_there_is_not() -> None:
    """Before the first run there is no table and no script, and one run needs no name."""
    found = Reader(page("Not yet.", SVG, {}, ""))
    assert not {"table", "pre", "ul", "h2"} & {*found.tags}
    assert ("aria-label", "Loss over the learning rate, with the suggested rate marked") in found.attributes


@pytest.mark.parametrize("text", [HOSTILE, '"><svg onload=alert(1)>', "&lt;b&gt;", "a\nb"])
def test_texts_from_outside_stay_texts(text: str) -> None:
    """Names, reasons, errors and the script bring no element and no attribute of their own."""
    harmless, hostile = Reader(a_page("x")), Reader(a_page(text))
    assert hostile.tags == harmless.tags
    assert [name for name, _ in hostile.attributes] == [name for name, _ in harmless.attributes]
    stored = Reader(part(text, SVG, "lrw-picture", text))
    assert (stored.tags, [name for name, _ in stored.attributes]) == (
        ["div", "p", "img"],
        ["class", "alt", "style", "src"],
    )


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_any_text_can_be_written_and_read(text: str) -> None:
    """A file's name in an error may be no Unicode; nothing of the page is lost for that."""
    html = a_page(text)
    html.encode()
    assert Reader(html).tags == Reader(a_page("x")).tags
    part(text, SVG, "lrw-picture", text).encode()


def test_a_part_has_the_picture_as_an_image_with_its_text() -> None:
    """Pages take an SVG out of HTML that they do not trust, but leave an image."""
    html = part("It is done.", SVG, "lrw-picture-1", "One curve.")
    assert html.startswith('<div class="lrw-picture-1"><p>It is done.</p><img alt="One curve." ')
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert found is not None
    assert base64.b64decode(found[1]).decode() == SVG
    assert part("Not yet.", None, "lrw-picture-1") == '<div class="lrw-picture-1"><p>Not yet.</p></div>'
