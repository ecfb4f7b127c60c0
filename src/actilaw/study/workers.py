"""Processes that run groups of cells: of this machine (loky, which comes with joblib), or of a Ray
cluster.

Both take groups and give back, as they come, what came of each, or why its process died. A process
runs one group at a time, so that it is known which group was running when one dies. Results come
back to the process that asked; nothing is shared, no disk either.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from actilaw.errors import InputError, needs_extra
from actilaw.study.cells import Outcome, run_group
from actilaw.study.plan import Group
from actilaw.study.tasks import home_of
from actilaw.support.validation import one_whole

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

# Each group has one thread. torch is told so, too; these are for what reads them as it loads.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
LOOK_AT_PARENT = 1.0  # seconds


@dataclass(frozen=True)
class Death:
    """A process ended while it ran a group.

    Attributes:
        reason: as it was told, in a line.
    """

    reason: str


Ended = tuple[Group, "list[Outcome] | Death"]


class Workers(Protocol):
    """What runs groups of cells."""

    @property
    def number(self) -> int:
        """Groups that run at once."""
        ...

    @property
    def have_room(self) -> bool:
        """Whether another group may be given."""
        ...

    def start(self, group: Group) -> None:
        """Give a group to run."""

    def next_ended(self) -> Ended:
        """Wait for a group to end; call it only while some are under way."""
        ...


@contextmanager
def workers_for(number: int | None, ray: str | None) -> Iterator[Workers]:
    """Processes of this machine or of a Ray cluster; they end with the block.

    Args:
        number: groups that run at once; by default as many as there are processors.
        ray: address of a cluster, "auto" for the one that runs on this machine; None for no
            cluster.

    Raises:
        InputError: if the number is no whole number >= 1, or there is no cluster.
        MissingExtraError: if joblib, or Ray, is not installed.
    """
    if number is not None:
        number = one_whole("workers", number, least=1)
    workers = LocalWorkers(number) if ray is None else RayWorkers(number, ray)
    try:
        yield workers
    finally:
        workers.stop()


class LocalWorkers:
    """Processes of this machine.

    Each is a pool of one. In a pool of several, joblib's `Parallel` among them, all tasks under way
    are lost when one process dies, and it is not known which of them it was.
    """

    def __init__(self, number: int | None) -> None:
        with needs_extra("study"):
            import joblib
        # A process that grew is ended between two groups and begun anew: no matter for a user.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        self.number = number or joblib.cpu_count()
        self._idle: list[ProcessPoolExecutor] = []
        self._running: dict[Future[list[Outcome]], tuple[Group, ProcessPoolExecutor]] = {}

    @property
    def have_room(self) -> bool:
        return len(self._running) < self.number

    def start(self, group: Group) -> None:
        process = self._idle.pop() if self._idle else _one_process()
        self._running[process.submit(run_group, group, home_of(group[0].task))] = group, process

    def next_ended(self) -> Ended:
        future = wait(self._running, return_when=FIRST_COMPLETED).done.pop()
        group, process = self._running.pop(future)
        error = future.exception()
        if error is None:
            self._idle.append(process)
            return group, future.result()
        _end(process)
        return group, Death(_told(error))

    def stop(self) -> None:
        """End all processes, whatever they are at."""
        for process in (*self._idle, *(process for _, process in self._running.values())):
            _end(process)
        self._idle, self._running = [], {}


def _one_process() -> ProcessPoolExecutor:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(
        max_workers=1, initializer=_begin, initargs=(os.getpid(),), env=ONE_THREAD
    )


def _end(process: ProcessPoolExecutor) -> None:
    with suppress(BrokenExecutor):
        process.shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    """What a new process does first: leave Ctrl-C to the one that started it, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    """A run that is killed cannot stop its processes: each looks by itself whether it is alone."""
    while os.getppid() == parent:
        time.sleep(LOOK_AT_PARENT)
    os._exit(1)


class RayWorkers:
    """Processes of a Ray cluster, each with one of its processors.

    Groups are Ray tasks. All of them are given to Ray at once unless a number of workers is set, so
    that nodes which join the cluster later are used, too. (joblib's own Ray backend is a pool of
    processes fixed at the start: of a dead one it gives up whatever the others had under way.)
    """

    def __init__(self, number: int | None, address: str) -> None:
        with needs_extra("ray"):
            import ray
        self._ray: Any = ray
        self._is_own = not ray.is_initialized()
        if self._is_own:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise InputError(
                    f"expected a Ray cluster at {address!r}, but {_told(error)}: start one with "
                    "ray start --head, or leave Ray out"
                ) from error
        self._most = number
        self.number = number or max(1, int(ray.cluster_resources().get("CPU", 1)))
        # Deaths are counted by who asked, who also splits a group that dies again and again.
        self._task = ray.remote(num_cpus=1, max_retries=0)(run_group)
        self._running: dict[Any, Group] = {}

    @property
    def have_room(self) -> bool:
        return self._most is None or len(self._running) < self._most

    def start(self, group: Group) -> None:
        started: Any = self._task.remote  # Ray types it as a function of one argument
        self._running[started(group, home_of(group[0].task))] = group

    def next_ended(self) -> Ended:
        [ended], _ = self._ray.wait(list(self._running), num_returns=1)
        group = self._running.pop(ended)
        try:
            return group, self._ray.get(ended)
        except self._ray.exceptions.RayError as error:
            # What the process raised, a module that is missing there, stands in the cause.
            return group, Death(_told(getattr(error, "cause", None) or error))

    def stop(self) -> None:
        """End what is under way, and the connection if it was made here."""
        for task in self._running:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(task, force=True)
        self._running = {}
        if self._is_own:
            self._ray.shutdown()


def _told(error: BaseException) -> str:
    """An error's class and the first line of its message, or the one with the exit code."""
    lines = str(error).strip().splitlines()
    told = [*(line for line in lines if "exit code" in line), *lines][:1]
    return ": ".join([type(error).__name__, *told])
