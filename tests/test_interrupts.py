"""Signals wait for the end of a block that must finish, and their handlers are as before after it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import count
from typing import Any
from weakref import ref

import pytest

from lr_widget.interrupts import _Deferral, insist, uninterrupted

from .no_trace.endings import INTERRUPTS, interrupting, lines_run

SIGNALS = sorted(signal.valid_signals())
ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGALRM nor fork()")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[Any]]:
    """The handlers of before; they are put back after the test."""
    before = all_handlers()
    yield before
    for number, handler in zip(SIGNALS, before, strict=True):
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def all_handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def raising(error: BaseException) -> Callable[..., None]:
    def handle(number: int, frame: Any) -> None:
        raise error

    return handle


def test_a_held_interrupt_takes_effect_after_the_block():
    """Inside, Ctrl-C waits; at the end of the block it is raised, once."""
    done = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done == [True]


@ON_POSIX
def test_every_signal_with_a_handler_in_python_waits():
    """Each handler runs once, in the order in which the signals came, with its signal and a frame."""
    numbers = [signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
    calls: list[Any] = []
    for number in numbers:
        signal.signal(number, lambda *call: calls.append(call))
    with uninterrupted():
        for number in [*numbers, *numbers[::-1]]:
            signal.raise_signal(number)
        assert calls == []
    assert [number for number, _ in calls] == numbers
    assert all(frame.f_code.co_filename.endswith("interrupts.py") for _, frame in calls)


@ON_POSIX
def test_a_handler_that_raises_keeps_no_other_from_being_called():
    """Three raise: each is called, the last exception comes out, the others are its context."""
    errors = [TimeoutError("first"), SystemExit("second"), ValueError("third")]
    numbers = [signal.SIGUSR2, signal.SIGALRM, signal.SIGUSR1]
    for number, error in zip(numbers, errors, strict=True):
        signal.signal(number, raising(error))
    with pytest.raises(ValueError, match="third") as caught, uninterrupted():
        for number in numbers:
            signal.raise_signal(number)
    assert caught.value.__context__ is errors[1]
    assert errors[1].__context__ is errors[0]


@ON_POSIX
def test_a_timer_of_the_users_does_not_cut_a_block():
    """SIGALRM every 0.1 ms, whose handler raises: 200 blocks run to their end, and the timeout comes out after each."""
    signal.signal(signal.SIGALRM, raising(TimeoutError("of the user's")))
    lengths, outside = [], 0
    for _ in range(200):
        try:
            with uninterrupted():
                signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
                lengths.append(sum(1 for _ in range(20_000)))
                signal.setitimer(signal.ITIMER_REAL, 0)
        except TimeoutError:
            outside += 1
    assert lengths == [20_000] * 200
    assert outside == 200


def test_an_ignored_interrupt_stays_ignored():
    """A program that ignores SIGINT goes on doing so after a held one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_handler_that_the_block_installs_takes_effect_and_stays():
    """What came before it goes to the handler of before, at the end."""
    calls: list[str] = []

    def installed(number: int, frame: Any) -> None:
        calls.append("the block's")

    signal.signal(signal.SIGINT, lambda number, frame: calls.append("the one of before"))
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, installed)
        signal.raise_signal(signal.SIGINT)
        assert calls == ["the block's"]
    assert calls == ["the block's", "the one of before"]
    assert signal.getsignal(signal.SIGINT) is installed


def test_a_block_that_sets_a_timeout_of_its_own_and_puts_the_handler_back():
    """As decorators for timeouts do: afterwards the handler of before is back."""

    def before(number: int, frame: Any) -> None:
        raise AssertionError("nothing was sent to it")

    signal.signal(signal.SIGINT, before)
    with uninterrupted():
        previous = signal.signal(signal.SIGINT, raising(TimeoutError("its own")))
        with pytest.raises(TimeoutError, match="its own"):
            signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, previous)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_was_chained_in_the_block_still_calls_the_one_of_before():
    """torch's handler for SIGCHLD, installed with the first worker, keeps the previous one and calls it."""
    calls: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    with uninterrupted():
        previous: Any = signal.getsignal(signal.SIGINT)

        def chained(number: int, frame: Any) -> None:
            previous(number, frame)

        signal.signal(signal.SIGINT, chained)
        signal.raise_signal(signal.SIGINT)
        assert calls == []
    signal.raise_signal(signal.SIGINT)
    assert calls == [signal.SIGINT] * 2


def test_blocks_in_blocks():
    """What came in the inner one waits for the end of the outer one."""
    done = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"), uninterrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done == [True]


