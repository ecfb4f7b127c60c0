"""Size and power of the tests of `check`, by simulation: how often each deviates on layers that
follow the law, and on layers made to break one assumption.

A layer has 600 units and 1024 samples, in 32 blocks with first activations; about 30 units fire on
a sample and b is 0.4. Every layer is drawn sample by sample with NumPy alone. A cell is the share
of layers whose verdict was "deviates"; in the column "law" that is the rate of false alarms, meant
to be at most 5 %.

Fitting the richer families takes ten times as long as all other rows together, so that row is left
out unless --families is given.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actilaw import ActivationCounts, check
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES

UNITS, SAMPLES, BLOCKS, ACTIVE, B = 600, 1024, 32, 30.0, 0.4
Fired = NDArray[np.bool_]


def rates(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.beta(B, B * UNITS / ACTIVE - B, UNITS)


def law(rng: np.random.Generator) -> Fired:
    return rng.random((SAMPLES, UNITS)) < rates(rng)


def two_humps(rng: np.random.Generator) -> Fired:
    """Half of the units are rare, half busy; each half has rates within a factor of two or so."""
    busy = rng.random(UNITS) < 0.5
    return rng.random((SAMPLES, UNITS)) < np.where(busy, 0.1, 0.002) * rng.gamma(4, 1 / 4, UNITS)


def drift(rng: np.random.Generator) -> Fired:
    """Each unit's rate goes up or down from start to end, by 50 % of it on average over units."""
    slope = rng.normal(0, 0.5, UNITS).clip(-1.9, 1.9)
    time = np.linspace(-0.5, 0.5, SAMPLES)[:, np.newaxis]
    return rng.random((SAMPLES, UNITS)) < rates(rng) * (1 + slope * time)


def bursts(rng: np.random.Generator) -> Fired:
    """Each sample excites all units by a factor of its own, lognormal with a spread of 0.5."""
    gain = np.exp(rng.normal(-0.125, 0.5, (SAMPLES, 1)))
    return rng.random((SAMPLES, UNITS)) < rates(rng) * gain


def reinforced(rng: np.random.Generator) -> Fired:
    """Sample by sample a unit fires with probability in proportion to (D_i + b)^1.15; c is kept."""
    fired = np.zeros((SAMPLES, UNITS), bool)
    seen = np.zeros(UNITS)
    for t in range(SAMPLES):
        weight = (seen + B) ** 1.15
        fired[t] = rng.random(UNITS) < (ACTIVE * weight / weight.sum()).clip(0, 0.9)
        seen += fired[t]
    return fired


def silent(rng: np.random.Generator) -> Fired:
    """A fifth of the units never fires."""
    return law(rng) & (rng.random(UNITS) > 0.2)


def clumps(rng: np.random.Generator) -> Fired:
    """A unit that fires does so on about 3 of 4 samples in a row, and units are independent: words
    of one text.
    """
    on = rng.random((SAMPLES // 4, UNITS)) < (rates(rng) / 0.75).clip(0, 1)
    return np.repeat(on, 4, axis=0) & (rng.random((SAMPLES, UNITS)) < 0.75)


SCENARIOS = {f.__name__: f for f in (law, two_humps, drift, bursts, reinforced, silent, clumps)}


def counted(fired: Fired) -> ActivationCounts:
    by_block = fired.reshape(BLOCKS, -1, UNITS).sum(axis=1)
    size = SAMPLES // BLOCKS
    first = np.where(fired.any(axis=0), fired.argmax(axis=0), -1)
    return ActivationCounts(
        fired.sum(axis=0),
        SAMPLES,
        entries=SAMPLES,
        active_squares=int((fired.sum(axis=1) ** 2).sum()),
        first=first,
        blocks=Blocks(by_block, np.full(BLOCKS, size), size),
    )


def verdicts(scenario: str, seed: int, families: bool) -> dict[str, str]:
    """First word of each verdict by test; none of a layer that cannot be fitted."""
    counts = counted(SCENARIOS[scenario](np.random.default_rng([seed, 31])))
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
            asked = (repeat(scenario, draws), range(draws), repeat(families))
            found = pd.DataFrame(list(pool.map(verdicts, *asked, chunksize=5)))
            deviates[scenario] = (found == "deviates").mean()
            inconclusive[scenario] = (found == "inconclusive:").mean()
    return pd.DataFrame(deviates), pd.DataFrame(inconclusive)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--families", action="store_true", help="fit the richer families too")
    asked = parser.parse_args()
    deviates, inconclusive = table_of(asked.draws, asked.workers, asked.families)
    print(f"{UNITS} units, {SAMPLES} samples in {BLOCKS} blocks, {asked.draws} layers of each kind")
    for verdict, shares in (("deviates", deviates), ("inconclusive", inconclusive)):
        print(f"\n{verdict}, % of layers\n{(100 * shares).round(0).astype(int).to_string()}")


if __name__ == "__main__":
    main()
