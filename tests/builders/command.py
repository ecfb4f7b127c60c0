"""The command `actilaw`, run in this process, or as a user runs it in a process of its own."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from actilaw.cli.app import main


@dataclass(frozen=True)
class Done:
    """What a run of the command left: its exit status and its two streams."""

    returncode: int
    stdout: str
    stderr: str


def actilaw(*arguments: object, folder: Path | None = None, columns: int = 100) -> Done:
    """Run the command in this process, which saves the seconds that a new one needs to start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["actilaw", *map(str, arguments)]),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.dict(os.environ, COLUMNS=str(columns)),
        contextlib.chdir(folder or "."),
    ):
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def forget_modules_in(folder: Path) -> None:
    """Let modules of this folder be loaded anew, as a process of its own would load them."""
    inside = str(folder.resolve()) + os.sep
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and os.path.abspath(file).startswith(inside):
            del sys.modules[name]
    importlib.invalidate_caches()


def actilaw_process(*arguments: object, folder: Path | None = None) -> Done:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "actilaw", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def actilaw_started(*arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start the command in a process of its own, which Ctrl-C (SIGINT) can stop even where a shell
    in the background had these tests ignore it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "actilaw", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def assert_one_sentence(done: Done, *said: str) -> None:
    """A user's mistake: nothing on stdout, one line on stderr, exit status 2."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("actilaw: ")
    for words in said:
        assert words in done.stderr
