"""Atomic writing of files: a killed run leaves the last whole file, never half of a new one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from actilaw.errors import FileError


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; asked before long work whose result goes to it.

    Raises:
        FileError: if the folder is missing or closed to writing, or the path is itself a folder.
    """
    path = Path(path).resolve()  # what a link points to is written, and the link stays
    if path.is_dir():
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
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(path))
        temporary.replace(path)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror}; choose another place or free some room"
        ) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()
    return path


def _mode(path: Path) -> int:
    """Permissions of the file to be replaced, or what the user's umask gives a new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
