"""Trait types for the settings that a user may set, built on the package's checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..checks import check_count, check_rate, check_share, check_variable_name

if TYPE_CHECKING:
    _Trait = traitlets.TraitType[Any, Any]
else:
    _Trait = traitlets.TraitType  # generic from traitlets 5.10 on only; Colab has an older one


class _Checked(_Trait):
    """A trait whose `check` raises ValueError or TypeError with the message for the user."""

    def check(self, name: str, value: Any) -> Any:
        """Return the value as the trait keeps it."""
        raise NotImplementedError

    def validate(self, obj: Any, value: Any) -> Any:
        """Check the value, or raise a TraitError with the check's message."""
        try:
            return self.check(str(self.name), value)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from None


class Rate(_Checked):
    """A learning rate, positive and finite."""

    info_text = "a learning rate"

    def check(self, name: str, value: Any) -> float:
        """Return the rate as a float."""
        return check_rate(name, value)


class Count(_Checked):
    """A whole number that is not below a least one."""

    info_text = "a whole number"

    def __init__(self, default_value: int, least: int) -> None:
        super().__init__(default_value)
        self.least = least

    def check(self, name: str, value: Any) -> int:
        """Return the number as an int."""
        return check_count(name, value, self.least, usual=self.default_value)


class Smoothing(_Checked):
    """The weight of the past in the running average, in [0, 1)."""

    info_text = "a number in [0, 1)"

    def check(self, name: str, value: Any) -> float:
        """Return the weight as a float."""
        return check_share(name, value)


class VariableName(_Checked):
    """The name of a notebook variable."""

    info_text = "a Python identifier"

    def check(self, name: str, value: Any) -> str:
        """Return the name in Python's normal form."""
        return check_variable_name(value)