def test_an_exception_of_the_block_and_a_signal():
    """The handlers are back, and the block's exception is the context of the handler's."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"^$") as caught, uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError("in the block")
    assert isinstance(caught.value.__context__, ZeroDivisionError)
    assert signal.getsignal(signal.SIGINT) is before


@ON_POSIX
def test_an_event_loop_hears_of_a_signal_once():
    """asyncio counts the bytes that signals write to its socket; a second one would be a second Ctrl-C."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.signal(signal.SIGINT, lambda number, frame: None)
        previous = signal.set_wakeup_fd(writer.fileno())
        try:
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
        finally:
            signal.set_wakeup_fd(previous)
        assert reader.recv(10) == bytes([signal.SIGINT])


@ON_POSIX
def test_a_process_that_is_forked_in_the_block_is_not_deaf():
    """It never comes to the block's end, so that its signals must not wait for it: a worker would not terminate."""
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(7))
    with uninterrupted():
        child = os.fork()
        if child == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_off_the_main_thread_no_handler_is_touched(handlers: list[Any]):
    """Only the main thread may set one, and only it gets signals."""
    found = []

    def run() -> None:
        with uninterrupted():
            found.append(all_handlers())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [handlers]


def do_nothing_uninterrupted() -> None:
    with uninterrupted():
        pass


@pytest.mark.parametrize("kind", INTERRUPTS)
def test_an_exception_at_any_line_of_it(kind: type[BaseException]):
    """Of a tracer, a debugger, or a handler that was just put back: all handlers are as before."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, raising(KeyboardInterrupt()))
    before = all_handlers()
    total = lines_run(do_nothing_uninterrupted)
    assert total > 150
    for line in range(total):
        with pytest.raises(kind, match=r"at a line: interrupts\.py"), interrupting(line, kind):
            do_nothing_uninterrupted()
        assert all_handlers() == before, f"after line {line} of {total}"


def test_an_exception_at_any_line_of_it_loses_no_signal():
    """A Ctrl-C that was held comes out with it, as the exception or its context."""

    def interrupted() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            reached.append(True)

    reached: list[bool] = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"), interrupting(-1) as tracer:
        interrupted()
    for line in range(tracer.lines):
        reached.clear()
        with (
            pytest.raises((KeyboardInterrupt, TimeoutError), match=r"^$|at a line") as caught,
            interrupting(line, TimeoutError),
        ):
            interrupted()
        chain = {type(caught.value), type(caught.value.__context__)}
        assert not reached or KeyboardInterrupt in chain, f"after line {line}"


# --- insist ----------------------------------------------------------------------------------------------------------


def interrupt_the_first(tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a handler raise before it is replaced, in the first tries."""
    begin, numbers = _Deferral.begin, count(1)

    def interrupted_begin(deferral: _Deferral) -> None:
        if (number := next(numbers)) <= tries:
            raise TimeoutError(f"in try {number}")
        begin(deferral)

    monkeypatch.setattr(_Deferral, "begin", interrupted_begin)


@pytest.mark.parametrize(("tries", "runs"), [(0, 1), (1, 1), (4, 1), (5, 0)])
def test_an_exception_before_signals_are_held_back_keeps_no_action_from_its_end(
    tries: int, runs: int, monkeypatch: pytest.MonkeyPatch
):
    """Four interrupted tries and a fifth that succeeds: the action has run once, and the last exception comes out."""
    done: list[bool] = []
    interrupt_the_first(tries, monkeypatch)
    with nullcontext() if tries == 0 else pytest.raises(TimeoutError, match=f"^in try {tries}$"):
        insist(lambda: done.append(True))
    assert len(done) == runs


def test_an_action_that_raises_once_is_run_again():
    """Its exception comes out, too."""
    calls = count(1)

    def act() -> None:
        if next(calls) == 1:
            raise ValueError("once")

    with pytest.raises(ValueError, match=r"^once$"):
        insist(act)
    assert next(calls) == 3


def test_a_signal_that_comes_in_the_action_does_not_run_it_again():
    """It was held back, so the action has come to its end."""
    calls = count(1)

    def act() -> None:
        next(calls)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        insist(act)
    assert next(calls) == 2


def test_an_exception_is_freed_with_all_that_it_leads_to():
    """No circle through the frames of `insist` holds what its caller held: a model, on a GPU."""

    class Model:
        pass

    def run() -> None:
        model, calls = Model(), count(1)
        weak.append(ref(model))

        def act() -> None:
            if next(calls) == 1:
                raise ValueError("once")

        insist(act)

    weak: list[ref[Model]] = []
    gc.disable()
    try:
        with pytest.raises(ValueError, match=r"^once$") as caught:
            run()
        del caught
        assert weak[0]() is None
    finally:
        gc.enable()
