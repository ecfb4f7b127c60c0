"""b from estimating equations (M-estimation, Huber 1964): estimated in several ways from the same
units, with the influence of each unit on each estimate.

If the law holds, all of them estimate the same b, and their differences are chance. Each solves one
equation in b, with c as it was counted.

    (EB1) accumulation curve: Σ_d g(d) (K(d) − N (1 − B(b, β + d)/B(b, β))) = 0 over a grid of d, K
          rarefied, g = ∂K/∂ln b at the law
    (EB2) first activations: the likelihood of a hazard b/(d + D*) = cb/(cd + bN), censored at D
          [derived]
    (EB3) blocks: the likelihood of the number j of B blocks of m samples in which a unit was seen,
          P(j) = ∫ C(B, j) q^j (1 − q)^(B−j) dBeta(p; b, β),  q = 1 − (1 − p)^m  [derived]
    (EB4) units that begin to work together add Σ_j (x_j − x_{j−1})²/2 − Σ_j Var(x_j) to the
          variance of the score of (EB2), with x_j the newly working units in bin j of log d less
          those expected; a misfit that varies slowly adds nothing  [derived]

(EB3) is exact under the law, as (4) is: the same rates, seen in coarser samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaln as log_beta

from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import NO_BLOCKS, Inconclusive
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.counts.rarefaction import working_in_part
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.arrays import Floats
from actilaw.support.numerics import central_difference
from actilaw.theory.beta_binomial import log_idle
from actilaw.theory.log_gamma import log_binomial

LOG_B_BRACKETS = (0.7, 5.0)  # e-folds of b to either side, the near one tried first
LIKELIHOOD_STEP = 1e-3  # of ln b, for slopes of log-likelihoods
EQUATION_STEP = 1e-2  # of ln b and ln(c/N), for slopes of those slopes
CURVE_POINTS = 24
WAITING_TIME_BINS = 80
LOG_ODDS_INTEGRAL_STEP = 0.05
# Takes ln b and ln(c/N), returns the contribution of each unit to a sum; (n_units,).
UnitTerms = Callable[[float, float], Floats]


@dataclass(frozen=True, eq=False)
class Estimate:
    """One estimate of b.

    Attributes:
        source: what it was made from.
        log_b: its logarithm.
        influence: of each unit on log_b; (n_units,); 0 where it is from elsewhere.
        independent_variance: variance of log_b that does not come from which units there are.
    """

    source: str
    log_b: float
    influence: Floats
    independent_variance: float = 0.0


def b_from_counts(layer: FittedLayer) -> Estimate:
    """By the likelihood of the counts."""
    return Estimate("counts", float(np.log(layer.law.b)), layer.log_b_influence)


def b_from_accumulation_curve(layer: FittedLayer) -> Estimate:
    """By weighted least squares of the law's curve to the rarefied one, (EB1).

    Raises:
        Inconclusive: if no b solves the equation.
    """
    k, of_unit, _ = layer.distinct
    samples = layer.counts.samples
    d = np.unique(np.geomspace(1, samples, CURVE_POINTS).round())
    rarefied = working_in_part(k[:, np.newaxis], samples, d)

    def working(log_b: float, log_rate: float) -> Floats:
        return -np.expm1(log_idle(d, *_parameters(log_b, log_rate)))

    weights = _slope_in_log_b(working)(np.log(layer.law.b), np.log(layer.rate))

    def residuals(log_b: float, log_rate: float) -> Floats:
        return ((rarefied - working(log_b, log_rate)) @ weights)[of_unit]

    return _solved(layer, "the accumulation curve", residuals)


def b_from_first_activations(layer: FittedLayer) -> Estimate:
    """By the likelihood of the samples before each unit's first activation, (EB2).

    Raises:
        Inconclusive: if first activations were not recorded, or no b solves the equation.
    """
    idle_samples = _samples_before_first(layer.counts)
    fired, samples = layer.counts.counts > 0, layer.counts.samples
    waited = np.where(fired, idle_samples, samples)

    def log_likelihood(log_b: float, log_rate: float) -> Floats:
        knee = np.exp(log_b) / np.exp(log_rate)
        log_hazard = np.where(fired, log_b - np.log(waited + knee), 0.0)
        return log_hazard + log_idle(waited, *_parameters(log_b, log_rate))

    estimate = _solved(layer, "first activations", _slope_in_log_b(log_likelihood))
    added = _overdispersion_of_newly_working(layer, idle_samples[fired], estimate.log_b)
    return replace(estimate, independent_variance=added)


def b_from_blocks(layer: FittedLayer) -> Estimate:
    """By the likelihood of the number of blocks in which a unit was seen, (EB3), over the blocks
    that are full.

    Raises:
        Inconclusive: without blocks, if they say nothing, or if no b solves the equation.
    """
    blocks = layer.counts.blocks
    if blocks is None or len(blocks) < 2:
        raise Inconclusive(NO_BLOCKS)
    full = blocks.samples > 0.8 * np.median(blocks.samples)
    n_blocks, size = int(full.sum()), float(blocks.samples[full].mean())
    incidence = (blocks.counts[full] > 0).sum(axis=0)
    if size < 2:
        raise Inconclusive("a block is one sample")
    if not 0 < incidence.mean() < n_blocks:
        raise Inconclusive("units are seen in all blocks or in none")

    def log_pmf(log_b: float, log_rate: float) -> Floats:
        return block_log_pmf(n_blocks, size, *_parameters(log_b, log_rate))

    by_incidence = _slope_in_log_b(log_pmf)

    def scores(log_b: float, log_rate: float) -> Floats:
        return by_incidence(log_b, log_rate)[incidence]

    return _solved(layer, "blocks", scores)


def b_from_loss(layer: FittedLayer, loss: FittedLoss) -> Estimate:
    """As it was fitted to losses, which are independent of the counts.

    Raises:
        Inconclusive: if the form of the loss has no b, or the losses do not determine it.
    """
    if "b" not in loss.params:
        raise Inconclusive(f"the loss was fitted by {loss.form.name}, which has no b of its own")
    if "b" in loss.undetermined or not np.isfinite(loss.standard_errors["b"]):
        raise Inconclusive("the losses do not determine b")
    relative_error = loss.standard_errors["b"] / loss.params["b"]
    return Estimate(
        source="the loss",
        log_b=float(np.log(loss.params["b"])),
        influence=np.zeros(layer.counts.units),
        independent_variance=relative_error**2,
    )


def block_log_pmf(n_blocks: int, size: float, b: float, beta: float) -> Floats:
    """Log probability that a unit is active in j of n_blocks blocks of `size` samples, (EB3), for
    j = 0..n_blocks; (n_blocks + 1,).

    The integral is over the log odds of the rate, where its integrand is smooth, by the trapezoid
    rule; j = 0 is in closed form.
    """
    j = np.arange(1, n_blocks + 1)[:, np.newaxis]
    first, last = -np.log(size * n_blocks) - 14, 40 / max(beta, 0.5) + 2
    log_odds = np.arange(first, last, LOG_ODDS_INTEGRAL_STEP)
    log_not_p = -np.logaddexp(0, log_odds)  # ln(1 − p)
    log_prior = b * (log_odds + log_not_p) + beta * log_not_p - log_beta(b, beta)
    log_q = np.log(-np.expm1(size * log_not_p))
    log_ways = log_binomial(n_blocks, j)
    log_integrand = log_ways + j * log_q + (n_blocks - j) * size * log_not_p + log_prior
    in_some = np.exp(log_integrand).sum(axis=1) * LOG_ODDS_INTEGRAL_STEP
    log_in_none = log_idle(size * n_blocks, b, beta)
    return np.append(log_in_none, np.log(np.maximum(in_some, 1e-300)))


def _parameters(log_b: float, log_rate: float) -> tuple[float, float]:
    """b and β of the law with this b and rate c/N."""
    b = float(np.exp(log_b))
    return b, b * float(np.expm1(-log_rate))


def _slope_in_log_b(terms: UnitTerms) -> UnitTerms:
    """Slope of each term in ln b; of a log-likelihood, the score."""

    def slope(log_b: float, log_rate: float) -> Floats:
        return central_difference(lambda at: terms(at[0], log_rate), [log_b], LIKELIHOOD_STEP)[0]

    return slope


def _solved(layer: FittedLayer, source: str, terms: UnitTerms) -> Estimate:
    """The b at which the terms add up to 0, with the influence of each unit, (IF1).

    A unit moves b by its own term, and by moving c.
    """
    from scipy.optimize import brentq  # slow to import

    log_rate = float(np.log(layer.rate))

    def total(log_b: float) -> float:
        return float(terms(log_b, log_rate).sum())

    lower, upper = _bracket(total, float(np.log(layer.law.b)), source)
    log_b = float(brentq(total, lower, upper, xtol=1e-6))
    by_b, by_rate = central_difference(
        lambda at: terms(at[0], at[1]).sum(), [log_b, log_rate], EQUATION_STEP
    )
    influence = -(terms(log_b, log_rate) + by_rate * layer.log_rate_influence) / by_b
    return Estimate(source, log_b, influence)


def _bracket(total: Callable[[float], float], center: float, source: str) -> tuple[float, float]:
    """Two values of ln b around the center between which the sum changes its sign."""
    for distance in LOG_B_BRACKETS:
        lower, upper = center - distance, center + distance
        if total(lower) * total(upper) < 0:
            return lower, upper
    raise Inconclusive(f"no b accounts for {source}")


def _overdispersion_of_newly_working(
    layer: FittedLayer, idle_samples: Floats, log_b: float
) -> float:
    """What units that begin to work together add to the variance of ln b from (EB2), by (EB4); 0
    where each begins by itself.

    Args:
        layer: the layer under test.
        idle_samples: samples before the first activation of each working unit; (working,).
        log_b: the estimate.
    """
    samples, units = layer.counts.samples, layer.counts.units
    b, beta = _parameters(log_b, np.log(layer.rate))
    edges = np.unique(np.geomspace(1, samples, WAITING_TIME_BINS).round())
    starts, ends = edges - 1, np.append(edges[1:] - 1, samples)
    newly_working = np.histogram(idle_samples + 1, np.append(edges, samples + 1))[0].astype(float)
    idle = units - np.append(0, np.cumsum(newly_working)[:-1])
    probability = -np.expm1(np.diff(log_idle(np.append(starts, samples), b, beta)))
    middles = (starts + ends) / 2
    weight = middles / (middles + b / layer.rate)  # slope of the log hazard in ln b
    excess = weight * (newly_working - idle * probability)
    independent = np.sum(weight**2 * idle * probability * (1 - probability))
    clustered = np.sum(np.diff(excess, prepend=0.0, append=0.0) ** 2) / 2
    return float(max(0.0, clustered - independent) / independent**2)


def _samples_before_first(counts: ActivationCounts) -> Floats:
    """Samples before the first activation of each unit, from the entry in which it fell; 0 or
    so, and of no meaning, for idle units; (n_units,).

    Entries are not samples where positions count, or with a mask; blocks say how many samples their
    entries hold, and within a block they are taken as evenly spread.
    """
    if counts.first is None:
        raise Inconclusive("record first activations")
    last = counts.samples - 1
    if counts.blocks is None:
        samples_per_entry = counts.samples / (counts.entries or counts.samples)
        return np.asarray(np.clip(counts.first * samples_per_entry, 0, last), float)
    blocks, first = counts.blocks, np.maximum(counts.first, 0)
    block = first // blocks.size
    fraction = (first - block * blocks.size) / _entries_per_block(counts, blocks)[block]
    before = np.append(0, np.cumsum(blocks.samples))[block]
    return np.asarray(np.clip(before + fraction * blocks.samples[block], 0, last), float)


def _entries_per_block(counts: ActivationCounts, blocks: Blocks) -> Floats:
    """`size` in all blocks but the last, which may be cut short; (n_blocks,)."""
    entries = np.full(len(blocks), float(blocks.size))
    if counts.entries is not None and counts.entries <= len(blocks) * blocks.size:
        entries[-1] = counts.entries - (len(blocks) - 1) * blocks.size
    elif counts.per == "sample" and blocks.samples[-1] < blocks.size:
        entries[-1] = max(blocks.samples[-1], 1)
    return entries
