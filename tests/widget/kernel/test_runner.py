"""The runner drives the steps, is steered from any thread, and shows them often enough."""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from lr_widget import StepRecord
from lr_widget.interrupts import uninterrupted
from lr_widget.widget.kernel.run import Run
from lr_widget.widget.kernel.runner import Runner


class Steps:
    """A job of one sweep that notes its restore."""

    def __init__(self, count: int = 10, at_step: Callable[[int], None] = lambda step: None) -> None:
        self.num_steps = count
        self.at_step = at_step
        self.is_restored = False
        self.taken: list[int] = []

    def steps(self) -> Generator[StepRecord, None, str]:
        try:
            for step in range(1, self.num_steps + 1):
                self.at_step(step)
                self.taken.append(step)
                yield StepRecord(step=step, lr=1e-3, loss=1.0, group_lrs=(1e-3,))
            return "completed"
        finally:
            self.is_restored = True


class JobRunner(Runner):
    """A runner that knows the job that its test is about."""

    def __init__(self, job: Steps, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.job = job


def make_runner(steps: Steps, show: Callable[[Run], int] = lambda run: 1) -> tuple[JobRunner, list[tuple[Any, ...]]]:
    """A runner, and its reports of each run's end: reason, steps, restored or not."""
    ends: list[tuple[Any, ...]] = []
    lock = threading.RLock()
    return JobRunner(steps, lock, show, lambda run: ends.append((run.stop_reason, run.count, steps.is_restored))), ends


def test_a_blocking_run_goes_to_the_end() -> None:
    """All steps are there, and the end is reported once, after the restore."""
    runner, ends = make_runner(Steps())
    run = runner.run(runner.job)
    assert runner.job.taken == list(range(1, 11))
    assert (run.count, run.last.step) == (10, 10)
    assert ends == [("completed", 10, True)]
    assert runner.current is None


def test_stop_answers_within_one_step_from_any_thread() -> None:
    """Asked for in the third step, the run ends after the third step."""
    steps = Steps(at_step=lambda step: runner.stop() if step == 3 else None)
    runner, ends = make_runner(steps)
    runner.start(runner.job)
    assert runner.wait(10)
    assert ends == [("stopped", 3, True)]


def test_a_stop_meant_for_an_earlier_run_is_ignored() -> None:
    """The browser's late click carries the id of the run that it was meant for."""
    answers = []
    steps = Steps(at_step=lambda step: answers.append((runner.stop(1), runner.pause(1))) if step == 2 else None)
    runner, ends = make_runner(Steps())
    runner.run(runner.job)
    runner, ends = make_runner(steps)
    runner._run_id = 1
    run = runner.run(runner.job)
    assert run.run_id == 2
    assert answers == [(False, False)]
    assert ends == [("completed", 10, True)]


def test_a_second_run_is_refused_while_one_is_in_progress() -> None:
    """Two sweeps at once would ruin each other."""
    go = threading.Event()
    runner, ends = make_runner(Steps(at_step=lambda step: go.wait(10) and None))
    runner.start(runner.job)
    with pytest.raises(RuntimeError, match="a range test is running already; stop it or wait"):
        runner.run(runner.job)
    go.set()
    assert runner.wait(10)
    runner.run(runner.job)
    assert [reason for reason, *_ in ends] == ["completed", "completed"]


def test_pause_waits_and_stop_ends_a_paused_run() -> None:
    """Nothing happens in a pause; the stop is answered without another step."""
    paused = threading.Event()

    def show(run: Run) -> int:
        if run.is_paused:
            paused.set()
        return 1

    runner, ends = make_runner(Steps(at_step=lambda step: runner.pause() if step == 4 else None), show)
    runner.start(runner.job)
    assert paused.wait(10)
    assert not runner.wait(0.05)
    runner.stop()
    assert not runner.pause()
    assert runner.wait(10)
    assert ends == [("stopped", 4, True)]


def test_a_keyboard_interrupt_keeps_the_points_of_a_blocking_run() -> None:
    """It ends as interrupted, restored, without an error."""

    def interrupt(step: int) -> None:
        if step == 6:
            raise KeyboardInterrupt

    runner, ends = make_runner(Steps(at_step=interrupt))
    run = runner.run(runner.job)
    assert (run.error, run.count) == (None, 5)
    assert ends == [("interrupted", 5, True)]


def test_a_keyboard_interrupt_while_showing_restores_too() -> None:
    """Ctrl-C comes wherever it likes."""

    def show(run: Run) -> int:
        if run.count == 1:
            raise KeyboardInterrupt
        return 1

    runner, ends = make_runner(Steps(), show)
    runner.run(runner.job)
    assert ends == [("interrupted", 1, True)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), MemoryError()])
