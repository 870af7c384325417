"""Puts a value into a variable of the notebook, and tells which host shows the notebook."""

from __future__ import annotations

import builtins
import keyword
import numbers
import os
import sys
import unicodedata
from typing import Any, Literal

import numpy as np

from ...errors import NotebookError

Host = Literal["colab", "vscode", "jupyter", "none"]


def current_host() -> Host:
    """Which program shows the notebook: Colab, VS Code, another Jupyter front end, or none (a script, a terminal)."""
    shell = _shell()
    if "google.colab" in sys.modules:
        return "colab"
    if shell is None or not hasattr(shell, "kernel"):
        return "none"
    # VS Code's Jupyter extension starts its kernels with this variable of the editor's own processes.
    if "VSCODE_PID" in os.environ or "__vsc_ipynb_file__" in shell.user_ns:
        return "vscode"
    return "jupyter"


def has_gui_loop() -> bool:
    """Whether the kernel serves the windows of a GUI between the cells (``%gui qt``, ``%matplotlib qt``)."""
    return getattr(getattr(_shell(), "kernel", None), "eventloop", None) is not None


def check_name(name: object) -> str:
    """Return ``name`` as a notebook variable's name.

    Raises:
        ValueError: It is no identifier, a keyword, a builtin, or one of the names that IPython itself assigns.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"the variable's name must be a Python identifier, got {name!r}; use for example 'lr'")
    # Python itself reads identifiers in this normal form; without it the next cell would not find the variable.
    name = unicodedata.normalize("NFKC", name)
    if keyword.iskeyword(name):
        raise ValueError(f"the variable's name cannot be the Python keyword {name!r}; use for example 'lr'")
    if hasattr(builtins, name):
        raise ValueError(f"the variable's name {name!r} would hide a Python builtin; use for example 'lr'")
    if name.strip("_i0123456789") == "" and name.startswith("_"):
        raise ValueError(f"the name {name!r} belongs to IPython's own history; use for example 'lr'")
    return name


def put(name: str, value: float) -> None:
    """Assign ``value`` to the variable ``name`` of the notebook.

    Raises:
        ValueError: The name is no name for a variable, see :func:`check_name`.
        NotebookError: There is no notebook, or the variable holds something other than a number.
    """
    name = check_name(name)
    shell = _shell()
    if shell is None:
        raise NotebookError(f"there is no notebook to put {name!r} into; outside of one, read widget.selected_lr")
    namespace: dict[str, Any] = shell.user_ns
    if name in namespace and not _is_number(namespace[name]):
        kind = type(namespace[name]).__name__
        raise NotebookError(
            f"{name!r} already holds something that is not a number ({kind}), so it was not overwritten; "
            "type another name for the variable"
        )
    # push() rather than an assignment: it also makes the name visible to %who and the variable explorers.
    shell.push({name: value})


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _shell() -> Any:
    # Only a process that has already loaded IPython can be inside of it.
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
