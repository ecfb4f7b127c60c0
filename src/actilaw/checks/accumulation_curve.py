"""A back-test of one forecast, test (d), and the inflection of the accumulation curve by inversion
of a test (Neyman 1937), test (e): is K steepest against log D at N/c?

For (e) the slope of K comes from the counts alone, by rarefaction. Its top is flat, so a chord of
fixed width is moved until both of its ends are equally high, and its middle, not the highest point,
is taken for the top. The interval holds every middle at which the two heights differ by no more
than their error. N/c is where the mean field (6) is steepest; the balanced chord of the exact law
(5) lies a little off, and that known distance is subtracted. Estimates of c and b come from the
same units as the chord, so the influences of a unit on all three are added, then squared.

    (AC1) slope of K in ln d, averaged over orders of the samples: s(d) = d (K(d + 1) − K(d)), K
          rarefied, = Σ_i d D_i/(D − d) · C(D − D_i, d)/C(D, d)  [derived]
    (AC2) its top lies in the middle x of the chord with Σ_i r_i(x) = 0, r_i(x) = s_i(x + w) − s_i(x
          − w), w = 0.6; the interval holds every x at which Σ r_i is within its own error of 0
"""

from __future__ import annotations

import numpy as np

from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import NO_BLOCKS, Claim, Inconclusive, TestResult, percent
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.rarefaction import idle_in_part
from actilaw.errors import CountsError
from actilaw.fitting.delta_method import ClosedFormRates
from actilaw.fitting.fit import fit
from actilaw.forecasting.forecaster import Forecaster
from actilaw.forecasting.hindcast import BacktestResult, compare
from actilaw.forecasting.incidence import incidence_frequencies
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import central_difference
from actilaw.theory.beta_binomial import log_idle

BACKTEST = Claim(
    test="backtest",
    formula="(5)",
    statistic="error of the law's forecast of K from the first tenth, over the n newly working "
    "units",
    expected="0",
)
INFLECTION = Claim(
    test="inflection",
    formula="(9)",
    statistic="samples at which K grows fastest in log D, over N/c; n units",
    expected="1",
)
LEAST_BLOCKS_TO_FORECAST = 8
LOG_SAMPLES_STEP = 0.05  # of the grid of ln d
HALF_CHORD = 0.6  # in ln d, w of (AC2)
HALF_CHORD_STEPS = round(HALF_CHORD / LOG_SAMPLES_STEP)
LEAST_INFLECTION = 10.0  # in samples; (9) is of the mean field, which is no curve in whole samples
LOG_B_STEP_OF_BIAS = 0.1


def forecast_from_first_tenth(layer: FittedLayer) -> TestResult:
    """The law's forecast from the first tenth of the blocks beside the count, as a share of the
    units that began to work in between.

    Raises:
        Inconclusive: without enough blocks, or if the first tenth does not determine a law.
    """
    counts = layer.counts
    if counts.blocks is None or len(counts.blocks) < LEAST_BLOCKS_TO_FORECAST:
        raise Inconclusive(NO_BLOCKS)
    first = max(1, round(len(counts.blocks) / 10))
    if counts.blocks.samples[:first].sum() == 0:
        raise Inconclusive("the first tenth of the blocks has no samples")
    early = counts.prefix(first)
    if counts.working == early.working or early.samples == counts.samples:
        raise Inconclusive("no unit began to work after the first tenth")
    found = _backtest(layer, early)

    def error(forecast: float) -> float:
        return (forecast - found.counted) / found.newly_working

    estimate = error(found.expected)
    return BACKTEST.compared(
        estimate,
        error(found.lower),
        error(found.upper),
        n=found.newly_working,
        against=0.0,
        size=f"{estimate:+.0%} of the newly working units",
    )


def inflection(layer: FittedLayer) -> TestResult:
    """Where the accumulation curve is steepest in ln d, (AC2), over N/c.

    Raises:
        Inconclusive: if N/c is small, or the samples do not reach far enough beyond it.
    """
    claimed = layer.counts.units / layer.counts.active
    _require_enough_samples(claimed, layer.counts.samples)
    log_d = np.arange(0.0, np.log(0.9 * layer.counts.samples), LOG_SAMPLES_STEP)
    unit_slopes = _unit_slopes(layer.distinct.k, layer.counts.samples, np.exp(log_d))
    top = _balanced_chord(layer.distinct.units @ unit_slopes)
    if top is None:
        raise Inconclusive("K is steepest at the end of what was recorded")
    rises, errors = _chords(layer, unit_slopes, log_d)
    lower, upper = _interval_by_inversion(rises, layer.z * errors, top)
    bias = _distance_from_mean_field(layer, np.log(layer.law.b), log_d)

    def over_claimed(chord: float) -> float:
        return float(np.exp(chord * LOG_SAMPLES_STEP + HALF_CHORD - bias) / claimed)

    ratio = over_claimed(top)
    return INFLECTION.compared(
        ratio,
        over_claimed(lower),
        over_claimed(upper),
        n=layer.counts.units,
        against=1.0,
        size=percent(ratio),
    )


