"""One job while it is done: its speed and its flags."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from lr_widget import StepRecord
from lr_widget.widget.kernel import Run


class NoSteps:
    """A job that takes none."""

    def steps(self) -> Generator[StepRecord, None, str]:
        yield from ()
        return "completed"


def test_speed_leaves_the_first_step_and_old_steps_out() -> None:
    """The first step warms up; of a long run the last fifty steps count."""
    run = Run(1, NoSteps(), is_blocking=True)
    step = StepRecord(step=1, lr=1e-3, loss=1.0, group_lrs=(1e-3,))
    run.add(step, 5.0)
    assert run.steps_per_second() is None
    run.add(step, 0.5)
    assert run.steps_per_second() == pytest.approx(2.0)
    for _ in range(60):
        run.add(step, 0.25)
    assert run.steps_per_second() == pytest.approx(4.0)


def test_a_paused_run_has_no_speed() -> None:
    """So no pause says that ten seconds are left."""
    run = Run(1, NoSteps(), is_blocking=True)
    for _ in range(3):
        run.add(StepRecord(step=1, lr=1e-3, loss=1.0, group_lrs=(1e-3,)), 0.5)
    run.may_go_on.clear()
    assert run.steps_per_second() is None
    run.may_go_on.set()
    assert run.steps_per_second() == pytest.approx(2.0)


def test_a_pause_ends_with_a_message_that_the_run_reads_itself() -> None:
    """Nobody else could hear of it while the run blocks the kernel."""
    heard = []

    def listen() -> None:
        heard.append(run.is_paused)
        if len(heard) == 3:
            run.may_go_on.set()

    run = Run(1, NoSteps(), is_blocking=True, listen=listen)
    run.may_go_on.clear()
    run.wait_to_go_on()
    assert heard == [True, True, True]
    assert not run.is_paused
