"""Records and short trainings with known outcomes."""

from __future__ import annotations

import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from lr_widget import LRRecords, ProbeRun

WOBBLE = np.tile([0.1, -0.1], 40)
NUMBERS = st.floats(-1e30, 1e30) | st.sampled_from([0.0, 1.0, 1e-30])


def make_records(**changes: object) -> LRRecords:
    lr = 10.0 ** np.linspace(-6, 0, 61)
    loss = 2.3 - 1.5 / (1 + np.exp(-4 * (np.log10(lr) + 2.5))) + 1e3 * lr**4
    return LRRecords(lr=lr, loss=loss, **{"stop_reason": "diverged", "num_steps": 61, **changes})  # type: ignore[arg-type]


def ended(lr: float, end: float, start: float = 10.0) -> ProbeRun:
    """A training of eight steps that got to its end: four losses at the start, four at the end."""
    return ProbeRun(lr, np.repeat([start, end], 4), "completed")


def longer(lr: float, end: float, schedule: str = "cosine", num_steps: int = 32) -> ProbeRun:
    """A training of a later round that got to its end: half of its losses at 10, half at the end."""
    return ProbeRun(lr, np.repeat([10.0, end], num_steps // 2), "completed", None, num_steps, schedule)


def falling_to(end: float) -> ProbeRun:
    """A training of 80 steps that falls from 10 at once, with a wobble."""
    return ProbeRun(0.1, np.r_[np.full(4, 10.0), end + WOBBLE[:76]], "completed")


@st.composite
def some_runs(draw: st.DrawFn) -> tuple[ProbeRun, ...]:
    """Trainings at different rates as probes leave them, with any losses, all with a validation loss or none."""
    places = draw(st.lists(st.integers(-40, 12), min_size=1, max_size=8, unique=True))
    validates = draw(st.booleans())
    runs = []
    for place in places:
        reason = draw(st.sampled_from(["completed", "completed", "stopped", "diverged", "non_finite", "interrupted"]))
        size = 8 if reason == "completed" else draw(st.integers(1, 7))
        losses = np.array(draw(st.lists(NUMBERS, min_size=size, max_size=size)))
        val = draw(NUMBERS | st.sampled_from([math.nan, math.inf])) if validates and reason == "completed" else None
        runs.append(ProbeRun(10 ** (place / 4), losses, reason, val))
    return tuple(runs)


@st.composite
def some_rounds(draw: st.DrawFn) -> tuple[ProbeRun, ...]:
    """One to three rounds of such trainings, longer ones in the schedule of a training."""
    runs = draw(some_runs())
    schedule = draw(st.sampled_from(["constant", "cosine"]))
    for num_steps in draw(st.sampled_from([(), (32,), (32, 128)])):
        runs += tuple(replace(run, num_steps=num_steps, schedule=schedule) for run in draw(some_runs()))
    return runs


@contextmanager
def short_of_space(limit: int = 1024) -> Iterator[None]:
    """Let every file of this process end at a size, as on a full disk: the write that goes beyond it fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
