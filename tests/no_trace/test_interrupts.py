"""An interrupt leaves no trace, wherever it comes: at any line of the package, or as a real signal from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from .endings import INTERRUPTS, interrupted_at_line, interrupting, lines_run, run, sweep
from .models import Training
from .state import Look, values

EVERY_NTH_LINE = int(os.environ.get("LR_WIDGET_EVERY_NTH_LINE", "89"))
ROOT = Path(__file__).parents[2]
SIGNALS = 200


@pytest.mark.parametrize("kind", INTERRUPTS)
def test_an_exception_at_any_line_leaves_no_trace(kind: type[BaseException]):
    """Every 89th line of a short sweep, snapshot and restoring included; LR_WIDGET_EVERY_NTH_LINE=1 tries all."""
    training = Training("cnn", "momentum", warm_steps=2)
    before = Look(*training.everything)
    handler = signal.getsignal(signal.SIGINT)
    run(sweep(training, num_steps=2))  # the first one runs more lines: functions are looked through once
    total = lines_run(lambda: run(sweep(training, num_steps=2)))
    for line in range(INTERRUPTS.index(kind) * EVERY_NTH_LINE // 3, total, EVERY_NTH_LINE):
        interrupted_at_line(training, line, kind)
        before.assert_unchanged(f"after an interrupt at line {line} of {total}")
        assert signal.getsignal(signal.SIGINT) is handler
    twin = Training("cnn", "momentum", warm_steps=2)
    torch.manual_seed(1)
    went_on = training.train(10), values(*training.kind.modules)
    torch.manual_seed(1)
    assert went_on == (twin.train(10), values(*twin.kind.modules))


def test_an_exception_while_a_failed_step_unwinds_leaves_no_mode_on():
    """A timeout has cut a `no_grad` of the user's, the next one comes some lines later: gradients are on again."""
    training = Training("cnn", "momentum", warm_steps=2)

    def cut_in_a_mode(call: int, loss: torch.Tensor) -> torch.Tensor:
        torch.set_grad_enabled(False)
        torch.autocast("cpu").__enter__()
        tracer.line = tracer.lines + lines_on
        raise TimeoutError("the first")

    before = Look(*training.everything)
    for lines_on in range(30):
        with pytest.raises(TimeoutError, match="at a line"), interrupting(-1, TimeoutError) as tracer:
            run(sweep(training, num_steps=2, on_loss=cut_in_a_mode))
        before.assert_unchanged(f"{lines_on} lines on")


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
    assert f"{SIGNALS // presses} looked the same" in output_of("interrupted_child", SIGNALS // presses, presses)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such timer")
def test_a_timer_of_the_users_leaves_no_trace():
    """A process runs test after test, under a timer whose handler raises TimeoutError up to a dozen times in each."""
    assert f"{SIGNALS} looked the same" in output_of("alarmed_child", SIGNALS, "timer")


def test_exceptions_from_another_thread_leave_no_trace():
    """Test after test runs in a thread, to which the main thread sends a TimeoutError at a random moment."""
    assert f"{SIGNALS} looked the same" in output_of("alarmed_child", SIGNALS, "thread")


def output_of(child: str, *args: Any) -> str:
    """Run a child process of this folder to its end and return what it prints."""
    command = [sys.executable, "-m", f"tests.no_trace.{child}", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    return done.stdout
