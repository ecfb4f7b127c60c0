"""Forecasts asked backwards: how many samples until a share of the units works, and how wide a
layer may be for its units to work after given samples.

The bounds of a forecast of K never fall (`rising`), so each can be inverted by bisection (inversion
of an interval, Neyman 1937): the samples of which a forecast's interval holds the number of units
asked for are those between

    (IN1) lower: where the upper bound of K first reaches it;  upper: where the lower bound does
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.optimize.elementwise import find_root

from actilaw.forecasting.forecaster import AccumulationForecast, Forecaster
from actilaw.forecasting.other_widths import BOUNDS, WidthForecast, width_forecasts
from actilaw.forecasting.width_assumptions import WidthAssumption
from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import LARGEST_WHOLE

SAMPLES_TOLERANCE = 1e-6  # of a number of samples
WIDTH_TOLERANCE = 1e-4  # of the logarithm of a width
WIDEST = 16.0  # times as many units as activations, or as counted, where the search for widths ends
ROUNDING = 1e-9  # of a unit
BOUND_ORDER = (0, 2, 1)  # bounds of K for the expected, lower and upper number of samples


def samples_for(forecaster: Forecaster, working: Floats, level: float) -> pd.DataFrame:
    """Samples, counted from the very first, after which shares of the units work.

    Args:
        forecaster: of the layer.
        working: shares of all units, in (0, 1); (n,).
        level: of the intervals, in (0, 1).

    Returns:
        One row per share: columns working, expected, lower, upper, in whole samples; infinity where
        no number of samples up to 2⁶³ is enough.
    """
    counts = forecaster.counts
    units = working * counts.units - ROUNDING
    nothing_ahead = np.all(units <= counts.working)
    grid = _powers_of_two(counts.samples if nothing_ahead else LARGEST_WHOLE)
    forecast = AccumulationForecast.reaching(forecaster, int(grid[-1]), level)
    on_grid = forecast.whole(grid)
    bound = np.tile(BOUND_ORDER, working.size)

    def values_at(samples: Ints, bound: Ints) -> Floats:
        return np.array(forecast.whole(samples))[bound, np.arange(samples.size)]

    found = _first_reaching(
        np.repeat(units, len(BOUND_ORDER)), grid, np.array(on_grid)[bound], values_at, bound
    )
    table = pd.DataFrame(found.reshape(working.size, -1), columns=list(BOUNDS))
    table.insert(0, "working", working)
    return table


def units_for(
    forecaster: Forecaster,
    working: Floats,
    samples: int,
    level: float,
    assumptions: Sequence[WidthAssumption],
) -> pd.DataFrame:
    """Largest widths of layers of which shares of the units work after `samples` samples.

    Args:
        forecaster: of the layer counted.
        working: shares of the units, in (0, 1); (n,).
        samples: D', at least 1.
        level: of the intervals, in (0, 1).
        assumptions: about b and c at other widths.

    Returns:
        One row per share and assumption: columns working, samples, assumption,
        expected, lower, upper, in whole units; NaN where the share is reached at no width above
        the number of units that one sample activates.
    """
    tables = [
        _widest(forecast, working, samples).assign(samples=samples, assumption=name)
        for name, forecast in width_forecasts(forecaster, level, assumptions).items()
    ]
    table = pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)
    return table[["working", "samples", "assumption", "expected", "lower", "upper"]]


def _widest(forecast: WidthForecast, working: Floats, samples: int) -> pd.DataFrame:
    """Widths under one assumption, by the largest root of the number of units that work less the
    number asked for.
    """
    at = np.array([samples], float)
    counts = forecast.like.forecaster.counts
    shares = np.repeat(working, len(BOUNDS))
    bound = np.tile(np.arange(len(BOUNDS)), working.size)

    def excess(log_width: Floats, share: Floats, bound: Ints) -> Floats:
        widths = np.exp(log_width)
        found = forecast.at(at, widths)[:, 0]
        return found[bound, np.arange(widths.size)] - share * widths

    activations = max(counts.units, counts.active * samples)
    narrowest, farthest = np.floor(counts.active) + 1, WIDEST * activations / working.min()
    grid = np.log(narrowest) + np.log(2) * np.arange(np.ceil(np.log2(farthest / narrowest)) + 1)
    found = forecast.at(at, np.exp(grid))[:, 0]
    enough = found[bound] >= shares[:, np.newaxis] * np.exp(grid)

    reached = enough.any(axis=1) & ~enough[:, -1]
    last = grid.size - 1 - np.argmax(enough[reached, ::-1], axis=1)
    ends = grid[last], grid[last + 1]
    widths = np.where(enough[:, -1], np.inf, np.nan)
    if reached.any():
        root = find_root(
            excess,
            ends,
            args=(shares[reached], bound[reached]),
            tolerances={"xatol": WIDTH_TOLERANCE},
        )
        widths[reached] = np.floor(np.exp(root.x))
    table = pd.DataFrame(widths.reshape(working.size, -1), columns=list(BOUNDS))
    return table.assign(working=working)


def _powers_of_two(farthest: int) -> Ints:
    """1, 2, 4, .. and `farthest`."""
    return np.array([2**i for i in range(farthest.bit_length()) if 2**i < farthest] + [farthest])


def _first_reaching(
    units: Floats,
    grid: Ints,
    on_grid: Floats,
    values_at: Callable[[Ints, Ints], Floats],
    which: Ints,
) -> Floats:
    """Smallest whole numbers, to SAMPLES_TOLERANCE, at which functions that never fall reach
    `units`, or infinity.

    Args:
        units: what is to be reached; (n,).
        grid: where the functions are known; increasing, (n_grid,).
        on_grid: the functions there; (n, n_grid).
        values_at: the values of some of the functions, at a whole number each.
        which: the functions, as `values_at` calls them; (n,).
    """
    cell = np.sum(np.maximum.accumulate(on_grid, axis=1) < units[:, np.newaxis], axis=1)
    never = cell == grid.size
    cell = np.minimum(cell, grid.size - 1)
    short, enough = np.where(cell > 0, grid[cell - 1], 0), grid[cell]
    while np.any(open_ := ~never & (enough - short > np.maximum(1, SAMPLES_TOLERANCE * short))):
        middle = short + (enough - short) // 2
        reached = np.zeros(units.size, bool)
        reached[open_] = values_at(middle[open_], which[open_]) >= units[open_]
        enough = np.where(open_ & reached, middle, enough)
        short = np.where(open_ & ~reached, middle, short)
    return np.where(never, np.inf, enough)
