"""The public names explain themselves: each has an example that runs, and says what it raises."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from typing import Any

import lr_widget

# They draw, or write and read files, which an example would leave behind.
WITHOUT_EXAMPLE = {"LRRecords.plot", "LRRecords.save", "LRRecords.load"}


def public(names: list[str]) -> Iterator[tuple[str, Any]]:
    """The functions and classes of a list of public names; the adapters need their frameworks, and the widget a notebook."""
    for name in names:
        thing = getattr(lr_widget, name)
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and name != "LRFinderWidget":
            yield name, thing


def methods(name: str, kind: type) -> list[str]:
    """The public methods that a class defines by itself."""
    own = {each: value for each, value in vars(kind).items() if not each.startswith("_")}
    return [f"{name}.{each}" for each, value in own.items() if callable(value) or isinstance(value, classmethod)]


def examples(thing: Any) -> str:
    """The source of the examples in the docstrings of a function, or of a class and its methods."""
    return "\n".join(e.source for test in doctest.DocTestFinder().find(thing, thing.__name__) for e in test.examples)


def without_example(things: list[tuple[str, Any]]) -> list[str]:
    """The names of functions and classes without an example, and of methods that no example calls."""
    sources = "\n".join(examples(thing) for _, thing in things)
    of_methods = [each for name, thing in things if inspect.isclass(thing) for each in methods(name, thing)]
    called = [each for each in of_methods if re.search(rf"\.{each.partition('.')[2]}\(", sources)]
    missing = {name for name, thing in things if ">>>" not in inspect.getdoc(thing)} | {*of_methods} - {*called}
    return sorted(missing - WITHOUT_EXAMPLE)


def test_every_public_name_has_an_example() -> None:
    """In its docstring, for a method also in that of its class; pytest runs all of them."""
    assert without_example([*public(lr_widget.__all__)]) == []


def test_a_missing_example_is_found() -> None:
    """Of a class, and of a method that no example calls."""

    class Silent:
        """Nothing to see."""

        def speak(self) -> None:
            """Say nothing."""

    assert without_example([("Silent", Silent)]) == ["Silent", "Silent.speak"]


def test_every_public_function_says_what_comes_back_and_what_it_raises() -> None:
    """In sections of their own, beside that of the arguments."""
    for _, thing in public(lr_widget.__all__):
        if inspect.isfunction(thing):
            assert all(f"\n{section}:\n" in inspect.getdoc(thing) for section in ("Args", "Returns", "Raises"))
