"""What the command writes to a terminal as text: names that come from files have their control
characters escaped, so that none can move the cursor, change colours or forge a line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actilaw.support.escapes import printable


def say(*lines: str) -> None:
    """Print each line on stdout."""
    for line in lines:
        print(printable(line))


def warn(message: str) -> None:
    """Print a sentence in one line on stderr, if that is open."""
    if sys.stderr is not None:  # print would take stdout instead
        print(f"actilaw: {printable(' '.join(message.split()))}", file=sys.stderr)


class StoppedError(Exception):
    """A signal ended the command; the message says what is left, `status` what the shell sees."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def leaving(output: Path) -> Iterator[None]:
    """A block that writes a file or folder, whole or not at all: where Ctrl-C ends it, a note on
    the interruption says what stands there.
    """
    before = _state(output)
    try:
        yield
    except KeyboardInterrupt as stop:
        if _state(output) != before:
            stop.add_note(f"{output} is written")
        else:
            stop.add_note(f"{output} is as it was before" if before else f"{output} is not written")
        raise


def stopped(stop: BaseException, otherwise: str = "nothing was written") -> str:
    """What Ctrl-C left, in a sentence: the notes on the interruption."""
    return f"stopped; {'; '.join(getattr(stop, '__notes__', [])) or otherwise}"


def _state(path: Path) -> tuple[int, int] | None:
    """What tells a file from one that is written in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
