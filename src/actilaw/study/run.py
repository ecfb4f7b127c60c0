"""Running a study: every cell of its grids that is not done, on all processors or a cluster.

Results are written as they come, by the process that runs the study. It may be stopped or killed at
any moment; the next run goes on with what is not done.

    groups under way ──ends──> results are written
                     ──dies──> again, `retries` times; then cell by cell; then the cell has failed
"""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from actilaw.errors import InputError
from actilaw.recording.interruption import Interruption
from actilaw.study.cells import Outcome
from actilaw.study.grid import Cell, Grid, each_once
from actilaw.study.plan import Group
from actilaw.study.store import Study, StudyWriter, opened_for_writing
from actilaw.study.tasks import home_of, source_digest, task_function
from actilaw.study.timing import seconds_left
from actilaw.study.workers import Death, Workers, workers_for
from actilaw.support.validation import one_whole


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        cells: asked for.
        done, failed: of these.
        seconds_left: until the run ends, from how long finished cells took; None before the first.
    """

    cells: int
    done: int
    failed: int
    seconds_left: float | None


def run_study(
    folder: str | os.PathLike[str],
    grids: Grid | Iterable[Grid],
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    retries: int = 2,
    retry_failed: bool = False,
) -> Study:
    """Train the cells of these grids that the study does not have yet.

    A run that is stopped or killed leaves whole results; the same call goes on from there, and ends
    with the same files, byte for byte, on the same kind of processor and with the same versions.
    Other grids may be asked for later: what is done stays. A cell that fails does not stop the
    others; see `Study.failures`.

    Args:
        folder: of the study; made if it is missing.
        grids: which cells; see `study.presets.grids` for those of the presets.
        workers: groups of cells that are trained at once, each on one thread; by default as many as
            there are processors, here or in the cluster.
        ray: address of a Ray cluster to run on, "auto" for the one that this machine is part of.
        progress: called at the start and whenever results have been written.
        retries: how often a group is run again whose process died (a node went, or its memory);
            after that its cells are run one by one, each with as many tries.
        retry_failed: try cells again that failed in an earlier run.

    Returns:
        The study, with all that is known of it.

    Raises:
        FileError: if another process works on the folder, it holds something else, or it cannot be
            written.
        InputError: if there is no such task, or no such cluster.
        MissingExtraError: if joblib, Ray, or what a task needs is not installed.
        KeyboardInterrupt, SystemExit: after Ctrl-C or SIGTERM; a note says how far the run came.

    Warns:
        UserWarning: if the file of a task of the user's own has changed since cells were trained.
    """
    listed = [grids] if isinstance(grids, Grid) else list(grids)
    if not all(isinstance(grid, Grid) for grid in listed):
        raise InputError(
            "expected grids, such as Grid('digits', widths=(32, 64), samples=(100,), seeds=(0,)) "
            f"or those of a preset, grids('small'), but got {grids!r}"
        )
    cells = each_once(listed)
    retries = one_whole("retries", retries)
    for task in dict.fromkeys(cell.task for cell in cells):
        task_function(task)  # a misspelt name is told now, and not cell by cell
        home_of(task)
    with opened_for_writing(folder) as writer:
        run = _Run(writer, cells, retries, progress)
        _warn_of_changed_tasks(cells, writer.sources)
        groups = writer.groups_to_run(cells, retry_failed=retry_failed)
        run.tell(groups, workers=1)
        if groups:
            with workers_for(workers, ray) as processes:
                run.all(groups, processes)
        return writer.study


def _warn_of_changed_tasks(cells: list[Cell], sources: Mapping[Cell, str | None]) -> None:
    """Warn where cells that are done come from another version of a user's task that is asked
    for.
    """
    for task in dict.fromkeys(cell.task for cell in cells):
        known = [source for cell, source in sources.items() if cell.task == task and source]
        today = source_digest(task) if known else None
        changed = sum(source != today for source in known)
        if today and changed:
            warnings.warn(
                f"the file of the task {task} has changed since {changed} of its {len(known)} "
                "cells that are done were trained: they stay as they are, and differ from new ones "
                "for that reason; take a new folder to train all by the new file",
                stacklevel=3,
            )


class _Run:
    """Groups on their way through the workers into the study."""

    def __init__(
        self,
        writer: StudyWriter,
        cells: list[Cell],
        retries: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._writer, self._cells = writer, cells
        self._retries, self._progress = retries, progress
        self._deaths: Counter[Group] = Counter()

    def all(self, groups: list[Group], workers: Workers) -> None:
        """Run all groups; what is done when a signal comes is kept."""
        waiting = deque(groups)
        under_way: list[Group] = []
        try:
            with Interruption() as interruption:
                while waiting or under_way:
                    while waiting and workers.have_room:
                        under_way.append(waiting.popleft())
                        workers.start(under_way[-1])
                    group, ended = workers.next_ended()
                    under_way.remove(group)
                    with interruption.step():
                        waiting.extendleft(reversed(self._kept(group, ended)))
                    self.tell([*under_way, *waiting], workers.number)
        except BaseException as error:
            error.add_note(self._so_far())
            raise

    def tell(self, groups: Iterable[Group], workers: int) -> None:
        """Call the user's function with how far the run is."""
        if self._progress is None:
            return
        done, failed = self._numbers()
        known = {
            cell: seconds
            for cell, seconds in self._writer.seconds.items()
            if cell in self._writer.done
        }
        left = seconds_left(groups, known, workers)
        self._progress(Progress(len(self._cells), done, failed, left))

    def _kept(self, group: Group, ended: list[Outcome] | Death) -> list[Group]:
        """Write what came of a group; the groups that are to be run because its process died."""
        if not isinstance(ended, Death):
            self._writer.keep(ended)
            return []
        self._deaths[group] += 1
        if self._deaths[group] <= self._retries:
            return [group]
        cell, *others = group
        if others:
            return self._writer.split(group)
        failure = (
            f"none of {self._deaths[group]} processes came to its end ({ended.reason}): if memory "
            "was short, take fewer workers"
        )
        self._writer.keep([Outcome(cell, None, failure, 0.0)])
        return []

    def _so_far(self) -> str:
        done, _ = self._numbers()
        return (
            f"{done:,} of {len(self._cells):,} cells are done and saved in "
            f"{self._writer.study.folder}; the same command goes on from there"
        )

    def _numbers(self) -> tuple[int, int]:
        """How many of the cells asked for are done, and failed."""
        cells = set(self._cells)
        return len(cells & self._writer.done), len(cells & self._writer.failed)
