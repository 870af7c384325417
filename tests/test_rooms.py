"""The rooms of the package: who imports whom, how big they are, how they are described and where their tests are.

Each rule is held twice: the package keeps it, and a small tree in a temporary folder that breaks it is found out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from . import rooms

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "lr_widget"


def plant(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of a small package named lr_widget, with an empty face in every folder, and return its folder."""
    package = folder / "lr_widget"
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for room in {
        package,
        *(parent for name in files for parent in (package / name).parents if package in parent.parents),
    }:
        (room / "__init__.py").touch()
    return package


def assert_none(offences: list[str]) -> None:
    """Fail with all offences, one a line."""
    assert not offences, "\n".join(["", *offences])


# --- the package keeps the rules -------------------------------------------------------------------------------------


def test_there_is_no_circle_of_imports() -> None:
    """Imports inside functions and those for types only are counted, too."""
    assert_none(rooms.circles(PACKAGE))


def test_imports_go_down_only() -> None:
    """A room imports the rooms below it and the ground, and every room has a place."""
    assert_none(rooms.upward_imports(PACKAGE))


def test_nothing_below_the_widget_imports_it() -> None:
    """The browser, kernel and chart parts do not know the class that uses them."""
    assert_none(rooms.imports_of_the_widget(PACKAGE))


def test_other_rooms_are_imported_through_their_faces() -> None:
    """The inside of a room can change without a change elsewhere."""
    assert_none(rooms.imports_past_a_face(PACKAGE))


def test_torch_and_notebook_libraries_are_imported_only_where_they_are_needed() -> None:
    """Suggestions and results need NumPy; everything but the widget works without a notebook."""
    assert_none(rooms.heavy_imports(PACKAGE))


def test_no_folder_has_more_than_ten_modules() -> None:
    """A room can be taken in at a glance."""
    assert_none(rooms.crowded_folders(PACKAGE))


def test_no_file_is_longer_than_300_lines() -> None:
    """Longer ones hold more than one subject."""
    assert_none(rooms.long_files(PACKAGE))


def test_no_function_is_longer_than_50_lines() -> None:
    """Nested functions count with those that hold them; docstrings do not count."""
    assert_none(rooms.long_functions(PACKAGE))


def test_first_lines_of_docstrings_are_no_riddles() -> None:
    """Less than two in a hundred are, and a noun or a verb says more."""
    assert_none(rooms.riddles(PACKAGE))


def test_every_module_has_its_tests_in_the_mirrored_place() -> None:
    """The tests of `restore/rng.py` are in `tests/restore/test_rng.py`."""
    assert_none(rooms.untested_modules(PACKAGE, TESTS))


# --- a package that breaks them is found out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "closing",
    [
        "from .a import x",
        "def f():\n    from .a import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lr_widget.restore import a",
        "import lr_widget.restore.a",
        "from . import a",
        "from ..restore.a import *",
    ],
)
def test_a_circle_is_found_however_it_is_closed(closing: str, tmp_path: Path) -> None:
    """Three modules import one another in turn; the message shows the way round."""
    files = {"restore/a.py": "from .b import x", "restore/b.py": "from .c import x", "restore/c.py": closing}
    [found] = rooms.circles(plant(tmp_path, files))
    steps = found.split(" → ")
    assert steps[0] == steps[-1]
    following = {"restore.a": "restore.b", "restore.b": "restore.c", "restore.c": "restore.a"}
    assert [following[step] for step in steps[:-1]] == steps[1:]


def test_a_circle_through_a_face_is_found(tmp_path: Path) -> None:
    """A module imports from the face of its own room, and the face imports the module."""
    files = {"restore/__init__.py": "from .a import x\n__all__ = ['x', 'y']", "restore/a.py": "from . import y"}
    assert rooms.circles(plant(tmp_path, files)) == ["restore → restore.a → restore"]


def test_a_name_that_a_face_offers_is_not_taken_for_the_module_of_that_name(tmp_path: Path) -> None:
    """`from .engine import range_test` gives the function, though a module has the same name."""
    face = "from .range_test import range_test\n__all__ = ['range_test']"
    files = {"__init__.py": "from .engine import range_test", "engine/__init__.py": face, "engine/range_test.py": ""}
    assert rooms.imports_past_a_face(plant(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("restore/a.py", "from ..training import modes", "restore.a imports training.modes"),
        ("training/a.py", "from ..restore import Snapshot", "training.a imports restore"),
        ("suggest/a.py", "def f():\n    from ..results import Evidence", "suggest.a imports results"),
        ("engine/deep/a.py", "from ...widget import x", "engine.deep.a imports widget"),
        ("engine/a.py", "from lr_widget.adapters import x", "engine.a imports adapters"),
        ("checks.py", "from .suggest import x", "checks imports suggest"),
        ("results/a.py", "from .. import __version__", "results.a imports lr_widget"),
        ("utils.py", "", "utils has no place among the rooms; give it one in tests/rooms.py"),
    ],
)
def test_an_import_upwards_or_sideways_is_found(file: str, text: str, found: str, tmp_path: Path) -> None:
    """So is a module or a folder that is in no room."""
    places = {f"{room}/__init__.py": "" for room in rooms.BELOW} | {"training/modes.py": ""}
    assert rooms.upward_imports(plant(tmp_path, places | {file: text})) == [found]


