"""A rate is assigned to a variable of the notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget import NotebookError
from lr_widget.widget.kernel import hosts, variable


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The variables of a notebook."""
    held: dict[str, Any] = {}
    shell = SimpleNamespace(user_ns=held, push=held.update, kernel=object())
    monkeypatch.setattr(hosts, "shell", lambda: shell)
    return held


@pytest.mark.parametrize("held", [None, 1, 0.1, np.float64(2.0), np.float32(2.0), np.int64(3)])
def test_a_new_variable_and_one_that_holds_a_number_are_assigned(namespace: dict[str, Any], held: Any) -> None:
    """Python's and NumPy's numbers may be overwritten."""
    if held is not None:
        namespace["lr"] = held
    variable.put("lr", 3e-3)
    assert namespace == {"lr": 3e-3}


@pytest.mark.parametrize("held", ["text", True, np.bool_(True), [1e-3], torch.tensor(1e-3), None, sys])
def test_anything_else_is_never_overwritten(namespace: dict[str, Any], held: Any) -> None:
    """A bool is no number here, and None was put there on purpose."""
    namespace["lr"] = held
    with pytest.raises(NotebookError, match="'lr' already holds something that is not a number"):
        variable.put("lr", 3e-3)
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
