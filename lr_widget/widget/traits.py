"""The settings that a user may set, as traits of types that are built on the package's checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..checks import check_count, check_number, check_rate, check_share, check_variable_name
from ..engine import DEFAULT_MAX_STEPS, DEFAULTS
from ..horizon import TRAIN_SCHEDULES, Horizon
from ..schedule import MIN_STEPS, check_bounds
from ..suggest import RULES
from .choice import DEFAULT_RULE, PROBE_RULE
from .inputs import GIVEN_ONCE, LEAST_PROBE_BUDGET

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


class TrainSteps(_Checked):
    """The length of a training in optimizer steps, or None where it was not said."""

    info_text = "a whole number or None"

    def __init__(self) -> None:
        super().__init__(default_value=None, allow_none=True)

    def check(self, name: str, value: Any) -> int | None:
        """Return the number as an int."""
        return Horizon(steps=value).steps


class TrainSchedule(_Checked):
    """The schedule of a training's learning rate.

    Attributes:
        values: the names that there are.
    """

    info_text = "the name of a schedule"
    values = TRAIN_SCHEDULES

    def check(self, name: str, value: Any) -> str:
        """Return the name as plain text."""
        return Horizon(schedule=value).schedule


class Smoothing(_Checked):
    """The weight of the past in the running average, in [0, 1)."""

    info_text = "a number in [0, 1)"

    def check(self, name: str, value: Any) -> float:
        """Return the weight as a float."""
        return check_share(name, value)


class LossLimit(_Checked):
    """An end of the loss axis, or None for one that suits the curves."""

    info_text = "a number or None"

    def __init__(self) -> None:
        super().__init__(default_value=None, allow_none=True)

    def check(self, name: str, value: Any) -> float | None:
        """Return the limit as a float."""
        return None if value is None else check_number(name, value)


class VariableName(_Checked):
    """The name of a notebook variable."""

    info_text = "a Python identifier"

    def check(self, name: str, value: Any) -> str:
        """Return the name in Python's normal form."""
        return check_variable_name(value)


class Settings(traitlets.HasTraits):
    """The settings of the widget, two-way; `LRFinderWidget` describes them."""

    start_lr = Rate(DEFAULTS["start_lr"]).tag(sync=True)
    end_lr = Rate(DEFAULTS["end_lr"]).tag(sync=True)
    num_steps = Count(DEFAULTS["num_steps"], least=MIN_STEPS).tag(sync=True)
    repeats = Count(1, least=1).tag(sync=True)
    max_probe_steps = Count(DEFAULT_MAX_STEPS, least=LEAST_PROBE_BUDGET).tag(sync=True)
    train_steps = TrainSteps().tag(sync=True)
    train_schedule = TrainSchedule("constant").tag(sync=True)
    smoothing = Smoothing(0.9).tag(sync=True)
    loss_scale = traitlets.Enum(["linear", "log"], default_value="linear").tag(sync=True)
    loss_min = LossLimit().tag(sync=True)
    loss_max = LossLimit().tag(sync=True)
    suggest_from = traitlets.Enum(["loss", "val_loss"], default_value="loss").tag(sync=True)
    variable = VariableName("lr").tag(sync=True)
    rule = traitlets.Enum([*RULES, PROBE_RULE], default_value=DEFAULT_RULE).tag(sync=True)
    selected_lr = Rate(default_value=None, allow_none=True).tag(sync=True)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse what is given when a widget is made: an attribute of that name would change no run."""
        if name in GIVEN_ONCE:
            raise AttributeError(
                f"{name} is given when a widget is made; to test another one, make the widget anew, as its cell does "
                "when it is run again"
            )
        super().__setattr__(name, value)

    @property
    def horizon(self) -> Horizon:
        """The training that the rate is for."""
        return Horizon(self.train_steps, self.train_schedule)

    @traitlets.validate("start_lr", "end_lr")
    def _check_bounds(self, proposal: Any) -> float:
        bounds = {"start_lr": self.start_lr, "end_lr": self.end_lr, proposal["trait"].name: proposal["value"]}
        try:
            check_bounds(**bounds)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return float(proposal["value"])

    @traitlets.validate("loss_min", "loss_max")
    def _check_limits(self, proposal: Any) -> float | None:
        limits = {"loss_min": self.loss_min, "loss_max": self.loss_max, proposal["trait"].name: proposal["value"]}
        low, high = limits["loss_min"], limits["loss_max"]
        if low is not None and high is not None and not low < high:
            raise traitlets.TraitError(f"loss_min must be below loss_max, got {low:g} and {high:g}; change one of them")
        value: float | None = proposal["value"]
        return value


class Shown(traitlets.HasTraits):
    """All that the browser shows beyond settings and chart; the screen sets it, in the forms of the protocol."""

    status = traitlets.Enum(["idle", "running", "paused", "finished", "failed"], default_value="idle").tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    view_state = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    chart_state = traitlets.Dict().tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)  # of the chart, where a page asks for it

    @property
    def is_busy(self) -> bool:
        """A run is in progress."""
        return self.status in ("running", "paused")
