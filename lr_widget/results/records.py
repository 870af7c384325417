"""The records of a range test: raw arrays with one entry a step, and everything derived from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..horizon import Horizon
from ..schedule import rate_text
from ..smoothing import ema
from ..suggest import for_training, of_ended_test, of_one_group, suggest_all, suggest_lr, with_spread
from .atomic import write_whole
from .fields import ARRAYS, checked_arrays, checked_fields, checked_group, saved_fields
from .files import as_json, as_table, checked_path, columns_of, read_fields
from .plot import plot_curve
from .steps import arrays_of, losses_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ..smoothing import Floats
    from ..suggest import Suggestion
    from .steps import StepRecord

    Read = Callable[[Floats, Floats], dict[str, Suggestion]]

STOP_REASONS = ("completed", "diverged", "non_finite", "stopped", "interrupted", "exhausted")


@dataclass(frozen=True, eq=False, repr=False)
class LRRecords:
    """The records of a range test: one entry a step, raw; everything smoothed is derived.

    Attributes:
        lr: float64 array of shape (steps,), the swept rate, that of the first param group or of `group`, in each step.
        loss: float64 array of shape (steps,), the raw training loss of each step; with repeats, their mean.
        stop_reason: why the sweep ended: "completed", "diverged", "non_finite", "stopped", "interrupted" or
            "exhausted".
        start_lr, end_lr, num_steps, schedule: the sweep that was asked for.
        group_lrs: float64 array of shape (steps, param groups), the rates of all groups.
        val_loss: float64 array of shape (steps,), NaN where the validation loss was not evaluated.
        skipped: bool array of shape (steps,), True where a grad scaler left the update out.
        repeats: the single sweeps, where there were several.
        train_steps, train_schedule: the training that the rate is for; see `lr_widget.horizon.Horizon`.
        group: index of the only param group that the sweep was for, or None where it was for all.

    Raises:
        ValueError, TypeError: a rate is not positive and finite, the arrays differ in length, a repeat is shorter than
            their mean, the stop reason is unknown, or there is no such training or group.

    >>> lr = np.logspace(-4, 1, 101)
    >>> records = LRRecords(lr, 1 / (1 + (lr / 0.01) ** 2) + (lr / 0.5) ** 2)
    >>> records
    <LRRecords: 101 of 101 steps, lr 1e-4 … 10, loss 0.9999 … 400, lowest 0.03961, completed>
    >>> round(records.suggest().lr, 2), [*records.suggestions()][:3]
    (0.03, ['auto', 'steepest', 'minimum/10'])
    >>> len(records.smoothed_loss(beta=0.9)), records.to_pandas().shape
    (101, (101, 2))
    """

    lr: Floats
    loss: Floats
    stop_reason: str = "completed"
    start_lr: float | None = None
    end_lr: float | None = None
    num_steps: int | None = None
    schedule: str = "exponential"
    group_lrs: Floats | None = None
    val_loss: Floats | None = None
    skipped: NDArray[np.bool_] | None = None
    repeats: tuple[LRRecords, ...] = ()
    train_steps: int | None = None
    train_schedule: str = "constant"
    group: int | None = None

    def __post_init__(self) -> None:
        for name, array in checked_arrays({name: getattr(self, name) for name in ARRAYS}).items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "repeats", tuple(self.repeats))
        if any(len(repeat) < len(self) for repeat in self.repeats):
            raise ValueError(f"repeats must be no shorter than their mean, {len(self)} steps; cut the mean")
        if self.stop_reason not in STOP_REASONS:
            raise ValueError(f"stop_reason must be one of {', '.join(STOP_REASONS)}, got {self.stop_reason!r}")
        for name, value in Horizon(self.train_steps, self.train_schedule).as_recorded().items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "group", checked_group(self.group, self.group_lrs))

    def __repr__(self) -> str:
        asked = len(self) if self.num_steps is None else self.num_steps
        steps = f"{len(self)} of {asked} steps"
        parts = [] if self.group is None else [f"param group {self.group}"]
        parts += [f"mean of {len(self.repeats)} sweeps", steps] if self.repeats else [steps]
        if len(self):
            parts.append(f"lr {rate_text(self.lr[0])} … {rate_text(self.lr[-1])}")
            parts.append(f"loss {self.loss[0]:.4g} … {self.loss[-1]:.4g}")
            lowest = self.loss[np.isfinite(self.loss)].min(initial=np.inf)
            parts += [f"lowest {lowest:.4g}"] if np.isfinite(lowest) else []
        return f"<LRRecords: {', '.join([*parts, self.stop_reason])}>"

    @classmethod
    def from_steps(
        cls,
        steps: Iterable[StepRecord],
        *,
        stop_reason: str,
        start_lr: float | None = None,
        end_lr: float | None = None,
        num_steps: int | None = None,
        schedule: str = "exponential",
        train_steps: int | None = None,
        train_schedule: str = "constant",
        group: int | None = None,
    ) -> LRRecords:
        """Collect the steps of one sweep; see the class for the arguments."""
        fields: dict[str, Any] = arrays_of(steps)
        return cls(
            **fields,
            stop_reason=stop_reason,
            start_lr=start_lr,
            end_lr=end_lr,
            num_steps=num_steps,
            schedule=schedule,
            train_steps=train_steps,
            train_schedule=train_schedule,
            group=group,
        )

    @classmethod
    def from_repeats(cls, repeats: Sequence[LRRecords]) -> LRRecords:
        """Join several sweeps of one schedule: the mean of their losses, as far as all of them went.

        The stop reason is that of the shortest sweep; a step counts as skipped where any of them skipped it. One sweep
        is returned as it is.

        Raises:
            ValueError: there is no sweep.
        """
        if not repeats:
            raise ValueError("from_repeats needs at least one sweep, got none")
        if len(repeats) == 1:
            return repeats[0]
        shortest = min(repeats, key=len)
        size = len(shortest)
        val_losses = [r.val_loss[:size] for r in repeats if r.val_loss is not None]
        skipped = [r.skipped[:size] for r in repeats if r.skipped is not None]
        return replace(
            shortest,
            loss=np.mean([r.loss[:size] for r in repeats], axis=0),
            val_loss=np.mean(val_losses, axis=0) if len(val_losses) == len(repeats) else None,
            skipped=np.any(skipped, axis=0) if skipped else None,
            repeats=tuple(repeats),
        )

    def __len__(self) -> int:
        return len(self.lr)

    def smoothed_loss(self, beta: float = 0.9) -> Floats:
        """Return the bias-corrected exponential moving average of the raw loss; see `lr_widget.smoothing.ema`.

        Args:
            beta: weight of the past, in [0, 1); 0 for the raw loss.

        Raises:
            ValueError, TypeError: `beta` is no number in [0, 1).
        """
        return ema(self.loss, beta)

    def suggest(
        self, rule: str = "auto", of: str = "loss", train_steps: int | None = None, train_schedule: str | None = None
    ) -> Suggestion:
        """Read a learning rate off the curve by the rule of this name; see `lr_widget.suggest_lr`.

        The rule "auto" answers for a training of a given length and schedule: its rate is moved as the best rate
        usually falls when a training gets longer, and its range gets wider; see `lr_widget.suggest.horizon`. With
        repeats, the curve is their mean, and the suggestion's range holds the rates that each of them gives alone.

        Args:
            rule: one of `lr_widget.suggest.RULES`.
            of: "loss" for the training loss, "val_loss" for the validation loss in the steps that have one.
            train_steps, train_schedule: the training that the rate is for; None for those of the records.

        Raises:
            ValueError, TypeError: the rule is unknown, or there is no such loss or training.
        """
        return self._read(lambda lr, loss: {rule: suggest_lr(lr, loss, rule)}, of, train_steps, train_schedule)[rule]

    def suggestions(
        self, of: str = "loss", train_steps: int | None = None, train_schedule: str | None = None
    ) -> dict[str, Suggestion]:
        """Return the suggestion of every rule: {rule name: Suggestion}; arguments and errors are those of `suggest`."""
        return self._read(suggest_all, of, train_steps, train_schedule)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a step: "lr" and "loss" first, then everything else that was recorded.

        "lr_group_0", "lr_group_1" … are there with several param groups, "val_loss" with validation data, "skipped"
        where a grad scaler skipped updates, "loss_repeat_0" … with repeats.
        """
        import pandas as pd

        table: pd.DataFrame = pd.DataFrame(columns_of(vars(self)))
        return table

    def plot(
        self,
        ax: Axes | None = None,
        *,
        ylim: tuple[float, float] | None = None,
        beta: float = 0.9,
        rule: str | None = "auto",
    ) -> Axes:
        """Draw raw and smoothed loss and the suggestion by matplotlib, over a log axis unless the schedule is linear.

        Args:
            ax: the axes to draw into; None for a new figure.
            ylim: limits of the loss axis; None keeps an exploding tail from flattening the curve.
            beta: smoothing of the bold curve, in [0, 1).
            rule: name of the rule whose suggestion is marked; None for no mark.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError, TypeError: `beta` is no number in [0, 1), or the rule is unknown.
        """
        return plot_curve(
            self.lr,
            self.loss,
            self.smoothed_loss(beta),
            ax,
            beta=beta,
            ylim=ylim,
            repeats=[(repeat.lr, repeat.loss) for repeat in self.repeats],
            val_loss=self.val_loss,
            suggestion=None if rule is None else self.suggest(rule),
            schedule=self.schedule,
        )

    def save(self, path: str | Path) -> None:
        """Write the records to a file: .json keeps everything, .csv and .parquet keep the table of `to_pandas`.

        The file is written beside and renamed, so a full disk or Ctrl-C leaves the old one as it was. In JSON, which
        has no such numbers, NaN and infinite losses are the texts "NaN", "Infinity" and "-Infinity". A CSV has one
        column more than the table, "num_rows", by which `load` knows a file that is cut off.

        Raises:
            ValueError: the suffix is none of these.
            ImportError: .parquet without pyarrow.
            OSError: the file cannot be written.
        """
        path, suffix = checked_path(path)
        data = as_json(saved_fields(vars(self))) if suffix == ".json" else as_table(self.to_pandas(), suffix)
        write_whole(path, data)

    @classmethod
    def load(cls, path: str | Path) -> LRRecords:
        """Read records that `save` wrote; a table from elsewhere needs the columns "lr" and "loss".

        A table does not say how the sweep ended: "non_finite" where its last loss is not finite, else "completed".

        Raises:
            ValueError: the suffix is unknown, or the file is cut off, of another format or holds no records; the
                message names the file and the reason.
            ImportError: .parquet without pyarrow.
            FileNotFoundError: there is no such file.
        """
        path, suffix = checked_path(path)
        data = path.read_bytes()
        try:
            return cls._from_fields(read_fields(data, suffix))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path.name} cannot be loaded: {error}") from error

    @classmethod
    def _from_fields(cls, fields: Any) -> LRRecords:
        values = checked_fields(fields)
        return cls(**{**values, "repeats": tuple(cls._from_fields(each) for each in values.get("repeats", ()))})

    def _read(self, read: Read, of: str, train_steps: int | None, train_schedule: str | None) -> dict[str, Suggestion]:
        """Read these records and each repeat, every one for the training, and join the answers."""
        horizon = Horizon(
            self.train_steps if train_steps is None else train_steps,
            self.train_schedule if train_schedule is None else train_schedule,
        )
        num_steps = max(self.num_steps or 0, len(self))
        together, *single = (
            {
                rule: for_training(found, horizon, num_steps, highest=float(each.lr.max(initial=0)))
                for rule, found in read(each.lr, losses_of(each.loss, each.val_loss, of)).items()
            }
            for each in (self, *self.repeats)
        )
        spread = {rule: with_spread(found, [each[rule] for each in single]) for rule, found in together.items()}
        joined = {rule: of_ended_test(found, self.stop_reason, len(self)) for rule, found in spread.items()}
        return joined if self.group is None else {rule: of_one_group(found) for rule, found in joined.items()}
