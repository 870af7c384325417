"""The cost of a snapshot, over that of a plain copy and of a bare loop, measured side by side; prints Markdown tables.

Run `python -m tests.benchmarks.snapshots` from the root of the checkout; about two minutes, on a CUDA
device where there is one.

The first table is the time of taking a snapshot and of putting it back over that of one plain copy of the same tensors
(parameters and the optimizer's state); the three take turns, and the median ratio of all turns counts. On the CPU it is
the time that the process spends in one thread, which a busy machine does not lengthen much. The second table is by how much the
memory at its peak is larger in a range test than in the bare loop, as a multiple of the size of the parameters. Each
run is a process of its own. With Adam, a test copies the parameters and their two averages, so 3 is the least; and 4
where there are gradients before, for they have to be there after it.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn

from lr_widget import range_test
from lr_widget.restore import Snapshot

from .memory import peak

MIB = 2**20
TURNS = 5
HAS_CUDA = torch.cuda.is_available()
DEVICE = "cuda" if HAS_CUDA else "cpu"
NUMBERS = 80_000_000  # of all tensors of a model together; 4 bytes each
WIDTH, DEPTH = 2048, 8  # of the model whose memory is measured

Trained = tuple[nn.Module, torch.optim.Optimizer]


def parameter_list(count: int, *, has_state: bool) -> Trained:
    """Make a list of parameters, and their optimizer: Adam with its state, or SGD."""
    size = NUMBERS // (count * (3 if has_state else 1))
    return with_optimizer(nn.ParameterList(nn.Parameter(torch.randn(size)) for _ in range(count)), has_state=has_state)


def modules(count: int, *, has_state: bool) -> Trained:
    """Make very many layers, each with two parameters, and their optimizer."""
    width = int((NUMBERS / (count * (3 if has_state else 1))) ** 0.5)
    return with_optimizer(nn.Sequential(*(nn.Linear(width, width) for _ in range(count))), has_state=has_state)


def with_optimizer(model: nn.Module, *, has_state: bool) -> Trained:
    model.to(DEVICE)
    kind = torch.optim.Adam if has_state else torch.optim.SGD
    optimizer = kind(model.parameters(), lr=1e-3)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


CASES: dict[str, Callable[[], Trained]] = {
    "8 parameters": lambda: parameter_list(8, has_state=False),
    "8,000 parameters": lambda: parameter_list(8_000, has_state=False),
    "2,000 parameters with Adam": lambda: parameter_list(2_000, has_state=True),
    "4,000 layers": lambda: modules(4_000, has_state=False),
    "1,000 layers with Adam": lambda: modules(1_000, has_state=True),
}


def seconds(action: Callable[[], object]) -> float:
    clock = time.perf_counter if HAS_CUDA else time.process_time
    begin = clock()
    action()
    if HAS_CUDA:
        torch.cuda.synchronize()
    return clock() - begin


def time_row(name: str, snapshot_device: str | None) -> str:
    model, optimizer = CASES[name]()
    state = [*model.parameters(), *(t for entry in optimizer.state.values() for t in entry.values())]

    def take() -> Snapshot:
        return Snapshot([model], [optimizer], device=snapshot_device)

    def copy() -> list[torch.Tensor]:
        return [tensor.to(snapshot_device or DEVICE, copy=True) for tensor in state]

    kept = take()
    turns = []
    for _ in range(TURNS):
        gc.collect()
        turns.append((seconds(copy), seconds(take), seconds(kept.restore)))
    copied, taken, restored = zip(*turns, strict=True)
    ratios = [median(t / c for t, c in zip(times, copied, strict=True)) for times in (taken, restored)]
    size = sum(tensor.nbytes for tensor in state) / MIB
    columns = [name, snapshot_device or "beside it", f"{len(state):,}", f"{size:.0f}", f"{1e3 * median(copied):.0f}"]
    return f"| {' | '.join([*columns, *(f'{ratio:.2f}' for ratio in ratios)])} |"


def print_peak(is_test: bool, has_gradients: bool) -> None:
    """Train for a few steps, in a range test or in a bare loop, and print the peak of the memory in parameters."""
    layers = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH)]
    model, optimizer = with_optimizer(nn.Sequential(*layers), has_state=True)
    data = [(torch.ones(4, WIDTH, device=DEVICE), torch.ones(4, WIDTH, device=DEVICE))] * 5
    options: dict[str, Any] = {"num_steps": 5, "progress": False, "diverge_factor": None, "end_lr": 1e-6}

    def bare() -> None:
        for inputs, targets in data:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()

    bare()
    if not has_gradients:
        optimizer.zero_grad()
    train = (lambda: range_test(model, optimizer, nn.functional.mse_loss, data, **options)) if is_test else bare
    print(peak(train) / sum(p.nbytes for p in model.parameters()))


def peak_row(has_gradients: bool) -> str:
    peaks = []
    for is_test in (True, False):
        child = [sys.executable, "-m", "tests.benchmarks.snapshots", str(int(is_test)), str(int(has_gradients))]
        peaks.append(float(subprocess.run(child, capture_output=True, text=True, check=True).stdout))
    return f"| {'yes' if has_gradients else 'no'} | {4 if has_gradients else 3} | {peaks[0] - peaks[1]:.2f} |"


def table(*heads: str) -> str:
    return f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|"


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__} on {torch.cuda.get_device_name() if HAS_CUDA else 'CPU'}")
    print(table("model", "copies kept", "tensors", "MiB", "copy, ms", "snapshot / copy", "restore / copy"))
    for snapshot_device in (None, "cpu") if HAS_CUDA else (None,):
        for name in CASES:
            print(time_row(name, snapshot_device), flush=True)
    print(table("gradients before", "least", "peak over the bare loop / parameters"))
    for has_gradients in (False, True):
        print(peak_row(has_gradients), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_peak(*(argument == "1" for argument in sys.argv[1:]))
    else:
        main()
