"""Run range tests that another process interrupts, and check after each that nothing has changed.

Started as a program with the number of interrupts and how many signals each of them is. It starts the process that
sends them, tells it over a pipe when a test begins, and hears back when all signals of that test are out.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

LONGEST_WAIT_S = 0.06


def send_signals(parent: int, begun: int, sent: int, presses: int) -> None:
    """Wait for the word that a test has begun, then for a random moment, then interrupt; until the pipe closes."""
    luck = random.Random(17)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(begun, 1):
        time.sleep(luck.random() ** 2 * LONGEST_WAIT_S)
        for press in range(presses):
            if press:
                time.sleep(luck.random() * 0.002)
            os.kill(parent, signal.SIGINT)
        os.write(sent, b".")


def main(interrupts: int, presses: int) -> None:
    """Run tests until each of the interrupts has come, most of them in the midst of one."""
    begun, begun_write = os.pipe()
    sent_read, sent = os.pipe()
    parent = os.getpid()
    if os.fork() == 0:
        os.close(begun_write)
        send_signals(parent, begun, sent, presses)
        os._exit(0)

    import torch

    from .endings import run, sweep
    from .models import Training
    from .state import Look

    torch.set_num_threads(1)
    training = Training("cnn", "adamw_amsgrad", 2)
    run(sweep(training))
    before = Look(*training.everything)
    inside, armed = 0, Armed()
    for _ in range(interrupts):
        inside += interrupted_once(armed, lambda: run(sweep(training, num_steps=24)), begun_write, sent_read)
        before.assert_unchanged()
    print(f"{interrupts} looked the same, {inside} of them interrupted in the midst of a test")
    assert inside > interrupts // 2


class Armed:
    """Raises KeyboardInterrupt at a SIGINT, as Python does by itself, but only while a test runs."""

    def __init__(self) -> None:
        self.is_armed = False
        signal.signal(signal.SIGINT, self)

    def __call__(self, number: int, frame: Any) -> None:
        if self.is_armed:
            raise KeyboardInterrupt


def interrupted_once(armed: Armed, action: Callable[[], object], begun: int, sent: int) -> bool:
    """Run the action, wait until the signals are out, and return True if one came while it ran."""
    is_done = False
    try:
        try:
            armed.is_armed = True
            os.write(begun, b".")
            action()
            is_done = True
        except KeyboardInterrupt:
            armed.is_armed = False
    except KeyboardInterrupt:  # the second press, in the line above
        pass
    armed.is_armed = False
    os.read(sent, 1)
    return not is_done


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
