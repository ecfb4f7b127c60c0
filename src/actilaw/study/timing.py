"""How long cells took, and how long those that are left may take.

Seconds differ from run to run, so they stand in a log of their own and not in the files of cells,
which are the same however a study ran.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean, median

from actilaw.errors import FileError
from actilaw.study.grid import Cell
from actilaw.study.plan import Group, cell_from


def append_seconds(path: Path, seconds: Mapping[Cell, float]) -> None:
    """Add a line for each of these cells to the log."""
    lines = "".join(
        json.dumps({"cell": cell.settings(), "seconds": round(value, 3)}) + "\n"
        for cell, value in seconds.items()
    )
    try:
        with open(path, "a+b") as file:
            # A kill may have left half a line, which would spoil the next one too.
            begins = "" if _ends_with_newline(path) else "\n"
            file.write((begins + lines).encode())
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}; free some room") from error


def read_seconds(path: Path) -> dict[Cell, float]:
    """Seconds of each cell in the log, as last noted; lines that are cut short are left out."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            found[cell_from(entry["cell"])] = float(entry["seconds"])
        except (LookupError, TypeError, ValueError):
            continue
    return found


def expected_seconds(cell: Cell, known: Mapping[Cell, float]) -> float | None:
    """What a cell should take: the median of those of its task and width,

    From other widths of the task if there is none, the nearest, in proportion to the width; that
    is about right for wide networks and too much for narrow ones. None where no cell of the task
    is known.
    """
    by_width: dict[int, list[float]] = defaultdict(list)
    for other, seconds in known.items():
        if other.task == cell.task:
            by_width[other.width].append(seconds)
    if not by_width:
        return None
    nearest = min(by_width, key=lambda width: abs(math.log(width / cell.width)))
    return median(by_width[nearest]) * cell.width / nearest


def seconds_left(
    groups: Iterable[Group], known: Mapping[Cell, float], workers: int
) -> float | None:
    """Seconds until these groups are done by so many workers, or None if nothing tells.

    A group runs on one worker, so it is at least what the longest group takes. A task of which
    nothing is known is expected to take as long, cell by cell, as what is known on average.
    """
    if not known:
        return None
    average = fmean(known.values())
    of_groups = []
    for group in groups:
        expected = [expected_seconds(cell, known) for cell in group]
        of_groups.append(sum(average if value is None else value for value in expected))
    return max(sum(of_groups) / workers, max(of_groups, default=0.0))


def _ends_with_newline(path: Path) -> bool:
    content = path.read_bytes()
    return not content or content.endswith(b"\n")
