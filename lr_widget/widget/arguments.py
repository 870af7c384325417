"""The arguments that a widget was made with: they become its jobs and its script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..engine import (
    DEFAULTS,
    MIN_PROBE_STEPS,
    Keywords,
    Probing,
    RangeTest,
    make_plan,
    make_probe_plan,
    refuse_unknown,
    restorable,
)
from ..schedule import Sweep
from .jobs import ProbeJob, RangeTestJob
from .script import script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..results import LRRecords

_PROBES_IN_FULL = 4  # full-length probes that `max_probe_steps` pays for, as with the engine's own defaults
LEAST_PROBE_BUDGET = _PROBES_IN_FULL * MIN_PROBE_STEPS

# Keywords that are traits, since they can change between two runs; of the schedule, only the bounds can.
_TRAITS = ("start_lr", "end_lr", "num_steps", "repeats")
_OTHERS = ("variable", "smoothing", "max_probe_steps")


class WidgetKeywords(Keywords, total=False):
    """The keywords of `LRFinderWidget` that are those of `range_test`."""

    repeats: int


class Arguments:
    """Model, optimizer, loss and data, and the keywords that stay for all runs.

    Args:
        positional: model, optimizer, loss_fn, train_data, as for `lr_widget.range_test`.
        keywords: those of `lr_widget.range_test`, except `progress`.

    Attributes:
        positional, keywords: as given; the keywords without those that are traits.
        sweep, repeats: the first values of the traits.
        rates: sets the rates of the optimizer's groups, in the proportions that they have now.

    Raises:
        TypeError: a keyword is unknown, or an argument is of a wrong kind.
        ValueError: a value is wrong; the message has the value and the remedy.
    """

    def __init__(self, positional: tuple[Any, Any, Any, Any], keywords: dict[str, Any]) -> None:
        refuse_unknown("LRFinderWidget", keywords, [*DEFAULTS, "repeats", *_OTHERS])
        if callable(keywords.get("schedule")):
            raise TypeError(
                'the widget\'s sliders set the sweep, so schedule must be "exponential" or "linear", no function'
            )
        self.positional = positional
        self.keywords = {name: value for name, value in keywords.items() if name not in _TRAITS}
        if "also_restore" in self.keywords:  # an iterator would be empty in the second run
            self.keywords["also_restore"] = restorable(self.keywords["also_restore"])
        given = {**DEFAULTS, **keywords}
        self.sweep = Sweep(*(given[name] for name in ("start_lr", "end_lr", "num_steps", "schedule")))
        job = self.range_test(self.sweep, keywords.get("repeats", 1))  # checks everything, changes nothing
        self.repeats, self.rates = job.test.repeats, job.rates
        self._optimizer = _written_form(positional[1], job.test.plan.training.optimizers)

    def traits(self) -> dict[str, Any]:
        """Return the first values of the traits that are keywords of `range_test`."""
        bounds = {"start_lr": self.sweep.start_lr, "end_lr": self.sweep.end_lr}
        return {**bounds, "num_steps": self.sweep.num_steps, "repeats": self.repeats}

    def range_test(self, sweep: Sweep, repeats: int) -> RangeTestJob:
        """Check everything and return a range test; nothing is changed before its first step."""
        plan = replace(make_plan(*self.positional, **self.keywords), sweep=sweep)
        return RangeTestJob(RangeTest(plan, repeats))

    def probes(self, lr: float, max_steps: int, profile: str, records: LRRecords | None) -> ProbeJob:
        """Check everything and return probes around a rate; nothing is changed before their first step.

        Args:
            lr: the rate to start from.
            max_steps: what the probes may cost together.
            profile: as for `lr_widget.probe`.
            records: the range test that the rate is from, or None.
        """
        plan = make_probe_plan(*self.positional, **self.keywords)
        sizes = {"probe_steps": max_steps // _PROBES_IN_FULL, "max_steps": max_steps}
        return ProbeJob(Probing(plan, lr, profile=profile, records=records, **sizes))

    def script(self, sweep: Sweep, repeats: int, variable: str, lr: float, shares: Sequence[float]) -> str:
        """Write the test and the selected rate as a script; see `lr_widget.widget.script` for the arguments."""
        model, _, loss_fn, train_data = self.positional
        given = ((model, self._optimizer, loss_fn, train_data), self.keywords, sweep, repeats)
        return script(*given, variable=variable, lr=lr, shares=shares)


def _written_form(given: Any, optimizers: list[Any]) -> Any:
    """Return the optimizers as given, or as one or a list of them where there are schedulers or settings among them."""
    parts = given.values() if isinstance(given, Mapping) else given if isinstance(given, (list, tuple)) else [given]
    if all(hasattr(part, "param_groups") for part in parts):
        return given
    return optimizers if len(optimizers) > 1 else optimizers[0]
