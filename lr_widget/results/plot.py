"""The matplotlib picture of a range test; imported on first use, so that records need no matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .records import LRRecords

Array = npt.NDArray[np.float64]


def plot_records(
    records: LRRecords,
    ax: Axes | None = None,
    *,
    ylim: tuple[float, float] | None = None,
    beta: float = 0.9,
    rule: str | None = "auto",
) -> Axes:
    """Draw the records; see `LRRecords.plot` for the arguments."""
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("records.plot() needs matplotlib; pip install 'lr_widget[plot]'") from error
        ax = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    smoothed = records.smoothed_loss(beta)
    for repeat in records.repeats:
        ax.plot(repeat.lr, repeat.loss, color="C0", alpha=0.15, linewidth=0.8)
    ax.plot(records.lr, records.loss, color="C0", alpha=0.35, linewidth=1, label="raw loss")
    ax.plot(records.lr, smoothed, color="C0", linewidth=2, label=f"smoothed loss (β = {beta:g})")
    if records.val_loss is not None:
        measured = np.isfinite(records.val_loss)
        ax.plot(records.lr[measured], records.val_loss[measured], "o-", color="C2", label="validation loss")
    if rule is not None:
        _mark_suggestion(ax, records, rule)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=ylim or visible_range(records.loss, smoothed))
    ax.grid(visible=True, alpha=0.3)
    ax.legend(frameon=False)
    return ax


def _mark_suggestion(ax: Axes, records: LRRecords, rule: str) -> None:
    suggestion = records.suggest(rule)
    if suggestion.lr is None:
        ax.set_title(suggestion.reason, fontsize="small", loc="left", wrap=True)
        return
    if suggestion.low is not None and suggestion.high is not None:
        ax.axvspan(suggestion.low, suggestion.high, color="C1", alpha=0.12, linewidth=0)
    ax.axvline(suggestion.lr, color="C1", linestyle="--", label=f"suggested {suggestion.lr:.1e} ({suggestion.rule})")


def visible_range(raw: Array, smoothed: Array) -> tuple[float, float] | None:
    """Return limits of the loss axis that show the curve's fall, however far its tail explodes; None for no data.

    They span from the lowest loss, raw or smoothed, to a little above the highest smoothed one before the smoothed
    minimum; a tail that climbs further leaves the picture at the top.
    """
    finite = smoothed[np.isfinite(smoothed)]
    if finite.size == 0:
        return None
    bottom = min(float(finite.min()), float(raw[np.isfinite(raw)].min()))
    top = float(finite[: int(np.argmin(finite)) + 1].max())
    span = (top - bottom) or abs(top) or 1.0
    return bottom - 0.1 * span, top + 0.5 * span
