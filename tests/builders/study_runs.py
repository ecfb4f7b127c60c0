"""Runs of a study in processes of their own, to be killed; and what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

from actilaw.study.cells import run_group
from actilaw.study.plan import Group
from actilaw.study.tasks import home_of
from actilaw.study.workers import Death, Ended
from builders.study_tasks import CALLS

TESTS = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds


def words_of(folder: Path, task: str) -> list[str]:
    """The words of `actilaw study run` on a task of `builders.study_tasks`."""
    name = f"builders.study_tasks:{task}"
    shape = ("--widths", "4,8", "--samples", "16,64", "--seeds", "0,1", "--workers", "2")
    return ["study", "run", "-o", str(folder), "--tasks", name, *shape]


def started(folder: Path, task: str, *, calls: Path | None = None) -> subprocess.Popen[str]:
    """The command of `words_of`, in a process group of its own."""
    path = os.pathsep.join([str(TESTS), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, **({CALLS: str(calls)} if calls else {})}
    return subprocess.Popen(
        [sys.executable, "-m", "actilaw", *words_of(folder, task)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class _ThisProcess:
    """Runs groups where it is, one after the other; of those that kill it says that it died."""

    number = 1

    def __init__(self, kills: Callable[[Group], bool]) -> None:
        self._kills = kills
        self._given: Group | None = None

    @property
    def have_room(self) -> bool:
        return self._given is None

    def start(self, group: Group) -> None:
        self._given = group

    def next_ended(self) -> Ended:
        assert self._given is not None
        group, self._given = self._given, None
        if self._kills(group):
            return group, Death("killed")
        return group, run_group(group, home_of(group[0].task))


@contextmanager
def in_this_process(kills: Callable[[Group], bool] = lambda group: False) -> Iterator[None]:
    """Studies are run without processes of their own, which take seconds to start."""
    workers = nullcontext(_ThisProcess(kills))
    with mock.patch("actilaw.study.run.workers_for", return_value=workers):
        yield


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
