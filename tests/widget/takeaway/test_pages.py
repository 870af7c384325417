"""The result of a widget where no live one is: kept by the notebook, and written as a page of its own."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lr_widget import LRFinderWidget, LRRecords
from lr_widget.schedule import rate_text

from ..helpers import Make, Training, click


def picture_in(html: str) -> str:
    """The SVG document in an image of a stored part."""
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert found is not None
    return base64.b64decode(found[1]).decode()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What the notebook keeps of the widgets' outputs, the latest last."""
    stored: list[dict[str, str]] = []
    path = "lr_widget.widget.kernel.output.Outputs."
    monkeypatch.setattr(path + "show", lambda self, model_id, data: stored.append(data))
    monkeypatch.setattr(path + "update", lambda self, data: stored.append(data))
    return stored


def test_the_notebook_keeps_the_result_of_the_last_run(make_widget: Make, kept: list[dict[str, str]]) -> None:
    """Idle at first, then the rate in words and the curve with its marks as an image that is described."""
    widget = make_widget(num_steps=30)
    widget._ipython_display_()
    assert "The range test has not been run yet." in kept[-1]["text/html"]
    assert "img" not in kept[-1]["text/html"]
    widget.run()
    rate = rate_text(widget.suggestion.lr)
    assert kept[-1]["text/plain"] == repr(widget)
    assert f"suggested lr = {rate}" in kept[-1]["text/plain"]
    assert f"Suggested learning rate: {rate}" in kept[-1]["text/html"]
    assert f"suggested {rate}" in picture_in(kept[-1]["text/html"])
    assert f'<img alt="{widget.chart_state["text"]}"' in kept[-1]["text/html"]
    assert sum(map(len, kept[-1].values())) < 60_000


def test_the_kept_result_follows_picks_probes_and_failures(
    make_widget: Make, training: Training, kept: list[dict[str, str]]
) -> None:
    """Whatever the screen says at the end is what a reader finds later."""
    widget = make_widget(num_steps=30, max_probe_steps=32)
    widget.run()
    click(widget, "set", name="selected_lr", value="3.25e-3")
    assert "Picked learning rate: 3.25e-3." in kept[-1]["text/html"]
    assert "your pick 3.25e-3" in picture_in(kept[-1]["text/html"])
    widget.probe()
    assert widget.evidence.suggestion.reason.split(",")[0] in kept[-1]["text/html"]

    def fail(step: int) -> None:
        raise RuntimeError("no <b>memory</b>")

    training.at_step = fail
    with pytest.raises(RuntimeError, match="memory"):
        widget.run()
    assert "The last run failed: RuntimeError: no &lt;b&gt;memory&lt;/b&gt;." in kept[-1]["text/html"]
    assert "This is the suggestion of an earlier run." in kept[-1]["text/html"]


@pytest.mark.parametrize(("name", "value"), [("loss_scale", "log"), ("loss_min", -3.0), ("loss_max", 50.0)])
def test_the_kept_picture_follows_the_loss_axis(
    make_widget: Make, training: Training, kept: list[dict[str, str]], name: str, value: object
) -> None:
    """A reader finds the chart as it was seen last; in a run, it is kept at the end."""
    widget = make_widget(num_steps=30)
    widget.run()
    before = picture_in(kept[-1]["text/html"])
    click(widget, "set", name=name, value=value)
    assert picture_in(kept[-1]["text/html"]) == widget.screen.pages.picture() != before


def test_the_kept_result_follows_the_runs(make_widget: Make, kept: list[dict[str, str]]) -> None:
    """One that is added, renamed, hidden or removed."""
    widget = make_widget(num_steps=30)
    records = widget.run()
    assert "batch" not in picture_in(kept[-1]["text/html"])
    widget.add(replace(records, loss=records.loss + 1), name="of batch 64")
    assert "of batch 64" in picture_in(kept[-1]["text/html"])
    widget.rename(-1, "of batch 65")
    assert "of batch 65" in picture_in(kept[-1]["text/html"])
    widget.hide(-1)
    assert "of batch 65" not in picture_in(kept[-1]["text/html"])
    widget.hide(-1, is_hidden=False)
    assert "of batch 65" in picture_in(kept[-1]["text/html"])
    widget.remove(-1)
    assert "of batch 65" not in picture_in(kept[-1]["text/html"])


def test_the_kept_result_has_a_bound(make_widget: Make, training: Training, kept: list[dict[str, str]]) -> None:
    """An error can be as long as a state dict has names, and hold what is no UTF-8."""
    widget = make_widget(num_steps=30)
    widget.run()

    def fail(step: int) -> None:
        raise RuntimeError("\udcff" + "missing key, " * 20_000)

    training.at_step = fail
    with pytest.raises(RuntimeError, match="missing key"):
        widget.run()
    assert len(kept[-1]["text/html"].encode()) < 60_000
    assert "This is the suggestion of an earlier run." in kept[-1]["text/html"]


