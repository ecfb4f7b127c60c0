"""Size and power of the tests of `check`, by simulation: how often each deviates on layers that
follow the law, and on layers made to break one assumption.

A layer has 600 units and 1024 samples, in 32 blocks with first activations; about 30 units are
active on a sample and b is 0.4. Every layer is drawn sample by sample with NumPy alone. A cell is
the share of layers whose verdict was "deviates"; in the column "law" that is the rate of false
alarms, meant to be at most 5 %.

Fitting the richer families takes ten times as long as all other rows together, so that row is left
out unless --families is given.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actilaw import check
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from builders.layers import BLOCK_SIZE, N_BLOCKS, counts_of, draw_bursts  # as the tests draw them

UNITS, SAMPLES, ACTIVE, B = 600, N_BLOCKS * BLOCK_SIZE, 30.0, 0.4
Activity = NDArray[np.bool_]  # which units are active on which samples; (SAMPLES, UNITS)


def rates(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.beta(B, B * UNITS / ACTIVE - B, UNITS)


def law(rng: np.random.Generator) -> Activity:
    return rng.random((SAMPLES, UNITS)) < rates(rng)


def two_modes(rng: np.random.Generator) -> Activity:
    """Half of the units are rare, half busy; each half has rates within a factor of two or so."""
    busy = rng.random(UNITS) < 0.5
    return rng.random((SAMPLES, UNITS)) < np.where(busy, 0.1, 0.002) * rng.gamma(4, 1 / 4, UNITS)


def drift(rng: np.random.Generator) -> Activity:
    """Each unit's rate goes up or down from start to end, by 50 % of it on average over units."""
    slope = rng.normal(0, 0.5, UNITS).clip(-1.9, 1.9)
    time = np.linspace(-0.5, 0.5, SAMPLES)[:, np.newaxis]
    return rng.random((SAMPLES, UNITS)) < rates(rng) * (1 + slope * time)


def reinforced(rng: np.random.Generator) -> Activity:
    """A unit is active with probability in proportion to (D_i + b)^1.15, and c units on average."""
    active = np.zeros((SAMPLES, UNITS), bool)
    so_far = np.zeros(UNITS)
    for sample in range(SAMPLES):
        weight = (so_far + B) ** 1.15
        active[sample] = rng.random(UNITS) < (ACTIVE * weight / weight.sum()).clip(0, 0.9)
        so_far += active[sample]
    return active


def silent(rng: np.random.Generator) -> Activity:
    """A fifth of the units is never active."""
    return law(rng) & (rng.random(UNITS) > 0.2)


def clumps(rng: np.random.Generator) -> Activity:
    """A unit is active on about 3 of 4 samples in a row, as words of one text make it, or on none
    of them; units are independent.
    """
    on = rng.random((SAMPLES // 4, UNITS)) < (rates(rng) / 0.75).clip(0, 1)
    return np.repeat(on, 4, axis=0) & (rng.random((SAMPLES, UNITS)) < 0.75)


SCENARIOS: dict[str, Callable[[np.random.Generator], Activity]] = {
    "law": law,
    "two_modes": two_modes,
    "drift": drift,
    "bursts": draw_bursts,
    "reinforced": reinforced,
    "silent": silent,
    "clumps": clumps,
}


def verdicts(scenario: str, seed: int, families: bool) -> dict[str, str]:
    """First word of each verdict by test; none of a layer that cannot be fitted."""
    counts = counts_of(SCENARIOS[scenario](np.random.default_rng([seed, 31])))
    fitted = FAMILIES if families else {"law": FAMILIES["law"]}
    try:
        with patch.dict(FAMILIES, fitted, clear=True):
            table = check(counts)
    except CountsError:
        return {}
    if not families:
        table = table[table["test"] != "richer_families"]
    return dict(zip(table["test"], table["verdict"].str.split().str[0], strict=True))


def table_of(draws: int, workers: int, families: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares of layers that deviate, and that are inconclusive; a row per test, a column per
    scenario.
    """
    deviates, inconclusive = {}, {}
    with ProcessPoolExecutor(workers) as pool:
        for scenario in SCENARIOS:
            layers = (repeat(scenario, draws), range(draws), repeat(families))
            found = pd.DataFrame(list(pool.map(verdicts, *layers, chunksize=5)))
            deviates[scenario] = (found == "deviates").mean()
            inconclusive[scenario] = (found == "inconclusive:").mean()
    return pd.DataFrame(deviates), pd.DataFrame(inconclusive)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--families", action="store_true", help="fit the richer families too")
    options = parser.parse_args()
    deviates, inconclusive = table_of(options.draws, options.workers, options.families)
    size = f"{UNITS} units, {SAMPLES} samples in {N_BLOCKS} blocks"
    print(f"{size}, {options.draws} layers of each kind")
    for verdict, shares in (("deviates", deviates), ("inconclusive", inconclusive)):
        print(f"\n{verdict}, % of layers\n{(100 * shares).round(0).astype(int).to_string()}")


if __name__ == "__main__":
    main()
