"""Weighted nonlinear least squares of next activations on counts so far: test (a), is the next
activation proportional to D_i + b? And test (c), is the exponent between 0 and 1?

Regressing on the observed count, not on a rate estimated from it, leaves no error in the variable.
The theory says γ = 1, exactly and whatever k_i: units not seen so far, k_i = 0, count like all
others. Errors are those of HC3, the jackknife's approximation that holds whatever the variances are
(MacKinnon & White 1985); b is that of all counts, and its error is carried along.

    (RK1) E[y_i | k_i] = a (k_i + b)^γ, with k_i activations in the first half of the blocks and y_i
          in the rest
    (RK2) Var[y | k] = m μ (1 − μ) (1 + (m − 1)/(n + D* + 1)), μ = (k + b)/(n + D*), for the y of m
          samples that follow the k of n: a beta-binomial law  [derived]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.backtesting.backtest import early_parts
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import (
    DEVIATES,
    HOLDS,
    INCONCLUSIVE,
    NO_BLOCKS,
    Claim,
    Inconclusive,
    TestResult,
)
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats
from actilaw.support.numerics import log_grid
from actilaw.theory import ActivationLaw

REINFORCEMENT = Claim(
    test="reinforcement",
    formula="(1)",
    statistic="exponent gamma of next activations against count + b; n units",
    expected="1",
)
ALPHA = Claim(
    test="alpha",
    formula="(7)",
    statistic="alpha, exponent of the law of counts; n units",
    expected="between 0 and 1",
)
GAUSS_NEWTON_STEPS = 50
GAUSS_NEWTON_TOLERANCE = 1e-8  # of ln a and γ
LONGEST_GAUSS_NEWTON_STEP = 1.0  # of ln a and γ: a mean of this shape overflows easily
KERNEL_BINS = 24  # of counts above 0, equally wide in their logarithm


@dataclass(frozen=True, eq=False)
class Halves:
    """Activations of each unit in the two halves of the blocks, and their variance by the law.

    Attributes:
        log_weight: ln(k + b), k the activations in the first half; (n_units,).
        y: activations in the second half; (n_units,).
        variance: of y given k, (RK2); (n_units,).
        start: ln a of (RK1) if the law holds.
    """

    log_weight: Floats
    y: Floats
    variance: Floats
    start: float

    @property
    def terms(self) -> Floats:
        """What ln a and γ multiply in the logarithm of the mean (RK1); (2, n_units)."""
        return np.stack([np.ones(self.y.size), self.log_weight])

    def mean(self, parameters: Floats) -> Floats:
        """(RK1) at (ln a, γ); (n_units,)."""
        return np.exp(np.clip(parameters @ self.terms, -50, 50))


@dataclass(frozen=True, eq=False)
class ReinforcementKernel:
    """How often units fire next, given how often they have fired: the kernel that (1) says is
    proportional to D_i + b, measured.

    Attributes:
        count: mean activations in the first half of the samples, of the units in each bin; the
            first bin is of count 0 where there are such units; (n_bins,).
        chance: share of the later samples that activated one of these units, in 0..1; (n_bins,).
        error: its standard error, from the scatter over units; NaN of a single one; (n_bins,).
        units: number of units in each bin; (n_bins,).
        samples: in the first half.
        in_order: whether the halves are those of the recording; else units were drawn into them at
            random, which hides any drift.
    """

    count: Floats
    chance: Floats
    error: Floats
    units: Floats
    samples: int
    in_order: bool

    def by_law(self, law: ActivationLaw) -> Floats:
        """(1) at these counts: (D_i + b)/(D + D*), in 0..1; (n_bins,)."""
        return (self.count + law.b) / (self.samples + law.knee)


def reinforcement_kernel(counts: ActivationCounts) -> ReinforcementKernel | None:
    """The chance of firing next by the count so far, in bins of counts; None of too few samples.

    The count is that of the first half of the blocks, the chance that of the rest. Without blocks
    the halves are drawn at random.
    """
    parts = early_parts(counts, 0.5)
    if not parts or parts[0].samples == counts.samples:
        return None
    k, n = parts[0].counts, parts[0].samples
    chances = (counts.counts - k) / (counts.samples - n)
    # Count 0 has a bin of its own, below the first edge.
    bins = np.searchsorted(log_grid(1, n + 1, KERNEL_BINS), k, side="right")
    units = np.bincount(bins).astype(float)
    some = units > 0
    units = units[some]
    chance = np.bincount(bins, chances)[some] / units
    squares = np.bincount(bins, chances**2)[some] / units - chance**2
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.maximum(squares, 0) / (units - 1))
    return ReinforcementKernel(
        count=np.bincount(bins, k)[some] / units,
        chance=chance,
        error=np.where(units > 1, error, np.nan),
        units=units,
        samples=n,
        in_order=counts.blocks is not None,
    )


def next_activations(layer: FittedLayer) -> TestResult:
    """Exponent of the next activations of a unit against its count so far, (RK1).

    Raises:
        Inconclusive: without blocks, or if their halves do not determine the exponent.
    """
    halves = _halves(layer)
    try:
        parameters = _weighted_least_squares(halves)
        influence = _influence_on_gamma(layer, halves, parameters)
    except np.linalg.LinAlgError:
        raise Inconclusive("these counts do not determine the exponent") from None
    gamma = float(parameters[1])
    margin = layer.z * layer.standard_error(influence)
    return REINFORCEMENT.compared(
        gamma,
        gamma - margin,
        gamma + margin,
        n=layer.counts.units,
        against=1.0,
        size=f"{gamma - 1:+.3f} in the exponent",
    )


def alpha(layer: FittedLayer) -> TestResult:
    """alpha = 1 − b beside the claim that it lies between 0 and 1; b > 0 in any law, so only alpha
    < 0 can refute it.
    """
    b, error = layer.law.b, layer.fitted.standard_errors["b"]
    factor = np.exp(min(layer.z * error / b, 100.0))  # symmetric in ln b
    low, high = 1 - b * factor, 1 - b / factor
    if low > 0:
        verdict = HOLDS
    elif high < 0:
        verdict = f"{DEVIATES} {1 - b:+.3f} below 0"
    else:
        verdict = f"{INCONCLUSIVE} the interval covers 0"
    return ALPHA.result(1 - b, low, high, n=layer.counts.units, verdict=verdict)


def _halves(layer: FittedLayer) -> Halves:
    blocks, law = layer.counts.blocks, layer.law
    if blocks is None or len(blocks) < 2:
        raise Inconclusive(NO_BLOCKS)
    half = len(blocks) // 2
    k, y = blocks.counts[:half].sum(axis=0), blocks.counts[half:].sum(axis=0)
    n, m = float(blocks.samples[:half].sum()), float(blocks.samples[half:].sum())
    if n == 0 or m == 0 or np.unique(k).size < 3 or not y.any():
        raise Inconclusive("fewer than 3 different counts in the first half of the blocks")
    return Halves(
        log_weight=np.log(k + law.b),
        y=y.astype(float),
        variance=_predictive_variance(law, k.astype(float), n, m),
        start=float(np.log(m / (n + law.knee))),
    )


def _predictive_variance(law: ActivationLaw, k: Floats, n: float, m: float) -> Floats:
    """(RK2)."""
    mean_rate = (k + law.b) / (n + law.knee)
    return m * mean_rate * (1 - mean_rate) * (1 + (m - 1) / (n + law.knee + 1))


def _weighted_least_squares(halves: Halves) -> Floats:
    """(ln a, γ) of (RK1) with the weights 1/variance, by Gauss-Newton steps of limited length.

    Counts that no power fits let γ grow without end, so running out of steps is the answer there.
    """
    parameters = np.array([halves.start, 1.0])
    for _ in range(GAUSS_NEWTON_STEPS):
        scores, information = _scores_and_information(halves, parameters)
        step = np.linalg.solve(information, scores.sum(axis=1))
        limit = LONGEST_GAUSS_NEWTON_STEP
        parameters = parameters + np.clip(step, -limit, limit)
        if np.abs(step).max() < GAUSS_NEWTON_TOLERANCE:
            return parameters
    raise Inconclusive("no power of the counts fits the next activations")


def _scores_and_information(halves: Halves, parameters: Floats) -> tuple[Floats, Floats]:
    """Contribution of each unit to the normal equations, (2, n_units), and their matrix, (2, 2)."""
    mean = halves.mean(parameters)
    gradient = halves.terms * mean
    scores = gradient / halves.variance * (halves.y - mean)
    return scores, gradient / halves.variance @ gradient.T


def _influence_on_gamma(layer: FittedLayer, halves: Halves, parameters: Floats) -> Floats:
    """Influence of each unit on γ, (IF1): through its own y, and through b; (n_units,)."""
    scores, information = _scores_and_information(halves, parameters)
    left_out = scores / (1 - _leverage(halves, parameters, information))  # HC3
    through_b = np.outer(_slope_in_log_b(layer, halves, parameters), layer.log_b_influence)
    return np.linalg.solve(information, left_out + through_b)[1]


def _leverage(halves: Halves, parameters: Floats, information: Floats) -> Floats:
    """Diagonal of the hat matrix: how far each unit pulls its own fitted value; (n_units,)."""
    gradient = halves.terms * halves.mean(parameters)
    return np.sum(gradient * np.linalg.solve(information, gradient), axis=0) / halves.variance


def _slope_in_log_b(layer: FittedLayer, halves: Halves, parameters: Floats) -> Floats:
    """Slope of the normal equations in ln b, to leading order; (2,).

    Only the mean is differentiated: the residuals, which the other terms are multiplied by, have
    expectation 0.
    """
    mean = halves.mean(parameters)
    gradient = halves.terms * mean
    mean_slope = mean * parameters[1] * layer.law.b / np.exp(halves.log_weight)
    return -(gradient / halves.variance) @ mean_slope
