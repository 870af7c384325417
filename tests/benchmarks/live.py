"""What the live widget sends and how soon, and what that costs the training; prints Markdown tables.

Run `OMP_NUM_THREADS=1 python -m tests.benchmarks.live` from the root of a checkout in which `make build` has run; some
ten minutes, half of them for the run of a million steps, which `--short` leaves out.

A kernel runs the widget, and this process reads all that it publishes, as a page would, but draws nothing. The bytes of a
message are those of its content as JSON and of its buffers. In the first table, the rate is that of the messages after the
one with the first step, for a start sends the whole chart; a redraw is what the thread that trains waits for, at the median
of the last five, where the curve is as long as it gets. The last table is the time of a step with the
widget over that of `range_test` without a progress bar, both with a list of batches in memory, in turn in one process:
medians of the ratios of neighbours, for wall and for CPU time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from torch import nn

from lr_widget import LRFinderWidget, range_test

from ..widget.kernel.live_kernel import LiveKernel
from .finders import CASES, ours_live
from .overhead import follow, table, times

LENGTHS = (100, 10_000, 1_000_000)
NUM_STARTS = 9
NUM_DRAGS = 40
DRAG_SECONDS = 1 / 30  # between two events of a mouse
REDRAWS: list[tuple[int, float]] = []  # steps so far, and seconds

# --- in the kernel ----------------------------------------------------------------------------------------------------


def make(num_steps: int, step_seconds: float = 0.0) -> LRFinderWidget:
    """Show a widget on a model of two weights and note its redraws."""
    from IPython.display import display

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    inputs = torch.randn(8, 1)

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if step_seconds:
            time.sleep(step_seconds)
        return nn.functional.mse_loss(outputs, targets)

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    widget = LRFinderWidget(
        model, optimizer, loss_fn, [(inputs, 2 * inputs + 1)], start_lr=1e-6, end_lr=0.1, num_steps=num_steps
    )
    show = widget.runner._show

    def watched(run: Any) -> Any:
        begin = time.perf_counter()
        sent = show(run)
        REDRAWS.append((run.count, time.perf_counter() - begin))
        return sent

    widget.runner._show = watched
    display(widget)
    return widget


def redraw_ms() -> float:
    """Return the median time of the last five redraws of a run."""
    seconds = 1e3 * median(seconds for _, seconds in REDRAWS[-5:])
    REDRAWS.clear()
    return seconds


def print_ratios(case_names: list[str]) -> None:
    """Print the step times of the widget over those of `range_test`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    heads = ("step times, widget / headless", "rounds", "step, ms", "wall", "CPU", "quartiles of wall")
    print(table(*heads))
    for name in case_names:
        case = CASES[name]()
        headless: Callable[[Any], Callable[[], object]] = lambda case: (  # noqa: E731  # as those of finders.py
            lambda: range_test(*case.arguments, **case.sweep, progress=False)
        )
        for prepare in (headless, ours_live):  # the first ones warm up
            times(case, prepare)
        found, plain = [], times(case, headless)
        steps = [plain[0]]
        for _ in range(case.num_rounds):
            live = times(case, ours_live)
            after = times(case, headless)
            found.append([live[k] / ((plain[k] + after[k]) / 2) for k in (0, 1)])
            steps.append(after[0])
            plain = after
        wall, cpu = (sorted(column) for column in zip(*found))
        low, high = wall[len(wall) // 4], wall[-1 - len(wall) // 4]
        row = f"{len(found)} | {1e3 * median(steps):.2f} | {median(wall):.3f} | {median(cpu):.3f} | {low:.3f} to {high:.3f}"
        print(f"| {case.name} | {row} |", flush=True)


# --- the page ---------------------------------------------------------------------------------------------------------


def step_of(message: dict[str, Any]) -> int:
    """Return the step that a message to the browser has, 0 where it has none."""
    state = message["content"].get("data", {}).get("state", {})
    progress = state.get("progress") or state.get("view_state", {}).get("progress") or {}
    return int(progress.get("step", 0))


def size_of(message: dict[str, Any]) -> int:
    """Return the bytes of a message."""
    content = json.dumps(message["content"], ensure_ascii=False).encode()
    return len(content) + sum(memoryview(buffer).nbytes for buffer in message["buffers"])


def date_of(message: dict[str, Any]) -> datetime:
    """Return the time at which the kernel made a message."""
    date: datetime = message["header"]["date"]
    return date


def start(kernel: LiveKernel, comm_id: str) -> tuple[list[dict[str, Any]], float]:
    """Click on Run and return the messages up to the end, and the seconds to the one with the first step."""
    begin, first = time.perf_counter(), 0.0
    kernel.click(comm_id, command="start")
    messages: list[dict[str, Any]] = []
    is_over = False
    while not is_over:
        message = kernel.wait_for(lambda message: message["msg_type"] == "comm_msg")
        messages.append(message)
        if not first and step_of(message):
            first = time.perf_counter() - begin
        status = message["content"]["data"].get("state", {}).get("status")
        is_over = status in ("finished", "failed")
    return messages, first


def row_of_a_run(kernel: LiveKernel, num_steps: int, step_seconds: float) -> str:
    comm_id = kernel.run(f"widget = make({num_steps}, {step_seconds}); print(widget.model_id)").split()[-1]
    messages, _ = start(kernel, comm_id)
    at_first = next(k for k, message in enumerate(messages) if step_of(message))
    steady = messages[at_first + 1 :]
    seconds = (date_of(steady[-1]) - date_of(messages[at_first])).total_seconds()
    sizes = [size_of(message) / 1e3 for message in steady]
    redraw = float(kernel.run("print(redraw_ms())").split()[-1])
    kernel.published.clear()
    return (
        f"| {num_steps:,} steps, {seconds:.1f} s | {at_first + 1} | {len(steady)} | {len(steady) / seconds:.1f} | "
        f"{mean(sizes):.2f} | {max(sizes):.1f} | {sum(sizes) / seconds:.0f} | {redraw:.1f} |"
    )


def row_of_starts(kernel: LiveKernel) -> str:
    comm_id = kernel.run("widget = make(100); print(widget.model_id)").split()[-1]
    seconds = sorted(start(kernel, comm_id)[1] for _ in range(NUM_STARTS))
    return f"| click on Run to the first step, of {NUM_STARTS} | {1e3 * median(seconds):.0f} ms, at most {1e3 * seconds[-1]:.0f} |"


def row_of_drags(kernel: LiveKernel, num_steps: int) -> str:
    """Drag the smoothing slider over a curve."""
    comm_id = kernel.run(f"widget = make({num_steps}); print(widget.model_id)").split()[-1]
    start(kernel, comm_id)
    kernel.run("")
    kernel.published.clear()
    clicks = []
    for k in range(NUM_DRAGS):
        clicks.append(kernel.click(comm_id, command="set", name="smoothing", value=0.5 + 0.4 * k / NUM_DRAGS))
        time.sleep(DRAG_SECONDS)
    kernel.run("")
    own = [m for m in kernel.published if m["parent_header"].get("msg_id") in clicks]
    sent = [message for message in own if message["msg_type"] == "comm_msg"]
    states: dict[str, list[datetime]] = {}
    for message in own:
        if message["msg_type"] == "status":
            states.setdefault(message["parent_header"]["msg_id"], []).append(date_of(message))
    busy = median((dates[-1] - dates[0]).total_seconds() for dates in states.values())
    size = sum(map(size_of, sent)) / 1e3 / NUM_DRAGS
    return (
        f"| an event of the smoothing slider, {num_steps:,} steps | {len(sent) / NUM_DRAGS:.1f} messages, {size:.1f} kB, "
        f"kernel busy for {1e3 * busy:.1f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live")
    parser.add_argument("--short", action="store_true", help="without the run of a million steps")
    parser.add_argument("cases", nargs="*", default=[*CASES], help=f"of {', '.join(CASES)}; all unless given")
    options = parser.parse_args()
    heads = ("run", "start", "messages", "a second", "kB, mean", "kB, largest", "kB a second", "redraw, ms")
    with tempfile.TemporaryDirectory() as folder:
        kernel = LiveKernel(Path(folder))
        try:
            kernel.run("from tests.benchmarks.live import *")
            print(table(*heads))
            for num_steps in LENGTHS[: 2 if options.short else 3]:
                print(row_of_a_run(kernel, num_steps, 0.02 if num_steps == 100 else 0.0), flush=True)
            print(f"\n{table('', '')}\n{row_of_starts(kernel)}")
            print(f"{row_of_drags(kernel, 100)}\n{row_of_drags(kernel, 10_000)}\n", flush=True)
            follow(kernel, f"from tests.benchmarks.live import print_ratios; print_ratios({options.cases!r})")
        finally:
            kernel.close()


if __name__ == "__main__":
    main()