def test_an_exception_ends_the_run_with_it(error: BaseException) -> None:
    """An exception of the user's code is kept as it is, and the thread ends in order."""

    def fail(step: int) -> None:
        if step == 3:
            raise error

    runner, ends = make_runner(Steps(at_step=fail))
    run = runner.start(runner.job)
    assert runner.wait(10)
    assert run.error is error
    assert ends == [(None, 2, True)]


def test_a_stop_before_the_first_step_changes_nothing() -> None:
    """The generator is closed before it began."""
    runner, ends = make_runner(Steps(), show=lambda run: int(runner.stop()))
    run = runner.run(runner.job)
    assert (run.count, run.last) == (0, None)
    assert ends == [("stopped", 0, False)]


class Clock:
    """The time, which passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def let_pass(self, seconds: float) -> None:
        """Take some time."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the runners."""
    made = Clock()
    monkeypatch.setattr("lr_widget.widget.kernel.runner.clock", made)
    return made


def shows(clock: Clock, num_steps: int, step_ms: float, show_ms: float, num_messages: int) -> list[int]:
    """The steps after which a run was shown."""
    shown: list[int] = []

    def show(run: Run) -> int:
        clock.let_pass(show_ms / 1000)
        shown.append(run.count)
        return num_messages

    runner, _ = make_runner(Steps(num_steps, lambda step: clock.let_pass(step_ms / 1000)), show)
    runner.run(runner.job)
    return shown


def test_fast_steps_are_shown_fifteen_times_a_second(clock: Clock) -> None:
    """At the start, after the first step, and then after every 67 ms, the first whole number above a 15th of a second."""
    assert shows(clock, 20_000, step_ms=1, show_ms=0, num_messages=1) == [0, *range(1, 20_001, 67)]


@pytest.mark.parametrize(("num_messages", "apart"), [(0, 67), (1, 67), (2, 134), (5, 334), (29, 1934)])
def test_fifteen_messages_a_second_go_out(clock: Clock, num_messages: int, apart: int) -> None:
    """A picture of five messages is followed by the next one after a third of a second."""
    shown = shows(clock, 20_000, step_ms=1, show_ms=0, num_messages=num_messages)
    assert shown == [0, *range(1, 20_001, apart)]


def test_the_first_step_is_shown_at_once_however_much_the_start_took(clock: Clock) -> None:
    """Whoever has clicked waits for a sign of life."""
    assert shows(clock, 3, step_ms=100, show_ms=500, num_messages=50) == [0, 1]


def test_showing_takes_a_fortieth_of_the_time(clock: Clock) -> None:
    """A picture of 25 ms is followed by 975 ms of steps, 98 of them."""
    assert shows(clock, 500, step_ms=10, show_ms=25, num_messages=1) == [0, *range(1, 501, 98)]


def test_every_slow_step_is_shown(clock: Clock) -> None:
    """Nothing is held back while there is time."""
    assert shows(clock, 5, step_ms=1000, show_ms=1, num_messages=3) == [0, 1, 2, 3, 4, 5]


def test_the_thread_inherits_context_and_torchs_default_device() -> None:
    """The settings of the cell hold in the background, too."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="not set")
    seen = []
    runner, _ = make_runner(Steps(at_step=lambda step: seen.append((variable.get(), torch.get_default_device()))))
    variable.set("set")
    torch.set_default_device("meta")
    try:
        runner.start(runner.job)
        assert runner.wait(10)
    finally:
        torch.set_default_device(None)
    assert set(seen) == {("set", torch.device("meta"))}


def test_waiting_for_oneself_is_refused() -> None:
    """A callback in the training thread would wait for ever."""
    runner, _ = make_runner(Steps(at_step=lambda step: runner.wait() and None))
    run = runner.start(runner.job)
    assert runner.wait(10)
    assert "cannot wait for itself" in str(run.error)


def test_where_the_system_gives_no_thread_the_next_run_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the caller's, and nothing is left that seems to run."""
    runner, ends = make_runner(Steps())

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            runner.start(runner.job)
    runner.run(runner.job)
    assert ends == [("completed", 10, True)]


