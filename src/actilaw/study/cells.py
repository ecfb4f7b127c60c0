"""Cells of a study, run: a group of them is trained together, and each is measured by itself.

What is known of a cell is a census, so that a cell's file is one that every command reads. Its
layers are counted twice: on the training samples with the trained network, under the layer's own
name, and over all batches of the training, under that name and "(training)". All else is in
`about`: settings, losses, shares that can be removed, versions. Nothing that differs from run to
run is in it, so that the same cell gives the same file.
"""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version

import torch

from actilaw.counts.census import Census
from actilaw.errors import ActilawError
from actilaw.recording.fingerprint import weights_fingerprint
from actilaw.study.denormals import denormals_flushed
from actilaw.study.grid import IN_TRAINING, SOURCE, Cell
from actilaw.study.measurement import count_frozen, losses_of, removal_of
from actilaw.study.problem import Problem, require_losses
from actilaw.study.stacked_training import DivergedError, Run, Trained, train_together
from actilaw.study.tasks import source_digest, task_function
from actilaw.support.version import installed_version

CELL_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one cell.

    Attributes:
        cell: of the grid.
        census: counts and measurements, or None where the cell failed.
        failure: why it failed, in a sentence; with the place in the code for errors that are not
            ours.
        seconds: it took; an equal share of its group's training, and its own measurement.
    """

    cell: Cell
    census: Census | None
    failure: str | None
    seconds: float


def run_group(cells: Sequence[Cell], home: str | None = None) -> list[Outcome]:
    """Train cells of one task and width together, and measure each, on one thread.

    One thread, so that several groups run beside each other without getting into each other's way,
    and with the same result whatever the number of processors. Where training together fails, each
    is trained alone, so that only those fail that cannot be trained.

    Args:
        cells: of a group.
        home: the module that registers their task, if one does.
    """
    if home is not None:
        import_module(home)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run_group(cells)
    finally:
        torch.set_num_threads(threads)


def _run_group(cells: Sequence[Cell]) -> list[Outcome]:
    start = time.perf_counter()
    try:
        runs = runs_of(cells)
        trained = train_together(runs)
    except Exception as error:
        if len(cells) == 1:
            return [_failed(cells[0], error, time.perf_counter() - start)]
        return [outcome for cell in cells for outcome in _run_group([cell])]
    each = (time.perf_counter() - start) / len(cells)
    return [
        _measured(cell, run, result, each)
        for cell, run, result in zip(cells, runs, trained, strict=True)
    ]


def runs_of(cells: Sequence[Cell]) -> list[Run]:
    """The problem of each cell; those of one seed share it, as they differ in their data alone."""
    problems: dict[int, Problem] = {}
    for cell in cells:
        if cell.seed not in problems:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(cell.seed)
                problem = task_function(cell.task)(cell.width, cell.seed)
            if not isinstance(problem, Problem):
                raise TypeError(
                    f"expected a Problem from the task {cell.task}, but got {problem!r}"
                )
            with torch.random.fork_rng(devices=[]):
                require_losses(problem)
            problems[cell.seed] = problem
    return [Run(problems[cell.seed], cell.samples, cell.seed) for cell in cells]


def _measured(cell: Cell, run: Run, trained: Trained | DivergedError, seconds: float) -> Outcome:
    """The census of one trained cell, or why there is none."""
    if isinstance(trained, DivergedError):
        return _failed(cell, trained, seconds)
    start = time.perf_counter()
    try:
        with denormals_flushed():
            census = _census(cell, run, trained)
    except Exception as error:
        return _failed(cell, error, seconds + time.perf_counter() - start)
    return Outcome(cell, census, None, seconds + time.perf_counter() - start)


def _census(cell: Cell, run: Run, trained: Trained) -> Census:
    frozen = count_frozen(run, trained)
    layers = dict(frozen)
    for layer, counts in trained.counts.items():
        layers[layer + IN_TRAINING] = replace(counts, criterion=frozen[layer].criterion)
    about = {
        "study_format": CELL_FORMAT,
        **cell.settings(),
        **_source_of(cell.task),
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "steps": trained.steps,
        "stop": str(run.problem.schedule.stop),
        "batch": run.problem.schedule.batch,
        "learning_rate": run.problem.schedule.rate,
        "l1": run.problem.schedule.l1,
        "penalised_loss": trained.loss,
        **losses_of(run, trained),
        "removal": {
            layer: removal_of(run, trained, layer, counts) for layer, counts in frozen.items()
        },
        "versions": versions(),
    }
    return Census(
        layers, about, recordings=(cell.name,), weights=weights_fingerprint(trained.model)
    )


def _source_of(task: str) -> dict[str, str]:
    digest = source_digest(task)
    return {} if digest is None else {SOURCE: digest}


def versions() -> dict[str, str]:
    """What computed a cell."""
    return {
        "actilaw": installed_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
    }


def _failed(cell: Cell, error: Exception, seconds: float) -> Outcome:
    """An error of ours says it all; of another the place is needed."""
    message = str(error)
    if not isinstance(error, ActilawError):
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
    return Outcome(cell, None, message, seconds)
