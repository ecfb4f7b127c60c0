"""The census that the explorer lays under the law: given, or read from a file that may still grow.

A recording replaces its file from time to time. Each look compares the file with the one that was
read last, and reads it again where it changed. A file that is gone, cut short or no census leaves
the last whole census in place, and a sentence that says what is wrong.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actilaw.counts.census import Census, require_census
from actilaw.errors import ActilawError
from actilaw.support.arrays import Ints

Signature = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Look:
    """The census as it stands.

    Attributes:
        census: the last whole one.
        version: how many different ones have been read so far.
        written: when its file was written, in seconds since the epoch; None without a file.
        problem: why the file cannot be read now, in a sentence; "" if it can.
    """

    census: Census
    version: int
    written: float | None = None
    problem: str = ""


class CensusSource:
    """A census, or a file of one, which is read again whenever it changes.

    Args:
        census: a Census, or the path of its file.

    Raises:
        FileError: if the file is missing or no census, at the start.
        InputError: if this is neither a census nor a path.
    """

    def __init__(self, census: Census | str | os.PathLike[str]) -> None:
        self._lock = threading.Lock()
        self._history: dict[str, dict[int, int]] = {}
        self.path: Path | None = None
        self._signature: Signature | None = None
        if isinstance(census, str | os.PathLike):
            self.path = Path(census)
            self._signature = _signature(self.path)
            self._last = Look(Census.load(self.path), 1, _written(self._signature))
        else:
            require_census(census)
            self._last = Look(census, 1)
        self._remember(self._last.census)

    def look(self) -> Look:
        """The last whole census, after a look at the file."""
        if self.path is None:
            return self._last
        with self._lock:
            signature = _signature(self.path)
            if signature is None or signature != self._signature or self._last.problem:
                self._last = self._read_again(self.path, signature)
            return self._last

    def growth(self, layer: str) -> tuple[Ints, Ints]:
        """Samples, and units working after them, of a layer each time its file was read.

        Returns:
            Two arrays (n,), in the order of the samples.
        """
        with self._lock:
            points = sorted(self._history.get(layer, {}).items())
        table = np.array(points, np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def _read_again(self, path: Path, signature: Signature | None) -> Look:
        last = self._last
        try:
            census = Census.load(path)
        except (ActilawError, OSError) as error:
            return Look(last.census, last.version, last.written, str(error))
        unchanged = signature == self._signature
        self._signature = signature
        self._remember(census)
        version = last.version if unchanged else last.version + 1
        return Look(last.census if unchanged else census, version, _written(signature))

    def _remember(self, census: Census) -> None:
        for name, counts in census.items():
            points = self._history.setdefault(name, {})
            if points and max(points) > counts.samples:  # another recording has begun
                points.clear()
            points[counts.samples] = counts.working


def written_ago(written: float, now: float | None = None) -> str:
    """When a file was written, in words.

    Args:
        written: in seconds since the epoch.
        now: the same; this moment by default.
    """
    age = max((time.time() if now is None else now) - written, 0.0)
    clock = time.strftime("%H:%M:%S", time.localtime(written))
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if age >= 2 * size:
            return f"{clock}, {age // size:.0f} {unit} ago"
    return f"{clock}, {age:.0f} seconds ago"


def _signature(path: Path) -> Signature | None:
    """What tells a file from the one that stood there before; None if there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _written(signature: Signature | None) -> float | None:
    return None if signature is None else signature[0] / 1e9
