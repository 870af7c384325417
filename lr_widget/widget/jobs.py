"""What the widget was given: the arguments of the range test, checked when the widget is made."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass
from typing import Any

import torch

from ..checks import stateful
from ..engine.probing import OF_THE_SWEEP, Probing
from ..engine.range_test import RangeTest, range_test
from ..results.records import LRRecords

SWEEP = ("start_lr", "end_lr", "num_steps", "repeats")
"""The keywords that are traits: they can change between two runs."""
_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(range_test).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "progress"
}


@dataclass(frozen=True)
class Arguments:
    """Model, optimizer, loss and data, and the keywords of the range test that stay for all runs."""

    positional: tuple[Any, Any, Any, Any]
    keywords: dict[str, Any]

    def range_test(self, sweep: dict[str, Any]) -> RangeTest:
        """Make a range test; it changes nothing before its first step."""
        model, optimizer, loss_fn, train_data = self.positional
        return RangeTest(model, optimizer, loss_fn, train_data, **self.keywords, **sweep)

    def probing(self, lr: float, **options: Any) -> Probing:
        """Make probes around a rate; they change nothing before the first step."""
        model, optimizer, loss_fn, train_data = self.positional
        training = {name: value for name, value in self.keywords.items() if name not in OF_THE_SWEEP}
        return Probing(model, optimizer, loss_fn, train_data, lr, **training, **options)

    def apply(self, lr: float, records: LRRecords | None) -> list[float]:
        """Give every param group its rate for the swept rate ``lr``, as in the test; return the rates."""
        given = self.positional[1]
        optimizers = list(given) if isinstance(given, (list, tuple)) else [given]
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        shares = [1.0] * len(groups)
        if records is not None and records.group_lrs is not None:
            shares = [float(rate / records.lr[0]) for rate in records.group_lrs[0]]
        rates = [lr * share for share in shares]
        for group, rate in zip(groups, rates, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)  # a capturable optimizer keeps its rate in a tensor
            else:
                group["lr"] = rate
        return rates


def split_keywords(keywords: dict[str, Any], others: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the keywords into those of the sweep and the rest; ``others`` are known to the caller and named in a hint.

    Raises:
        TypeError: A keyword that ``range_test`` does not know.
    """
    for name in keywords:
        if name not in _DEFAULTS:
            close = difflib.get_close_matches(name, [*_DEFAULTS, *others], n=1)
            hint = f"did you mean {close[0]!r}?" if close else "it takes the keywords of range_test"
            raise TypeError(f"LRFinderWidget got an unknown keyword {name!r}; {hint}")
    if callable(keywords.get("schedule")):
        raise TypeError(
            'the widget\'s sliders set the sweep, so schedule must be "exponential" or "linear", no function'
        )
    sweep = {name: keywords.get(name, _DEFAULTS[name]) for name in SWEEP}
    fixed = {name: value for name, value in keywords.items() if name not in SWEEP}
    if "also_restore" in fixed:
        fixed["also_restore"] = stateful(fixed["also_restore"], None)  # an iterator would be empty in the second run
    return sweep, fixed
