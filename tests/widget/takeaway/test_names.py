"""Expressions for objects: evaluated in the notebook, each gives the very object."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_widget.widget.takeaway.names import Names, literal

Pair = namedtuple("Pair", "left right")


class Text(str, Enum):
    """A member of an enum that is a text."""

    RATIO = "ratio"


class Untouchable:
    """An object that lets nobody look at it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]


class LazyData(dict[str, int]):
    """A data set that loads when its values are asked for."""

    def values(self) -> Any:
        raise AssertionError("loaded")


@settings(deadline=None)
@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=())),
    )
)
def test_a_plain_value_is_written_as_python_reads_it(value: Any) -> None:
    """Texts with quotes, line ends and halves of pairs, infinities and long integers, too."""
    text = literal(value)
    assert text is not None
    text.encode()
    assert repr(eval(text)) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(Text.RATIO, '"ratio"'), (np.int64(3), "3"), (np.float32(0.5), "0.5"), (float("nan"), 'float("nan")')],
)
def test_numbers_and_texts_of_other_types_become_plain(value: Any, text: str) -> None:
    """NumPy's numbers and members of enums are what they are equal to."""
    assert literal(value) == text


def test_an_object_goes_by_its_variable() -> None:
    """By the oldest of several, unless one of them is the usual name; a name of IPython's does not count."""
    one, two, three = object(), object(), object()
    names = Names({"_": one, "_3": one, "Out": one, "net": one, "m": one, "b": two, "model": two, "not a name": three})
    assert names.of(one, "model") == "net"
    assert names.of(two, "model") == "model"
    assert names.of(three, "model") == "model"
    assert (names.used, names.missing) == ({"net", "model"}, ["model"])


@pytest.mark.parametrize("name", ["class", "lambda", "a b", "", 3, "__name__", "exit"])
def test_a_key_that_is_no_variable_of_the_users_is_no_name(name: Any) -> None:
    """Anything can be a key of the namespace."""
    value = object()
    assert Names({name: value}).of(value, "model") == "model"


def test_collections_of_named_things_are_written_out() -> None:
    """Lists, tuples and dicts, nested ones too, each of which Python reads back."""
    a, b = object(), torch.zeros(2)
    notebook = {"a": a, "b": b}
    for value, text in [
        ([a, b], "[a, b]"),
        ((a,), "(a,)"),
        ((a, [b, 3]), "(a, [b, 3])"),
        ({"x": a, 'q"': (b, None)}, """{"x": a, 'q"': (b, None)}"""),
        (MappingProxyType({"x": a}), '{"x": a}'),
    ]:
        assert Names(notebook).of(value, "given") == text
        assert eval(text, dict(notebook)) == value


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        [object()],
        [1] * 13,
        {1: 2},
        {"a": object()},
        Pair(1, 2),
        OrderedDict(a=1),
        LazyData(a=1),
        [[[[1]]]],
    ],
)
def test_other_collections_are_not_written_out(value: Any) -> None:
    """Empty or long ones, those with unnamed items, and those of classes that may do anything."""
    assert Names({}).of(value, "given") == "given"


def test_a_list_in_itself_has_an_end() -> None:
    """It is not followed for ever."""
    value: list[Any] = []
    value.append(value)
    assert Names({}).of(value, "given") == "given"


def test_the_users_objects_are_not_asked_for_anything() -> None:
    """They are told apart by what they are, not by comparing or by looking into them."""
    value = Untouchable()
    assert Names({"it": value, "other": Untouchable()}).of(value, "given") == "it"
    assert Names({}).of(value, "given") == "given"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.bfloat16, "torch.bfloat16"),
        (torch.device("cpu"), '"cpu"'),
        (torch.nn.functional.cross_entropy, "torch.nn.functional.cross_entropy"),
        (torch.nn.functional.mse_loss, "torch.nn.functional.mse_loss"),
        (torch.nn.functional.gelu, "given"),  # of a private module
        (torch.nn.CrossEntropyLoss(), "given"),  # whose arguments are not known
        (lambda: None, "given"),
        (len, "given"),
    ],
)
def test_torch_has_names_for_some_things(value: Any, text: str) -> None:
    """Those that any script can write."""
    assert Names({}).of(value, "given") == text


def test_a_function_that_says_it_is_of_torch_and_is_not_goes_by_its_keyword() -> None:
    """As a wrapped one does."""

    def impostor() -> None:
        """Pretend."""

    impostor.__module__, impostor.__qualname__, impostor.__name__ = "torch.nn.functional", "mse_loss", "mse_loss"
    assert Names({}).of(impostor, "loss_fn") == "loss_fn"


def test_the_variables_are_read_at_once() -> None:
    """A cell that runs meanwhile may change them."""

    class Changing(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return key

        def __iter__(self) -> Any:
            return iter(["a", "b"])

        def __len__(self) -> int:
            return 2

    assert Names(Changing()).of("plain", "given") == '"plain"'
