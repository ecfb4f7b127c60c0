"""Runs of a study in processes of their own, to be killed; and what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from builders.study_tasks import CALLS

TESTS = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds


def started(
    folder: Path, task: str, *options: str, calls: Path | None = None
) -> subprocess.Popen[str]:
    """`actilaw study run` on a task of `builders.study_tasks`, in a process group of its own."""
    name = f"builders.study_tasks:{task}"
    shape = ("--widths", "4,8", "--samples", "16,64", "--seeds", "0,1")
    command = [sys.executable, "-m", "actilaw", "study", "run", "-o", str(folder), "--tasks", name]
    path = os.pathsep.join([str(TESTS), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, **({CALLS: str(calls)} if calls else {})}
    return subprocess.Popen(
        [*command, *shape, "--workers", "2", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is so; it has to be before the process ends by itself."""
    begun = time.monotonic()
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - begun < PATIENCE, "nothing happened"
        time.sleep(0.01)


def cells_in(folder: Path) -> dict[str, bytes]:
    """The files of cells, by name; without the parts of files that a kill leaves."""
    files = sorted((folder / "cells").glob("[!.]*"))
    return {file.name: file.read_bytes() for file in files}


def number_done(folder: Path) -> int:
    """How many cells have a file."""
    return len(list((folder / "cells").glob("*.safetensors")))
