"""What the command writes to a terminal as text: names that come from files have their control
characters escaped, so that none can move the cursor, change colours or forge a line.
"""

from __future__ import annotations

import sys

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
