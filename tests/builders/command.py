"""The command `actilaw`, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def actilaw(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "actilaw", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def assert_one_sentence(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """A user's mistake: nothing on stdout, one line on stderr, exit status 2."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("actilaw: ")
    for words in said:
        assert words in done.stderr