def _backtest(layer: FittedLayer, early: ActivationCounts) -> BacktestResult:
    """The forecast of the law fitted to the first samples, beside all of them.

    The few blocks of the first samples say little about what units share by seeing the same
    samples, so all blocks are asked, and their variance is taken over to the fewer samples.
    """
    try:
        fitted = fit(early, "law", allow_nonfinite=True)
    except CountsError as error:
        raise Inconclusive(f"of the first tenth, {error}") from error
    shared = layer.clustered_covariance - layer.independent_covariance
    closed_form = fitted.closed_form
    rates = ClosedFormRates(
        closed_form=closed_form,
        covariance_of_parameters=(
            closed_form.covariance + shared * (layer.counts.samples / early.samples)
        ),
        samples=early.samples,
    )
    forecaster = Forecaster(
        counts=early, incidence=incidence_frequencies(layer.counts), rates=rates
    )
    return compare(forecaster, layer.counts, level=layer.level)


def _require_enough_samples(claimed: float, samples: int) -> None:
    if claimed < LEAST_INFLECTION:
        raise Inconclusive(f"N/c is {claimed:.3g} samples, and the claim is of many")
    if samples < 3 * claimed:
        raise Inconclusive(
            f"{samples:,} samples are fewer than 3 N/c = {3 * claimed:,.0f}: record more"
        )


def _unit_slopes(k: Ints, samples: int, d: Floats) -> Floats:
    """s_i(d) of (AC1) for distinct counts k; (n_distinct, n_d)."""
    k = k[:, np.newaxis]
    return d * k / (samples - d) * idle_in_part(k, samples, d)


def _chord_rises(curves: Floats) -> Floats:
    """Right end less left end of the chord that starts at each point of the grid, along the last
    axis.
    """
    return curves[..., 2 * HALF_CHORD_STEPS :] - curves[..., : -2 * HALF_CHORD_STEPS]


def _balanced_chord(curve: Floats) -> float | None:
    """Where the chord starts whose ends are equally high, nearest to the top of the curve; in steps
    of the grid, or None if there is no such chord.
    """
    if curve.size < 4 * HALF_CHORD_STEPS:
        return None
    rises = _chord_rises(curve)
    turns = np.flatnonzero((rises[:-1] > 0) & (rises[1:] <= 0))
    if turns.size == 0:
        return None
    from_top = np.abs(turns + HALF_CHORD_STEPS - curve.argmax())
    return _zero_between(rises, turns[from_top.argmin()])


def _chords(layer: FittedLayer, unit_slopes: Floats, log_d: Floats) -> tuple[Floats, Floats]:
    """Σ_i r_i of (AC2) for the chord that starts at each point of the grid, and its standard error;
    both (n_chords,).

    A unit contributes by its own slope, and by how it moves the place that the top is compared
    with: moving that place by a little is moving along Σ r_i.
    """
    _, of_unit, units = layer.distinct
    unit_rises = _chord_rises(unit_slopes)
    rises = units @ unit_rises
    place = np.bincount(of_unit, _influence_on_place(layer, log_d)) / units
    influence = unit_rises + np.outer(place, np.gradient(rises, LOG_SAMPLES_STEP))
    return rises, np.sqrt(layer.design_effect * units @ influence**2)


def _influence_on_place(layer: FittedLayer, log_d: Floats) -> Floats:
    """Influence of each unit on the ln d that the theory claims: through b of the bias, and through
    c of ln(N/c); (n_units,).
    """

    def bias(log_b: Floats) -> float:
        return _distance_from_mean_field(layer, float(log_b[0]), log_d)

    slope = central_difference(bias, [np.log(layer.law.b)], LOG_B_STEP_OF_BIAS)[0]
    return slope * layer.log_b_influence - layer.log_rate_influence


def _distance_from_mean_field(layer: FittedLayer, log_b: float, log_d: Floats) -> float:
    """How far, in ln d, the balanced chord of the exact law (5) lies from N/c; 0 if it has none."""
    d, b = np.exp(log_d), float(np.exp(log_b))
    knee = b / layer.rate
    slope = d / (d + knee) * np.exp(log_idle(d, b, knee - b))
    chord = _balanced_chord(slope)
    if chord is None:
        return 0.0
    return float(chord * LOG_SAMPLES_STEP + HALF_CHORD + np.log(layer.rate))


def _interval_by_inversion(rises: Floats, margins: Floats, top: float) -> tuple[float, float]:
    """Bounds, in steps of the grid, of the chords around the top whose rise is within its margin of
    0: those that a test does not reject.

    The top, whose rise is 0, is one of the places compared, so that it lies within its bounds even
    where the chords on either side of it are rejected.
    """
    steps = np.arange(rises.size)
    above = np.searchsorted(steps, top)
    places = np.insert(steps.astype(float), above, top)
    slack = np.insert(margins - np.abs(rises), above, np.interp(top, steps, margins))

    rejected = np.flatnonzero(slack < 0)
    before, after = rejected[rejected < above], rejected[rejected > above]
    if not before.size or not after.size:
        raise Inconclusive(
            "the place where K is steepest cannot be distinguished from the ends of what was "
            "recorded"
        )
    ends = [_zero_between(slack, before[-1]), _zero_between(slack, after[0] - 1)]
    lower, upper = np.interp(ends, np.arange(places.size), places)
    return float(lower), float(upper)


def _zero_between(curve: Floats, index: int) -> float:
    """Where the curve crosses 0 between this point and the next, in steps of the grid."""
    return float(index + curve[index] / (curve[index] - curve[index + 1]))
