"""Assign a rate to a variable of the notebook."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from ...checks import check_variable_name, shown, type_name
from ...errors import NotebookError, OverwriteError
from . import hosts

_written: dict[str, float] = {}  # the latest value that each variable got here


def put(name: str, value: float, *, overwrite: bool = False) -> None:
    """Assign `value` to the variable `name` of the notebook.

    Args:
        name: of the variable.
        value: its new value.
        overwrite: also where the variable holds a number that was not put there by this function.

    Raises:
        ValueError: the name is no name for a variable, see `check_variable_name`.
        OverwriteError: the variable holds a number from elsewhere, and `overwrite` is False.
        NotebookError: there is no notebook, or the variable holds something other than a number.
    """
    name = check_variable_name(name)
    shell = hosts.shell()
    if shell is None:
        raise NotebookError(f"there is no notebook to put {name!r} into; outside of one, read widget.selected_lr")
    namespace: dict[str, Any] = shell.user_ns
    if name in namespace:
        held = namespace[name]
        if not _is_number(held):
            raise NotebookError(
                f"{name!r} already holds something that is not a number ({type_name(held)}), so it was not "
                "overwritten; type another name for the variable"
            )
        # The very object, for a cell may assign an equal number of its own.
        if not overwrite and held is not _written.get(name):
            raise OverwriteError(name, shown(held))
    # push() rather than an assignment: it also makes the name visible to %who and the variable explorers.
    shell.push({name: value})
    _written[name] = value


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
