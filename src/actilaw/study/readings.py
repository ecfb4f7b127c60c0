"""What the claims are judged by: for every cell and layer of a study the fitted law, and what it
foretold from the first tenth of the samples.

A reading needs one fit and two back-tests, a second or so of a large layer; `Study.readings` keeps
them beside the cells.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from actilaw.backtesting.backtest import RATE_DENSITY, backtest_from, early_parts
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError
from actilaw.fitting.fit import fit
from actilaw.support.numerics import two_sided_z
from actilaw.theory import ActivationLaw

EARLY_SHARE = 0.1
LEVEL = 0.95
BACKTESTED = {
    "law": "law",
    "forecast": RATE_DENSITY,
}  # columns, and the method of each


def readings_of(census: Census) -> list[dict[str, Any]]:
    """A row for each layer of a cell.

    Columns task, width, samples, seed, layer; units N, counted D (samples that were counted),
    active c, working K; the losses and shares of `cells`; b, b_se, alpha and its interval;
    elasticity b c D/(c D + b N), the law's for the idle share in N; idle_by_law, the idle share by
    the fitted law; newly, how many units began to work after the first tenth of the samples; and
    for the law and for the rate density ("forecast") how far K foretold from that tenth was off:
    error, as a share of K, missed, as a share of the newly working units, and inside, 1 where the
    interval held K. What cannot be fitted is missing.
    """
    about = census.about
    cell = {name: about[name] for name in ("task", "width", "samples", "seed")}
    losses = {
        name: about.get(name, np.nan) for name in ("test_loss", "training_loss", "test_error")
    }
    rows = []
    for layer, removed in about["removal"].items():
        counts = census[layer]
        counted = {
            "layer": layer,
            "units": counts.units,
            "counted": counts.samples,
            "active": counts.active,
            "working": counts.working,
        }
        rows.append(cell | counted | losses | removed | _of_law(counts) | _of_forecasts(counts))
    return rows


def _of_law(counts: ActivationCounts) -> dict[str, float]:
    """The fitted law's figures; nothing where the counts allow no fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = fit(counts, "law", allow_nonfinite=True)
            b, b_se = fitted.params["b"], fitted.standard_errors["b"]
    except CountsError:
        return {}
    law = ActivationLaw(counts.units, min(counts.active, counts.units * (1 - 1e-9)), b)
    shown = counts.active * counts.samples
    reach = two_sided_z(LEVEL) * b_se
    return {
        "b": b,
        "b_se": b_se,
        "alpha": 1 - b,
        "alpha_lower": 1 - b - reach,
        "alpha_upper": 1 - b + reach,
        "elasticity": b * shown / (shown + b * counts.units),
        "idle_by_law": float(law.idle_fraction(counts.samples)),
    }


def _of_forecasts(counts: ActivationCounts) -> dict[str, float]:
    """How forecasts from the first tenth of the samples did; nothing where none can be made."""
    parts = early_parts(counts, EARLY_SHARE)
    if not parts:
        return {}
    found: dict[str, float] = {}
    for column, method in BACKTESTED.items():
        try:
            result = backtest_from(parts[0], counts, method, level=LEVEL)
        except CountsError:
            continue
        found |= {
            "newly": float(result.newly_working),
            f"{column}_error": result.expected / result.counted - 1,
            f"{column}_missed": result.missed,
            f"{column}_inside": float(result.inside),
        }
    return found
