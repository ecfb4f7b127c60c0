"""Back-testing (hindcasting) of forecasts: fit the first part of a recording, forecast all of it,
and compare with what all of it showed.

This is the one definition of "fit the early part and compare"; the report, the demo and the checks
use it too. It scores the rate density that `fit(counts)` forecasts from, every family in closed
form, and the extrapolations of other fields (baselines.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.backtesting.baselines import BASELINES
from actilaw.counts.activation_counts import ActivationCounts, require_one_layer
from actilaw.errors import CountsError, InputError
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.fit import fit
from actilaw.forecasting.hindcast import BacktestResult, compare, hindcast
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.progress import Progress, told
from actilaw.support.validation import fraction, one_fraction

RATE_DENSITY = "rate_density"  # what `fit(counts)` forecasts from
METHODS = (RATE_DENSITY, *FAMILIES, *BASELINES)
EARLY_SHARES = (1 / 30, 1 / 10, 1 / 3)
REPORTED_EARLY_SHARE = 0.1  # the report and the demo forecast from it


@one_blas_thread()
def backtest(
    counts: ActivationCounts,
    *,
    parts: ArrayLike = EARLY_SHARES,
    methods: Iterable[str] = METHODS,
    level: float = 0.95,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Forecasts from the first part of the samples beside what all of them showed, by every method.

    The parts are made of whole blocks in the order recorded; without blocks they are drawn at
    random from all samples, always in the same way, which hides any drift.

    Args:
        counts: of one layer.
        parts: shares of the samples to forecast from, in (0, 1); the nearest number of blocks is
            taken.
        methods: "rate_density", what `fit(counts)` forecasts from; families of `fit`; "chao2",
            "good_toulmin" and "persistence", which have no interval.
        level: of the intervals.
        progress: called after each forecast with how many are done, and how many there are.

    Returns:
        A row per part and method: columns from_samples, samples, method, expected, lower, upper,
        counted, newly_working, missed (error as a share of the newly working units; 1 is no better
        than "persistence"), inside. What a method refuses to forecast is missing.

    Raises:
        InputError: if `counts` are not those of one layer, a method is unknown, there is no method
            or no part, or a part or the level is not in (0, 1).
        CountsError: if no method can forecast from any of the parts.
    """
    require_one_layer(counts)
    one_fraction("level", level)
    methods = (methods,) if isinstance(methods, str) else tuple(methods)
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise InputError(
            f"expected methods among {', '.join(METHODS)}, but got {', '.join(unknown)}"
        )
    if not methods or np.size(parts) == 0:
        raise InputError("expected at least one method and one part, but got none")
    rows, refusal = [], "no part of them is shorter than all"
    forecasts = list(product(early_parts(counts, parts), methods))
    for early, method in told(forecasts, progress):
        try:
            result = backtest_from(early, counts, method, level=level)
        except CountsError as error:
            refusal = str(error)
        else:
            rows.append(_row(method, result))
    if not rows:
        raise CountsError(
            f"no early part of these {counts.samples} samples can be forecast from ({refusal}): "
            "record more, or take larger parts"
        )
    return pd.DataFrame(rows)


def backtest_from(
    early: ActivationCounts, counts: ActivationCounts, method: str, *, level: float = 0.95
) -> BacktestResult:
    """The forecast that one of METHODS makes from `early`, compared with `counts`, of which `early`
    is the first part.

    Raises:
        CountsError: if the method refuses the early counts.
    """
    if method in BASELINES:
        expected = float(BASELINES[method](early, np.array([counts.samples], float))[0])
        return hindcast(early, counts, expected, np.nan, np.nan)
    family = None if method == RATE_DENSITY else method
    early_fit = fit(early, family, allow_nonfinite=True)
    return compare(early_fit.forecaster, counts, level=level)


def early_parts(counts: ActivationCounts, parts: ArrayLike) -> list[ActivationCounts]:
    """The first of the samples, as `backtest` takes them: shortest first, each once, never all of
    them.

    Args:
        counts: of one layer.
        parts: shares of the samples, in (0, 1); one, or (n,).
    """
    shares = [float(part) for part in np.atleast_1d(fraction("parts", parts))]
    if counts.blocks is None:
        sizes = sorted({max(2, round(share * counts.samples)) for share in shares})
        return [_thinned(counts, size) for size in sizes if size < counts.samples]
    blocks = counts.blocks.samples
    lengths = sorted({max(1, round(share * len(blocks))) for share in shares})
    return [
        counts.prefix(length)
        for length in lengths
        if length < len(blocks) and blocks[:length].sum() > 0
    ]


def _row(method: str, result: BacktestResult) -> dict[str, object]:
    """One row of the table of `backtest`, its columns in order."""
    row: dict[str, object] = asdict(result)
    leading = {"from_samples": result.from_samples, "samples": result.samples, "method": method}
    scores = {
        "missed": result.missed,
        "inside": result.inside if np.isfinite(result.lower) else None,
    }
    return leading | row | scores


def _thinned(counts: ActivationCounts, samples: int) -> ActivationCounts:
    """Counts in `samples` of the samples, unit by unit at random."""
    rng, k = np.random.default_rng(0), counts.counts
    if counts.samples < 10**9:
        taken = rng.hypergeometric(k, counts.samples - k, samples)
    else:  # NumPy's hypergeometric ends there, and the two no longer differ
        taken = np.minimum(rng.binomial(k, samples / counts.samples), samples)
    return ActivationCounts(
        taken, samples, per=counts.per, criterion=counts.criterion, regime=counts.regime
    )
