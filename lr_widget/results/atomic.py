"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace the contents of a file, or leave it as it was where that fails at any point.

    The data go into a temporary file in the same folder, which takes the file's place when all of it is on the disk.
    As with `open`, a link is followed, an existing file keeps its permissions and its owner (as far as the user may
    set them), and a new one gets those that the umask allows.

    Raises:
        OSError: the disk is full, or the file or its folder cannot be written to. The old contents are still there.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".lr_widget-{secrets.token_hex(8)}.tmp")
    try:
        old = _status(target)
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            _pass_on(old, beside)
        beside.replace(target)
    except OSError as error:
        error.filename = os.fspath(path)  # not the temporary file, of which the user knows nothing
        raise
    finally:
        beside.unlink(missing_ok=True)


def _status(path: Path) -> os.stat_result | None:
    """Return the status of a file, or None where there is none.

    Raises:
        OSError: it may not be written to. Renaming would replace it all the same.
    """
    try:
        with path.open("r+b") as file:
            return os.fstat(file.fileno())
    except FileNotFoundError:
        return None


def _pass_on(old: os.stat_result, path: Path) -> None:
    if hasattr(os, "chown"):
        with suppress(OSError):  # not allowed, or no file system for it
            os.chown(path, old.st_uid, old.st_gid)
    with suppress(OSError):
        path.chmod(stat.S_IMODE(old.st_mode))
