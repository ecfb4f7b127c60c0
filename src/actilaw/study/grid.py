"""The grid of a study: tasks, widths N, sizes of training set D, and seeds; and its cells.

Cells of one task and width differ in their data and seeds alone, so that their networks have one
shape. Where networks are small they train together, as a group; a large one is a group by itself.
Groups are formed once, when cells are first asked for, so that a study which was stopped forms the
same ones again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from actilaw.errors import InputError
from actilaw.study.tasks import stacked_up_to
from actilaw.support.validation import one_whole

IN_TRAINING = " (training)"  # after the name of a layer, for its counts through the training
SOURCE = "task_source"  # in what a cell is about: which version of a user's task it is of
MOST_TOGETHER = 24  # cells of a group; a stop loses the work on the groups that were under way


@dataclass(frozen=True, order=True)
class Cell:
    """One training of a study.

    Attributes:
        task: name of a task, or `module:function`.
        width: N, as the task understands it: units of a layer, latents, or experts.
        samples: D, entries of the training set.
        seed: of weights, order and subset.
    """

    task: str
    width: int
    samples: int
    seed: int

    @property
    def name(self) -> str:
        """A name that can be one of a file."""
        task = self.task.replace(":", "=")  # which no registered name has
        return f"{task}-width{self.width}-samples{self.samples}-seed{self.seed}"

    def settings(self) -> dict[str, str | int]:
        """Task, width, samples and seed by name."""
        return asdict(self)


@dataclass(frozen=True)
class Grid:
    """All cells of one task.

    Attributes:
        task: name of a task, or `module:function`.
        widths, samples, seeds: of the cells.
    """

    task: str
    widths: tuple[int, ...]
    samples: tuple[int, ...]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, least in (("widths", 1), ("samples", 1), ("seeds", 0)):
            given = getattr(self, name)
            listed = [given] if isinstance(given, int | np.integer) else given
            values = tuple(one_whole(name, value, least=least) for value in listed)
            if not values:
                raise InputError(f"expected at least one of the {name}, but got none")
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))

    def cells(self) -> list[Cell]:
        """Every combination: seed by seed, so that a study that is stopped has whole grids of some
        seeds; and the widest, which takes longest, first.
        """
        found = product((self.task,), self.widths, self.samples, self.seeds)
        cells = [Cell(*values) for values in found]
        return sorted(cells, key=lambda cell: (cell.seed, -cell.width, -cell.samples))


def in_groups(cells: Iterable[Cell]) -> list[tuple[Cell, ...]]:
    """Cells that train together, in the order of their first: those of one task and width where the
    task's networks of that width are small, `MOST_TOGETHER` at once; others by themselves.
    """
    groups: list[list[Cell]] = []
    last: dict[tuple[str, int], list[Cell]] = {}  # the group of this shape that has room
    for cell in cells:
        shape = cell.task, cell.width
        group = last.get(shape, [])
        is_small = cell.width <= stacked_up_to(cell.task)
        if not group or not is_small or len(group) == MOST_TOGETHER:
            group = last[shape] = []
            groups.append(group)
        group.append(cell)
    return [tuple(group) for group in groups]


def each_once(grids: Sequence[Grid]) -> list[Cell]:
    """The cells of several grids, each once."""
    return list(dict.fromkeys(cell for grid in grids for cell in grid.cells()))
