"""Extrapolation to layers of another width, which nobody has trained, under two assumptions that
bracket what networks do.

    (OW1) b and c fixed: rates shrink as 1/N, and K_M(D) = (M/N) K_N(D N/M), since (11) depends on
          N/D alone  [derived]
    (OW2) bN and c fixed: the knee bN/c stays and b goes as 1/N, so 1 − K_M/M = (1 − K_N/N)^(N/M) by
          (6)  [derived]

Between trained networks neither b nor bN is exactly constant. For wider layers the two assumptions
lie on either side: in (OW1) every part of a layer is like the whole, in (OW2) the units added are
rarer than those there were.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from actilaw.errors import InputError
from actilaw.forecasting.forecaster import Forecaster
from actilaw.forecasting.intervals import count_interval, log_odds_of_counted, variance_of_draw
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import two_sided_z

BOUNDS = ("expected", "lower", "upper")


def width_forecast(
    forecaster: Forecaster, samples: Ints, units: Ints, level: float
) -> pd.DataFrame:
    """Working units of layers of other widths: a row per samples, units and assumption.

    Args:
        forecaster: of the layer counted.
        samples: D', at least 1; (n,).
        units: N', widths; (m,).
        level: probability that the interval is meant to hold the count, in (0, 1).

    Returns:
        Columns samples, units, assumption ("b fixed" or "bN fixed"), expected, lower, upper.

    Raises:
        InputError: if a width is no larger than the number of units that one sample activates.
    """
    active = forecaster.counts.active
    if units.size and units.min() <= active:
        raise InputError(
            f"expected more units than the {active:.4g} that one sample activates, but got "
            f"{units.min()}: ask for wider layers"
        )
    tables = [
        forecast(forecaster, samples, int(width), level).assign(
            samples=samples, units=width, assumption=assumption
        )
        for width in units
        for assumption, forecast in (("b fixed", _b_fixed), ("bN fixed", _mass_fixed))
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["samples", "units", "assumption", *BOUNDS]]


def _b_fixed(forecaster: Forecaster, samples: Ints, width: int, level: float) -> pd.DataFrame:
    """(OW1): the share that works is that of the layer counted after D N/M samples."""
    rescaled = samples * (forecaster.counts.units / width)
    below = _shares(forecaster, np.maximum(np.floor(rescaled), 1).astype(np.int64), level)
    above = _shares(forecaster, np.maximum(np.ceil(rescaled), 1).astype(np.int64), level)
    part = rescaled - np.floor(rescaled)
    shares = below * (1 - part) + above * part
    shares *= np.minimum(rescaled, 1)  # below one sample K is c D
    return _of_new_layer(forecaster, shares, width, level)


def _mass_fixed(forecaster: Forecaster, samples: Ints, width: int, level: float) -> pd.DataFrame:
    """(OW2)"""
    idle = 1 - _shares(forecaster, samples, level)
    shares = 1 - idle ** (forecaster.counts.units / width)
    return _of_new_layer(forecaster, shares, width, level)


def _shares(forecaster: Forecaster, samples: Ints, level: float) -> Floats:
    """Share of units that work, expected, lower and upper, in a layer like the one counted; (3, n).

    The layer counted is itself one draw, which counts within it do not show: the variance of that
    draw is added.
    """
    table, units = forecaster.at(samples, level), forecaster.counts.units
    expected, lower, upper = log_odds_of_counted(table[list(BOUNDS)].to_numpy().T, units)
    chance = variance_of_draw(units, expit(expected), forecaster.incidence.overdispersion)
    reach_of_draw = two_sided_z(level) ** 2 * chance
    down = np.sqrt((expected - lower) ** 2 + reach_of_draw)
    up = np.sqrt((upper - expected) ** 2 + reach_of_draw)
    return expit(np.array([expected, expected - down, expected + up]))


def _of_new_layer(forecaster: Forecaster, shares: Floats, width: int, level: float) -> pd.DataFrame:
    """Numbers of units for shares that are expected, lower and upper, with the chance of the new
    layer.
    """
    share, lower, upper = np.clip(shares, 1e-300, 1 - 1e-12)
    variance = ((logit(upper) - logit(lower)) / (2 * two_sided_z(level))) ** 2
    low, high = count_interval(
        width,
        share,
        variance,
        overdispersion=forecaster.incidence.overdispersion,
        level=level,
    )
    return pd.DataFrame({"expected": width * share, "lower": low, "upper": high})