def test_a_device_that_is_gone_is_an_error_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread fails before its first step, and says so."""
    error = RuntimeError("CUDA error: device-side assert triggered")

    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", fail)
    runner, ends = make_runner(Steps())
    run = runner.start(runner.job)
    assert runner.wait(10)
    assert run.error is error
    assert [steps for _, steps, _ in ends] == [0]


def test_a_keyboard_interrupt_just_before_the_end_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes before interrupts are held back; the end is shown all the same."""
    runner, ends = make_runner(Steps())
    interrupted = []

    def interrupt_once() -> AbstractContextManager[None]:
        run = runner.current
        if run is not None and run.has_ended and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return uninterrupted()

    monkeypatch.setattr("lr_widget.widget.kernel.runner.uninterrupted", interrupt_once)
    runner.run(runner.job)
    assert (interrupted, ends) == ([True], [("completed", 10, True)])
    assert runner.current is None


def test_a_keyboard_interrupt_while_the_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the caller's, and the run that has begun is known."""
    go = threading.Event()
    runner, ends = make_runner(Steps(at_step=lambda step: go.wait(10) and None))
    start = threading.Thread.start

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        runner.start(runner.job)
    assert runner.current is not None
    go.set()
    assert runner.wait(10)
    assert ends == [("completed", 10, True)]


def test_a_keyboard_interrupt_lets_a_picture_be_finished() -> None:
    """No half of a picture is ever shown."""
    shown = []

    def show(run: Run) -> int:
        if run.count == 1:
            signal.raise_signal(signal.SIGINT)
        shown.append(run.count)
        return 1

    runner, ends = make_runner(Steps(), show)
    runner.run(runner.job)
    assert shown == [0, 1]
    assert ends == [("interrupted", 1, True)]


def test_a_keyboard_interrupt_before_the_run_began_is_the_callers() -> None:
    """Another thread holds the lock; the cell is ended as usual."""
    runner, ends = make_runner(Steps())
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with runner._lock:
            held.set()
            go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    threading.Timer(0.2, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        runner.run(runner.job)
    go.set()
    thread.join(10)
    assert ends == []
    assert runner.current is None


def test_a_state_that_cannot_be_put_back_is_an_error_of_the_run() -> None:
    """It comes when a stopped sweep is closed."""
    error = OSError("the disk is gone")

    class Broken(Steps):
        def steps(self) -> Generator[StepRecord, None, str]:
            try:
                yield from super().steps()
            finally:
                raise error
            return ""

    runner, _ = make_runner(Broken(at_step=lambda step: runner.stop() if step == 3 else None))
    run = runner.start(runner.job)
    assert runner.wait(10)
    assert run.error is error


class Inbox:
    """Messages that arrive when a step has been taken."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.is_readable = True

    def reader(self) -> Callable[[], None] | None:
        """Read by acting."""
        return self.act if self.is_readable else None


def test_a_blocking_run_reads_its_messages_after_each_step_and_in_a_pause() -> None:
    """A pause in the second step is followed by a stop that only the inbox brings."""
    heard: list[int] = []

    def act() -> None:
        heard.append(len(job.taken))
        if len(heard) == 2:
            runner.pause()
        elif len(heard) == 4:
            runner.stop()

    job = Steps()
    runner = JobRunner(job, threading.RLock(), lambda run: 1, lambda run: None, Inbox(act))
    run = runner.run(job)
    assert (heard, run.stop_reason, run.is_deaf) == ([1, 2, 2, 2], "stopped", False)


def test_a_background_run_leaves_the_messages_to_the_kernel() -> None:
    """They arrive without it, in the thread that handles them."""
    job = Steps()
    runner = JobRunner(job, threading.RLock(), lambda run: 1, lambda run: None, Inbox(lambda: pytest.fail("read")))
    run = runner.start(job)
    assert runner.wait(10)
    assert (run.stop_reason, run.error, run.listen) == ("completed", None, None)


@pytest.mark.parametrize("is_cells_thread", [True, False])
def test_a_run_is_deaf_where_it_blocks_the_cells_and_nothing_can_be_read(
    monkeypatch: pytest.MonkeyPatch, is_cells_thread: bool
) -> None:
    """A script has no buttons, and another thread leaves the kernel free."""
    monkeypatch.setattr("lr_widget.widget.kernel.hosts.cells_run_here", lambda: is_cells_thread)
    job, inbox = Steps(), Inbox(lambda: None)
    inbox.is_readable = False
    runner = JobRunner(job, threading.RLock(), lambda run: 1, lambda run: None, inbox)
    assert runner.run(job).is_deaf is is_cells_thread
