"""The matplotlib picture of a range test; matplotlib is imported when something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schedule import rate_text
from ..smoothing import ema
from .limits import joined_limits, thin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..smoothing import Floats
    from ..suggest import Suggestion

MAX_POINTS = 10_000  # of a line; more than a printed page has dots would show nothing new


def plot_curve(
    lr: Floats,
    loss: Floats,
    smoothed: Floats,
    ax: Axes | None = None,
    *,
    beta: float,
    ylim: tuple[float, float] | None = None,
    repeats: Sequence[tuple[Floats, Floats]] = (),
    val_loss: Floats | None = None,
    suggestion: Suggestion | None = None,
    schedule: str = "exponential",
) -> Axes:
    """Draw a sweep over its rates.

    Args:
        lr: rate of each step.
        loss: raw loss of each step, drawn faint.
        smoothed: smoothed loss of each step, drawn bold.
        ax: the axes to draw into; None for a new figure.
        beta: the smoothing that the legend names.
        ylim: limits of the loss axis; None for those of `joined_limits`, which suit everything that is drawn.
        repeats: rates and raw losses of single sweeps, drawn fainter still.
        val_loss: validation loss of each step, NaN where there is none.
        suggestion: the rate and its range to mark; without a rate, its reason becomes the title.
        schedule: of the sweep; over a "linear" one, the rate axis is linear, else it is logarithmic.

    Raises:
        ImportError: a figure is needed, and matplotlib is not installed.
    """
    ax = _new_axes() if ax is None else ax
    for repeat_lr, repeat_loss in repeats:
        ax.plot(*thin(repeat_lr, repeat_loss, MAX_POINTS), color="C0", alpha=0.15, linewidth=0.8)
    ax.plot(*thin(lr, loss, MAX_POINTS), color="C0", alpha=0.35, linewidth=1, label="raw loss")
    ax.plot(*thin(lr, smoothed, MAX_POINTS), color="C0", linewidth=2, label=f"smoothed loss (β = {beta:g})")
    if val_loss is not None:
        ax.plot(*thin(lr, val_loss, MAX_POINTS), "o-", color="C2", label="validation loss")
    if suggestion is not None:
        _mark(ax, suggestion)
    if ylim is None:
        curves = [(loss, smoothed), *((repeat, ema(repeat, beta)) for _, repeat in repeats)]
        ylim = joined_limits(curves if val_loss is None else [*curves, (val_loss, val_loss)])
    xscale = "linear" if schedule == "linear" else "log"
    ax.set(xscale=xscale, xlabel="learning rate", ylabel="loss", ylim=ylim)
    ax.grid(visible=True, alpha=0.3)
    ax.legend(frameon=False)
    return ax


def _new_axes() -> Axes:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("records.plot() needs matplotlib; pip install 'lr_widget[plot]'") from error
    ax: Axes = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    return ax


def _mark(ax: Axes, suggestion: Suggestion) -> None:
    if suggestion.lr is None:
        ax.set_title(suggestion.reason, fontsize="small", loc="left", wrap=True)
        return
    if suggestion.low is not None and suggestion.high is not None:
        ax.axvspan(suggestion.low, suggestion.high, color="C1", alpha=0.12, linewidth=0)
    ax.axvline(
        suggestion.lr, color="C1", linestyle="--", label=f"suggested {rate_text(suggestion.lr)} ({suggestion.rule})"
    )
