"""notebooks/distributed.py runs as it says, under torchrun."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from .team import ROOT


def test_the_example_runs_under_torchrun() -> None:
    """Two processes find one rate, and the loss falls with it; one bar is shown, one line an epoch printed."""
    scripts = [str(ROOT / "tests" / "distributed" / "run_script.py"), str(ROOT / "notebooks" / "distributed.py")]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *scripts]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ steps, (completed|diverged): 0\.\d+; ", done.stdout)
    losses = [float(loss) for loss in re.findall(r"epoch \d: loss (\S+)", done.stdout)]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
