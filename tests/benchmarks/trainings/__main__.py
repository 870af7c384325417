"""Command line of the benchmark of rates for a training."""

from __future__ import annotations

import argparse
from pathlib import Path

from .others import rebuild_others
from .probes import rebuild_probes
from .table import report
from .tasks import tasks
from .truth import rebuild


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.trainings", description=__doc__)
    parser.add_argument(
        "--rebuild", nargs="?", const="", metavar="PART", help="compute what is not stored yet, of kinds with PART"
    )
    parser.add_argument("--probe", action="store_true", help="probe anew around what the default rule suggests now")
    parser.add_argument("--others", action="store_true", help="run the alternatives anew")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md instead of showing it")
    arguments = parser.parse_args()
    if arguments.rebuild is not None:
        rebuild([task for task in tasks() if arguments.rebuild in task.kind])
    if arguments.probe:
        rebuild_probes(tasks())
    if arguments.others:
        rebuild_others(tasks())
    if arguments.write:
        (Path(__file__).parent / "RESULTS.md").write_text(report())
    else:
        print(report())


if __name__ == "__main__":
    main()
