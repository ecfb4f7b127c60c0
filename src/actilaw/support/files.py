"""Atomic writing of files: a killed run leaves the last whole file, never half of a new one.

What a file becomes is first written beside it, as a part whose name says which process writes it:

    .NAME.HOST-PID-BEGUN-RANDOM.actilaw-part

HOST stands for the machine since it was last started, and for the container; BEGUN for the moment
at which the process began, since numbers of processes are used again. A part whose process is dead
was left by a kill, and the next writing of the same file removes it. Of processes elsewhere, on
another host that shares the folder, nothing can be known; their parts are removed after a day.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from actilaw.errors import FileError

SUFFIX = ".actilaw-part"
WRITER = re.compile(rf"([0-9a-f]{{12}})-(\d+)-(\d+)-[0-9a-f]{{8}}{re.escape(SUFFIX)}")
LONGEST_PREFIX = 150  # bytes of a name that a part begins with; file systems allow 255 in all
OLD = 24 * 60 * 60.0  # seconds after which a part is nobody's: writing one takes seconds


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; asked before long work whose result goes to it.

    Raises:
        FileError: if the folder is missing or closed to writing, or the path is itself a folder.
    """
    try:
        path = Path(path).resolve()  # what a link points to is written, and the link stays
        is_folder = path.is_dir()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error  # too long, a circle of links
        raise FileError(f"cannot write {path!r}: {reason}; choose another name") from error
    if is_folder:
        raise FileError(
            f"expected the path of a file, but {path} is a folder: name a file inside it"
        )
    if path.exists() and not path.is_file():
        raise FileError(
            f"expected the path of an ordinary file, but {path} is a device or a pipe: name a file"
        )
    if not path.parent.is_dir():
        raise FileError(
            f"cannot write {path}: the folder {path.parent} does not exist; create it first"
        )
    if not os.access(path.parent, os.W_OK):
        raise FileError(
            f"cannot write {path}: no permission to write into {path.parent}; choose another folder"
        )
    return path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write to a temporary file beside `path`, then rename it, so that `path` is always whole.

    Raises:
        FileError: if it cannot be written; whatever was at `path` is still there.
    """
    path = check_writable(path)
    remove_stale_parts(path)
    part = _part_of(path)
    try:
        with open(part, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(_mode(path))
        part.replace(path)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror}; choose another place or free some room"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove_stale_parts(path: str | os.PathLike[str]) -> None:
    """Remove what killed processes left beside `path` while they wrote it; nothing else."""
    path = Path(path).resolve()
    prefix = _prefix(path)
    try:
        with os.scandir(path.parent) as entries:
            parts = [entry.path for entry in entries if entry.name.startswith(prefix)]
    except OSError:  # a folder that can be written to but not listed
        return
    for part in parts:
        writer = WRITER.fullmatch(os.path.basename(part).removeprefix(prefix))
        with suppress(OSError):  # another process was faster
            if writer is not None and _is_stale(part, *writer.groups()):
                os.unlink(part)


def _part_of(path: Path) -> Path:
    """A new name beside `path`, which says who writes there."""
    pid = os.getpid()
    writer = f"{_host()}-{pid}-{_begun(pid)}-{secrets.token_hex(4)}"
    return path.with_name(f"{_prefix(path)}{writer}{SUFFIX}")


def _prefix(path: Path) -> str:
    """What the names of all parts of a file begin with."""
    name = os.fsencode(path.name)
    if len(name) > LONGEST_PREFIX:
        name = hashlib.blake2b(name, digest_size=16).hexdigest().encode()
    return f".{os.fsdecode(name)}."


def _is_stale(part: str, host: str, pid: str, begun: str) -> bool:
    """Whether nobody writes this part any more."""
    if time.time() - os.stat(part).st_mtime > OLD:
        return True
    here = host == _host()
    return here and not (_is_alive(int(pid)) and int(begun) == _begun(int(pid)))


@functools.cache
def _host() -> str:
    """A name for this machine since it was started and, in a container, for the container."""
    names = [platform.node()]
    with suppress(OSError):
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(names).encode(), digest_size=6).hexdigest()


def _begun(pid: int) -> int:
    """When the process began, in ticks since the machine started; 0 where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name of the program stands in brackets, and may hold anything. (See proc(5), field 22.)
    return int(stat.rpartition(")")[2].split()[19])


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _mode(path: Path) -> int:
    """Permissions of the file to be replaced, or what the user's umask gives a new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
