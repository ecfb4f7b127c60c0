"""Grids by name: which tasks, widths, sizes of training set and seeds a study has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from actilaw.errors import InputError
from actilaw.study.grid import Grid
from actilaw.study.tasks import TASKS


@dataclass(frozen=True)
class Preset:
    """Grids of the built-in tasks.

    Attributes:
        about: a line for a user who chooses.
        tasks: names, of which all are run unless others are asked for.
        widths, samples: places in the lists of a task, which are in rising order.
        seeds: of every task.
    """

    about: str
    tasks: tuple[str, ...]
    widths: slice
    samples: slice
    seeds: tuple[int, ...]

    def grid(self, task: str) -> Grid:
        """The grid of a built-in task."""
        registered = TASKS[task]
        return Grid(
            task, registered.widths[self.widths], registered.samples[self.samples], self.seeds
        )


# Routers take longest to train, and are left to the full study.
FAST = tuple(name for name in TASKS if name != "routed")
PRESETS = {
    "small": Preset("some ten minutes on two processors", FAST, slice(0, 4), slice(1, 5), (0,)),
    "full": Preset(
        "what the results of the documentation come from",
        tuple(TASKS),
        slice(None),
        slice(None),
        (0, 1, 2),
    ),
}


def grids(
    preset: str = "small",
    tasks: str | Iterable[str] | None = None,
    *,
    widths: Sequence[int] | None = None,
    samples: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Grid]:
    """The grids of a preset, of some of its tasks, or with other widths, samples or seeds.

    Args:
        preset: "small" or "full".
        tasks: names of built-in tasks, those of the preset by default; or `module:function`, for
            which widths and samples have to be given.
        widths, samples, seeds: instead of those of the preset, for all tasks.

    Raises:
        InputError: if there is no such preset, a task is not known to it and lacks widths or
            samples, or a number is out of range.
    """
    if preset not in PRESETS:
        raise InputError(f"expected a preset, {' or '.join(PRESETS)}, but got {preset!r}")
    chosen = PRESETS[preset]
    found = []
    named = chosen.tasks if tasks is None else [tasks] if isinstance(tasks, str) else tasks
    for task in dict.fromkeys(named):
        if task in TASKS:
            grid = chosen.grid(task)
        elif widths is None or samples is None:
            raise InputError(
                f"expected widths and samples for the task {task!r}, which is not among those "
                f"built in ({', '.join(TASKS)}): say which to train"
            )
        else:
            grid = Grid(task, tuple(widths), tuple(samples), chosen.seeds)
        given = {"widths": widths, "samples": samples, "seeds": seeds}
        changed = {name: tuple(values) for name, values in given.items() if values is not None}
        found.append(replace(grid, **changed))
    return found
