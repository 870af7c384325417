"""Runs of 100,000 and of 1,000,000 steps: time and memory of the engine, the results and the chart, as Markdown tables.

Run `OMP_NUM_THREADS=1 python -m tests.benchmarks.long` from the root of a checkout in which `make build` has run; some
minutes, and about a GiB of memory.

Times are CPU times of this process, so that a busy machine does not count. The first table is a range test on a model with one weight, a tenth of its steps a row: the time of a step should not
grow from row to row, nor the memory of this process by more than a record a step. The second one is everything that can
be done with the records, on a noisy curve; times should grow no more than tenfold from column to column, and the memory
at the peak, as bytes a step, not at all. The third one is one update of the widget's chart, which may come 15 times a
second.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import psutil
import torch
from matplotlib import pyplot as plt

from lr_widget import LRRecords, StepRecord, range_test
from lr_widget.schedule import Sweep
from lr_widget.suggest import RULES
from lr_widget.widget.chart import LiveChart

from .suggest import curve

LENGTHS = (100_000, 1_000_000)
MIB = 2**20


def seconds(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def peak_bytes(action: Callable[[], object]) -> int:
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def noisy_steps(num_steps: int) -> list[StepRecord]:
    """Return a fall and an explosion with noise."""
    pairs = zip(*(array.tolist() for array in curve(num_steps)), strict=True)
    return [StepRecord(step, lr, loss, (lr,)) for step, (lr, loss) in enumerate(pairs, 1)]


def engine_rows(num_steps: int) -> list[str]:
    """Return a row for each tenth of a range test: its steps, the time of one, and by how much the process grew."""
    weight = torch.nn.Linear(1, 1, bias=False)
    data = [(torch.ones(1, 1), torch.zeros(1, 1))]
    optimizer = torch.optim.SGD(weight.parameters(), lr=1e-6)
    process, marks = psutil.Process(), []

    def mark(record: StepRecord) -> bool:
        if record.step % (num_steps // 10) == 1:
            marks.append((record.step, time.process_time(), process.memory_info().rss))
        return False

    sweep = {"start_lr": 1e-6, "end_lr": 1e-3, "num_steps": num_steps + 1, "diverge_factor": None}
    range_test(weight, optimizer, torch.nn.functional.mse_loss, data, stop=mark, progress=False, **sweep)
    return [
        f"| {first:,} … {last - 1:,} | {1e6 * (end - begin) / (last - first):.1f} | {(after - before) / MIB:.0f} | "
        f"{(after - before) / (last - first):.0f} |"
        for (first, begin, before), (last, end, after) in pairwise(marks)
    ]


def actions(num_steps: int, folder: Path) -> dict[str, Callable[[], object]]:
    """Return everything that can be done with records of so many steps."""
    steps = noisy_steps(num_steps)
    records = LRRecords.from_steps(steps, stop_reason="completed", num_steps=num_steps)

    def draw() -> None:
        figure = records.plot().figure
        figure.canvas.draw()
        plt.close(figure)

    files = [folder / f"{num_steps}{suffix}" for suffix in (".parquet", ".json", ".csv")]
    return {
        "`LRRecords.from_steps`": partial(LRRecords.from_steps, steps, stop_reason="completed"),
        "`smoothed_loss`": records.smoothed_loss,
        **{f"`suggest({rule!r})`": partial(records.suggest, rule) for rule in RULES},
        "`suggestions`": records.suggestions,
        "`plot`, and drawing it": draw,
        "`print`": records.__repr__,
        **{f"`save`, {path.suffix}": partial(records.save, path) for path in files},
        **{f"`load`, {path.suffix}": partial(LRRecords.load, path) for path in files},
    }


def results_rows() -> list[str]:
    """Return a row an action: seconds and bytes a step at the peak, for each length."""
    with tempfile.TemporaryDirectory() as name:
        by_length = [actions(num_steps, Path(name)) for num_steps in LENGTHS]
        for action in by_length[0].values():  # imports pandas, matplotlib and pyarrow
            action()
        rows = []
        for action_name in by_length[0]:
            run = [of_length[action_name] for of_length in by_length]
            times = [f"{seconds(action):.3f}" for action in run]
            peaks = [f"{peak_bytes(action) / steps:.0f}" for action, steps in zip(run, LENGTHS, strict=True)]
            rows.append(f"| {' | '.join([action_name, *times, *peaks])} |")
    return rows


def chart_row(num_steps: int) -> str:
    sweep, steps = Sweep(1e-7, 10.0, num_steps), noisy_steps(num_steps)
    chart = LiveChart(sweep, 0.9)
    chart.begin(1, sweep, 0, [])
    chart.grow([steps[:-1]])
    return f"| {num_steps:,} | {1e3 * seconds(lambda: chart.grow([steps])):.1f} |"


def table(*heads: str) -> str:
    return f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|"


def main() -> None:
    mpl.use("agg")
    print(table("steps", "a step, µs", "process grew, MiB", "bytes a step"))
    print("\n".join(engine_rows(LENGTHS[-1])))
    heads = [f"{num_steps:,} steps, s" for num_steps in LENGTHS]
    print(table("records", *heads, *(f"{num_steps:,} steps, peak bytes a step" for num_steps in LENGTHS)))
    print("\n".join(results_rows()))
    print(table("steps", "an update of the chart, ms"))
    print("\n".join(map(chart_row, (1_000, 10_000, *LENGTHS))))


if __name__ == "__main__":
    main()
