"""The parts of a meeting that one process can see; meetings of several are in tests/distributed."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget.distributed import Exchange
from lr_widget.engine.plan import meet
from lr_widget.engine.together import AllPart, Meeting, _is_due_to_interrupt


class Partner:
    """Stands in for the ranks: notes what it is told, and answers."""

    def __init__(self, **answer: float) -> None:
        self.answer = Exchange(**answer)
        self.told: list[Exchange] = []
        self.has_parted = False

    def exchange(self, told: Exchange) -> Exchange:
        self.told.append(told)
        return self.answer

    def failure_of_another(self) -> None:
        return None

    def announce(self, error: BaseException) -> None:
        pass


def meeting_of(partner: Any, num_steps: int = 3) -> Meeting:
    plan: Any = SimpleNamespace(sweep=SimpleNamespace(num_steps=num_steps), accumulation_steps=1)
    return Meeting(plan, partner)


def test_one_process_meets_nobody() -> None:
    """The plan is not even looked at."""
    assert meet(None, {}) is None  # type: ignore[arg-type]


def test_batches_are_drawn_one_step_ahead_and_no_further() -> None:
    """The first step's before the first exchange, each other one's in the exchange before; none beyond the last step."""
    partner, source = Partner(), iter(range(9))
    meeting = meeting_of(partner)
    batches = meeting.draw_ahead(source)
    for step in range(3):
        assert next(batches) == step
        meeting.before_backward([])
    assert next(source) == 3
    assert len(partner.told) == 4


def test_a_draw_that_failed_elsewhere_ends_the_next_step_and_no_test_that_is_over_before() -> None:
    """A validation in between does not make it forgotten; a test that diverges needs no more batches."""
    meeting = meeting_of(Partner(next_failed=1.0))
    batches = meeting.draw_ahead(iter(range(9)))
    meeting.mean(0.0)
    assert meeting.outcome("diverged") == "diverged"
    with pytest.raises(AllPart, match=r"^$"):
        next(batches)
    with pytest.raises(RuntimeError, match=r"^another rank failed; its own error says why$"):
        meeting.outcome("")


def test_the_first_ctrl_c_is_told_to_the_others_and_the_second_goes_through() -> None:
    """Until then this rank goes on."""
    partner = Partner(interrupted=1.0)
    meeting = meeting_of(partner)
    with pytest.raises(AllPart, match=r"^$"), meeting.holding_interrupts():
        signal.raise_signal(signal.SIGINT)
        meeting.mean(0.0)
    assert partner.told[0].interrupted
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        meeting.outcome("")
    with pytest.raises(KeyboardInterrupt, match=r"^$"), meeting_of(Partner()).holding_interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_generator_closed_because_of_ctrl_c_is_told_from_one_that_is_stopped() -> None:
    """The others then end as interrupted, too."""
    error = GeneratorExit()
    assert not _is_due_to_interrupt(error)
    error.__context__ = GeneratorExit()
    error.__context__.__context__ = KeyboardInterrupt()
    assert _is_due_to_interrupt(error)
