"""Functions lead to their closures, defaults and the globals that their code names; what they set is put back."""

from __future__ import annotations

import functools
import math
import sys
import weakref
from collections import ChainMap
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget.restore.reach import class_undo, function_undo
from lr_widget.restore.reach.functions import is_library, module_of, parts, references


def names_in(function: Any, *, sees_globals: bool = True) -> dict[str, Any]:
    return dict(references(function, sees_globals=sees_globals))


ONE, TWO = object(), object()


def test_a_function_refers_to_its_closure_its_defaults_its_attributes_and_its_globals():
    """Each with its place; of globals only those that are read, not attributes with the same name."""
    closed, default, keyword, attribute = (object() for _ in range(4))

    def function(x: Any = default, *, y: Any = keyword) -> Any:
        return closed, ONE, x.TWO

    function.held = attribute  # type: ignore[attr-defined]
    expected = {".closed": closed, ".<default>": default, ".y": keyword, ".held": attribute}
    assert names_in(function, sees_globals=False) == expected
    assert names_in(function) == {**expected, ".ONE": ONE}


def test_the_names_of_nested_code_count():
    """Of a lambda, of a comprehension and of the body of a class."""

    def function() -> Any:
        class Inner:
            held = TWO

        return lambda: [ONE for _ in range(2)], Inner

    assert {".ONE", ".TWO"} <= names_in(function).keys()


def test_a_long_function_is_read_to_its_end():
    """More than 256 names need a longer instruction."""
    lines = "".join(f"    name{index}\n" for index in range(600))
    names: dict[str, Any] = {f"name{index}": index for index in range(600)}
    exec(f"def function():\n{lines}", names)
    assert [*names_in(names["function"])] == sorted(f".name{index}" for index in range(600))


def test_of_a_module_its_named_attributes_are_found():
    """Of the user's own module, also below another one; of an installed one nothing."""
    outer, inner = ModuleType("lr_outer"), ModuleType("lr_inner")
    outer.inner, inner.found, inner.other, inner.outer = inner, ONE, TWO, outer  # type: ignore[attr-defined]

    def function() -> Any:
        return outer.inner.found, np.random, torch.nn

    assert names_in(function) == {".outer.inner.found": ONE}


def test_a_closure_that_is_not_filled_yet_is_passed_over():
    """A function may be given before the variable that it refers to has a value."""

    def step() -> Any:
        return late

    assert names_in(step) == {}
    late = ONE
    assert names_in(step) == {".late": ONE}


class Owner:
    def method(self) -> None:
        pass

    @property
    def computed(self) -> None:
        pass


def test_the_parts_of_things_that_are_called():
    """Methods, of C as well, partials, properties, cached functions and weak references."""
    owner, rng = Owner(), np.random.default_rng(1)
    assert [*(parts(owner.method) or ())] == [owner, Owner.method]
    assert next(iter(parts(rng.random) or ())) is rng
    assert [*(parts(functools.partial(math.pow, 2, y=3)) or ())] == [math.pow, 2, 3]
    assert [*(parts(vars(Owner)["computed"]) or ())] == [vars(Owner)["computed"].fget, None, None]
    assert Owner.method in [*(parts(functools.lru_cache(Owner.method)) or ())]
    assert [*(parts(weakref.ref(owner)) or ())] == [owner]
    assert [*(parts(ChainMap(vars(owner))) or ())] == [vars(owner)]
    single = functools.singledispatchmethod(Owner.method)
    assert [*(parts(single) or ())] == [single.dispatcher, Owner.method]
    assert parts(owner) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("torch.nn", True), ("json.decoder", True), ("lr_widget.engine", True), ("tests.x", False), ("__main__", False)],
)
def test_a_library_is_what_is_installed(name: str, expected: bool):
    """The standard library, packages and this one; the user's own modules and the notebook are none."""
    assert is_library(name) is expected


def test_variables_that_a_function_sets_come_back():
    """A global and one that is new, a free variable and one that is new, set by the function or one within it."""
    old, new = object(), object()
    filled: Any = old
    empty: Any
    names: dict[str, Any] = {"__name__": "lr_user", "old": old, "made": lambda: new}
    exec("def setter():\n    global old, new\n    old, new = made(), made()\n", names)

    def outer() -> None:
        def inner() -> None:
            nonlocal filled, empty
            filled, empty = new, new

        inner()

    undos = [function_undo(names["setter"]), function_undo(outer)]
    names["setter"]()
    outer()
    assert (names["old"], names["new"], filled, empty) == (new, new, new, new)
    for undo in undos:
        undo()
    assert (names["old"], "new" in names, filled) == (old, False, old)
    assert names_in(outer)[".filled"] is old
    assert ".empty" not in names_in(outer), "it has no value again"


def test_what_a_function_counts_stays():
    """A global, a free variable and an attribute of the function: the user's record of the test."""
    calls = 0
    names: dict[str, Any] = {"__name__": "lr_user", "steps": 0}
    exec("def count():\n    global steps\n    steps += 1\n    count.calls = steps\n", names)

    def outer() -> None:
        nonlocal calls
        calls += 1
        names["count"]()

    undos = [function_undo(names["count"]), function_undo(outer)]
    outer()
    for undo in undos:
        undo()
    assert (calls, names["steps"], names["count"].calls) == (1, 1, 1)


def test_variables_that_a_function_only_reads_stay():
    """The notebook may set them while the test is suspended."""
    read = ONE  # no note, which would stay anyway

    def function() -> Any:
        return read

    undo = function_undo(function)
    read = TWO
    undo()
    assert function() is TWO


def test_the_attributes_of_a_class_come_back_and_counts_stay():
    """A changed, a new and a deleted one, and a number that was counted up."""
    old: Any = object()

    class Counted:
        changed, gone, count = old, old, 0

    undo = class_undo(Counted)
    Counted.changed, Counted.count = object(), 5
    Counted.late = object()  # type: ignore[attr-defined]
    del Counted.gone
    undo()
    assert (Counted.changed, Counted.gone, hasattr(Counted, "late"), Counted.count) == (old, old, False, 5)


def test_a_function_whose_module_is_gone_is_the_users():
    """Code that was made by exec has no name for its module, or one that is not loaded."""
    function = FunctionType((lambda: ONE).__code__, {"ONE": ONE})
    assert not is_library(module_of(function))
    assert "lr_never_loaded" not in sys.modules
    assert not is_library("lr_never_loaded")
