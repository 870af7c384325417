"""Assign a rate to a variable of the notebook."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from ...checks import check_variable_name
from ...errors import NotebookError
from . import hosts


def put(name: str, value: float) -> None:
    """Assign `value` to the variable `name` of the notebook.

    Raises:
        ValueError: the name is no name for a variable, see `check_variable_name`.
        NotebookError: there is no notebook, or the variable holds something other than a number.
    """
    name = check_variable_name(name)
    shell = hosts.shell()
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
