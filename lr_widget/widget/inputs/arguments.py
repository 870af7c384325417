"""The arguments that a widget was made with: they become its jobs and its script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...adapters import origin_of
from ...engine import (
    DEFAULTS,
    MIN_PROBE_STEPS,
    Keywords,
    Probing,
    RangeTest,
    make_plan,
    make_probe_plan,
    planned_rounds,
    refuse_unknown,
    restorable,
)
from ...errors import NotebookError
from ...horizon import Horizon
from ...schedule import Sweep
from .. import words
from ..failures import outside_text
from ..jobs import ProbeJob, RangeTestJob
from ..takeaway import Choice, rate_code, script, trainer_script
from .replaced import NamedObjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...results import LRRecords
    from ...training import RateSetter

CLOSED = "this widget is closed and has let go of its model; make LRFinderWidget(model, optimizer, loss_fn, data) anew"
_NO_MODEL = (
    "this widget shows records and has no model to run; for that, make LRFinderWidget(model, optimizer, loss_fn, data)"
)
_NO_OPTIMIZER = "this widget shows records only and has no optimizer; copy the rate instead"
LEAST_PROBE_BUDGET = 4 * MIN_PROBE_STEPS  # fewer trainings would not tell the rates apart
_MAX_PLACE = 100  # characters of the name of a framework's place
_A_LARGER_BUDGET = 4  # times `max_probe_steps`, to say what it would bring

# Keywords that are traits, since they can change between two runs; of the schedule, only the bounds can.
_TRAITS = ("start_lr", "end_lr", "num_steps", "repeats", "train_steps", "train_schedule")
_SHOWN = ("variable", "smoothing", "loss_scale", "loss_min", "loss_max", "suggest_from")
SETTINGS = (*_SHOWN, "max_probe_steps")  # those that are no keywords of `range_test`
KEYWORDS = (*DEFAULTS, "repeats")  # those that are
GIVEN_ONCE = ("model", "optimizer", "loss_fn", "train_data", *(name for name in DEFAULTS if name not in _TRAITS))
SETTINGS_OF_RECORDS = (*_SHOWN, "train_steps", "train_schedule")  # of a widget without a model


class WidgetKeywords(Keywords, total=False):
    """The keywords of `LRFinderWidget` that are those of `range_test`."""

    repeats: int


class Arguments:
    """Model, optimizer, loss and data, and the keywords that stay for all runs.

    Args:
        positional: model, optimizer, loss_fn, train_data, as for `lr_widget.range_test`.
        keywords: those of `lr_widget.range_test`, except `progress`.
        suggest_from: the losses that the rules will read.

    Attributes:
        positional, keywords: as given; the keywords without those that are traits.
        can_run: there is a model to run a test on.
        sweep, repeats, horizon: the first values of the traits.
        rates: sets the rates of the optimizer's groups, in the proportions that they have now.
        receiver: the object that a rate is applied to, in a word.

    Raises:
        TypeError: a keyword is unknown, or an argument is of a wrong kind.
        ValueError: a value is wrong; the message has the value and the remedy.
    """

    can_run = True

    def __init__(
        self, positional: tuple[Any, Any, Any, Any], keywords: dict[str, Any], suggest_from: str = "loss"
    ) -> None:
        refuse_unknown("LRFinderWidget", keywords, [*KEYWORDS, *SETTINGS])
        if suggest_from == "val_loss" and keywords.get("val_data") is None:
            raise ValueError('suggest_from="val_loss" needs validation losses, got no val_data; give some')
        if callable(keywords.get("schedule")):
            raise TypeError(
                'the widget\'s sliders set the sweep, so schedule must be "exponential" or "linear", no function'
            )
        self.positional = positional
        self.keywords = {name: value for name, value in keywords.items() if name not in _TRAITS}
        if "also_restore" in self.keywords:  # an iterator would be empty in the second run
            self.keywords["also_restore"] = restorable(self.keywords["also_restore"])
        self._origin = origin_of(self.keywords.get("also_restore", ()))
        self.receiver = "optimizer" if self._origin is None else self._origin.receiver
        self._named = NamedObjects(positional if self._origin is None else self._origin.arguments.values())
        given = {**DEFAULTS, **keywords}
        self.sweep = Sweep(*(given[name] for name in ("start_lr", "end_lr", "num_steps", "schedule")))
        self.horizon = Horizon(given["train_steps"], given["train_schedule"])
        # Checks everything, changes nothing.
        job = self.range_test(self.sweep, keywords.get("repeats", 1), self.horizon)
        self.repeats, self.rates = job.test.repeats, job.rates
        self._optimizer = _written_form(positional[1], job.test.plan.training.optimizers)

    def traits(self) -> dict[str, Any]:
        """Return the first values of the traits that are keywords of `range_test`."""
        return _traits(self.sweep, self.repeats, self.horizon)

    def range_test(self, sweep: Sweep, repeats: int, horizon: Horizon) -> RangeTestJob:
        """Check everything and return a range test; nothing is changed before its first step."""
        plan = make_plan(*self.positional, **self._keywords(horizon))
        return RangeTestJob(RangeTest(replace(plan, sweep=sweep), repeats), self._named.remark)

    def probes(self, lr: float, max_steps: int, records: LRRecords | None, horizon: Horizon) -> ProbeJob:
        """Check everything and return probes around a rate; nothing is changed before their first step.

        Args:
            lr: the rate to start from.
            max_steps: what the probes may cost together.
            records: the range test that the rate is from, or None.
            horizon: the training that the rate is for.
        """
        plan = make_probe_plan(*self.positional, **self._keywords(horizon))
        return ProbeJob(Probing(plan, lr, max_steps=max_steps, records=records), self._named.remark)

    def apply(self, lr: float, rates: RateSetter | None) -> str:
        """Put a rate where the training takes it from, and return a sentence that names the place.

        Args:
            lr: the rate of the first param group.
            rates: of the run that is shown; not used where a framework has the place.
        """
        if self._origin is not None:
            places = self._origin.apply_to_places(lr)  # with a name that the user gave
            return words.applied([lr], [outside_text(place, _MAX_PLACE) for place in places])
        assert rates is not None, "a widget with a model has an optimizer"
        return words.applied(rates(lr))

    def script(
        self,
        choice: Choice,
        *,
        sweep: Sweep,
        repeats: int,
        horizon: Horizon,
        variable: str,
        shares: Sequence[float],
        namespace: Mapping[str, Any],
    ) -> str:
        """Write the test and the selected rate as a script; see `lr_widget.widget.takeaway` for the arguments."""
        settings: Any = (self._keywords(horizon), sweep, repeats, choice)
        if self._origin is not None:
            return trainer_script(self._origin, self.positional, *settings, variable=variable, namespace=namespace)
        model, _, loss_fn, train_data = self.positional
        given = (model, self._optimizer, loss_fn, train_data)
        return script(given, *settings, variable=variable, shares=tuple(shares), namespace=namespace)

    def _keywords(self, horizon: Horizon) -> dict[str, Any]:
        return {**self.keywords, **horizon.as_recorded()}


class NoArguments:
    """In place of the arguments of a widget that has only records to show.

    Args:
        records: those whose settings the widget shows; None for the usual ones.
        refusal: why there is nothing to run; empty where there are only records.

    Attributes:
        can_run: False.
        sweep, repeats, horizon: the first values of the traits.
        rates: None, as there is no optimizer.
        receiver: as of `Arguments`, for the label of a button that rests here.
    """

    can_run = False
    rates = None
    receiver = "optimizer"

    def __init__(self, records: LRRecords | None, refusal: str = "") -> None:
        self._refusal = refusal
        self.sweep, self.repeats, self.horizon = (
            Sweep(DEFAULTS["start_lr"], DEFAULTS["end_lr"], DEFAULTS["num_steps"]),
            1,
            Horizon(),
        )
        if records is not None:
            self.repeats = max(len(records.repeats), 1)
            self.horizon = Horizon(records.train_steps, records.train_schedule)
            self.sweep = sweep_of(records) or self.sweep

    def traits(self) -> dict[str, Any]:
        """Return the first values of the traits that are keywords of `range_test`."""
        return _traits(self.sweep, self.repeats, self.horizon)

    def range_test(self, *settings: object) -> RangeTestJob:
        """Refuse a range test.

        Raises:
            NotebookError: always.
        """
        raise NotebookError(self._refusal or _NO_MODEL)

    def probes(self, *settings: object) -> ProbeJob:
        """Refuse probes.

        Raises:
            NotebookError: always.
        """
        raise NotebookError(self._refusal or _NO_MODEL)

    def apply(self, *settings: object) -> str:
        """Refuse a rate.

        Raises:
            NotebookError: always.
        """
        raise NotebookError(self._refusal or _NO_OPTIMIZER)

    def script(self, choice: Choice, *, variable: str, **_: object) -> str:
        """Write the rate alone: nothing else is known."""
        source = f"  # read off the records named {choice.source!r}" if choice.source else ""
        return f"{variable} = {rate_code(choice.lr)}{source}\n"


def probe_plan(around: str, max_steps: int, horizon: Horizon) -> str:
    """Announce the probes of the *Probe* button; `around` is the rate that they would start from, in words."""
    larger = _A_LARGER_BUDGET * max_steps
    rounds, more = (planned_rounds(budget, None, horizon) for budget in (max_steps, larger))
    return words.probe_plan(around, max_steps, rounds, larger, more[-1], horizon)


def sweep_of(records: LRRecords) -> Sweep | None:
    """Return the sweep that records are of, or None where they do not tell it."""
    start_lr, end_lr, num_steps, schedule = records.start_lr, records.end_lr, records.num_steps, records.schedule
    if start_lr is None or end_lr is None or num_steps is None or schedule not in ("exponential", "linear"):
        return None
    return Sweep(start_lr, end_lr, num_steps, schedule)


def _traits(sweep: Sweep, repeats: int, horizon: Horizon) -> dict[str, Any]:
    bounds = {"start_lr": sweep.start_lr, "end_lr": sweep.end_lr}
    return {**bounds, "num_steps": sweep.num_steps, "repeats": repeats, **horizon.as_recorded()}


def _written_form(given: Any, optimizers: list[Any]) -> Any:
    """Return the optimizers as given, or as one or a list of them where there are schedulers or settings among them."""
    parts = given.values() if isinstance(given, Mapping) else given if isinstance(given, (list, tuple)) else [given]
    if all(hasattr(part, "param_groups") for part in parts):
        return given
    return optimizers if len(optimizers) > 1 else optimizers[0]
