"""How well the counts of a network of one width foretell how many units work at other widths, over
the grid of a study.

    python benchmarks/other_widths.py [FOLDER]

Without a folder a study of three small tasks is run first.

Every network of one seed is forecast from every other of its task and number of training samples,
where not all units of both work. What "study" assumes of a task is settled on the other tasks, so
that no network is forecast from its own kind; what all tasks together say comes last.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from actilaw import ActivationCounts, fit
from actilaw.errors import ActilawError
from actilaw.forecasting.other_widths import width_forecast, width_forecasts
from actilaw.forecasting.width_assumptions import ASSUMPTIONS, STUDY, WidthAssumption
from actilaw.study.grid import IN_TRAINING
from actilaw.study.presets import grids
from actilaw.study.run import run_study
from actilaw.study.store import Study

LEVEL = 0.95
TRIED_WORKING = np.arange(-6, 5) / 10  # exponents of b where all units work,
TRIED_DIFFERENCES = np.arange(0, 21) / 10  # and how much lower where none does
# Of both, from network to network; no network counts as farther away than the ends.
SHIFTS = np.arange(-4, 7) / 10


@dataclass(frozen=True, eq=False)
class Network:
    """A layer of a trained network, and the layer at other widths: the widths, and how many units
    worked; (n,) each.
    """

    task: str
    layer: str
    samples: int
    counts: ActivationCounts
    widths: np.ndarray
    working: np.ndarray


def networks_of(study: Study) -> list[Network]:
    seed = min(cell.seed for cell in study.cells())
    layers = [
        (cell, layer, counts)
        for cell, census in study.results()
        if cell.seed == seed
        for layer, counts in census.items()
        if not layer.endswith(IN_TRAINING)
    ]
    found = []
    for cell, layer, counts in layers:
        others = [
            (other.units, other.working)
            for of_cell, name, other in layers
            if (of_cell.task, of_cell.samples, name) == (cell.task, cell.samples, layer)
            and other.units != counts.units
            and other.units > counts.active
            and (counts.idle or other.idle)
        ]
        if others:
            widths, working = np.array(others).T
            found.append(Network(cell.task, layer, cell.samples, counts, widths, working))
    return found


def errors(network: Network, assumptions: Iterable[WidthAssumption]) -> np.ndarray:
    """ln(expected/counted) at all widths, by each assumption; (n_assumptions, n)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            forecaster = fit(network.counts, allow_nonfinite=True).forecaster
        except ActilawError:
            return np.full((len(list(assumptions)), network.widths.size), np.nan)
    samples = np.full(network.widths.shape, float(network.counts.samples))
    named = [replace(one, name=str(i)) for i, one in enumerate(assumptions)]
    forecasts = width_forecasts(forecaster, LEVEL, named).values()
    widths = network.widths.astype(float)
    return np.array([np.log(f.roughly(samples, widths) / network.working) for f in forecasts])


@dataclass(frozen=True, eq=False)
class Evidence:
    """Errors of all assumptions that were tried, a column for each forecast.

    Attributes:
        tried: exponents of b, where all units work and where none does.
        errors: ln(expected/counted) by each; (n_tried, n).
        tasks, networks: of the forecasts; (n,) each.
        c_exponents: by network.
    """

    tried: list[tuple[float, float]]
    errors: np.ndarray
    tasks: np.ndarray
    networks: np.ndarray
    c_exponents: pd.Series

    def settled(self, without: str | None = None) -> WidthAssumption:
        """What foretells the networks of all tasks, or of all but one, with the least error."""
        kept = self.tasks != without
        mean = np.abs(self.errors[:, kept]).mean(axis=1)
        allowed = [TRIED_WORKING[0] <= working <= TRIED_WORKING[-1] for working, _ in self.tried]
        working, idle = self.tried[int(np.argmin(np.where(allowed, mean, np.inf)))]
        of_others = self.c_exponents[[not name.startswith(f"{without}, ") for name in
                                      self.c_exponents.index]]  # fmt: skip
        return replace(
            STUDY,
            b_exponent=working,
            b_exponent_idle=idle,
            b_spread=self._spread(working, idle, kept),
            c_spread=float(np.sqrt((of_others**2).mean())),
        )

    def _spread(self, working: float, idle: float, kept: np.ndarray) -> float:
        """How far, from network to network, the exponents that would have been best differ."""
        place = {exponents: row for row, exponents in enumerate(self.tried)}
        rows = [(s, place[round(working + s, 1), round(idle + s, 1)]) for s in SHIFTS]
        best = []
        for network in dict.fromkeys(self.networks[kept]):
            of_network = self.networks == network
            mean = [np.abs(self.errors[row, of_network]).mean() for _, row in rows]
            best.append(rows[int(np.argmin(mean))][0])
        return float(np.sqrt(np.mean(np.square(best))))


