"""The cost of the engine, as ratios measured side by side in one run; prints Markdown tables.

Run `python -m tests.benchmarks.engine` from the root of the checkout; about half a minute, on a CUDA device where
there is one. `OMP_NUM_THREADS=1` makes the numbers steadier on a shared machine.

The first table is the time of a step of `iter_range_test` over that of the plain loop that a person would write; the
two take turns, and the median ratio of all turns counts, so that a busy moment of the machine hits both. The second is
the time of taking a snapshot and of putting it back over that of one plain copy of the state (parameters, buffers,
optimizer state), and the memory that both need at their peak over the size of the state (on the host it is a little
under 1 where memory that was freed before is used again).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median
from typing import Any

import psutil
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.restore import Snapshot

MIB = 2**20
TURNS = 9
HAS_CUDA = torch.cuda.is_available()
DEVICE = "cuda" if HAS_CUDA else "cpu"


def mlp(width: int, depth: int) -> nn.Sequential:
    hidden = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, 1)).to(DEVICE)


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    if HAS_CUDA:
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def step_row(name: str, width: int, depth: int, batch_size: int, num_steps: int) -> str:
    """Return a row with the time of a step in a bare loop and the ratio to it of a step in a range test."""
    model = mlp(width, depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    data = [(torch.randn(batch_size, width, device=DEVICE), torch.randn(batch_size, 1, device=DEVICE))] * 10
    loss_fn = nn.functional.mse_loss
    sweep: dict[str, Any] = {"start_lr": 1e-7, "end_lr": 1e-5, "num_steps": num_steps, "diverge_factor": None}

    def bare() -> None:
        losses = []
        for step, (inputs, targets) in enumerate(islice(cycle(data), num_steps), 1):
            optimizer.param_groups[0]["lr"] = 1e-7 * 100 ** (step / num_steps)
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).tolist()

    def swept() -> None:
        assert len(list(iter_range_test(model, optimizer, loss_fn, data, **sweep))) == num_steps

    bare(), swept()
    pairs = [(seconds(bare), seconds(swept)) for _ in range(TURNS)]
    ratio = median(test / plain for plain, test in pairs)
    return f"| {name} | {num_steps} | {1e3 * median(plain for plain, _ in pairs) / num_steps:.3f} | {ratio:.2f} |"


def snapshot_row(width: int, snapshot_device: str | None) -> str:
    """Return a row with time and peak memory of snapshot and restore, over those of the state."""
    model = mlp(width, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    model(torch.randn(2, width, device=DEVICE)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    state = [*model.parameters(), *model.buffers()]
    state += [value for entry in optimizer.state.values() for value in entry.values()]
    size = sum(tensor.nbytes for tensor in state)

    def take() -> Snapshot:
        return Snapshot([model], [optimizer], device=snapshot_device)

    on_device, on_host = peak(lambda: take().restore())
    kept = take()
    triples = [
        (seconds(lambda: [tensor.detach().clone() for tensor in state]), seconds(take), seconds(kept.restore))
        for _ in range(TURNS)
    ]
    plain, taken, restored = (median(column) for column in zip(*triples, strict=True))
    ratios = [taken / plain, restored / plain, on_device / size, on_host / size]
    columns = [snapshot_device or "beside it", f"{size / MIB:.0f}", f"{1e3 * plain:.1f}", *(f"{r:.2f}" for r in ratios)]
    return f"| {' | '.join(columns)} |"


def peak(action: Callable[[], object]) -> tuple[float, float]:
    """Return by how many bytes the memory grew at most: of the CUDA device, and of this process."""
    process, is_over, sizes = psutil.Process(), threading.Event(), []
    device_before = torch.cuda.memory_allocated() if HAS_CUDA else 0
    if HAS_CUDA:
        torch.cuda.reset_peak_memory_stats()

    def watch() -> None:
        while not is_over.wait(0.0005):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    before = process.memory_info().rss
    watcher.start()
    action()
    is_over.set()
    watcher.join()
    return torch.cuda.max_memory_allocated() - device_before if HAS_CUDA else 0, max(sizes, default=before) - before


def table(*heads: str) -> str:
    return f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|"


def main() -> None:
    print(f"torch {torch.__version__} on {torch.cuda.get_device_name() if HAS_CUDA else 'CPU'}")
    print(table("model", "steps", "bare loop, ms a step", "range test / bare loop"))
    print(step_row("tiny", width=16, depth=1, batch_size=8, num_steps=300))
    print(step_row("medium", width=512, depth=4, batch_size=64, num_steps=50))
    print(
        table("copies kept", "state, MiB", "copy, ms", "snapshot / copy", "restore / copy", "device peak", "host peak")
    )
    for snapshot_device in (None, "cpu") if HAS_CUDA else (None,):
        for width in (512, 1024, 2048):
            print(snapshot_row(width, snapshot_device))


if __name__ == "__main__":
    main()
