"""The traits that a user may set, from Python or from the browser, each with a check that names value and remedy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from ..engine.probing import DEFAULT_MAX_STEPS, MIN_PROBE_STEPS
from ..schedule import MIN_STEPS
from .kernel.variable import check_name

if TYPE_CHECKING:
    _Trait = traitlets.TraitType[Any, Any]
else:
    _Trait = traitlets.TraitType  # generic from traitlets 5.10 on only; Colab has an older one


PROBES_IN_FULL = 4
"""So many probes can go to their end at ``max_probe_steps``, as with the engine's own defaults."""


class Rate(_Trait):
    """A learning rate: a positive finite number."""

    info_text = "a positive finite number"
    default_value = 1e-3

    def validate(self, obj: Any, value: Any) -> float | None:
        """Return the rate as a float; None passes where the trait allows it."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
            raise traitlets.TraitError(f"{self.name} must be a number, got {value!r}; give a rate like 3e-4")
        if not (math.isfinite(value) and value > 0):
            raise traitlets.TraitError(f"{self.name} must be positive and finite, got {value!r}; give a rate like 3e-4")
        return float(value)


class Count(_Trait):
    """A whole number from a least one on."""

    info_text = "a whole number"

    def __init__(self, default_value: int, least: int) -> None:
        super().__init__(default_value)
        self.least = least

    def validate(self, obj: Any, value: Any) -> int:
        """Return the number as an int; a float with a whole value passes, as JSON knows no difference."""
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
        if not is_number or not math.isfinite(value) or value != int(value) or value < self.least:
            raise traitlets.TraitError(
                f"{self.name} must be a whole number from {self.least} on, got {value!r}; {self.default_value} is usual"
            )
        return int(value)


class Smoothing(_Trait):
    """The weight of the past in the running average, in [0, 1)."""

    info_text = "a number in [0, 1)"
    default_value = 0.9

    def validate(self, obj: Any, value: Any) -> float:
        """Return the weight as a float."""
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
        if not is_number or not 0.0 <= value < 1.0:
            raise traitlets.TraitError(f"{self.name} must be in [0, 1), got {value!r}; use 0 for no smoothing")
        return float(value)


class VariableName(_Trait):
    """The name of a notebook variable."""

    info_text = "a Python identifier"
    default_value = "lr"

    def validate(self, obj: Any, value: Any) -> str:
        """Return the name in Python's normal form."""
        try:
            return check_name(value)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None


class Settings(traitlets.HasTraits):
    """The settings of a run, checked one by one and together."""

    start_lr = Rate().tag(sync=True)
    end_lr = Rate().tag(sync=True)
    num_steps = Count(100, least=MIN_STEPS).tag(sync=True)
    repeats = Count(1, least=1).tag(sync=True)
    max_probe_steps = Count(DEFAULT_MAX_STEPS, least=PROBES_IN_FULL * MIN_PROBE_STEPS).tag(sync=True)
    smoothing = Smoothing().tag(sync=True)
    variable = VariableName().tag(sync=True)

    @traitlets.validate("start_lr", "end_lr")
    def _check_bounds(self, proposal: Any) -> float:
        value: float = proposal["value"]
        is_start = proposal["trait"].name == "start_lr"
        start, end = (value, self.end_lr) if is_start else (self.start_lr, value)
        if start >= end:
            remedy = "lower start_lr or raise end_lr first" if is_start else "raise end_lr or lower start_lr first"
            raise traitlets.TraitError(f"start_lr must be below end_lr, got {start:g} and {end:g}; {remedy}")
        return value


def from_browser(name: str, value: object) -> object:
    """Read what was typed or dragged: text becomes the number that it says, no text a rate that is not picked.

    Raises:
        ValueError: The text says no number.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if name == "variable":
        return text
    if name == "selected_lr" and not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{name} must be a number, got {value!r}; type one like {_LIKE.get(name, '3e-4')}") from None


_LIKE = {"num_steps": "100", "repeats": "1", "max_probe_steps": "300", "smoothing": "0.9"}