def gathered(networks: list[Network]) -> Evidence:
    ends = [TRIED_WORKING[0] + SHIFTS[0], TRIED_WORKING[-1] + SHIFTS[-1]]
    shifted = np.arange(round(10 * ends[0]), round(10 * ends[1]) + 1) / 10
    tried = [(round(w, 1), round(w - less, 1)) for w, less in product(shifted, TRIED_DIFFERENCES)]
    assumptions = [replace(STUDY, b_exponent=w, b_exponent_idle=i) for w, i in tried]
    jobs = (delayed(errors)(network, assumptions) for network in networks)
    found = np.concatenate(cast("list[np.ndarray]", Parallel(n_jobs=2)(jobs)), axis=1)
    sizes = [network.widths.size for network in networks]
    names = [f"{network.task}, {network.layer}, {network.samples}" for network in networks]
    known = np.isfinite(found).all(axis=0)
    return Evidence(
        tried,
        found[:, known],
        np.repeat([network.task for network in networks], sizes)[known],
        np.repeat(names, sizes)[known],
        c_exponents(networks, names),
    )


def c_exponents(networks: list[Network], names: list[str]) -> pd.Series:
    """Slopes of ln c in ln N, of networks of the same task and samples."""
    table = pd.DataFrame(
        {
            "name": names,
            "x": [np.log(network.counts.units) for network in networks],
            "y": [np.log(network.counts.active) for network in networks],
        }
    )
    slopes = {
        name: np.polyfit(rows["x"], rows["y"], 1)[0]
        for name, rows in table.groupby("name")
        if np.ptp(rows["x"]) > 0
    }
    return pd.Series(slopes)


def forecasts_of(network: Network, study: WidthAssumption) -> pd.DataFrame:
    """Forecasts by each assumption, and two guesses, beside what was counted."""
    counts, widths = network.counts, network.widths
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            forecaster = fit(counts, allow_nonfinite=True).forecaster
        except ActilawError:
            return pd.DataFrame()
    kinds = [study, *(one for name, one in ASSUMPTIONS.items() if name != STUDY.name)]
    samples = np.array([counts.samples], np.int64)
    table = width_forecast(forecaster, samples, widths.astype(np.int64), LEVEL, kinds)
    guesses = {
        "as many units": np.minimum(counts.working, widths),
        "the same share": counts.working / counts.units * widths,
    }
    tables = [
        pd.DataFrame({"units": widths, "assumption": name, "expected": guess.astype(float)})
        for name, guess in guesses.items()
    ]
    table = pd.concat([table, *tables], ignore_index=True)
    counted = table["units"].map(dict(zip(widths, network.working, strict=True)))
    inside = (table["lower"] <= counted) & (counted <= table["upper"])
    return table.assign(
        task=network.task,
        widths=np.where(
            np.abs(np.log(table["units"] / counts.units)) < np.log(4.5), "up to 4 x", "beyond"
        ),
        error=np.abs(np.log(table["expected"] / counted)),
        inside=inside.where(table["upper"].notna()),
        log_interval=np.log(table["upper"] / table["lower"]),
    )


def summary(table: pd.DataFrame, *columns: str) -> str:
    groups = table.groupby(list(columns), sort=False)
    figures = pd.DataFrame(
        {
            "forecasts": groups.size(),
            "median error": groups["error"].median(),
            "mean error": groups["error"].mean(),
            "inside": groups["inside"].mean(),
            "upper/lower": np.exp(groups["log_interval"].median()),
        }
    )
    return figures.round(3).to_string()


def report(study: Study) -> None:
    networks = networks_of(study)
    evidence = gathered(networks)
    settled = {task: evidence.settled(without=task) for task in dict.fromkeys(evidence.tasks)}
    jobs = (
        delayed(forecasts_of)(network, settled[network.task])
        for network in networks
        if network.task in settled
    )
    tables = cast("list[pd.DataFrame]", Parallel(n_jobs=2)(jobs))
    table = pd.concat(tables, ignore_index=True)
    print(f"\nUnits working at other widths, foretold from one: {len(networks)} layers")
    print("(errors are |ln(expected/counted)|)")
    for columns in (("assumption",), ("assumption", "widths"), ("task", "assumption")):
        print(summary(table, *columns), end="\n\n")
    for task, assumption in settled.items():
        print(f"settled without {task}: {assumption}")
    print(f"settled on all: {evidence.settled()}")


def small_study(folder: Path) -> Study:
    """Of tasks that train fast."""
    return run_study(folder, grids("small", ("digits", "teacher", "parity")), workers=2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        report(Study(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            report(small_study(Path(temporary) / "small"))
