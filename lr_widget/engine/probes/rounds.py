"""Rounds of trainings: how the steps of the probes are spent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...horizon import Horizon

DEFAULT_PROBE_STEPS = 75
MIN_PROBE_STEPS = 8
A_ROUND = 4  # trainings that a round is to pay for
LEAST_ROUND = 3  # trainings below which a longer round tells too little
GROWTH = 4  # from a round's length to the next one's
LEAST_GROWTH = 2  # below which a longer round tells nothing new


@dataclass(frozen=True)
class Round:
    """Trainings that are compared with each other.

    Attributes:
        num_steps: length of each.
        schedule: of their rates, one of `lr_widget.horizon.TRAIN_SCHEDULES`.
        budget: what all of them together may cost, in steps.
    """

    num_steps: int
    schedule: str
    budget: int


def first_round(max_steps: int, probe_steps: int | None, horizon: Horizon) -> Round:
    """Return the round that the probes begin with.

    Its rates are kept constant, as a training that is behind can then be stopped early. A training that is short enough
    is probed as it is.

    Args:
        max_steps: what all rounds together may cost.
        probe_steps: length of the trainings; None for 75, or for a quarter of `max_steps` where this is the only round.
        horizon: the training that the rate is for.

    >>> from lr_widget.horizon import Horizon
    >>> first_round(1200, None, Horizon(5000, "cosine"))
    Round(num_steps=75, schedule='constant', budget=300)
    >>> first_round(600, None, Horizon(5000, "cosine"))
    Round(num_steps=150, schedule='constant', budget=600)
    """
    quarter, longest = max(max_steps // A_ROUND, MIN_PROBE_STEPS), _longest(horizon)
    num_steps = min(DEFAULT_PROBE_STEPS, quarter) if probe_steps is None else probe_steps
    found = _with_budget(num_steps, "constant", max_steps, horizon)
    if probe_steps is None and found.budget == max_steps:
        found = replace(found, num_steps=quarter)
    if longest <= found.num_steps or longest <= min(LEAST_GROWTH * found.num_steps, quarter):
        return Round(int(longest), horizon.schedule, max_steps)
    return found


def next_round(before: Round, rest: int, horizon: Horizon) -> Round | None:
    """Return the round of longer trainings after another one, in the schedule of the training that the rate is for.

    Args:
        before: the round that has ended.
        rest: the steps that may still be taken.
        horizon: the training that the rate is for.

    Returns:
        None where the steps don't suffice for a round, or longer trainings would be longer than the one in question.

    >>> from lr_widget.horizon import Horizon
    >>> next_round(Round(75, "constant", 300), 900, Horizon(5000, "cosine"))
    Round(num_steps=300, schedule='cosine', budget=900)
    """
    num_steps = _longer(before.num_steps, rest, horizon)
    return None if num_steps is None else _with_budget(num_steps, horizon.schedule, rest, horizon)


def planned_rounds(max_steps: int, probe_steps: int | None, horizon: Horizon) -> list[Round]:
    """Return all rounds, as they are if each one takes its whole budget."""
    rounds, rest = [first_round(max_steps, probe_steps, horizon)], max_steps
    while True:
        rest -= rounds[-1].budget
        following = next_round(rounds[-1], rest, horizon)
        if following is None:
            return rounds
        rounds.append(following)


def _with_budget(num_steps: int, schedule: str, rest: int, horizon: Horizon) -> Round:
    """Give a round the steps that it needs, or all that there are if no further round could follow."""
    needed = A_ROUND * num_steps
    follows = _longer(num_steps, rest - needed, horizon) is not None
    return Round(num_steps, schedule, needed if follows else rest)


def _longer(num_steps: int, rest: int, horizon: Horizon) -> int | None:
    """Return the length of the trainings that can follow shorter ones, or None."""
    length = int(min(GROWTH * num_steps, _longest(horizon), rest // LEAST_ROUND))
    return None if length < LEAST_GROWTH * num_steps else length


def _longest(horizon: Horizon) -> float:
    return math.inf if horizon.steps is None else max(horizon.steps, MIN_PROBE_STEPS)
