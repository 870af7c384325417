"""A Ctrl-C leaves no trace, wherever it comes: at any line of the package, or as a real signal from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from .endings import interrupted_at_line, lines_run, run, sweep
from .models import Training
from .state import Look, values

EVERY_NTH_LINE = int(os.environ.get("LR_WIDGET_EVERY_NTH_LINE", "23"))
ROOT = Path(__file__).parents[2]
SIGNALS = 200


@pytest.mark.parametrize("first_line", range(4))
def test_an_interrupt_at_any_line_leaves_no_trace(first_line: int):
    """Every 23rd line of a short sweep, snapshot and restoring included; LR_WIDGET_EVERY_NTH_LINE=1 tries all."""
    training = Training("cnn", "momentum", warm_steps=2)
    before = Look(*training.everything)
    handler = signal.getsignal(signal.SIGINT)
    total = lines_run(lambda: run(sweep(training, num_steps=2)))
    for line in range(first_line * EVERY_NTH_LINE // 4, total, EVERY_NTH_LINE):
        interrupted_at_line(training, line)
        before.assert_unchanged(f"after an interrupt at line {line} of {total}")
        assert signal.getsignal(signal.SIGINT) is handler
    twin = Training("cnn", "momentum", warm_steps=2)
    torch.manual_seed(1)
    went_on = training.train(10), values(*training.kind.modules)
    torch.manual_seed(1)
    assert went_on == (twin.train(10), values(*twin.kind.modules))


def test_a_test_runs_off_the_main_thread():
    """A thread cannot set signal handlers; the test restores there all the same."""
    training = Training("cnn", "adam", warm_steps=2)
    before = Look(*training.everything)
    found = []
    thread = threading.Thread(target=lambda: found.append(run(sweep(training))))
    thread.start()
    thread.join()
    assert found == [(14, "completed")]
    before.assert_unchanged()


@pytest.mark.parametrize("presses", [1, 2])
def test_signals_from_outside_leave_no_trace(presses: int):
    """A process runs test after test; each gets SIGINT (twice in quick succession) at a random moment, and looks."""
    child = [
        sys.executable,
        "-m",
        "tests.no_trace.interrupted_child",
        str(SIGNALS // presses),
        str(presses),
    ]
    done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert f"{SIGNALS // presses} looked the same" in done.stdout
