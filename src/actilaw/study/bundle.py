"""What came of a group of cells in one file, a zip archive, so that all of it is on the disk or
none of it.

The cells of a group finish together. If they were written one by one, a kill in between would leave
some of them, and the group would have to train again for the rest.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actilaw.counts.census import census_from, content_of
from actilaw.errors import FileError
from actilaw.study.grid import Cell
from actilaw.study.plan import cell_from

if TYPE_CHECKING:
    from actilaw.study.cells import Outcome

LIST = "cells.json"
# What zipfile and json raise on bytes that are not theirs.
UNREADABLE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Result:
    """What came of one cell, as it is written.

    Attributes:
        cell: of the grid.
        content: the bytes of its census, or None where it failed.
        failure: why it failed.
        seconds: it took.
    """

    cell: Cell
    content: bytes | None
    failure: str | None
    seconds: float

    @classmethod
    def of(cls, outcome: Outcome) -> Result:
        """From what a worker returned."""
        content = None if outcome.census is None else content_of(outcome.census)
        return cls(outcome.cell, content, outcome.failure, outcome.seconds)


def packed(results: Sequence[Result]) -> bytes:
    """The bytes of a bundle."""
    listed = [
        {"cell": result.cell.settings(), "failure": result.failure, "seconds": result.seconds}
        for result in results
    ]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(LIST, json.dumps(listed))
        for result in results:
            if result.content is not None:
                archive.writestr(result.cell.name, result.content)
    return content.getvalue()


def unpacked(path: Path) -> list[Result]:
    """The results in a bundle; every census in it is read once, to know that it is whole.

    Raises:
        FileError: if the file is no bundle, or any of it is not as it was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            results = [_result(archive, entry) for entry in json.loads(archive.read(LIST))]
        for result in results:
            if result.content is not None:
                census_from(result.content, path)
    except UNREADABLE as error:
        raise FileError(
            f"expected results of a group of cells, but {path} holds none or is damaged ({error})"
        ) from error
    return results


def _result(archive: zipfile.ZipFile, entry: dict[str, Any]) -> Result:
    cell, failure = cell_from(entry["cell"]), entry["failure"]
    content = archive.read(cell.name) if failure is None else None
    return Result(cell, content, failure, float(entry["seconds"]))