def test_a_page_is_plain_text_where_users_text_is(make_widget: Make, tmp_path: Path) -> None:
    """Markup in a reason, a name, an error or the script stays text, and what is no UTF-8 is written all the same."""
    widget = make_widget(num_steps=30)
    widget.run()
    widget.add(widget.records, name="<u>\udcff")
    screen = widget.screen
    screen.results.selection.suggestions["auto"] = replace(widget.suggestion, reason="<script>1</script>")
    screen.failure = {"title": "<i>\udcff", "where": "", "hint": "", "traceback": ""}
    widget._arguments.script = lambda *_, **__: "<b>code</b>"
    widget.to_html(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.findall("<script|<i>|<b>|<u>", text)
    assert "&lt;b&gt;code&lt;/b&gt;" in text
    assert "&lt;u&gt;" in text


def test_a_page_written_in_a_run_says_so(make_widget: Make, tmp_path: Path) -> None:
    """The old suggestion is not taken for that of the new curve."""
    widget = make_widget(num_steps=20)
    widget.run()
    texts: list[str] = []

    def write(change: object) -> None:
        if widget.status == "running" and not texts:
            widget.to_html(tmp_path / "a.html")
            texts.append((tmp_path / "a.html").read_text(encoding="utf-8"))

    widget.observe(write, "view_state")
    widget.run()
    assert "A run is in progress." in texts[0]
    assert "This is the suggestion of an earlier run." in texts[0]


def test_the_stored_part_has_the_class_by_which_the_view_hides_it(
    make_widget: Make, kept: list[dict[str, str]]
) -> None:
    """The class names the chart, whose id the view has."""
    widget = make_widget(num_steps=5)
    widget._ipython_display_()
    assert f'class="lrw-picture-{widget.figure.model_id}"' in kept[-1]["text/html"]


def test_a_closed_widget_keeps_its_words(make_widget: Make, kept: list[dict[str, str]]) -> None:
    """Shown again, and closed by an observer in the end of its run."""
    widget = make_widget(num_steps=5)
    widget.observe(lambda change: widget.close(), "records")
    widget.run()
    assert "learning rate" in kept[-1]["text/html"]
    type(widget)._ipython_display_(widget)  # ipywidgets 7 takes it off the closed widget, which then shows its repr
    assert kept[-1]["text/plain"] == "LRFinderWidget(closed)"


def test_a_page_needs_nothing_else(make_widget: Make, tmp_path: Path) -> None:
    """Sentence, chart, every rule and the script, and no address to load anything from."""
    widget = make_widget("best", num_steps=30)
    widget.to_html(tmp_path / "before.html")
    assert "has not been run yet" in (tmp_path / "before.html").read_text(encoding="utf-8")
    widget.run()
    widget.to_html(str(tmp_path / "result.html"))
    text = (tmp_path / "result.html").read_text(encoding="utf-8")
    rate = rate_text(widget.suggestion.lr)
    assert f"Suggested learning rate: {rate}" in text
    assert text.count("<svg") == 1
    assert f'<figure role="img" aria-label="{widget.chart_state["text"]}">' in text
    assert f"best = {rate}" in text
    for suggestion in widget.records.suggestions().values():
        assert f"<td>{suggestion.rule}</td>" in text
    assert re.findall(r"https?://[^'\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_a_page_lists_the_runs_on_the_chart_where_there_are_several(tmp_path: Path) -> None:
    """Each with its colour and its rate; a hidden one is not on the chart."""
    runs = {name: LRRecords([1e-3, 1e-2, 1e-1], [2.0, 1.0, height]) for name, height in (("a", 3.0), ("b", 4.0))}
    widget = LRFinderWidget.from_records(runs)
    widget.to_html(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert re.findall(r"<li>.*?</span>(.*?)</li>", text) == ["a: none", "b: none"]
    assert len(set(re.findall(r'<li><span style="background: (#\w{6})"', text))) == 2
    widget.hide("a")
    widget.to_html(tmp_path / "a.html")
    assert "<li>" not in (tmp_path / "a.html").read_text(encoding="utf-8")
    widget.close()


def test_a_closed_widget_writes_the_page_it_would_have_written(make_widget: Make, tmp_path: Path) -> None:
    """But for the code, for which it has let go of what it would need."""
    widget = make_widget("best", num_steps=30)
    widget.run()
    widget.to_html(tmp_path / "open.html")
    widget.close()
    widget.to_html(tmp_path / "closed.html")
    opened, closed = ((tmp_path / f"{name}.html").read_text(encoding="utf-8") for name in ("open", "closed"))
    assert opened.partition("<pre>")[0] == closed.partition("<pre>")[0]
    lr = rate_text(widget.suggestion.lr)
    assert closed.partition("<pre>")[2].startswith(f"best = {lr}")
