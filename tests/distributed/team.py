"""A team of real processes that run scenarios together, with a limit on each."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Scenario = Callable[[int, int], Any]  # rank, size → something to compare, which is pickled


class Team:
    """Processes of one gloo process group, started when they are first needed and used again.

    A scenario that does not end in time, or that breaks the process group, costs the processes; the next scenario gets
    new ones.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._processes: list[subprocess.Popen[str]] = []
        self._count = 0
        self.folders: list[Path] = []

    def run(
        self,
        scenario: Scenario,
        *,
        patience: float = 60,
        survives: bool = True,
        expected: Collection[int] | None = None,
    ) -> list[Any]:
        """Run a function of rank and size on every rank and return the results.

        Args:
            scenario: a function at the top of a module, so that the processes find it.
            patience: seconds after which the processes are killed and their output is shown.
            survives: False for a scenario after which the process group is of no use.
            expected: the ranks that live to give a result; None for all.
        """
        if not self._processes:
            self._start()
        self._count += 1
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{self._count} {scenario.__module__}:{scenario.__name__}\n")
            process.stdin.flush()
        paths = [self._folder / f"result.{self._count}.{rank}" for rank in expected or range(self.size)]
        end = time.monotonic() + patience
        while not all(path.exists() for path in paths):
            if time.monotonic() > end or all(process.poll() is not None for process in self._processes):
                done = [path.exists() for path in paths]
                raise AssertionError(f"{scenario.__name__}: ended are {done}\n{self._output()}")
            time.sleep(0.01)
        results = [pickle.loads(path.read_bytes()) for path in paths]
        for result in results:
            if isinstance(result, BaseException):
                raise AssertionError(self._output()) from result
        if not survives:
            self.kill()
        return results

    def kill(self) -> None:
        """End the processes that there are."""
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
        for process in self._processes:
            process.communicate()
        self._processes = []

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lr_widget_team_"))
        self.folders.append(self._folder)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        for rank in range(self.size):
            command = [sys.executable, "-m", "tests.distributed.worker", str(rank), str(self.size), str(self._folder)]
            with (self._folder / f"output.{rank}").open("w") as output:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment, cwd=ROOT, text=True
                )
            self._processes.append(process)

    def _output(self) -> str:
        """End the processes and return the last that each has written, with the place where it was."""
        for process in self._processes:
            process.send_signal(signal.SIGABRT)
            process.wait()
        self.kill()
        texts = [(self._folder / f"output.{rank}").read_text() for rank in range(self.size)]
        return "\n".join(f"--- rank {rank}\n{text[-5000:]}" for rank, text in enumerate(texts))
