"""The results of a study: a folder with a file for each cell.

    plan.json            its cells, and which of them train together
    cells/NAME.safetensors   what is known of a cell: a census
    cells/NAME.failed.json   why a cell failed
    pending/NAME.zip     results of a group that are about to become files of cells
    seconds.jsonl        how long cells took
    lock                 held by the run that works on the study

A file of a cell is the same, byte for byte, however the study ran; what differs from run to run
stands elsewhere. A kill at any moment leaves a study that the next run goes on with: a file is
written beside its place and then renamed, and results of cells that trained together are first
written as one file (`bundle`), from which the files of the cells are made, again if need be.

`Study` reads; `StudyWriter`, which holds the lock, writes.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from actilaw.counts.census import Census
from actilaw.errors import FileError
from actilaw.study.bundle import Result, packed, unpacked
from actilaw.study.grid import SOURCE, Cell
from actilaw.study.plan import Group, Plan, cell_from
from actilaw.study.table import table_of, write_parquet
from actilaw.study.timing import append_seconds, expected_seconds, read_seconds
from actilaw.support.files import write_atomically
from actilaw.support.locks import locked

if TYPE_CHECKING:
    from actilaw.study.cells import Outcome

STATUS = ("cells", "done", "failed", "seconds", "seconds_left")


class Study:
    """The results of a study, for reading; also while a run adds to them.

    Attributes:
        folder: where they are.

    Raises:
        FileError: if there is no study in the folder.
    """

    folder: Path

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).resolve()
        if not self._plan_file.exists():
            raise FileError(
                f"expected the folder of a study, but there is no {self._plan_file}: begin one with"
                " actilaw study run, or run_study"
            )

    def cells(self) -> list[Cell]:
        """Every cell that was asked for, done or not."""
        return Plan.load(self._plan_file).cells()

    def path_of(self, cell: Cell) -> Path:
        """The file of a cell."""
        return self.folder / "cells" / f"{cell.name}.safetensors"

    def census(self, cell: Cell) -> Census:
        """What is known of a cell.

        Raises:
            FileError: if the cell is not done, or its file is damaged or of another cell.
        """
        path = self.path_of(cell)
        census = Census.load(path)
        if any(census.about.get(name) != value for name, value in cell.settings().items()):
            raise FileError(
                f"expected the cell {cell.name}, but {path} holds another: remove the file, and "
                "the next run computes the cell again"
            )
        return census

    def results(self) -> Iterator[tuple[Cell, Census]]:
        """The cells that are done, with their censuses; a damaged file is left out with a
        warning.
        """
        for cell in self.cells():
            census = self._census_if_done(cell)
            if census is not None:
                yield cell, census

    def failures(self) -> dict[Cell, str]:
        """Why cells failed, in a sentence each."""
        found = {}
        for cell in self.cells():
            reason = self._failure_of(cell)
            if reason is not None and not self.path_of(cell).exists():
                found[cell] = reason
        return found

    def status(self) -> pd.DataFrame:
        """A row per task, by name: numbers of cells, of those done and those failed; the seconds
        that its finished cells took, and those that the others may take, of one worker each.

        `seconds_left` is missing where no cell of the task is done to tell it from.
        """
        done = {cell for cell, _ in self.results()}
        failures, seconds = self.failures(), read_seconds(self._seconds_file)
        known = {cell: seconds[cell] for cell in done & seconds.keys()}
        rows = {}
        for task in dict.fromkeys(cell.task for cell in self.cells()):
            cells = {cell for cell in self.cells() if cell.task == task}
            left = [expected_seconds(cell, known) for cell in cells - done - failures.keys()]
            rows[task] = {
                "cells": len(cells),
                "done": len(cells & done),
                "failed": len(cells & failures.keys()),
                "seconds": sum(seconds.get(cell, 0.0) for cell in cells),
                "seconds_left": None if None in left else sum(value or 0.0 for value in left),
            }
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(STATUS))

    def table(self) -> pd.DataFrame:
        """A row for each layer of each cell that is done; see `study.table.TABLE_COLUMNS`."""
        return table_of(self.results())

    def write_table(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the table as a Parquet file, whole or not at all: `table.parquet` in the folder if
        no path is given.

        Raises:
            FileError: if it cannot be written.
            MissingExtraError: if pyarrow is not installed.
        """
        return write_parquet(self.table(), path or self.folder / "table.parquet")

    def __repr__(self) -> str:
        return f"<Study of {len(self.cells()):,} cells in {self.folder}>"

    @property
    def _plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def _seconds_file(self) -> Path:
        return self.folder / "seconds.jsonl"

    def _failure_file(self, cell: Cell) -> Path:
        return self.folder / "cells" / f"{cell.name}.failed.json"

    def _census_if_done(self, cell: Cell) -> Census | None:
        """The census of a cell, or None where its file is missing or, with a warning, damaged."""
        if not self.path_of(cell).exists():
            return None
        try:
            return self.census(cell)
        except FileError as error:
            warnings.warn(f"{error}; until then the cell counts as not done", stacklevel=3)
            return None

    def _failure_of(self, cell: Cell) -> str | None:
        path = self._failure_file(cell)
        if not path.exists():
            return None
        try:
            document = json.loads(path.read_bytes())
            if cell_from(document["cell"]) == cell and isinstance(document["failure"], str):
                return document["failure"]
        except (OSError, LookupError, TypeError, ValueError):
            pass
        return f"expected the reason of a failure, but {path} is damaged"


