"""(d) Would the law have forecast what was counted?  (e) Is K steepest against log D at N/c?

    (E1) slope of K in ln d, from the counts alone, averaged over orders of the samples:
         s(d) = Σ_i d D_i/(D − d) · C(D − D_i, d)/C(D, d)  [derived]
    (E2) its top lies in the middle x of the chord with Σ_i r_i(x) = 0, r_i(x) = s_i(x + w) − s_i(x
         − w), w = 0.6;
         the interval holds every x at which Σ r_i is within its own error of 0

(E1) is d (K(d + 1) − K(d)) with K the rarefied curve. The top is flat, so a chord finds it better
than its highest point does. How far the middle of the chord of the exact law (5) lies from N/c is
taken off; c is of the same units.
"""

from __future__ import annotations

import numpy as np

from actilaw.checks.fitted_layer import Layer
from actilaw.checks.result import NO_BLOCKS, Question, Row, percent
from actilaw.errors import CountsError
from actilaw.fitting.delta_method import ClosedFormRates
from actilaw.fitting.fit import fit
from actilaw.forecasting.forecaster import Forecaster
from actilaw.forecasting.incidence import incidence_frequencies
from actilaw.support.arrays import Floats, Ints
from actilaw.theory.beta_binomial import log_idle
from actilaw.theory.log_gamma import log_beta_ratio

BACKTEST = Question(
    "back-test",
    "(5)",
    "error of the law's forecast of K from the first tenth, over the n units that woke",
    "0",
)
INFLECTION = Question(
    "inflection", "(9)", "samples at which K grows fastest in log D, over N/c; n units", "1"
)
WIDE = 0.6  # half of the chord, in ln d
GRID = 0.05  # of ln d
FEWEST = 10.0  # (9) is of the mean field, which is no curve in whole samples below


def back_test(layer: Layer) -> Row:
    """The law's forecast from the first tenth of the blocks beside the count, with the chance of
    shared samples.
    """
    counts = layer.counts
    if counts.blocks is None or len(counts.blocks) < 8:
        return BACKTEST.untold(NO_BLOCKS)
    first = max(1, round(len(counts.blocks) / 10))
    if counts.blocks.samples[:first].sum() == 0:
        return BACKTEST.untold("the first tenth of the blocks has no samples")
    early = counts.prefix(first)
    newly_working = counts.working - early.working
    if newly_working == 0 or early.samples == counts.samples:
        return BACKTEST.untold("no unit woke after the first tenth")
    try:
        fitted = fit(early, "law", allow_nonfinite=True)
    except CountsError as error:
        return BACKTEST.untold(f"of the first tenth, {error}")
    closed_form, counted = fitted.closed_form, layer.fitted
    shared = counted.clustered_covariance - counted.closed_form.covariance
    forecaster = Forecaster(
        counts=early,
        incidence=incidence_frequencies(counts),
        rates=ClosedFormRates(
            closed_form=closed_form,
            covariance=closed_form.covariance + shared * counts.samples / early.samples,
            samples=early.samples,
        ),
    )
    told = forecaster.at(np.array([counts.samples]), layer.level).iloc[0]
    error, lower, upper = (
        (float(told[name]) - counts.working) / newly_working
        for name in ("expected", "lower", "upper")
    )
    return BACKTEST.measured(
        error, lower, upper, newly_working, against=0.0, size=f"{error:+.0%} of the units that woke"
    )


def inflection(layer: Layer) -> Row:
    """Where the rarefied curve is steepest, (E1), over N/c."""
    counts = layer.counts
    k, where, units = layer.distinct
    steepest = counts.units / counts.active
    if steepest < FEWEST:
        return INFLECTION.untold(f"N/c is {steepest:.3g} samples, and the claim is of many")
    if counts.samples < 3 * steepest:
        return INFLECTION.untold(
            f"{counts.samples:,} samples are fewer than 3 N/c = {3 * steepest:,.0f}: record more"
        )
    grid = np.arange(0.0, np.log(0.9 * counts.samples), GRID)
    slopes = _log_slope(k, counts.samples, np.exp(grid))
    at = _balanced(units @ slopes)
    if at is None:
        return INFLECTION.untold("K is steepest at the end of what was recorded")
    w = round(WIDE / GRID)
    rises = slopes[:, 2 * w :] - slopes[:, : -2 * w]
    total = units @ rises
    shift, up, down = (
        _laws_shift(layer, np.log(layer.law.b) + step, grid) for step in (0.0, 0.1, -0.1)
    )
    expected = (
        up - down
    ) / 0.2 * layer.log_b_influence - layer.log_rate_influence  # of each unit on N/c and the shift
    moved = np.bincount(where, expected) / units
    errors = np.sqrt(
        layer.design_effect * units @ (rises + np.outer(moved, np.gradient(total, GRID))) ** 2
    )
    slack = layer.reach * errors - np.abs(total)  # negative where a place is refuted
    low, high = (
        np.flatnonzero(slack[: int(at) + 1] < 0),
        int(at) + 1 + np.flatnonzero(slack[int(at) + 1 :] < 0),
    )
    if not low.size or not high.size:
        return INFLECTION.untold(
            "the point where K is steepest is not told from the ends of what was recorded"
        )
    starts = [_crossing(slack, low[-1]), at, _crossing(slack, high[0] - 1)]
    lower, ratio, upper = np.exp(np.array(starts) * GRID + WIDE - shift) / steepest
    return INFLECTION.measured(ratio, lower, upper, counts.units, against=1.0, size=percent(ratio))


def _laws_shift(layer: Layer, log_b: float, grid: Floats) -> float:
    """How far, in ln d, the same chord of the exact law (5) is balanced from N/c."""
    d, b = np.exp(grid), float(np.exp(log_b))
    knee = b / layer.rate
    at = _balanced(d / (d + knee) * np.exp(log_idle(d, b, knee - b)))
    return 0.0 if at is None else float(at * GRID + WIDE + np.log(layer.rate))


def _balanced(curve: Floats) -> float | None:
    """Where the chord starts that is balanced, (E2), nearest to the top of the curve; in steps of
    the grid, or None.
    """
    w = round(WIDE / GRID)
    if curve.size < 4 * w:
        return None
    rise = curve[2 * w :] - curve[: -2 * w]
    turns = np.flatnonzero((rise[:-1] > 0) & (rise[1:] <= 0))
    if turns.size == 0:
        return None
    at = turns[np.abs(turns + w - curve.argmax()).argmin()]
    return float(_crossing(rise, at))


def _crossing(curve: Floats, at: int) -> float:
    """Where the curve crosses 0 between the points `at` and `at` + 1, in steps of the grid."""
    return at + curve[at] / (curve[at] - curve[at + 1])


def _log_slope(k: Ints, samples: int, d: Floats) -> Floats:
    """s_i(d) of (E1) for distinct counts k; (n_distinct, n_d)."""
    left = samples - k[:, np.newaxis] - d
    idle = np.exp(log_beta_ratio(np.maximum(left, 0) + 1, d, k[:, np.newaxis]))
    return np.where(left < 0, 0.0, d * k[:, np.newaxis] / (samples - d) * idle)
