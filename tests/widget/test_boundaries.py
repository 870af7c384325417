"""The widget libraries, each known to few files; `tests/test_rooms.py` has the rules for the whole package."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..rooms import Package

PACKAGE = Path(__file__).parents[2] / "lr_widget"


def importers(library: str, folder: Path) -> set[str]:
    """The files below a folder that import a library, at the top or inside a function."""
    package = Package.read(folder)
    return {module.path.name for module in package.modules.values() if library in package.outside_imports(module)}


@pytest.mark.parametrize(("library", "only"), [("bqplot", {"figure.py", "marks.py"}), ("anywidget", {"widget.py"})])
def test_few_files_know_each_widget_library(library: str, only: set[str]) -> None:
    """A change of that library is a change of these files."""
    assert importers(library, PACKAGE) == only


def test_the_check_can_fail(tmp_path: Path) -> None:
    """An import is found wherever it stands."""
    (tmp_path / "other.py").write_text("def f():\n    from bqplot import Figure\n")
    (tmp_path / "another.py").write_text("import bqplot.marks as marks\n")
    assert importers("bqplot", tmp_path) == {"other.py", "another.py"}
