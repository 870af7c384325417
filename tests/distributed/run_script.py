"""Run a script and leave the process as soon as it has ended; an exception of the script ends it with a traceback.

At the end of a process, a gloo thread of PyTorch that still holds the tensor of the last operation aborts it
("terminate called without an active exception"), when it asks for the GIL of an interpreter that is being torn down.
A script that trains with PyTorch alone is hit in the same way, now and then on a busy machine.
"""

from __future__ import annotations

import os
import runpy
import sys

if __name__ == "__main__":
    runpy.run_path(sys.argv[1], run_name="__main__")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