@contextmanager
def opened_for_writing(folder: str | os.PathLike[str]) -> Iterator[StudyWriter]:
    """The study in a folder, which is made if it is missing, for the only process that writes to
    it.

    Raises:
        FileError: if another process works on it, or the folder holds something else.
    """
    folder = Path(folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(path.name != "lock" for path in folder.iterdir())
    except OSError as error:
        raise FileError(
            f"cannot make a study in {folder}: {error.strerror}; choose another folder"
        ) from error
    if not is_new and not (folder / "plan.json").exists() and not (folder / "cells").is_dir():
        raise FileError(
            f"expected an empty folder, or that of a study, but {folder} holds something else: "
            "name a new one"
        )
    with locked(folder / "lock"):
        if not (folder / "plan.json").exists():
            Plan().save(folder / "plan.json")
        for inner in ("cells", "pending"):
            (folder / inner).mkdir(exist_ok=True)
        yield StudyWriter(Study(folder))


class StudyWriter:
    """Adds cells and their results to a study; only one process has one at a time.

    Attributes:
        study: that is written.
        done, failed: cells with results, and cells that failed.
        seconds: that cells took.
        sources: of the tasks of cells done in earlier runs, a digest; None for those built in.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._plan = Plan.load(study._plan_file)
        for bundle in sorted(self._pending.glob("*.zip")):
            self._finish(bundle)
        self.done: set[Cell] = set()
        self.sources: dict[Cell, str | None] = {}
        for cell, census in study.results():
            self.done.add(cell)
            self.sources[cell] = census.about.get(SOURCE)
        self.failed = set(study.failures()) - self.done
        self.seconds = read_seconds(study._seconds_file)

    def groups_to_run(self, cells: Sequence[Cell], *, retry_failed: bool) -> list[Group]:
        """The groups in which those of the cells train that are not done; new cells come into the
        plan.

        Args:
            cells: asked for.
            retry_failed: whether to try cells again that failed, each by itself.
        """
        plan = self._plan.with_cells(cells)
        if retry_failed:
            plan = plan.apart(cell for cell in cells if cell in self.failed)
        self._change_plan(plan)
        over = self.done if retry_failed else self.done | self.failed
        return plan.groups_of(cell for cell in cells if cell not in over)

    def split(self, group: Group) -> list[Group]:
        """Each cell of a group that is not over as a group by itself, from now on."""
        left = [cell for cell in group if cell not in self.done | self.failed]
        self._change_plan(self._plan.apart(left))
        return self._plan.groups_of(left)

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Write what came of cells that trained together: all of it or, if this process is killed,
        none. A cell that is done stays as it is.
        """
        results = [Result.of(each) for each in outcomes if each.cell not in self.done]
        if not results:
            return
        bundle = self._pending / f"{results[0].cell.name}.zip"
        write_atomically(bundle, packed(results))
        self._split_up(bundle, results)
        for result in results:
            self.seconds[result.cell] = result.seconds
            if result.failure is None:
                self.done.add(result.cell)
                self.failed.discard(result.cell)
            else:
                self.failed.add(result.cell)

    def _finish(self, bundle: Path) -> None:
        """Make files of cells from results that a killed run left; damaged ones are given up."""
        try:
            results = unpacked(bundle)
        except FileError as error:
            warnings.warn(f"{error}; its cells run again", stacklevel=2)
            bundle.unlink()
            return
        known = set(self._plan.cells())
        self._split_up(bundle, [result for result in results if result.cell in known])

    def _split_up(self, bundle: Path, results: Sequence[Result]) -> None:
        """Make files of cells from a bundle, and remove it when all are there."""
        for result in results:
            failure_file = self.study._failure_file(result.cell)
            if result.content is not None:
                write_atomically(self.study.path_of(result.cell), result.content)
                failure_file.unlink(missing_ok=True)
            else:
                document = {"cell": result.cell.settings(), "failure": result.failure}
                write_atomically(failure_file, f"{json.dumps(document, indent=2)}\n".encode())
        append_seconds(
            self.study._seconds_file, {result.cell: result.seconds for result in results}
        )
        bundle.unlink()

    def _change_plan(self, plan: Plan) -> None:
        if plan != self._plan:
            plan.save(self.study._plan_file)
            self._plan = plan

    @property
    def _pending(self) -> Path:
        return self.study.folder / "pending"
