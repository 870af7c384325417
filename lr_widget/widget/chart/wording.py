"""The chart in words: the legend of everything on it, and a text in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...schedule import rate_text
from .points import flat

if TYPE_CHECKING:
    from .look import LegendEntry, LegendKind
    from .points import Run
    from .scene import Scene

_RISE = 0.1  # of the fall: a smaller one after the lowest loss is not worth a word


def legend(scene: Scene) -> list[LegendEntry]:
    """Name each kind of mark that is on the chart."""
    lines = [*scene.earlier, *([] if scene.current is None else [scene.current])]
    complete = [probe for probe in scene.probes if probe.is_complete]
    kinds: list[tuple[LegendKind, str, bool]] = [
        ("raw", "raw loss", scene.current is not None and scene.current.x.size > 0),
        ("smoothed", "smoothed", any(line.x.size for line in lines)),
        ("validation", "validation loss", scene.validation[0].size > 0),
        ("band", f"between the lowest and the highest of {scene.num_sweeps} sweeps", scene.band[0].size > 0),
        ("range", "range of good rates", scene.good is not None),
        ("unstable", "unstable", scene.unstable is not None),
        ("probe", f"short training of {scene.probe_steps:,} steps", any(p.is_compared for p in complete)),
        ("probe_aside", "another length, not compared", any(not p.is_compared for p in complete)),
        ("probe_cut", "stopped early or still running", len(complete) < len(scene.probes)),
    ]
    return [{"kind": kind, "text": text} for kind, text, is_there in kinds if is_there]


def text(scene: Scene, run: Run | None) -> str:
    """Describe the chart in a few sentences; `run` is the current one."""
    sentences = [f"Loss over the learning rate, from {rate_text(scene.x.low)} to {rate_text(scene.x.high)}."]
    if run is not None:
        sentences.append(_course(run))
    elif not scene.earlier and not scene.probes:
        sentences.append("No run yet.")
    number = len(scene.earlier)
    if number:
        sentences.append(f"{number} {'other ' * (run is not None)}run{'s' * (number > 1)} for comparison.")
    number = len(scene.probes)
    if number:
        sentences.append(f"{number} short training{'s' * (number > 1)}.")
    for what, marker in (("Suggested", scene.suggestion), ("Your pick", scene.pick)):
        sentences += [] if marker is None else [f"{what}: {marker.rate}."]
    return " ".join(sentences)


def _course(run: Run) -> str:
    """Say how the smoothed loss goes."""
    if not run.stop_reason:
        return "The curve is growing."
    lrs, known = run.columns.lrs, np.isfinite(run.smoothed)
    if not known.any():
        return "It has no finite loss."
    if flat(run):
        return f"It stays at {_loss(run.columns.raw[known][0])}."
    lrs, losses = lrs[known], run.smoothed[known]
    first, lowest, last = float(losses[0]), float(losses.min()), float(losses[-1])
    then = _then(run, rises=last - lowest > _RISE * max(first - lowest, 0.0))
    if int(losses.argmin()) == 0:
        return f"It starts at {_loss(first)}{then}."
    return f"It falls from {_loss(first)} to {_loss(lowest)} at {rate_text(float(lrs[losses.argmin()]))}{then}."


def _then(run: Run, *, rises: bool) -> str:
    if run.unstable_from is not None:
        return ", then explodes"
    return ", then rises" if rises else ""


def _loss(value: float) -> str:
    """Write a loss in three digits."""
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
