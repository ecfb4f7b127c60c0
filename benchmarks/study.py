"""How fast a study trains: networks in one stack beside the same networks one by one, and two
workers beside one; and how well forecasts from one width foretell the others.

    python benchmarks/study.py [FOLDER]

Stacks are measured at the widths that built-in tasks stack, and at the next wider one, where they
would be slower. Seconds are of processor time where one process works, and of the clock for
workers; both take turns.

Other widths are forecast in the study of the folder, or in a small one that is run for it: from the
counts of every network of one seed to all others of its task and training samples. What "study"
assumes of a task is taken from the other tasks, so that no network is forecast from itself.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from actilaw import ActivationCounts, Census, fit
from actilaw.errors import ActilawError
from actilaw.forecasting.other_widths import ASSUMPTIONS, STUDY, WidthAssumption, width_forecast
from actilaw.study.cells import runs_of
from actilaw.study.claims.b_and_width import b_and_width
from actilaw.study.claims.examine import network_names
from actilaw.study.grid import Cell, Grid
from actilaw.study.presets import grids
from actilaw.study.readings import readings
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


def other_widths(study: Study) -> None:
    """Working units of networks of other widths, forecast from one width."""
    table = readings(study, workers=2)
    table["network"] = network_names(table)
    slopes = b_and_width(table).details.dropna()
    slopes["task"] = slopes["network"].str.split(", ").str[0]
    seed = min(cell.seed for cell in study.cells())
    census_of = {cell: census for cell, census in study.results() if cell.seed == seed}
    jobs = (
        delayed(forecasts_from)(cell, layer, assumed_without(slopes, cell.task), census_of)
        for cell, census in census_of.items()
        for layer in census
    )
    found = pd.concat(Parallel(n_jobs=2)(jobs), ignore_index=True)
    print(f"\nUnits that work at other widths, forecast from one, in {study.folder.name}:")
    found["apart"] = pd.cut(found["ratio"], [0, 4.5, 20, np.inf], labels=["<= 4", "<= 16", "more"])
    for columns in (["assumption"], ["assumption", "apart"], ["assumption", "task"]):
        groups = found.groupby(columns, observed=True, sort=False)
        print(
            pd.DataFrame(
                {
                    "forecasts": groups.size(),
                    "median error": groups["error"].median(),
                    "mean error": groups["error"].mean(),
                    "inside": groups["inside"].mean(),
                    "upper / lower": np.exp(groups["log_interval"].median()),
                }
            ).round(3)
        )


def assumed_without(slopes: pd.DataFrame, task: str) -> WidthAssumption:
    """What the networks of all other tasks say about b and c."""
    others = slopes[slopes["task"] != task]
    return WidthAssumption(
        STUDY.name, -others["w"].mean(), others["c_slope"].mean(), others["w"].std(),
        others["c_slope"].std(),
    )  # fmt: skip


def forecasts_from(
    cell: Cell, layer: str, assumed: WidthAssumption, census_of: dict[Cell, Census]
) -> pd.DataFrame:
    """Forecasts for all other widths, by each assumption and by two guesses, beside what was
    counted. Errors are |ln(expected/counted)|.
    """
    counts = census_of[cell][layer]
    truths = {
        census[layer].units: census[layer].working
        for other, census in census_of.items()
        if (other.task, other.samples) == (cell.task, cell.samples)
    }
    widths = [units for units in truths if units != counts.units and units > counts.active]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster = fit(counts, allow_nonfinite=True).forecaster
    except ActilawError:
        return pd.DataFrame()
    if not widths:
        return pd.DataFrame()
    kinds = [assumed, *(one for name, one in ASSUMPTIONS.items() if name != STUDY.name)]
    samples = np.array([counts.samples], np.int64)
    found = width_forecast(forecaster, samples, np.array(widths, np.int64), 0.95, kinds)
    found = pd.concat([found, *guesses(counts, widths)], ignore_index=True)
    counted = found["units"].map(truths)
    inside = (found["lower"] <= counted) & (counted <= found["upper"])
    return found.assign(
        task=cell.task,
        ratio=np.exp(np.abs(np.log(found["units"] / counts.units))),
        error=np.abs(np.log(found["expected"] / counted)),
        inside=inside.where(found["upper"].notna()),
        log_interval=np.log(found["upper"] / found["lower"]),
    )


def guesses(counts: ActivationCounts, widths: list[int]) -> list[pd.DataFrame]:
    """That as many units work, and that the same share does; without intervals."""
    units = np.array(widths)
    same = {"as many units": np.minimum(counts.working, units),
            "the same share": counts.working / counts.units * units}  # fmt: skip
    return [
        pd.DataFrame({"units": units, "assumption": name, "expected": guess.astype(float)})
        for name, guess in same.items()
    ]


def a_study(folder: Path) -> Study:
    """Of three tasks that train fast."""
    return run_study(folder, grids("small", ("digits", "teacher", "parity")), workers=2)


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in a study
    if len(sys.argv) > 1:
        other_widths(Study(sys.argv[1]))
    else:
        with TemporaryDirectory() as own_folder:
            other_widths(a_study(Path(own_folder) / "small"))
    stacks()
    workers()
