"""Files that are written whole or not at all, whatever happens on the way."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lr_widget.results.atomic import write_whole

from .helpers import short_of_space


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_of_any_other(folder: Path) -> None:
    """Those that the umask leaves, as with `open`."""
    before = os.umask(0o027)
    try:
        write_whole(folder / "new", b"abc")
        (folder / "other").write_bytes(b"abc")
    finally:
        os.umask(before)
    assert (folder / "new").read_bytes() == b"abc"
    assert permissions(folder / "new") == permissions(folder / "other") == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["new", "other"]


def test_an_old_file_keeps_its_permissions_and_its_owner(folder: Path) -> None:
    """It is another file under the same name, which nobody should notice."""
    path = folder / "old"
    path.write_bytes(b"old and longer")
    path.chmod(0o606)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65533)
    owner = (path.stat().st_uid, path.stat().st_gid)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert permissions(path) == 0o606
    assert (path.stat().st_uid, path.stat().st_gid) == owner


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(folder: Path, exists: bool) -> None:
    """It still is a link afterwards, also one to a file that was not there yet."""
    (folder / "data").mkdir()
    link, target = folder / "link", folder / "data" / "target"
    link.symlink_to(Path("data") / "target")
    if exists:
        target.write_bytes(b"old")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_disk_that_is_full_leaves_the_old_file(folder: Path) -> None:
    """Half of the new one is written when there is no more space; nothing of it stays."""
    path = folder / "curve"
    path.write_bytes(b"old")
    with short_of_space(), pytest.raises(OSError, match=rf"File too large: '{path}'"):
        write_whole(path, bytes(10**6))
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


def test_a_file_system_without_owners_and_permissions_does_no_harm(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mounted share may be one."""
    path = folder / "curve"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.chown", fail)
    monkeypatch.setattr("pathlib.Path.chmod", fail)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("os.fsync", OSError(5, "in between")),
        ("os.fsync", KeyboardInterrupt("in between")),
        ("pathlib.Path.chmod", KeyboardInterrupt("in between")),
        ("pathlib.Path.replace", OSError(5, "in between")),
        ("pathlib.Path.replace", KeyboardInterrupt("in between")),
    ],
)
def test_an_exception_at_any_moment_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    """A Ctrl-C, too; the temporary file is gone."""
    path = folder / "curve"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(type(error), match="in between"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


def test_a_file_that_may_not_be_written_to_is_refused(folder: Path) -> None:
    """Renaming would replace it all the same, for that needs the folder's permission only."""
    path = folder / "curve"
    path.write_bytes(b"old")
    path.chmod(0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may write to everything
    try:
        with pytest.raises(PermissionError, match=rf"Permission denied: '{path}'"):
            write_whole(path, b"new")
    finally:
        os.seteuid(user)
    assert path.read_bytes() == b"old"


def test_an_error_names_the_file_that_was_asked_for(folder: Path) -> None:
    """The temporary file is nobody's business."""
    with pytest.raises(FileNotFoundError, match=rf"No such file or directory: '{folder}/none/curve'"):
        write_whole(folder / "none" / "curve", b"new")
    with pytest.raises(IsADirectoryError, match=rf"Is a directory: '{folder}'"):
        write_whole(folder, b"new")
