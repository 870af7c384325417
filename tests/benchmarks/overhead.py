"""What a range test costs over the bare loop, beside the other finders; prints Markdown tables.

Run `python -m tests.benchmarks.overhead` from the root of the checkout; some ten minutes on a machine of its own.
`pip install torch-lr-finder pytorch-ignite fastai lightning` brings the other finders; one that is not installed, or that
fails, gets a line that says so. On a CUDA device where there is one, else on one thread of the CPU.

All run in turn in one process, the kernel of a notebook, so that the messages of the live widget are made, written as
JSON and sent; no page draws them. (`--plain` runs without a kernel, and so without the widget.) All get the same model,
the same batches, in memory, the same optimizer, which has its momentum already, and the same rates, at which nothing
diverges, and each shows the progress bar that it shows by itself. In each of seven or more rounds, whose order rotates, the
bare loop runs before and after each finder. Each figure is the median of the ratios to the mean of these two, so that a busy
moment of the machine hits both.

A step is counted from the first call of the loss to the last one, which leaves the set-up out: making checks, taking and
putting back a snapshot, writing a checkpoint to the disk. It is given in wall time and in CPU time of the process, which
other programs on the machine disturb less. The whole call has the set-up in it.

The last table is the peak of memory over that of the bare loop, in multiples of the parameters' size. Each finder has a
process of its own, whose optimizer has momentum, so the state to come back is twice the parameters, and whose parameters
have gradients.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

from .finders import (
    CASES,
    FINDERS,
    HAS_CUDA,
    LIVE,
    Call,
    Case,
    bare_loop,
    begin,
    now,
    step_times,
    transformer_case,
)
from .memory import peak

if TYPE_CHECKING:
    from ..widget.kernel.live_kernel import LiveKernel


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let the finders' bars and words go nowhere."""
    logging.disable()
    with open(os.devnull, "w", encoding="utf-8") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def times(case: Case, prepare: Callable[[Case], Call]) -> tuple[float, float, float]:
    """Return wall and CPU time of a step, and the wall time of the whole call."""
    case.renew()
    with quiet():
        call = prepare(case)
        gc.collect()
        begin(case.num_steps)
        start, _ = now()
        call()
        done, _ = now()
    return *step_times(case.num_steps), done - start


def compare(case: Case, names: Sequence[str]) -> str:
    """Return a table of the finders, each in turn between two runs of the bare loop."""
    failed = {name: "not installed" for name in names if importlib.util.find_spec(FINDERS[name][0]) is None}
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    bare = []
    for turn in range(-1, case.num_rounds):  # the first one warms up
        shift = turn % len(names)
        before = times(case, bare_loop)
        for name in (*names[shift:], *names[:shift]):
            print(".", end="", flush=True)  # also a sign of life to those who wait for the kernel
            if name in failed:
                continue
            try:
                mine = times(case, FINDERS[name][1])
            except Exception as error:  # noqa: BLE001  # another library's; its line in the table says it
                failed[name] = f"failed: {type(error).__name__}: {error}".partition("\n")[0]
                continue
            after = times(case, bare_loop)
            plain = [(a + b) / 2 for a, b in zip(before, after)]
            before = after
            if turn >= 0:
                bare.append(plain)
                set_up = 1e3 * (mine[2] - case.num_steps * mine[0])
                found[name].append([*(a / b for a, b in zip(mine, plain)), set_up])
    step, cpu, _ = (1e3 * median(column) for column in zip(*bare))
    heads = (
        f"{case.name}; {case.num_rounds} rounds of {case.num_steps} steps",
        "step, wall",
        "step, CPU",
        "whole call",
        "set-up, ms",
    )
    rows = [f"| bare loop ({step:.2f} ms a step, CPU {cpu:.2f}) | 1 | 1 | 1 | 0 |"]
    for name in names:
        if name in failed:
            rows.append(f"| {name} | {failed[name]} | | | |")
        else:
            wall, cpu, whole, set_up = (median(column) for column in zip(*found[name]))
            rows.append(f"| {name} | {wall:.3f} | {cpu:.3f} | {whole:.3f} | {set_up:.0f} |")
    return "\n".join([table(*heads), *rows])


def compare_all(cases: Sequence[str], *, has_kernel: bool = True) -> None:
    """Print a table a case."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = [name for name in FINDERS if has_kernel or name != LIVE]
    for case in (CASES[name]() for name in cases):
        with tempfile.TemporaryDirectory() as case.folder:
            print(f"\n{compare(case, names)}", flush=True)


def print_peak(name: str) -> None:
    """Print by how many times the parameters' size a finder's peak is above that of the bare loop."""
    torch.set_num_threads(1)
    case, peaks = transformer_case(5), []
    with tempfile.TemporaryDirectory() as case.folder:
        for prepare in (FINDERS[name][1], bare_loop, FINDERS[name][1]):  # the first one imports the library
            case.renew()
            with quiet():
                call = prepare(case)
                gc.collect()
                begin(case.num_steps)
                peaks.append(peak(call))
    size = sum(parameter.nbytes for parameter in case.model.parameters())
    print(f"{(peaks[2] - peaks[1]) / size:.1f}")


def peak_row(name: str) -> str:
    if importlib.util.find_spec(FINDERS[name][0]) is None:
        return f"| {name} | not installed |"
    # So the C library gives each freed tensor back to the system, and the size of the process is what it holds.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-m", __spec__.name, "--peak", name]
    child = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return f"| {name} | {child.stdout.strip() if child.returncode == 0 else 'failed'} |"


def table(*heads: str) -> str:
    return f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|"


def follow(kernel: LiveKernel, code: str) -> None:
    """Run a cell and print what it prints, as it comes."""
    cell, state = kernel.begin(code), ""
    while state != "idle":
        message = kernel.wait_for(lambda message: message["parent_header"].get("msg_id") == cell)
        content = message["content"]
        if message["msg_type"] in ("stream", "error"):
            print(content.get("text", "") + "\n".join(content.get("traceback", [])), end="", flush=True)
        state = content.get("execution_state", "")


def versions() -> str:
    """Return the versions of torch and of the other finders that are installed."""
    found = []
    for name in ("torch", "torch-lr-finder", "pytorch-ignite", "fastai", "lightning"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.overhead")
    parser.add_argument("--plain", action="store_true", help="in this process instead of a kernel, without the widget")
    parser.add_argument("--peak", metavar="FINDER", help=argparse.SUPPRESS)  # of the children
    parser.add_argument("cases", nargs="*", default=[*CASES], help=f"of {', '.join(CASES)}; all unless given")
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak)
        return
    print(f"{versions()}; on {torch.cuda.get_device_name() if HAS_CUDA else 'one thread of the CPU'}")
    if options.plain:
        compare_all(options.cases, has_kernel=False)
    else:
        from ..widget.kernel.live_kernel import LiveKernel

        with tempfile.TemporaryDirectory() as folder:
            kernel = LiveKernel(Path(folder))
            try:
                follow(kernel, f"from tests.benchmarks.overhead import compare_all; compare_all({options.cases!r})")
            finally:
                kernel.close()
    print(f"\n{table('peak memory over the bare loop', 'times the parameters')}")
    for name in FINDERS:
        print(peak_row(name), flush=True)


if __name__ == "__main__":
    main()
