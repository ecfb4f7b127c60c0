"""The grid of a study: tasks, widths N, sizes of training set D, and seeds; and its cells.

Cells of one task and width differ in their data and seeds alone, so that their networks have one
shape and train together: a group. Groups are formed once, when cells are first asked for, so that
a study which was stopped forms the same ones again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product

from actilaw.errors import InputError
from actilaw.support.validation import one_whole

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
        task = self.task.replace(":", "-")
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
            values = tuple(one_whole(name, value, least=least) for value in getattr(self, name))
            if not values:
                raise InputError(f"expected at least one of the {name}, but got none")
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))

    def cells(self) -> list[Cell]:
        """Every combination, widest and largest first: what takes longest begins first."""
        found = product((self.task,), self.widths, self.samples, self.seeds)
        return sorted((Cell(*values) for values in found), reverse=True)


def in_groups(cells: Iterable[Cell], most: int = MOST_TOGETHER) -> list[tuple[Cell, ...]]:
    """Cells of one task and width together, `most` at once; the order of the groups is that of
    their first cells.
    """
    by_shape: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        by_shape.setdefault((cell.task, cell.width), []).append(cell)
    return [
        tuple(group[start : start + most])
        for group in by_shape.values()
        for start in range(0, len(group), most)
    ]


def disjoint(grids: Sequence[Grid]) -> list[Cell]:
    """The cells of several grids, each once."""
    return list(dict.fromkeys(cell for grid in grids for cell in grid.cells()))
