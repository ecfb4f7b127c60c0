"""The plan of a study: its cells, and which of them are trained together.

Cells that train in one stack share matrix products, and rounding may depend on the company. So the
groups are decided once, when cells are first asked for, and written down: a study that was stopped,
or is extended by other seeds or widths, trains every cell in the group that it was first given.

A plan only grows. Where a cell stands in several groups, as one that is tried again by itself, the
last of them counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actilaw.errors import FileError, InputError
from actilaw.study.grid import Cell, in_groups
from actilaw.support.files import write_atomically

PLAN_FORMAT = 1
Group = tuple[Cell, ...]  # at least one


@dataclass(frozen=True)
class Plan:
    """Groups of cells, in the order in which they run.

    Attributes:
        groups: each of cells of one task and width.
    """

    groups: tuple[Group, ...] = ()

    def cells(self) -> list[Cell]:
        """Every cell once, in the order in which they were asked for."""
        return list(dict.fromkeys(cell for group in self.groups for cell in group))

    def with_cells(self, cells: Iterable[Cell]) -> Plan:
        """A plan that has these cells too; those that it lacks form groups of their own."""
        known = set(self.cells())
        new = [cell for cell in cells if cell not in known]
        return Plan((*self.groups, *in_groups(new)))

    def apart(self, cells: Iterable[Cell]) -> Plan:
        """A plan in which each of these cells, which it has, is a group by itself."""
        groups = self._group_of_each()
        alone = tuple((cell,) for cell in cells if groups[cell] != (cell,))
        return Plan((*self.groups, *alone))

    def groups_of(self, cells: Iterable[Cell]) -> list[Group]:
        """The groups that these cells, which the plan has, are trained in; each once."""
        groups = self._group_of_each()
        return list(dict.fromkeys(groups[cell] for cell in cells))

    def _group_of_each(self) -> dict[Cell, Group]:
        return {cell: group for group in self.groups for cell in group}

    def save(self, path: Path) -> None:
        """Write the plan, a group a line, whole or not at all."""
        lines = ",\n".join(json.dumps(_as_json(group)) for group in self.groups)
        text = f'{{"format": {PLAN_FORMAT}, "groups": [\n{lines}\n]}}\n'
        write_atomically(path, text.encode())

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan; there is an empty one where there is no file.

        Raises:
            FileError: if the file is no plan.
        """
        if not path.exists():
            return cls()
        try:
            document = json.loads(path.read_bytes())
            if document["format"] != PLAN_FORMAT:
                raise ValueError(f"its format is {document['format']}, not {PLAN_FORMAT}")
            return cls(tuple(_from_json(group) for group in document["groups"]))
        except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise FileError(
                f"expected the plan of a study, but {path} is none or is damaged ({error}): remove "
                "it and give the command again, which keeps the cells that are done"
            ) from error


def _as_json(group: Group) -> dict[str, object]:
    cells = [[cell.samples, cell.seed] for cell in group]
    return {"task": group[0].task, "width": group[0].width, "samples_and_seeds": cells}


def _from_json(group: dict[str, Any]) -> Group:
    task, width = group["task"], group["width"]
    return tuple(
        cell_from({"task": task, "width": width, "samples": samples, "seed": seed})
        for samples, seed in group["samples_and_seeds"]
    )


def cell_from(settings: Mapping[str, Any]) -> Cell:
    """The cell whose settings stand in a file.

    Raises:
        InputError: if they are no settings of a cell.
    """
    cell = Cell(**settings)
    whole_numbers = all(type(number) is int for number in (cell.width, cell.samples, cell.seed))
    if type(cell.task) is not str or not whole_numbers:
        raise InputError(f"expected a task, width, samples and seed, but got {settings!r}")
    return cell
