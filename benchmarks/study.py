"""How fast a study trains: networks in one stack beside the same networks one by one, and two
workers beside one; and, in the study of a folder, how well forecasts from one width foretell the
others (other_widths.py).

    python benchmarks/study.py [FOLDER]

Stacks are measured at the widths that built-in tasks stack, and at the next wider one, where they
would be slower. Seconds are of processor time where one process works, and of the clock for
workers; both take turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import other_widths
from actilaw.study.cells import runs_of
from actilaw.study.grid import Grid
from actilaw.study.run import run_study
from actilaw.study.stacked_training import Run, train_together
from actilaw.study.store import Study
from actilaw.study.tasks import TASKS

STEPS = 100
TURNS = 3
SEEDS = (0, 1, 2)


def short_runs(task: str, width: int) -> list[Run]:
    """Every size and seed of one width, cut to a few steps."""
    cells = Grid(task, (width,), TASKS[task].samples, SEEDS).cells()
    return [short(run) for run in runs_of(cells)]


def short(run: Run) -> Run:
    schedule = run.problem.schedule
    stop = replace(schedule.stop, steps=STEPS, tolerance=None)
    return replace(run, problem=replace(run.problem, schedule=replace(schedule, stop=stop)))


def least_seconds(*jobs: Callable[[], object]) -> list[float]:
    """Processor time of each job, the least of a few turns."""
    found: list[list[float]] = [[] for _ in jobs]
    for _ in range(TURNS):
        for job, taken in zip(jobs, found, strict=True):
            start = time.process_time()
            job()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in found]


def stacks() -> None:
    print(f"{len(SEEDS)} seeds x 6 sizes of one width trained for {STEPS} steps, processor seconds")
    print(
        f"{'task':14} {'width':>6} {'parameters':>11} {'one by one':>11} {'stack':>8} {'ratio':>6}"
    )
    for task in ("digits", "parity", "topk-latents"):
        stacked = TASKS[task].stacked_up_to
        widths = [width for width in TASKS[task].widths if width <= stacked]
        for width in (*widths, TASKS[task].widths[len(widths)]):
            runs = short_runs(task, width)
            parameters = sum(p.numel() for p in runs[0].problem.model.parameters())
            alone, together = least_seconds(
                lambda runs=runs: [train_together([run]) for run in runs],
                lambda runs=runs: train_together(runs),
            )
            marked = "" if width <= stacked else "  (trained one by one)"
            print(
                f"{task:14} {width:6} {parameters:11,} {alone:11.2f} {together:8.2f} "
                f"{alone / together:6.2f}{marked}"
            )


def workers() -> None:
    grid = Grid("digits", (512, 2048), TASKS["digits"].samples[:4], (0, 1))
    cells = len(grid.cells())
    print(f"\n{cells} cells of digits, widths 512 and 2,048, from start to table (cells a minute)")
    for number in (1, 2):
        with TemporaryDirectory() as folder:
            start = time.perf_counter()
            run_study(Path(folder) / "study", grid, workers=number)
            minutes = (time.perf_counter() - start) / 60
        print(f"{number} worker{'s' if number > 1 else ' '} {cells / minutes:.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in a study
    stacks()
    workers()
    if len(sys.argv) > 1:
        other_widths.report(Study(sys.argv[1]))
