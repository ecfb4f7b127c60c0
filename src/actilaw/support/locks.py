"""A lock on a folder that at most one process works on.

The operating system holds the lock (flock), and lets go of it when the process ends, however it
ends: what a killed process held is free at once, and there is nothing to clean up. What stands in
the file says who holds it, for people to read; it decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from actilaw.errors import FileError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCKED_BYTE = 2**20  # Windows locks bytes and forbids reading them: take one far behind the text


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file at `path`, which is made if there is none.

    Raises:
        FileError: if another process holds it, or a lock cannot be had there.
    """
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    with file:
        _take(file, path)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}, since {datetime.now():%F %T}")
        file.flush()
        yield
        file.truncate(0)


def _take(file: IO[str], path: Path) -> None:
    """Lock an open file, or raise FileError with the reason."""
    try:
        if sys.platform == "win32":
            file.seek(LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = ""
        with contextlib.suppress(OSError, ValueError):
            holder = file.read(200)
        raise FileError(
            f"expected a folder that nobody else works on, but {path.parent} is in use by "
            f"{holder or 'another process'}: wait until it ends, or name another folder"
        ) from None
    except OSError as error:
        raise FileError(
            f"cannot lock {path}: {error.strerror}; choose a folder on a disk of this machine"
        ) from error
