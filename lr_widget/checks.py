"""Checks of numbers and names as users give them: one a kind, used by engine and widget alike. No torch here."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import unicodedata
from numbers import Integral, Real
from typing import Any

_SEEDS = 2**63
_MOST = 10**9  # steps and the like; more would not end, and no float counts them
_LONGEST_NAME = 100
_SHOWN = 60  # characters of a value in a message
_COLORS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")  # of a terminal
# All but line feed and tab: controls, marks and overrides of the direction, invisible ones, halves of a surrogate pair,
# and what is no character.
_ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff]"
)

_OF_LIGHTNING = "lightning(module, data, trainer)"
_OF_FASTAI = "fastai(learner)"
# The classes of a framework's training, by the package's and their own name, and the adapter that takes them.
_ADAPTERS = {
    **{
        (package, name): _OF_LIGHTNING
        for package in ("lightning", "pytorch_lightning")
        for name in ("LightningModule", "LightningDataModule", "Trainer")
    },
    ("transformers", "Trainer"): "transformers(trainer)",
    ("accelerate", "Accelerator"): "accelerate(accelerator, model, optimizer, loss_fn, loader)",
    **{("fastai", name): _OF_FASTAI for name in ("Learner", "DataLoaders", "Optimizer", "OptimWrapper")},
    ("skorch", "NeuralNet"): "skorch(net, X, y)",
}


def check_rate(name: str, value: Any) -> float:
    """Return a learning rate as a float.

    Raises:
        TypeError: it is no real number.
        ValueError: it is not positive and finite.

    >>> from fractions import Fraction
    >>> check_rate("lr", Fraction(1, 4))
    0.25
    """
    if not _is_real(value):
        raise TypeError(f"{name} must be a number, got {describe(value)}; give a rate like 3e-4")
    rate = as_float(value)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name} must be a positive, finite learning rate, got {shown(value)}; give a rate like 3e-4")
    return rate


def check_count(name: str, value: Any, least: int = 1, usual: int = 1) -> int:
    """Return a count as an int; `usual` is the remedy that the message names.

    Raises:
        TypeError: it is not of an integer type; 100.0 is a float.
        ValueError: it is below `least`, or above 1,000,000,000.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {describe(value)}; {usual} is usual")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {shown(value)}; {usual} is usual")
    if int(value) > _MOST:
        raise ValueError(f"{name} must be at most {_MOST:,}, got {shown(value)}; {usual} is usual")
    return int(value)


def check_number(name: str, value: Any) -> float:
    """Return a finite number as a float.

    Raises:
        TypeError: it is no real number.
        ValueError: it is not finite.
    """
    if not _is_real(value):
        raise TypeError(f"{name} must be a number, got {describe(value)}; give one like 2.5")
    number = as_float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {shown(value)}; give a number like 2.5")
    return number


def check_share(name: str, value: Any) -> float:
    """Return the weight of the past in a running average as a float.

    Raises:
        TypeError: it is no real number.
        ValueError: it is outside [0, 1).
    """
    message = f"{name} must be in [0, 1), got {shown(value)}; use 0 for no smoothing"
    if not _is_real(value):
        raise TypeError(message)
    if not 0 <= value < 1:
        raise ValueError(message)
    return float(value)


def check_seed(seed: Any) -> int | None:
    """Return the seed as an int, or None for None.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is negative, or 2**63 or more.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed must be an integer or None, got {describe(seed)}; 0 is as good as any")
    if not 0 <= int(seed) < _SEEDS:
        raise ValueError(f"seed must be at least 0 and below 2**63, got {shown(seed)}; 0 is as good as any")
    return int(seed)


def check_variable_name(name: object) -> str:
    """Return the name of a notebook variable in the normal form of Python's identifiers.

    Raises:
        ValueError: it is no identifier, longer than 100 characters, a keyword, a builtin, or a name that IPython itself
            assigns.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"the variable's name must be a Python identifier, got {shown(name)}; use for example 'lr'")
    if len(name) > _LONGEST_NAME:
        rule = f"the variable's name must have at most {_LONGEST_NAME} characters"
        raise ValueError(f"{rule}, got {len(name):,}; use for example 'lr'")
    # Without the normal form, the next cell would not find the variable.
    name = unicodedata.normalize("NFKC", name)
    if keyword.iskeyword(name):
        raise ValueError(f"the variable's name cannot be the Python keyword {name!r}; use for example 'lr'")
    if hasattr(builtins, name):
        raise ValueError(f"the variable's name {name!r} would hide a Python builtin; use for example 'lr'")
    if name.strip("_i0123456789") == "" and name.startswith("_"):
        raise ValueError(f"the name {name!r} belongs to IPython's own history; use for example 'lr'")
    return name


def describe(value: Any) -> str:
    """Return a value in a few words, for an error message.

    >>> describe("1"), describe([1, 2])
    ("'1' of type str", 'a list of length 2')
    """
    if hasattr(value, "untyped_storage") and not isinstance(value, type):  # a tensor, told without importing torch
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type_name(value)} of length {len(value)}"
    return f"{shown(value)} of type {type_name(value)}"


def shown(value: Any) -> str:
    """Return the beginning of a value's repr, for an error message, or its type where the repr raises."""
    try:
        # The repr of a long text is not made first: a browser may send one of megabytes.
        text = repr(value[:_SHOWN] if type(value) is str else value)
    except Exception:  # noqa: BLE001  # an int of 5,000 digits, a list nested too deep, or a repr of the user's own
        return f"one of type {type_name(value)}"
    return legible(text[:_SHOWN])


def adapter_hint(*values: object) -> str:
    """Return the end of an error message for the first object of a framework's training: the calls that take it.

    Nothing where there is none. The classes are told by name, without importing the framework.
    """
    for value in values:
        for base in type(value).__mro__:
            adapter = _ADAPTERS.get((str(base.__module__).partition(".")[0], base.__name__))
            if adapter is not None:
                article = "an" if base.__name__[0] in "AEIOU" else "a"
                return (
                    f"; for {article} {base.__name__} give **lr_widget.adapters.{adapter}, or open "
                    f"LRFinderWidget.from_{adapter}"
                )
    return ""


def type_name(value: object) -> str:
    """Return the name of a value's type, as far as it is of a usual length."""
    # Not `type(value).__name__`, which a metaclass may replace by anything.
    return legible(str(type.__dict__["__name__"].__get__(type(value)))[:_SHOWN])


def text_of(value: object) -> str:
    """Return `str(value)`, or words in its place where that raises."""
    try:
        return str.__str__(str(value))  # a plain text, whose length and parts are no code of the user's
    except BaseException:  # noqa: BLE001  # code of the user's, which may raise anything
        return f"a {type_name(value)} that cannot be written as text"


def legible(text: str) -> str:
    r"""Make a text fit to be encoded and shown: `�` for halves of characters, controls, and overrides of the direction.

    >>> legible("a\x00b\udc80c"), legible("\x1b[31mred\x1b[0m\r\n")
    ('a�b�c', 'red\n')
    """
    return _ILLEGIBLE.sub("�", _COLORS.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def as_float(value: Any) -> float:
    """Return a real number as a float; an int that is too large for one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
