"""Working units of a layer of another width, which nobody has trained.

    (W1) b and c fixed: rates shrink as 1/N, and K_M(D) = (M/N) K_N(D N/M), since (11) depends on
         N/D alone  [derived]
    (W2) bN and c fixed: the knee bN/c stays and b goes as 1/N, so 1 − K_M/M = (1 − K_N/N)^(N/M) by
         (6)  [derived]

Between trained networks neither b nor bN stays put exactly. For wider layers the two assumptions
lie on either side: in (W1) every part of a layer is like the whole, in (W2) the units added are
rarer than those there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from actilaw.errors import InputError
from actilaw.forecasting.intervals import count_interval
from actilaw.support.arrays import Floats

if TYPE_CHECKING:
    from actilaw.fitting.fitted_law import FittedLaw

BOUNDS = ("expected", "lower", "upper")


def width_forecast(
    fitted: FittedLaw, samples: NDArray[np.int64], units: NDArray[np.int64], level: float
) -> pd.DataFrame:
    """A row per samples, units and assumption; see `FittedLaw.forecast`."""
    active = fitted.counts.active
    if units.size and units.min() <= active:
        raise InputError(
            f"expected more units than the {active:.4g} that one sample activates, but got "
            f"{units.min()}"
        )
    tables = [
        make(fitted, samples, int(width), level).assign(
            samples=samples, units=width, assumption=assumption
        )
        for width in units
        for assumption, make in (("b fixed", _b_fixed), ("bN fixed", _mass_fixed))
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["samples", "units", "assumption", "expected", "lower", "upper"]]


def _b_fixed(
    fitted: FittedLaw, samples: NDArray[np.int64], width: int, level: float
) -> pd.DataFrame:
    """(W1): the share that works is that of the layer counted after D N/M samples."""
    there = samples * (fitted.counts.units / width)
    below, above = (
        _shares(fitted, np.maximum(end(there), 1).astype(np.int64), level)
        for end in (np.floor, np.ceil)
    )
    part = there - np.floor(there)
    shares = (below * (1 - part) + above * part) * np.minimum(there, 1)  # below one sample K is c D
    return _of_new_layer(fitted, shares, width, level)


def _mass_fixed(
    fitted: FittedLaw, samples: NDArray[np.int64], width: int, level: float
) -> pd.DataFrame:
    """(W2)"""
    idle = 1 - _shares(fitted, samples, level)
    return _of_new_layer(fitted, 1 - idle ** (fitted.counts.units / width), width, level)


def _shares(fitted: FittedLaw, samples: NDArray[np.int64], level: float) -> Floats:
    """Share of units that work, expected, lower and upper, in a layer like the one counted; (3, n).

    The layer counted is itself one draw, which counts within it do not show.
    """
    told, n = fitted.forecast(samples, level), fitted.counts.units
    expected, lower, upper = (
        logit(np.clip(told[name] / n, 0.5 / n, 1 - 0.5 / n)) for name in BOUNDS
    )
    share = expit(expected)
    of_units = norm.ppf((1 + level) / 2) ** 2 * fitted.seen.dispersion / (n * share * (1 - share))
    down, up = (np.sqrt(reach**2 + of_units) for reach in (expected - lower, upper - expected))
    return expit(np.array([expected, expected - down, expected + up]))


def _of_new_layer(fitted: FittedLaw, shares: Floats, width: int, level: float) -> pd.DataFrame:
    """Numbers of units for shares that are expected, lower and upper, with the chance of the new
    layer.
    """
    share, lower, upper = np.clip(shares, 1e-300, 1 - 1e-12)
    variance = ((logit(upper) - logit(lower)) / (2 * norm.ppf((1 + level) / 2))) ** 2
    bounds = count_interval(width, share, variance, dispersion=fitted.seen.dispersion, level=level)
    return pd.DataFrame(dict(zip(BOUNDS, (width * share, *bounds), strict=True)))
