"""The fields of records, checked: the shapes of the arrays, and the types of everything in a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_count, check_rate, describe, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

REQUIRED = ("lr", "loss")
ONE_GROUP = "lr"  # in a file for `group_lrs`, where there is one param group, whose rates are those of `lr`

# The fields that are arrays: {name: (type, dimensions)}.
ARRAYS: dict[str, tuple[type, int]] = {
    "lr": (np.float64, 1),
    "loss": (np.float64, 1),
    "group_lrs": (np.float64, 2),
    "val_loss": (np.float64, 1),
    "skipped": (np.bool_, 1),
}


def checked_arrays(values: Mapping[str, ArrayLike | None]) -> dict[str, NDArray[Any]]:
    """Return the fields that are arrays as such; those that are None are left out.

    Raises:
        ValueError: the arrays differ in length or have a wrong number of dimensions, or a rate is not positive and
            finite.
    """
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(values[name], dtype=kind)
        for name, (kind, _) in ARRAYS.items()
        if values[name] is not None or name in REQUIRED
    }
    lr, loss = arrays["lr"], arrays["loss"]
    if lr.ndim != 1 or lr.shape != loss.shape:
        raise ValueError(
            f"lr and loss must be two arrays of one length, got shapes {lr.shape} and {loss.shape}; "
            "give one rate and one loss a step"
        )
    is_bad = ~(np.isfinite(lr) & (lr > 0))
    if is_bad.any():
        raise ValueError(f"lr must be positive and finite, got {lr[is_bad][0]!s}; leave such steps out")
    of_groups = arrays.get("group_lrs", lr)
    is_bad = ~(np.isfinite(of_groups) & (of_groups >= 0))  # a group may be frozen by a rate of 0
    if is_bad.any():
        raise ValueError(f"group_lrs must be finite and not negative, got {of_groups[is_bad][0]!s}")
    for name, array in arrays.items():
        if array.ndim != ARRAYS[name][1] or len(array) != len(lr):
            raise ValueError(f"{name} must have one entry a step, got shape {array.shape} for {len(lr)} steps")
    return arrays


def checked_group(group: Any, group_lrs: NDArray[Any] | None) -> int | None:
    """Return the index of the param group that a sweep was for, or None where it was for all.

    Raises:
        ValueError, TypeError: there is no such group.
    """
    if group is None:
        return None
    index = check_count("group", group, least=0, usual=0)
    if group_lrs is not None and index >= group_lrs.shape[1]:
        raise ValueError(f"group must be below the number of groups, {group_lrs.shape[1]}, got {index}; count from 0")
    return index


def checked_fields(fields: Any) -> dict[str, Any]:
    """Return the fields of records with arrays for lists; fields that are None are left out.

    Lengths, the sign of the rates and the stop reason are left to `LRRecords`, and the fields of repeats to the next
    call.

    Raises:
        ValueError, TypeError: these are no fields of records; the message says why.
    """
    if not isinstance(fields, dict):
        raise ValueError(f"records are an object with the fields 'lr' and 'loss', got {describe(fields)}")
    known = {name: value for name, value in fields.items() if value is not None}
    missing = [repr(name) for name in REQUIRED if name not in known]
    if missing:
        raise ValueError(f"it has no field {' or '.join(missing)}, only {shown([*known])}")
    unknown = [shown(name) for name in known if name not in _CHECKS]
    if unknown:
        raise ValueError(f"the field {unknown[0]} is unknown; a newer lr_widget may have written it")
    checked = {name: _CHECKS[name](name, value) for name, value in known.items()}
    if isinstance(checked.get("group_lrs"), str):
        checked["group_lrs"] = checked["lr"][..., None]
    return checked


def saved_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of records as a file has them: none that is None, and those of repeats inside."""
    known = {name: value for name, value in fields.items() if value is not None}
    if "group_lrs" in known and np.array_equal(known["group_lrs"], known["lr"][:, None]):
        known["group_lrs"] = ONE_GROUP  # a million short lists take longer than all the rest
    return known | {"repeats": [saved_fields(vars(repeat)) for repeat in known["repeats"]]}


def _array(name: str, value: Any, kinds: str, content: str) -> NDArray[Any]:
    """Return a list or an array as an array, empty or of one of NumPy's kinds of types."""
    if not isinstance(value, (list, np.ndarray)):
        raise TypeError(f"{name} must be a list of {content}, got {describe(value)}")
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of unequal lengths
        raise ValueError(f"{name} must be a list of {content}, but its entries differ in length") from None
    if array.size and array.dtype.kind not in kinds:
        entries = np.array(value, dtype=object).ravel().tolist()
        right = (bool,) if kinds == "b" else (int, float)
        strange = [entry for entry in entries if type(entry) not in right] or [max(entries, key=abs)]
        raise TypeError(f"{name} must be a list of {content}, but holds {describe(strange[0])}")
    return array


def _numbers(name: str, value: Any) -> NDArray[Any]:
    return _array(name, value, "fiu", "numbers")


def _group_rates(name: str, value: Any) -> NDArray[Any] | str:
    return ONE_GROUP if isinstance(value, str) and value == ONE_GROUP else _numbers(name, value)


def _truths(name: str, value: Any) -> NDArray[Any]:
    return _array(name, value, "b", "true and false")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {describe(value)}")
    return value


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list of records, got {describe(value)}")
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "lr": _numbers,
    "loss": _numbers,
    "stop_reason": _text,
    "start_lr": check_rate,
    "end_lr": check_rate,
    "num_steps": check_count,
    "schedule": _text,
    "group_lrs": _group_rates,
    "val_loss": _numbers,
    "skipped": _truths,
    "repeats": _list,
    "train_steps": check_count,
    "train_schedule": _text,
    "group": partial(check_count, least=0, usual=0),
}
