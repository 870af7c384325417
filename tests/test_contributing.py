"""The map of the package in `CONTRIBUTING.md` shows the files that are there."""

from __future__ import annotations

import re
from pathlib import Path

from .rooms import Package

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def drawn_modules(text: str) -> set[str]:
    """The modules in the drawing of the tree, as dotted names: `  engine/  the test: plan sweep` has two."""
    found, room = set(), ""
    drawing = text.partition("```\nlr_widget/\n")[2].partition("\n```")[0]
    for indent, folder, names in re.findall(r"^( {2}| {4})(\w+/|\.) .*?(?:: ([\w ]+))?$", drawing, re.MULTILINE):
        room = f"{room.split('.', maxsplit=1)[0]}.{folder[:-1]}" if len(indent) == 4 else folder.rstrip("./")
        found |= {f"{room}.{name}".lstrip(".") for name in names.split()}
    return found


def missing_files(text: str) -> list[str]:
    """The files that a text names with their folders and that are neither in the checkout nor in the package."""
    names = sorted(set(re.findall(r"`((?:\w+/)+\w+\.\w+)`", text)))
    return [name for name in names if not (ROOT / name).exists() and not (ROOT / "lr_widget" / name).exists()]


def test_the_tree_has_every_module() -> None:
    """A module that is new, moved or gone is new, moved or gone in the drawing, too."""
    modules = Package.read(ROOT / "lr_widget").modules.values()
    assert drawn_modules(TEXT) == {module.name for module in modules if not module.is_face}


def test_every_file_that_is_named_exists() -> None:
    """A newcomer finds the files of the table."""
    assert missing_files(TEXT) == []


def test_a_map_that_is_out_of_date_is_found() -> None:
    """Modules are read off the drawing at both depths, and a file that is gone is named."""
    drawing = "```\nlr_widget/\n  .   the ground: checks\n  a/  one: b c\n    d/  two: e\n  f/  (not made yet)\n```"
    assert drawn_modules(drawing) == {"checks", "a.b", "a.c", "a.d.e"}
    assert missing_files("see `engine/gone.py`, `checks.py` and `js/src/view.ts`") == ["engine/gone.py"]
