"""Modules, imports and sizes of a package, read from its source, and the rules of the house as checks.

Each check takes the package's folder and returns one sentence per offence, so an empty list means that the rule holds.
"""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

GROUND = ("checks", "distributed", "errors", "horizon", "interrupts", "schedule", "smoothing")

# The rooms that a room may import, directly or not; the ground is open to all.
BELOW: dict[str, set[str]] = {
    "suggest": set(),
    "results": {"suggest"},
    "restore": set(),
    "training": set(),
    "engine": {"results", "suggest", "restore", "training"},
    "adapters": {"engine", "results", "suggest", "restore", "training"},
    "widget": {"adapters", "engine", "results", "suggest", "restore", "training"},
}

# `distributed` is the one part of the ground that will need torch; so the other parts must not import it.
WITHOUT_TORCH = ("suggest", "results", *(name for name in GROUND if name != "distributed"))
NOTEBOOK_LIBRARIES = ("IPython", "anywidget", "bqplot", "ipywidgets", "traitlets")

MAX_MODULES = 10
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
MAX_SHARE_OF_RIDDLES = 0.02


@dataclass(frozen=True)
class Module:
    """A source file of a package; `name` is dotted, relative to the package, and empty for the package's own face."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_face(self) -> bool:
        """True for an `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def room(self) -> str:
        """The first part of the name: a top folder, a ground module, or empty for the package's own face."""
        return self.name.partition(".")[0]

    @cached_property
    def offered(self) -> frozenset[str]:
        """The names in `__all__`."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
            ):
                return frozenset(ast.literal_eval(node.value))
        return frozenset()


@dataclass(frozen=True)
class Package:
    """All modules of a package and their imports: at the top, inside functions and under `TYPE_CHECKING` alike."""

    folder: Path
    modules: dict[str, Module]

    @classmethod
    def read(cls, folder: Path) -> Package:
        """Parse every file below a folder."""
        modules = {}
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            modules[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8"), str(path)))
        return cls(folder, modules)

    def imports(self, module: Module) -> set[str]:
        """The modules of this package that a module imports."""
        own = (self._own_name(name) for name in self._imported_names(module))
        return {name for name in own if name is not None}

    def outside_imports(self, module: Module) -> set[str]:
        """The top-level names of the other packages that a module imports."""
        names = self._imported_names(module)
        return {name.split(".")[0] for name in names if self._own_name(name) is None}

    def _imported_names(self, module: Module) -> Iterator[str]:
        """Yield each import as an absolute dotted name."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(module, node)
                yield from (self._member(source, alias.name) for alias in node.names)

    def _absolute(self, module: Module, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = [self.folder.name, *module.name.split(".")] if module.name else [self.folder.name]
        climbed = parts[: len(parts) - node.level + module.is_face]
        return ".".join([*climbed, *([node.module] if node.module else [])])

    def _member(self, source: str, name: str) -> str:
        """Join `from source import name` to one name, except where a face offers something of a submodule's name."""
        below = self._below(source)
        face = None if below is None else self.modules.get(below)
        return source if face is not None and name in face.offered else f"{source}.{name}"

    def _below(self, absolute: str) -> str | None:
        """Cut the package's name off an absolute name; None for a name of another package."""
        first, _, rest = absolute.partition(".")
        return rest if first == self.folder.name else None

    def _own_name(self, absolute: str) -> str | None:
        """Find the module that an absolute name stands in; None for a name of another package."""
        name = self._below(absolute)
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name


def circles(folder: Path) -> list[str]:
    """Circular imports."""
    package = Package.read(folder)
    graph = {name: package.imports(module) - {name} for name, module in package.modules.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" → ".join(name or folder.name for name in reversed(error.args[1]))]
    return []


def upward_imports(folder: Path) -> list[str]:
    """Imports of a room that is not below the importing one, and rooms that nobody has placed yet."""
    package = Package.read(folder)
    found = [
        f"{room} has no place among the rooms; give it one in tests/rooms.py"
        for room in sorted({module.room for module in package.modules.values()} - {"", *GROUND, *BELOW})
    ]
    for module in package.modules.values():
        if module.name:  # the package's own face imports all rooms
            allowed = {module.room, *GROUND, *BELOW.get(module.room, set())}
            targets = sorted(package.imports(module))
            found += [f"{module.name} imports {name or folder.name}" for name in targets if _room(name) not in allowed]
    return found


def imports_of_the_widget(folder: Path) -> list[str]:
    """Imports of `widget/widget.py` by anything but the face of its room."""
    package = Package.read(folder)
    return [
        f"{module.name or folder.name} imports widget.widget"
        for module in package.modules.values()
        if "widget.widget" in package.imports(module) and module.name != "widget"
    ]


def imports_past_a_face(folder: Path) -> list[str]:
    """Imports of a module inside another room, where the room's face is the door."""
    package = Package.read(folder)
    return [
        f"{module.name or folder.name} imports {name}; import from {_room(name)}"
        for module in package.modules.values()
        for name in sorted(package.imports(module))
        if "." in name and _room(name) != module.room
    ]


def heavy_imports(folder: Path) -> list[str]:
    """Imports of torch where NumPy is enough, and of notebook libraries outside the widget's room."""
    package = Package.read(folder)
    found = []
    for module in package.modules.values():
        banned = {"torch"} if module.room in WITHOUT_TORCH else set()
        if module.room != "widget":
            banned |= set(NOTEBOOK_LIBRARIES)
        found += [f"{module.name or folder.name} imports {name}" for name in banned & package.outside_imports(module)]
        if module.room in WITHOUT_TORCH and "distributed" in package.imports(module):
            found.append(f"{module.name} imports distributed, which may import torch")
    return sorted(found)


def crowded_folders(folder: Path) -> list[str]:
    """Folders with too many modules, faces not counted."""
    found = []
    for room in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        count = sum(path.name != "__init__.py" for path in room.glob("*.py"))
        if count > MAX_MODULES:
            found.append(f"{room.name} has {count} modules, at most {MAX_MODULES} are allowed")
    return found


def long_files(folder: Path) -> list[str]:
    """Files with too many lines."""
    counts = {
        path.relative_to(folder).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(folder.rglob("*.py"))
    }
    return [f"{name} has {count} lines" for name, count in counts.items() if count > MAX_FILE_LINES]


def long_functions(folder: Path) -> list[str]:
    """Functions and methods with too many lines; docstrings are not counted, as some explain two dozen keywords."""
    return [
        f"{module.name}.{node.name} has {length} lines"
        for module in Package.read(folder).modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := _lines(node) - _docstring_lines(node)) > MAX_FUNCTION_LINES
    ]


def riddles(folder: Path) -> list[str]:
    """Docstrings with a riddle for a first line, if they are too many of all docstrings."""
    first_lines = [
        (module.name or folder.name, docstring.splitlines()[0])
        for module in Package.read(folder).modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and (docstring := ast.get_docstring(node))
    ]
    found = [
        f"{name}: {line}" for name, line in first_lines if re.search(r"\b(what|which|whether)\b", line, re.IGNORECASE)
    ]
    return found if len(found) >= MAX_SHARE_OF_RIDDLES * len(first_lines) else []


def untested_modules(folder: Path, tests: Path) -> list[str]:
    """Modules without a test file in the mirrored place."""
    modules = sorted(name for name, module in Package.read(folder).modules.items() if not module.is_face)
    expected = {name: Path(*name.split(".")[:-1], f"test_{name.split('.')[-1]}.py") for name in modules}
    return [f"{name} has no {path.as_posix()}" for name, path in expected.items() if not (tests / path).exists()]


def _room(name: str) -> str:
    return name.partition(".")[0]


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return _lines(node.body[0]) if ast.get_docstring(node) is not None else 0
