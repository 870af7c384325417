"""Ticks of the axes: round values and their labels. No widget."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...schedule import rate_text

if TYPE_CHECKING:
    from .points import Array

MAX_TICKS, MIN_TICKS = 10, 3
_USUAL_TICKS = 6
_MAX_CHARS = 7  # of a loss, so that it keeps off the name of the axis
_MAX_ROW = 44  # characters of all rates on a linear stretch, beside each other
_RATE_DIGITS = 15
_SLACK = Decimal("1e-9")  # of a step: rounding must not drop the tick at a limit


class Ticks(NamedTuple):
    """Places of an axis with their labels.

    Attributes:
        values: the places, ascending.
        labels: their texts, all different.
        offset: the number that is to be added to all the texts, or an empty text.
    """

    values: Array
    labels: tuple[str, ...]
    offset: str = ""


def rate_ticks(low: float, high: float, *, is_log: bool) -> Ticks:
    """Return 3 to 10 rates between two positive bounds.

    On a logarithmic axis they are decades, fewer in a wide range; 1, 2 and 5 times a decade in a narrow one; equal
    steps where even that gives fewer than three.
    """
    found = _log_ticks(low, high) if is_log else None
    if found is not None:
        return _rates(found)
    choices = [_rates(_linear_ticks(low, high, usual)) for usual in (_USUAL_TICKS, 4, MIN_TICKS)]
    return next((ticks for ticks in choices if len(" ".join(ticks.labels)) <= _MAX_ROW), choices[-1])


def loss_ticks(low: float, high: float, *, is_log: bool = False) -> Ticks:
    """Return 3 to 10 losses between two limits, with labels of at most seven characters.

    Where the labels would be longer, as where losses differ by little, they are differences from a round number, the
    offset.
    """
    found = _log_ticks(low, high) if is_log else None
    if found is None:
        found = _linear_ticks(low, high, _USUAL_TICKS)
    values = np.array([float(tick) for tick in found])
    labels = _labels(found)
    if max(map(len, labels)) <= _MAX_CHARS:
        return Ticks(values, labels)
    unit = Decimal(1).scaleb((found[-1] - found[0]).adjusted() + 1)
    for offset in ((found[0] / unit).to_integral_value("ROUND_FLOOR") * unit, found[0]):
        labels = _labels([tick - offset for tick in found])
        if max(map(len, labels)) <= _MAX_CHARS:
            break
    return Ticks(values, labels, _short(offset))


def tick_key(value: float) -> str:
    """Write a number as JavaScript does: there it is the key of a tick's label.

    >>> [tick_key(value) for value in (1e-7, 1.5e-6, 0.01, 1.0, 12345.5, 1e21)]
    ['1e-7', '0.0000015', '0.01', '1', '12345.5', '1e+21']
    """
    number = Decimal(repr(float(value))).normalize()
    if number.is_zero():
        return "0"
    if -7 < number.adjusted() <= 20:
        return f"{number:f}"
    mantissa = number.scaleb(-number.adjusted())
    return f"{mantissa:f}e{number.adjusted():+d}"


def _rates(found: list[Decimal]) -> Ticks:
    values = np.array([float(tick) for tick in found])
    return Ticks(values, tuple(rate_text(value, _RATE_DIGITS) for value in values))


def _log_ticks(low: float, high: float) -> list[Decimal] | None:
    """Return decades or their multiples, or None where there are fewer than three."""
    first, last, slack = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1, float(_SLACK)

    def inside(mantissas: tuple[int, ...]) -> list[Decimal]:
        ticks = [Decimal(m).scaleb(e) for e in range(first, last + 1) for m in mantissas]
        return [tick for tick in ticks if low * (1 - slack) <= float(tick) <= high * (1 + slack)]

    decades = inside((1,))
    stride = math.ceil(len(decades) / MAX_TICKS)
    if len(decades) > MIN_TICKS:
        return decades[::stride]
    narrow = inside((1, 2, 5))
    return next((ticks for ticks in (narrow, decades) if MIN_TICKS <= len(ticks) <= MAX_TICKS), None)


def _linear_ticks(low: float, high: float, usual: int) -> list[Decimal]:
    """Return at least three multiples of 1, 2 or 5 times a power of ten, about `usual` of them."""
    rough = (high - low) / usual
    power = math.floor(math.log10(rough))
    steps = [Decimal(m).scaleb(e) for e in (power - 2, power - 1, power, power + 1) for m in (1, 2, 5)]
    wide_enough = next(place for place, step in enumerate(steps) if float(step) >= rough * (1 - float(_SLACK)))
    for step in steps[wide_enough::-1]:
        first, last = (Decimal(repr(float(limit))) / step for limit in (low, high))
        places = range(math.ceil(first - _SLACK), math.floor(last + _SLACK) + 1)
        if len(places) >= MIN_TICKS:
            break
    return [place * step for place in places]


def _labels(ticks: list[Decimal]) -> tuple[str, ...]:
    """Write all of them plain, or all of them as `_short` does."""
    plain = tuple(f"{tick.normalize():f}" if tick else "0" for tick in ticks)
    largest = max(abs(tick) for tick in ticks)
    is_plain = max(map(len, plain)) <= _MAX_CHARS and (not largest or -3 <= largest.adjusted() <= 4)
    return plain if is_plain else tuple(map(_short, ticks))


def _short(number: Decimal) -> str:
    """Write a number in the shorter way: plain, or with an exponent."""
    if not number:
        return "0"
    number = number.normalize()
    exponent = number.adjusted()
    plain = [f"{number:f}"] if -4 <= exponent <= 9 else []
    return min([*plain, f"{number.scaleb(-exponent):f}e{exponent}"], key=len)