def test_an_import_of_the_widget_from_below_is_found(tmp_path: Path) -> None:
    """Also one for types only; the face of the room may import it."""
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..widget import LRFinderWidget"
    files = {"widget/__init__.py": "from .widget import x", "widget/widget.py": "", "widget/browser/commands.py": lazy}
    assert rooms.imports_of_the_widget(plant(tmp_path, files)) == ["widget.browser.commands imports widget.widget"]


@pytest.mark.parametrize(
    "text", ["from ..restore.rng import x", "from ..restore import rng", "import lr_widget.restore.rng"]
)
def test_an_import_past_a_face_is_found(text: str, tmp_path: Path) -> None:
    """A face is passed by with one dot more, and by a module taken out of the room as a whole."""
    files = {"restore/rng.py": "", "engine/a.py": text, "restore/b.py": "from .rng import x"}
    found = rooms.imports_past_a_face(plant(tmp_path, files))
    assert found == ["engine.a imports restore.rng; import from restore"]


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("suggest/a.py", "import torch.nn", "suggest.a imports torch"),
        ("smoothing.py", "def f():\n    from torch import nn", "smoothing imports torch"),
        ("results/a.py", "from ..distributed import x", "results.a imports distributed, which may import torch"),
        ("engine/a.py", "import traitlets", "engine.a imports traitlets"),
        ("__init__.py", "from IPython.display import display", "lr_widget imports IPython"),
    ],
)
def test_a_heavy_import_is_found(file: str, text: str, found: str, tmp_path: Path) -> None:
    """Wherever it stands in the file."""
    files = {"distributed.py": "import torch", "widget/a.py": "import anywidget, torch", file: text}
    assert rooms.heavy_imports(plant(tmp_path, files)) == [found]


def test_a_crowded_folder_is_found(tmp_path: Path) -> None:
    """Ten modules and a face are allowed, eleven are not."""
    files = {f"widget/m{k}.py": "" for k in range(10)} | {f"widget/chart/m{k}.py": "" for k in range(11)}
    assert rooms.crowded_folders(plant(tmp_path, files)) == ["chart has 11 modules, at most 10 are allowed"]


def test_a_long_file_is_found(tmp_path: Path) -> None:
    """300 lines are allowed, 301 are not."""
    assert rooms.long_files(plant(tmp_path, {"checks.py": "x = 1\n" * 300, "engine/a.py": "x = 1\n" * 301})) == [
        "engine/a.py has 301 lines"
    ]


def test_a_long_function_is_found(tmp_path: Path) -> None:
    """50 lines are allowed besides the docstring, 51 are not, in a method as elsewhere."""
    body = '        """One.\n\n        Two.\n        """\n' + "        x = 1\n" * 49
    text = f"class A:\n    def short(self):\n{body}    async def long(self):\n{body}        x = 1\n"
    assert rooms.long_functions(plant(tmp_path, {"checks.py": text})) == ["checks.long has 51 lines"]


def test_riddles_are_found(tmp_path: Path) -> None:
    """One first line of fifty is too many, one of fifty-one is not; later lines do not count."""
    plain = "".join(f'def f{k}():\n    """Add.\n\n    Say what was added.\n    """\n' for k in range(49))
    riddle = 'class A:\n    """Whether it is so."""\n'
    package = plant(tmp_path, {"checks.py": plain + riddle})
    assert rooms.riddles(package) == ["checks: Whether it is so."]
    (package / "errors.py").write_text('"""Errors."""')
    assert rooms.riddles(package) == []


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    """In a folder as well as at the top; a face needs no tests."""
    package, tests = (
        plant(tmp_path, {"restore/deep/reach.py": "", "errors.py": "", "checks.py": ""}),
        tmp_path / "tests",
    )
    tests.mkdir()
    (tests / "test_checks.py").touch()
    assert rooms.untested_modules(package, tests) == [
        "errors has no test_errors.py",
        "restore.deep.reach has no restore/deep/test_reach.py",
    ]
