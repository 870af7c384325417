"""A rate is assigned to a variable of the notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget import NotebookError
from lr_widget.errors import OverwriteError
from lr_widget.widget.kernel import hosts, variable


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The variables of a notebook."""
    held: dict[str, Any] = {}
    shell = SimpleNamespace(user_ns=held, push=held.update, kernel=object())
    monkeypatch.setattr(hosts, "shell", lambda: shell)
    return held


NUMBERS = [10, 0.1, np.float64(2.0), np.float32(2.0), np.int64(3)]


def test_a_new_variable_is_assigned_and_its_value_replaced_later(namespace: dict[str, Any]) -> None:
    """A number that was put there may be followed by the next one, however often."""
    for value in (3e-3, 3e-3, 0.5):
        variable.put("lr", value)
        assert namespace == {"lr": value}


@pytest.mark.parametrize("held", NUMBERS)
def test_a_number_of_the_users_is_asked_about_first(namespace: dict[str, Any], held: Any) -> None:
    """A variable `epochs` that holds 10 is not to become a learning rate by a slip of the hand."""
    namespace["epochs"] = held
    with pytest.raises(
        OverwriteError, match=r"epochs is .* and was not written by this widget, so it was kept; .*"
    ) as e:
        variable.put("epochs", 3e-3)
    assert namespace["epochs"] is held
    assert (e.value.name, e.value.held) == ("epochs", repr(held))
    variable.put("epochs", 3e-3, overwrite=True)
    variable.put("epochs", 4e-3)
    assert namespace == {"epochs": 4e-3}


@pytest.mark.parametrize("assigned", [0.01, 0.25 / 25])
def test_a_number_that_a_cell_has_assigned_since_is_asked_about(namespace: dict[str, Any], assigned: float) -> None:
    """Also an equal one: it is the cell's now."""
    variable.put("lr", float("0.01"))
    namespace["lr"] = assigned
    with pytest.raises(OverwriteError, match=r"lr is 0\.01 and was not written by this widget"):
        variable.put("lr", 3e-3)
    del namespace["lr"]
    variable.put("lr", 3e-3)
    assert namespace == {"lr": 3e-3}


def test_a_number_of_thousands_of_digits_is_asked_about_in_few_words(namespace: dict[str, Any]) -> None:
    """Python would not write it out."""
    namespace["n"] = 10**5000
    with pytest.raises(OverwriteError, match=r"n is one of type int and was not written by this widget"):
        variable.put("n", 3e-3)


@pytest.mark.parametrize("held", ["text", True, np.bool_(True), [1e-3], torch.tensor(1e-3), None, sys])
def test_anything_else_is_never_overwritten(namespace: dict[str, Any], held: Any) -> None:
    """A bool is no number here, and None was put there on purpose; no wish for it changes that."""
    namespace["lr"] = held
    with pytest.raises(NotebookError, match="'lr' already holds something that is not a number"):
        variable.put("lr", 3e-3, overwrite=True)
    assert namespace["lr"] is held


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "must be a Python identifier, got ''"),
        ("1lr", "must be a Python identifier, got '1lr'"),
        ("a b", "must be a Python identifier"),
        ("lr;import os", "must be a Python identifier"),
        ("x.y", "must be a Python identifier"),
        (None, "must be a Python identifier, got None"),
        ("lambda", "cannot be the Python keyword 'lambda'"),
        ("print", "'print' would hide a Python builtin"),
        ("__name__", "'__name__' would hide a Python builtin"),
        ("_", "belongs to IPython's own history"),
        ("_i3", "belongs to IPython's own history"),
    ],
)
def test_names_that_are_none_are_refused(namespace: dict[str, Any], name: Any, message: str) -> None:
    """Each with the value and a remedy; nothing is assigned."""
    with pytest.raises(ValueError, match=message):
        variable.put(name, 3e-3)
    assert namespace == {}


def test_names_are_read_as_python_reads_them(namespace: dict[str, Any]) -> None:
    """A ligature is two letters to Python, so the next cell finds the variable."""
    variable.put("ﬁne_lr", 3e-3)
    assert namespace == {"fine_lr": 3e-3}


def test_without_a_notebook_the_error_says_where_the_rate_is() -> None:
    """In a script there is nothing to copy to."""
    with pytest.raises(NotebookError, match=r"no notebook to put 'lr' into.*widget\.selected_lr"):
        variable.put("lr", 3e-3)
