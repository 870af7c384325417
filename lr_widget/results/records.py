"""The records of a range test: raw arrays with one entry a step, and everything derived from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..smoothing import ema
from ..suggest import suggest_all, suggest_lr, with_spread
from .atomic import write_whole
from .fields import ARRAYS, ONE_GROUP, checked_arrays, checked_fields
from .files import as_json, as_table, checked_path, read_fields
from .plot import plot_curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ..smoothing import Floats
    from ..suggest import Suggestion

STOP_REASONS = ("completed", "diverged", "non_finite", "stopped", "interrupted", "exhausted")


class StepRecord(NamedTuple):  # not a frozen dataclass, which takes six calls to make, in every step
    """One step of the sweep: its rate and its loss, raw.

    Attributes:
        step: number of the optimizer step, from 1.
        lr: rate of the first param group in this step.
        loss: training loss of the step's batches (their mean, with accumulation), before the update.
        group_lrs: rates of all param groups in this step, over all optimizers in their order.
        val_loss: mean loss on the validation data after the step, or None where it was not evaluated.
        skipped: True where the grad scaler found infinite gradients and left the update out.
    """

    step: int
    lr: float
    loss: float
    group_lrs: tuple[float, ...]
    val_loss: float | None = None
    skipped: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class LRRecords:
    """The records of a range test: one entry a step, raw; everything smoothed is derived.

    Attributes:
        lr: float64 array of shape (steps,), the rate of the first param group in each step.
        loss: float64 array of shape (steps,), the raw training loss of each step; with repeats, their mean.
        stop_reason: why the sweep ended: "completed", "diverged", "non_finite", "stopped", "interrupted" or
            "exhausted".
        start_lr, end_lr, num_steps, schedule: the sweep that was asked for.
        group_lrs: float64 array of shape (steps, param groups), the rates of all groups.
        val_loss: float64 array of shape (steps,), NaN where the validation loss was not evaluated.
        skipped: bool array of shape (steps,), True where a grad scaler left the update out.
        repeats: the single sweeps, where there were several.

    Raises:
        ValueError: a rate is not positive and finite, the arrays differ in length, a repeat is shorter than their mean,
            or the stop reason is unknown.
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

    def __post_init__(self) -> None:
        for name, array in checked_arrays({name: getattr(self, name) for name in ARRAYS}).items():
            object.__setattr__(self, name, array)
        object.__setattr__(self, "repeats", tuple(self.repeats))
        if any(len(repeat) < len(self) for repeat in self.repeats):
            raise ValueError(f"repeats must be no shorter than their mean, {len(self)} steps; cut the mean")
        if self.stop_reason not in STOP_REASONS:
            raise ValueError(f"stop_reason must be one of {', '.join(STOP_REASONS)}, got {self.stop_reason!r}")

    def __repr__(self) -> str:
        asked = len(self) if self.num_steps is None else self.num_steps
        steps = f"{len(self)} of {asked} steps"
        parts = [f"mean of {len(self.repeats)} sweeps", steps] if self.repeats else [steps]
        if len(self):
            parts += [f"lr {self.lr[0]:.1e} … {self.lr[-1]:.1e}", f"loss {self.loss[0]:.4g} … {self.loss[-1]:.4g}"]
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
    ) -> LRRecords:
        """Collect the steps of one sweep; see the class for the arguments."""
        steps = list(steps)
        val_loss = np.array([np.nan if s.val_loss is None else s.val_loss for s in steps], dtype=np.float64)
        return cls(
            lr=np.array([s.lr for s in steps], dtype=np.float64),
            loss=np.array([s.loss for s in steps], dtype=np.float64),
            stop_reason=stop_reason,
            start_lr=start_lr,
            end_lr=end_lr,
            num_steps=num_steps,
            schedule=schedule,
            group_lrs=np.array([s.group_lrs for s in steps], dtype=np.float64) if steps else None,
            val_loss=val_loss if any(s.val_loss is not None for s in steps) else None,
            skipped=np.array([s.skipped for s in steps]) if any(s.skipped for s in steps) else None,
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

    def suggest(self, rule: str = "auto", of: str = "loss") -> Suggestion:
        """Read a learning rate off the curve by the rule of this name; see `lr_widget.suggest_lr`.

        With repeats, the curve is their mean, and the suggestion's range holds the rates that each of them gives alone.

        Args:
            rule: one of `lr_widget.suggest.RULES`.
            of: "loss" for the training loss, "val_loss" for the validation loss in the steps that have one.

        Raises:
            ValueError: the rule is unknown, or there is no such loss.
        """
        together, *single = (suggest_lr(lr, losses, rule) for lr, losses in self._curves(of))
        return with_spread(together, single)

    def suggestions(self, of: str = "loss") -> dict[str, Suggestion]:
        """Return the suggestion of every rule: {rule name: Suggestion}; see `suggest` for `of` and the errors."""
        together, *single = (suggest_all(lr, losses) for lr, losses in self._curves(of))
        return {rule: with_spread(found, [each[rule] for each in single]) for rule, found in together.items()}

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a step: "lr" and "loss" first, then everything else that was recorded.

        "lr_group_0", "lr_group_1" … are there with several param groups, "val_loss" with validation data, "skipped"
        where a grad scaler skipped updates, "loss_repeat_0" … with repeats.
        """
        import pandas as pd

        columns: dict[str, NDArray[Any]] = {"lr": self.lr, "loss": self.loss}
        if self.group_lrs is not None and self.group_lrs.shape[1] > 1:
            columns |= {f"lr_group_{index}": rates for index, rates in enumerate(self.group_lrs.T)}
        if self.val_loss is not None:
            columns["val_loss"] = self.val_loss
        if self.skipped is not None:
            columns["skipped"] = self.skipped
        columns |= {f"loss_repeat_{index}": repeat.loss[: len(self)] for index, repeat in enumerate(self.repeats)}
        table: pd.DataFrame = pd.DataFrame(columns)
        return table

    def plot(
        self,
        ax: Axes | None = None,
        *,
        ylim: tuple[float, float] | None = None,
        beta: float = 0.9,
        rule: str | None = "auto",
    ) -> Axes:
        """Draw the curve with matplotlib: log rate axis, raw loss faint, smoothed loss bold, suggestion marked.

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
        write_whole(path, as_json(_fields_of(self)) if suffix == ".json" else as_table(self.to_pandas(), suffix))

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

    def _curves(self, of: str) -> list[tuple[Floats, Floats]]:
        """Return rates and losses of these records, then those of each repeat."""
        return [(records.lr, _losses(records, of)) for records in (self, *self.repeats)]


def _fields_of(records: LRRecords) -> dict[str, Any]:
    known = {name: value for name, value in vars(records).items() if value is not None}
    if records.group_lrs is not None and np.array_equal(records.group_lrs, records.lr[:, None]):
        known["group_lrs"] = ONE_GROUP  # a million short lists take longer than all the rest
    return known | {"repeats": [_fields_of(repeat) for repeat in records.repeats]}


def _losses(records: LRRecords, of: str) -> Floats:
    if of not in ("loss", "val_loss"):
        raise ValueError(f'of must be "loss" or "val_loss", got {of!r}')
    if of == "loss":
        return records.loss
    if records.val_loss is None:
        raise ValueError('of="val_loss" needs validation losses, got records without; run the test with val_data')
    return records.val_loss
