"""Who may know what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lr_widget

PACKAGE = Path(lr_widget.__file__).parent


def importers(module: str, folder: Path) -> set[str]:
    """The files below a folder that import a module."""
    pattern = re.compile(rf"^\s*(import|from)\s+{module}\b", re.MULTILINE)
    return {path.name for path in folder.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(("module", "only"), [("bqplot", "chart.py"), ("anywidget", "widget.py")])
def test_one_file_knows_each_widget_library(module: str, only: str) -> None:
    """A change of that library is a change of that file."""
    assert importers(module, PACKAGE) == {only}


def test_the_check_can_fail(tmp_path: Path) -> None:
    """It finds an import wherever it stands."""
    (tmp_path / "other.py").write_text("def f():\n    from bqplot import Figure\n")
    assert importers("bqplot", tmp_path) == {"other.py"}
