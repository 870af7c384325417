"""One rank of a team: runs the scenarios that it is sent, and leaves their results in files."""

from __future__ import annotations

import faulthandler
import importlib
import os
import pickle
import sys
import traceback
import warnings
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from lr_widget import distributed as ours

PATIENCE = timedelta(seconds=60)


def main() -> None:
    """Read one line a scenario: its number, then the function as `module:name`."""
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    faulthandler.enable()  # the team asks for it by SIGABRT
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)  # of torch's wrappers about the CPU
    ours.HANDSHAKE_SECONDS, ours.GRACE_SECONDS = 60.0, 1.0
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=size, timeout=PATIENCE
    )
    for line in sys.stdin:
        number, _, name = line.strip().partition(" ")
        print("---", name, file=sys.stderr, flush=True)
        module, _, function = name.partition(":")
        try:
            result: object = getattr(importlib.import_module(module), function)(rank, size)
        except BaseException as error:  # noqa: BLE001  # the test shows it
            traceback.print_exc()
            result = error
        sys.stderr.flush()
        unfinished = folder / f"unfinished.{number}.{rank}"
        unfinished.write_bytes(pickle.dumps(result))
        unfinished.rename(folder / f"result.{number}.{rank}")
    os._exit(0)  # a process group that was cut may wait for its connections at the end


if __name__ == "__main__":
    main()
