"""Run range tests into which TimeoutErrors strike at random moments, and check after each that nothing has changed.

Started as a program with the number of tests and "timer" or "thread". A timer first fires at a random moment of a test,
and from then on every 0.1 to 3 ms until the test is over: in steps, while the snapshot is taken, while everything is
restored, between the two `finally` of the engine, in `close()`, and while a forgotten generator is collected. Another
thread sends one exception a test.
"""

from __future__ import annotations

import ctypes
import gc
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import torch

from lr_widget import range_test

from .endings import run, sweep
from .models import Training
from .state import Look

NUM_STEPS = 6
SIGNALS = sorted(signal.valid_signals())


class Drawing:
    """Draws a random number whenever its state is asked for or loaded."""

    def __init__(self) -> None:
        self.value = torch.zeros(3)

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value.clone(), "drawn": random.random()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]
        torch.rand(1)


def to_the_end(training: Training) -> None:
    run(sweep(training, num_steps=NUM_STEPS, also_restore=[Drawing()]))


def collected(training: Training) -> None:
    kind, optimizer = training.kind, training.optimizers[0]
    options: dict[str, Any] = {"train_step": kind.step, "end_lr": 0.1, "num_steps": NUM_STEPS, "progress": False}
    range_test(kind.model, optimizer, None, kind.data, also_restore=[Drawing()], **options)


def closed(training: Training) -> None:
    steps = sweep(training, num_steps=NUM_STEPS)
    for _ in range(3):
        next(steps)
    steps.close()


def forgotten(training: Training) -> None:
    steps = sweep(training, num_steps=NUM_STEPS)
    for _ in range(3):
        next(steps)
    del steps


WAYS = (to_the_end, collected, closed, forgotten)


class Timer:
    """A timer of the user's whose handler raises, again and again, but only while `run_under` is at work."""

    def __init__(self) -> None:
        self.strikes = 0
        signal.signal(signal.SIGALRM, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code is not Timer.run_under.__code__:
            frame = frame.f_back
        if frame is not None:
            self.strikes += 1
            raise TimeoutError("of the user's")

    def run_under(self, first: float, interval: float, action: Callable[[], None]) -> None:
        """Run the action while the timer fires."""
        signal.setitimer(signal.ITIMER_REAL, first, interval)
        action()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def strike(self, first: float, interval: float, action: Callable[[], None]) -> int:
        """Run the action while the timer fires; return how often the handler has raised."""
        self.strikes = 0
        try:
            self.run_under(first, interval, action)
        except TimeoutError:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return self.strikes


class OtherThread:
    """A thread that sends one TimeoutError to the one that runs the test, where no signal handler is in play."""

    def strike(self, first: float, interval: float, action: Callable[[], None]) -> int:
        """Run the action in a thread and send the exception; return 1 if it came before the end of the action."""
        is_done = []

        def run_there() -> None:
            with suppress(TimeoutError):
                action()
                is_done.append(True)

        thread = threading.Thread(target=run_there)
        threading.excepthook = lambda args: None  # it may come before or behind the action
        thread.start()
        time.sleep(first)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeoutError))
        thread.join()
        return int(not is_done)


def ignore_timeouts(unraisable: Any) -> None:
    """Python can raise nothing out of the collection of a generator, and reports it here."""
    assert isinstance(unraisable.exc_value, TimeoutError), unraisable


def main(tests: int, by: str) -> None:
    """Run the tests, each of them in one of the ways to end it."""
    torch.set_num_threads(1)
    luck = random.Random(17)
    training = Training("cnn", "adamw_amsgrad", 2)
    seconds = []
    for way in WAYS * 2:
        begin = time.perf_counter()
        way(training)
        seconds.append(time.perf_counter() - begin)
    lasting = dict(zip(WAYS, seconds[len(WAYS) :], strict=True))
    striker: Timer | OtherThread = Timer() if by == "timer" else OtherThread()
    sys.unraisablehook = ignore_timeouts
    before, handlers = Look(*training.everything), [signal.getsignal(number) for number in SIGNALS]
    strikes = []
    gc.disable()  # so that a generator is collected where it is forgotten, and in no later test
    for index in range(tests):
        way = WAYS[index % len(WAYS)]
        first, interval = luck.uniform(1e-6, lasting[way] * 1.1), luck.uniform(1e-4, 3e-3)
        strikes.append(striker.strike(first, interval, partial(way, training)))
        before.assert_unchanged(f"after test {index}, {way.__name__}, struck {strikes[-1]} times")
        assert [signal.getsignal(number) for number in SIGNALS] == handlers
    to_the_end(training)
    struck, several = (sum(count > least for count in strikes) for least in (0, 1))
    print(f"{tests} looked the same, {struck} of them struck, {several} several times")
    assert struck > tests // 5  # of a loaded machine's tests, many are over before the first moment


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
