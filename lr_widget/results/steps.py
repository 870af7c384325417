"""One step of a sweep as a record, and the arrays of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..smoothing import Floats


class StepRecord(NamedTuple):  # not a frozen dataclass, which takes six calls to make, in every step
    """One step of the sweep: its rate and its loss, raw.

    Attributes:
        step: number of the optimizer step, from 1.
        lr: swept rate in this step, that of the first param group or of the only one that the sweep is for.
        loss: training loss of the step's batches (their mean, with accumulation), before the update.
        group_lrs: rates of all param groups in this step, over all optimizers in their order.
        val_loss: mean loss on the validation data after the step, or None where it was not evaluated.
        skipped: True where the grad scaler found infinite gradients and left the update out.

    >>> record = StepRecord(step=1, lr=0.01, loss=2.5, group_lrs=(0.01, 0.1))
    >>> record.lr, record.loss, record.val_loss
    (0.01, 2.5, None)
    >>> from lr_widget import LRRecords
    >>> records = LRRecords.from_steps([record], stop_reason="stopped")
    >>> LRRecords.from_repeats([records, records])
    <LRRecords: mean of 2 sweeps, 1 of 1 steps, lr 0.01 … 0.01, loss 2.5 … 2.5, lowest 2.5, stopped>
    """

    step: int
    lr: float
    loss: float
    group_lrs: tuple[float, ...]
    val_loss: float | None = None
    skipped: bool = False


def arrays_of(steps: Iterable[StepRecord]) -> dict[str, NDArray[Any] | None]:
    """Return the fields of `LRRecords` that are arrays; None for those that no step has."""
    steps = list(steps)
    val_loss = np.array([np.nan if s.val_loss is None else s.val_loss for s in steps], dtype=np.float64)
    return {
        "lr": np.array([s.lr for s in steps], dtype=np.float64),
        "loss": np.array([s.loss for s in steps], dtype=np.float64),
        "group_lrs": np.array([s.group_lrs for s in steps], dtype=np.float64) if steps else None,
        "val_loss": val_loss if any(s.val_loss is not None for s in steps) else None,
        "skipped": np.array([s.skipped for s in steps]) if any(s.skipped for s in steps) else None,
    }


def losses_of(loss: Floats, val_loss: Floats | None, of: str) -> Floats:
    """Return the losses that a suggestion reads.

    Args:
        loss, val_loss: those of the records.
        of: "loss" or "val_loss".

    Raises:
        ValueError: `of` is neither, or there are no such losses.
    """
    if of not in ("loss", "val_loss"):
        raise ValueError(f'of must be "loss" or "val_loss", got {of!r}')
    if of == "loss":
        return loss
    if val_loss is None:
        raise ValueError('of="val_loss" needs validation losses, got records without; run the test with val_data')
    return val_loss
