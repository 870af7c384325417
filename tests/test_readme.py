"""The README keeps its word: its examples run, its commands and links exist, its figures are those that were measured."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

import lr_widget

from .peers.test_counts import SUITES
from .readme import OBJECTS, README, ROOT, Section, links, section, sections

FILES = [README, ROOT / "CONTRIBUTING.md", ROOT / "tests" / "benchmarks" / "README.md"]
WITH_CODE = [each for each in sections(README) if each.blocks("python")]

# The frameworks' and notebook libraries' own warnings, which depend on their versions.
pytestmark = pytest.mark.filterwarnings("ignore")


def commands() -> list[tuple[str, str]]:
    """Every line of the console blocks: (file name, line without its comment)."""
    blocks = [(path.name, block) for path in FILES for each in sections(path) for block in each.blocks("console")]
    lines = [(name, line.partition("#")[0].strip()) for name, block in blocks for line in block.splitlines()]
    return [(name, line) for name, line in lines if line]


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def run_blocks(of: Section, folder: Path) -> dict[str, Any]:
    """Run the python blocks of a section, and its calls `LRFinderWidget.from_…`; return the names that are there then."""
    make = OBJECTS[of.title]
    names = make(*[folder for _ in inspect.signature(make).parameters] if make is not dict else [])
    for block in of.blocks("python"):
        exec(compile(block, of.title, "exec"), names)
    for line in re.findall(r"`(LRFinderWidget\.from_.+?\))`", of.prose().replace("\n", " ")):
        names["widget"] = eval(line, names)
    return names


@pytest.mark.parametrize("of", WITH_CODE, ids=lambda of: of.title)
def test_every_example_runs(of: Section, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch) -> None:
    """With objects of the names that it uses, in the order of the page; widgets close without a browser."""
    monkeypatch.chdir(tmp_path)
    if of.title == "In several processes":
        request.getfixturevalue("one_process")
    widget = run_blocks(of, tmp_path).get("widget")
    if widget is not None:
        assert (widget.status, widget.records) == ("idle", None)
        widget.close()


@pytest.mark.parametrize("name", ["lightning", "transformers", "accelerate", "fastai", "skorch"])
def test_every_framework_has_its_lines(name: str) -> None:
    """The adapter, the test, the way back and the widget."""
    [of] = [each for each in WITH_CODE if each.title.lower() == name]
    assert [f"adapters.{name}(", "range_test(**setup)", "setup.apply(records.suggest())"] == [
        line
        for line in (f"adapters.{name}(", "range_test(**setup)", "setup.apply(records.suggest())")
        if line in of.text
    ]
    assert f"`LRFinderWidget.from_{name}(" in of.prose()
    assert f"notebooks/{name}.ipynb" in of.prose()


def test_only_known_languages_are_used() -> None:
    """A block in another language would not be tried; a block without one is no code."""
    languages = {
        language
        for path in FILES
        for language in re.findall(r"^```(\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert languages == {"python", "pycon", "console"}
    assert [each.title for path in FILES[1:] for each in sections(path) if each.blocks("python")] == []


def test_the_commands_exist() -> None:
    """Targets of make, files that are run, modules, and the extras that pip is asked for."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for name, line in commands():
        for target in re.findall(r"^make ([\w-]+)", line):
            assert target in targets, (name, line)
        for file in re.findall(r"\b((?:notebooks|tests)/[\w/.]+)", line):
            assert (ROOT / file).exists(), (name, line)


def test_the_extras_exist() -> None:
    """Those that pip is asked for, and a section for each framework that has one."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    known = set(re.findall(r"^(\w+) = ", extras, re.MULTILINE))
    text = section("Install").text
    names = {name for asked in re.findall(r"(?:lr_widget|\.)\[([\w,]+)\]", text) for name in asked.split(",")}
    listed = re.search(r"# with a trainer: (.+)", text)
    assert listed is not None
    names |= {*re.split(", | or ", listed[1])}
    assert names <= known
    assert known - names == {"examples"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_tests_that_are_named_exist(path: Path) -> None:
    """Of `python -m tests.…` and `pytest tests/…`."""
    text = path.read_text(encoding="utf-8")
    for module in re.findall(r"(?<=python -m )tests[\w.]+", text):
        file = ROOT / module.replace(".", "/")
        assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), module
    for folder in re.findall(r"(?<=pytest )tests/[\w/.]+", text):
        assert (ROOT / folder).exists(), folder


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file, and in it to a section where one is named."""
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in {each.anchor for each in sections(target)}, link


def test_a_figure_of_the_front_page_stands_in_the_table_that_it_is_from() -> None:
    """With the whole table below, or in it."""
    tables = {each.anchor: each.text for each in sections(README)}
    bullets = re.split(r"^- ", section("Why it can be trusted").text, flags=re.MULTILINE)[1:]
    found = [
        (figure, link)
        for each in bullets
        for link in re.findall(r"\(#([\w-]+)\)", each)
        for figure in re.findall(r"\d\.\d{3}", each)
    ]
    assert len(found) == 5
    assert [pair for pair in found if pair[0] not in tables[pair[1]]] == []


def test_the_cases_of_other_finders_are_counted_right() -> None:
    """As the tables of their cases count them."""
    total = sum(suite.total for suite in SUITES)
    expressed = total - sum(len(suite.inexpressible) for suite in SUITES)
    text = section("Why it can be trusted").text.replace("\n", " ")
    assert f"Of the {total} cases" in text
    assert re.search(rf"\b{expressed} pass as calls of ours", text)


@pytest.mark.parametrize(("kind", "suffix"), [("JavaScript", "js"), ("CSS", "css")])
def test_the_size_of_the_front_end_is_the_one_that_is_stated(kind: str, suffix: str) -> None:
    """To a tenth."""
    stated = re.search(rf"(\d+) kB of {kind}", section("Install").text)
    assert stated is not None
    built = Path(lr_widget.__file__).parent / "widget" / "static" / f"widget.{suffix}"
    assert built.stat().st_size / 1000 == pytest.approx(float(stated[1]), rel=0.1)


def test_every_section_that_a_message_names_exists() -> None:
    """A message that ends in "see “…” in the README" leads there."""
    titles = {each.title for each in sections(README)}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "lr_widget").rglob("*.py")]
    named = {title for source in sources for title in re.findall(r"“([^”]+)” in the README", source)}
    assert named <= titles


def test_a_broken_page_is_seen(tmp_path: Path) -> None:
    """Sections, blocks and links are read off a page; a comment inside a block is no heading."""
    page = tmp_path / "page.md"
    page.write_text("# One?\n\n[a](#gone)\n\n```python\n# no heading\nx = 1\n```\n\n## Two\n\n[b](https://c)\n")
    first, second = sections(page)
    assert (first.anchor, first.blocks("python"), second.title) == ("one", ["# no heading\nx = 1\n"], "Two")
    assert links(page) == ["#gone"]
