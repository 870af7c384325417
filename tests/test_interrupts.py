"""A Ctrl-C waits for the end of a block that must finish, and works as before after it."""

from __future__ import annotations

import signal
import threading

import pytest

from lr_widget.interrupts import uninterrupted

from .no_trace.endings import interrupting, lines_run


def test_a_held_interrupt_takes_effect_after_the_block():
    """Inside, Ctrl-C waits; at the end of the block it is raised, once."""
    done = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done == [True]


def test_an_ignored_interrupt_stays_ignored():
    """A program that ignores SIGINT goes on doing so after a held one."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)


def test_off_the_main_thread_no_handler_is_touched():
    """Only the main thread may set one, and only it gets signals."""
    handler, found = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [handler]


def do_nothing_uninterrupted() -> None:
    with uninterrupted():
        pass


def test_an_interrupt_at_any_line_of_it():
    """A tracer or a debugger may raise at any line of it; the handler of before is always back."""
    handler = signal.getsignal(signal.SIGINT)
    total = lines_run(do_nothing_uninterrupted)
    assert total > 8
    try:
        for line in range(total):
            with pytest.raises(KeyboardInterrupt, match=r"at a line: interrupts\.py"), interrupting(line):
                do_nothing_uninterrupted()
            assert signal.getsignal(signal.SIGINT) is handler, f"after line {line} of {total}"
    finally:
        signal.signal(signal.SIGINT, handler)
