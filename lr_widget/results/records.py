"""What a range test wrote down: raw arrays, and what can be derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..smoothing import ema
from ..suggest import rules as suggest
from ..suggest.suggestion import with_spread
from .files import checked_path, columns_of, read_json, read_table, write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..suggest.rules import Suggestion

Array = npt.NDArray[np.float64]

STOP_REASONS = ("completed", "diverged", "non_finite", "stopped", "interrupted", "exhausted")


@dataclass(frozen=True)
class StepRecord:
    """One step of the sweep: what was applied and what came of it, raw.

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


@dataclass(frozen=True, eq=False)
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
    """

    lr: Array
    loss: Array
    stop_reason: str = "completed"
    start_lr: float | None = None
    end_lr: float | None = None
    num_steps: int | None = None
    schedule: str = "exponential"
    group_lrs: Array | None = None
    val_loss: Array | None = None
    skipped: npt.NDArray[np.bool_] | None = None
    repeats: tuple[LRRecords, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        lr, loss = np.asarray(self.lr, dtype=np.float64), np.asarray(self.loss, dtype=np.float64)
        if lr.ndim != 1 or lr.shape != loss.shape:
            raise ValueError(
                f"lr and loss must be two arrays of one length, got shapes {lr.shape} and {loss.shape}; "
                "give one rate and one loss a step"
            )
        if self.stop_reason not in STOP_REASONS:
            raise ValueError(f"stop_reason must be one of {', '.join(STOP_REASONS)}, got {self.stop_reason!r}")
        object.__setattr__(self, "lr", lr)
        object.__setattr__(self, "loss", loss)

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

        def mean(name: str) -> Array | None:
            arrays = [getattr(repeat, name) for repeat in repeats]
            return None if any(a is None for a in arrays) else np.mean([a[:size] for a in arrays], axis=0)

        return cls(
            lr=shortest.lr,
            loss=np.mean([repeat.loss[:size] for repeat in repeats], axis=0),
            stop_reason=shortest.stop_reason,
            start_lr=shortest.start_lr,
            end_lr=shortest.end_lr,
            num_steps=shortest.num_steps,
            schedule=shortest.schedule,
            group_lrs=shortest.group_lrs,
            val_loss=mean("val_loss"),
            skipped=_any_skipped([repeat.skipped for repeat in repeats], size),
            repeats=tuple(repeats),
        )

    def __len__(self) -> int:
        return len(self.lr)

    def smoothed_loss(self, beta: float = 0.9) -> Array:
        """Return the bias-corrected exponential moving average of the raw loss; see `lr_widget.smoothing.ema`.

        Args:
            beta: weight of the past, in [0, 1); 0 for the raw loss.

        Raises:
            ValueError: ``beta`` is outside [0, 1).
        """
        return ema(self.loss, beta)

    def suggest(self, rule: str = "auto", of: str = "loss") -> Suggestion:
        """Read a learning rate off the curve by the rule of this name; see `lr_widget.suggest_lr`.

        With repeats, the curve is their mean, and the suggestion's range holds what each of them gives by itself.

        Args:
            rule: one of `lr_widget.suggest.RULES`.
            of: "loss" for the training loss, "val_loss" for the validation loss in the steps that have one.

        Raises:
            ValueError: the rule is unknown, or there is no such loss.
        """
        single = [suggest.suggest_lr(repeat.lr, repeat._losses(of), rule=rule) for repeat in self.repeats]
        return with_spread(suggest.suggest_lr(self.lr, self._losses(of), rule=rule), single)

    def suggestions(self, of: str = "loss") -> dict[str, Suggestion]:
        """Return what every rule suggests: {rule name: Suggestion}; see `suggest` for ``of`` and the errors."""
        single = [suggest.suggest_all(repeat.lr, repeat._losses(of)) for repeat in self.repeats]
        together = suggest.suggest_all(self.lr, self._losses(of))
        return {rule: with_spread(found, [each[rule] for each in single]) for rule, found in together.items()}

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with one row a step: "lr" and "loss" first, then whatever else was recorded.

        "lr_group_0", "lr_group_1" … are there with several param groups, "val_loss" with validation data, "skipped"
        where a grad scaler skipped updates, "loss_repeat_0" … with repeats.
        """
        import pandas as pd

        table: pd.DataFrame = pd.DataFrame(columns_of(self))
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
            ax: where to draw; None for a new figure.
            ylim: limits of the loss axis; None keeps an exploding tail from flattening the curve.
            beta: smoothing of the bold curve, in [0, 1).
            rule: whose suggestion to mark; None for no mark.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from .plot import plot_records

        return plot_records(self, ax, ylim=ylim, beta=beta, rule=rule)

    def save(self, path: str | Path) -> None:
        """Write the records to a file: .json keeps everything, .csv and .parquet keep the table of `to_pandas`.

        In JSON, which has no such numbers, NaN and infinite losses are the texts "NaN", "Infinity" and "-Infinity".

        Raises:
            ValueError: the suffix is none of these.
            ImportError: .parquet without pyarrow.
        """
        path, suffix = checked_path(path)
        if suffix == ".json":
            write_json(path, self._to_json())
        elif suffix == ".csv":
            self.to_pandas().to_csv(path, index=False)
        else:
            self.to_pandas().to_parquet(path, index=False)

    @classmethod
    def load(cls, path: str | Path) -> LRRecords:
        """Read records that `save` wrote; a table that came from elsewhere needs columns "lr" and "loss".

        A table does not say how the sweep ended: "non_finite" where its last loss is not finite, else "completed".

        Raises:
            ValueError: the suffix is unknown or the columns are missing.
            FileNotFoundError: there is no such file.
        """
        path, suffix = checked_path(path)
        return cls._from_json(read_json(path)) if suffix == ".json" else cls._from_table(read_table(path, suffix), path)

    def _losses(self, of: str) -> Array:
        if of not in ("loss", "val_loss"):
            raise ValueError(f'of must be "loss" or "val_loss", got {of!r}')
        if of == "loss":
            return self.loss
        if self.val_loss is None:
            raise ValueError('of="val_loss" needs validation losses, got records without; run the test with val_data')
        return self.val_loss

    @classmethod
    def _from_table(cls, columns: dict[str, npt.NDArray[Any]], path: Path) -> LRRecords:
        missing = [name for name in ("lr", "loss") if name not in columns]
        if missing:
            raise ValueError(f"{path.name} has no column {' or '.join(map(repr, missing))}, only {list(columns)}")
        lr, loss = columns["lr"], columns["loss"]
        groups = [columns[name] for name in columns if name.startswith("lr_group_")]
        repeats = [columns[name] for name in columns if name.startswith("loss_repeat_")]
        return cls(
            lr=lr,
            loss=loss,
            stop_reason=_stop_reason(loss),
            group_lrs=np.column_stack(groups) if groups else None,
            val_loss=columns.get("val_loss"),
            skipped=columns.get("skipped"),
            repeats=tuple(cls(lr=lr, loss=own, stop_reason=_stop_reason(own)) for own in repeats),
        )

    def _to_json(self) -> dict[str, Any]:
        content = {name: value for name, value in vars(self).items() if name != "repeats" and value is not None}
        lists = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in content.items()}
        return lists | {"repeats": [repeat._to_json() for repeat in self.repeats]}

    @classmethod
    def _from_json(cls, content: dict[str, Any]) -> LRRecords:
        arrays: dict[str, Any] = {
            name: np.array(content[name]) for name in ("group_lrs", "val_loss", "skipped") if name in content
        }
        repeats = tuple(cls._from_json(repeat) for repeat in content.get("repeats", ()))
        fields: dict[str, Any] = {**content, **arrays, "repeats": repeats}
        return cls(**fields)


def _stop_reason(loss: npt.NDArray[Any]) -> str:
    return "non_finite" if loss.size and not np.isfinite(loss[-1]) else "completed"


def _any_skipped(arrays: Sequence[npt.NDArray[np.bool_] | None], size: int) -> npt.NDArray[np.bool_] | None:
    known = [array[:size] for array in arrays if array is not None]
    return np.any(known, axis=0) if known else None
