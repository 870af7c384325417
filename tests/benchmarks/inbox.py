"""What it costs a run in a cell to read its messages after each step, and how soon it hears a Stop.

Run with `python -m tests.benchmarks.inbox`; prints ratios and steps, measured in one kernel side by side.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..widget.kernel.live_kernel import LiveKernel

SETUP = """
import time, timeit, torch
from torch import nn
from lr_widget import LRFinderWidget
torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters())
inputs = torch.randn(512, 32)
targets = (inputs.sum(1) > 0).long()
pace = 0.0

def loss_fn(outputs, targets):
    time.sleep(pace)
    return nn.functional.cross_entropy(outputs, targets)

widget = LRFinderWidget(
    model, optimizer, loss_fn, (inputs, targets), end_lr=1e-3, num_steps=500, dataloader_options={"batch_size": 32}
)
inbox = widget.runner._inbox

def seconds(reads):
    widget.runner._inbox = inbox if reads else None
    begin = time.perf_counter()
    widget.run()
    return time.perf_counter() - begin
"""

COST = """
seconds(True)
times = [[seconds(reads) for reads in order] for order in [(True, False), (False, True)] * 4]
reading = min(both[k % 2] for k, both in enumerate(times))
silent = min(both[1 - k % 2] for k, both in enumerate(times))
look = min(timeit.repeat(inbox.reader(), number=1000, repeat=5)) / 1000
print(f"a run of 500 steps that reads / one that does not: {reading / silent:.3f}")
print(f"a look into the empty inbox: {look * 1e6:.1f} us, a step: {silent / 500 * 1e6:.0f} us")
"""


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = LiveKernel(Path(folder))
        try:
            kernel.run(SETUP)
            print(kernel.run(COST), end="")
            kernel.run("widget.runner._inbox = inbox; pace = 0.05")
            print("steps between a click on Stop and the end of the run:", [_steps_to_stop(kernel) for _ in range(10)])
        finally:
            kernel.close()


def _steps_to_stop(kernel: LiveKernel) -> int:
    widget = kernel.run("print(widget.model_id)").strip()
    cell = kernel.begin("records = widget.run(); print(len(records))")

    def step(message: object) -> int:
        state = message["content"].get("data", {}).get("state", {})  # type: ignore[index]  # a message of Jupyter
        return int(state.get("progress", {}).get("step", 0))

    shown = step(kernel.wait_for(lambda message: 5 <= step(message) < 1000))
    kernel.click(widget, command="stop")
    return int(kernel.end(cell)) - shown


if __name__ == "__main__":
    main()
