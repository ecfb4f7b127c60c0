"""Whole files or none, and nothing left beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actilaw.errors import FileError
from actilaw.support import files
from actilaw.support.files import remove_stale_parts, write_atomically

# A process that is killed between writing the part and renaming it.
DIES = """
import os, signal, sys
from actilaw.support.files import write_atomically
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(sys.argv[1], b"half")
"""
# A process that stays there until it is told to go on.
WAITS = """
import os, sys
from actilaw.support.files import write_atomically
def wait(_):
    print("here", flush=True)
    sys.stdin.readline()
os.fsync = wait
write_atomically(sys.argv[1], b"theirs")
"""


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def killed(path: Path) -> Path:
    """What a killed process leaves beside `path`."""
    before = names(path.parent)
    dead = subprocess.run([sys.executable, "-c", DIES, str(path)], check=False)
    assert dead.returncode == -signal.SIGKILL
    (left,) = names(path.parent) - before
    return path.with_name(left)


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "census"
    path.write_bytes(b"whole")
    left = killed(path)
    assert left.name.startswith(".census.")
    assert (path.read_bytes(), left.read_bytes()) == (b"whole", b"half")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == {"census"}


@pytest.mark.slow
def test_the_part_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "census"
    command = [sys.executable, "-c", WAITS, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as theirs:
        assert theirs.stdout is not None
        theirs.stdout.readline()
        write_atomically(path, b"ours")
        assert len(names(tmp_path)) == 2
        theirs.communicate("go on\n")
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == {"census"}


def part(path: Path, *, host: str | None = None, pid: int | None = None, begun: int = 0) -> Path:
    """A part as a process of these properties would leave it; by default this process."""
    ours = files._part_of(path).name
    before, _, after = ours.rpartition(files._host())
    _, own_pid, own_begun, rest = after.split("-", 3)
    words = (host or files._host(), pid or own_pid, begun or own_begun, rest)
    made = path.with_name(before + "-".join(map(str, words)))
    made.write_bytes(b"")
    return made


def test_parts_of_others_are_told_from_those_of_the_dead(tmp_path: Path) -> None:
    path = tmp_path / "census"
    ours, first_process = part(path), part(path, pid=os.getppid(), begun=files._begun(os.getppid()))
    elsewhere, dead = part(path, host="0" * 12, pid=2**22 + 1), part(path, pid=2**22 + 1)
    number_used_again = part(path, begun=1)
    remove_stale_parts(path)
    assert names(tmp_path) == {file.name for file in (ours, first_process, elsewhere)}
    assert not dead.exists()
    assert not number_used_again.exists()
    yesterday = time.time() - 25 * 3600
    for file in (ours, elsewhere):
        os.utime(file, (yesterday, yesterday))
    remove_stale_parts(path)
    assert names(tmp_path) == {first_process.name}


def test_files_of_others_are_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "census"
    dead = part(path, pid=2**22 + 1).name
    others = {".census.abcd1234", ".census.tmp", "census.bak", dead + "x", dead[1:], ".census."}
    others |= {dead.replace(".census.", ".census2."), dead.replace(".census.", ".x.census.")}
    for name in others:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    write_atomically(path, b"")
    assert names(tmp_path) == {"census", *others}


def test_a_name_as_long_as_it_may_be(tmp_path: Path) -> None:
    for name in ("x" * 255, "ä" * 127, "new\nline", "-"):
        assert write_atomically(tmp_path / name, b"1").read_bytes() == b"1"
        dead = part(tmp_path / name, pid=2**22 + 1)
        write_atomically(tmp_path / name, b"2")
        assert not dead.exists()
    assert len(names(tmp_path)) == 4
    with pytest.raises(FileError, match="File name too long"):
        write_atomically(tmp_path / ("x" * 256), b"")


def test_what_is_no_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path in ("a\0b", 3, None, tmp_path / "circle"):
        with pytest.raises(FileError, match=r"cannot write .*; choose another"):
            write_atomically(path, b"")  # type: ignore[arg-type]


def test_permissions_are_those_of_the_file_before(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a", b"")
    path.chmod(0o640)
    assert write_atomically(path, b"").stat().st_mode & 0o777 == 0o640


def test_a_part_is_removed_when_writing_fails(tmp_path: Path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match="No space left"):
        write_atomically(tmp_path / "a", b"")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"")
    assert names(tmp_path) == set()
