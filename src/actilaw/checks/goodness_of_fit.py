"""A parametric bootstrap of the Kolmogorov-Smirnov distance (Babu & Rao 2004), and likelihood
ratios of laws that are not nested (Vuong 1989): test (b), do counts follow the law, and does
anything describe them better?

The distance of a fitted law from its counts has no table, because the fit has already come as close
as it can. So layers are drawn from the fitted law and fitted again, each by one step of Newton's
method, which is enough near the maximum. Likelihood ratios say what the alternative gains in nats
per unit, a size that does not grow with the number of units.

    (GF1) distance: the largest difference of the cumulative shares of units, counted and fitted
    (GF2) its distribution by chance: layers of N / design effect units, drawn from the fitted law
          and fitted again, θ* = θ + I⁻¹ score   (parametric bootstrap, linearised)
    (GF3) mean over units of ln P_law(D_i) − ln P_alternative(D_i), its error from its scatter over
          units   (Vuong 1989)
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv

from actilaw.checks.alternatives import ALTERNATIVES
from actilaw.checks.fitted_layer import LOG_PARAMETER_STEP, FittedLayer
from actilaw.checks.result import (
    DEVIATES,
    HOLDS,
    INCONCLUSIVE,
    Claim,
    Inconclusive,
    TestResult,
)
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.families.mixture import FittedFamily
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import central_difference
from actilaw.theory.beta_binomial import cdf, log_pmf

BOOTSTRAP_LAYERS = 499
EVEN_CUTS = 200
SMALL_COUNTS_CUT = 20  # each count below has a cell of its own
GOODNESS_OF_FIT = Claim(
    test="goodness_of_fit",
    formula="(4)",
    statistic="largest difference of cumulative shares, counted and fitted; n units",
    expected="0, beyond chance",
)
RICHER_FAMILIES = Claim(
    test="richer_families",
    formula="(4)",
    statistic="log-likelihood lost against the best family, nats per unit; n units",
    expected="0, beyond chance",
)


def distance_from_law(layer: FittedLayer) -> TestResult:
    """Share of units by which the counts leave the fitted law, (GF1), beside what chance does,
    (GF2).

    The interval is that of a largest difference: chance moves it by no more than its own quantile,
    either way.

    Raises:
        Inconclusive: with fewer than 4 different counts.
    """
    counts = layer.counts
    if layer.distinct.k.size < 4:
        raise Inconclusive("fewer than 4 different counts")
    cuts = _cuts(counts.counts)
    shares, slopes = _cell_shares(layer, cuts)
    counted = np.searchsorted(np.sort(counts.counts), cuts, side="right") / counts.units
    distance = float(np.abs(counted - np.cumsum(shares)[:-1]).max())
    by_chance = float(np.quantile(_bootstrap_distances(layer, shares, slopes), layer.level))
    return GOODNESS_OF_FIT.compared(
        distance,
        max(0.0, distance - by_chance),
        distance + by_chance,
        n=counts.units,
        against=0.0,
        size=f"{distance:.1%} of the units, {by_chance:.1%} by chance",
    )


def richer_families(layer: FittedLayer) -> TestResult:
    """Log-likelihood per unit that the law loses against the best of the closed forms by Akaike's
    criterion.

    Raises:
        Inconclusive: if no other family can be fitted.
    """
    counts, law = layer.counts, layer.likelihood_fit
    others = _other_families(layer)
    if not others:
        raise Inconclusive("no richer family could be fitted")
    best = min(others, key=lambda fitted: fitted.aic)
    k = layer.distinct.k
    difference = best.family.log_pmf(best.parameters, k, counts.samples) - _law_log_pmf(layer)
    lost, error = _mean_and_error(layer, difference)
    lost = max(0.0, lost)  # a family at its boundary is the law, but for rounding
    extra_parameters = max(1, len(best.parameters) - len(law.parameters))
    by_chance = _likelihood_ratio_by_chance(layer, extra_parameters, families=len(others))
    return RICHER_FAMILIES.compared(
        lost,
        max(0.0, lost - by_chance),
        lost + max(by_chance, layer.z * error),
        n=counts.units,
        against=0.0,
        size=f"{lost:.3g} nats per unit against {best.name}",
    )


def against_claim(alternative: str) -> Claim:
    """That the law describes counts at least as well as this one of ALTERNATIVES."""
    return Claim(
        test=f"against_{alternative}",
        formula="(4)",
        statistic="log-likelihood gained by the law, nats per unit; n units",
        expected="0 or more",
    )


def against(layer: FittedLayer, alternative: str) -> TestResult:
    """By how much the activation law describes counts better than a simple law that others would
    try, (GF3).
    """
    difference = _law_log_pmf(layer) - ALTERNATIVES[alternative](layer.counts)
    gained, error = _mean_and_error(layer, difference)
    lower, upper = gained - layer.z * error, gained + layer.z * error
    if upper < 0:
        name = alternative.replace("_", " ")
        verdict = f"{DEVIATES} {gained:.3g} nats per unit: {name} fits better"
    elif lower > 0:
        verdict = HOLDS
    else:
        verdict = f"{INCONCLUSIVE} the two describe these counts equally well"
    claim = against_claim(alternative)
    return claim.result(gained, lower, upper, n=layer.counts.units, verdict=verdict)


def _cuts(counts: Ints) -> Ints:
    """Where cumulative shares are compared: every small count, then counts that divide the units
    evenly.
    """
    even = np.quantile(counts, np.linspace(0, 1, EVEN_CUTS), method="lower")
    small = np.arange(min(SMALL_COUNTS_CUT, counts.max()))
    cuts = np.unique(np.append(even, small))
    return cuts[cuts < counts.max()].astype(np.int64)


def _cell_shares(layer: FittedLayer, cuts: Ints) -> tuple[Floats, Floats]:
    """Shares of units between cuts by the law, (n_cells,), and their slopes in the logarithms of b
    and β, (n_cells, 2).
    """

    def shares(log_parameters: Floats) -> Floats:
        b, beta = np.exp(log_parameters)
        cumulative = cdf(cuts, layer.counts.samples, float(b), float(beta))
        return np.diff(cumulative, prepend=0.0, append=1.0)

    fitted = np.log([layer.law.b, layer.law.beta])
    slopes = central_difference(shares, fitted, LOG_PARAMETER_STEP).T
    positive = np.maximum(shares(fitted), 0)
    return positive / positive.sum(), slopes


def _bootstrap_distances(layer: FittedLayer, shares: Floats, slopes: Floats) -> Floats:
    """(GF1) of layers drawn from the law and fitted again, (GF2); (BOOTSTRAP_LAYERS,)."""
    units = max(1, round(layer.counts.units / layer.design_effect))
    noise = layer.rng.multinomial(units, shares, BOOTSTRAP_LAYERS) / units - shares
    scores = slopes / np.maximum(shares, 1e-300)[:, np.newaxis]
    information = scores.T @ slopes
    # θ* − θ; (2, layers)
    refitted = np.linalg.lstsq(information, scores.T @ noise.T, rcond=None)[0]
    residual = noise - (slopes @ refitted).T
    return np.abs(np.cumsum(residual, axis=1)[:, :-1]).max(axis=1)


def _other_families(layer: FittedLayer) -> list[FittedFamily]:
    """Families other than the law, fitted to the counts; those that cannot be fitted are left
    out.
    """
    fitted = []
    for name, fit_family in FAMILIES.items():
        if name == layer.likelihood_fit.name:
            continue
        try:
            fitted.append(fit_family(layer.counts))
        except CountsError:
            continue
    return fitted


def _likelihood_ratio_by_chance(
    layer: FittedLayer, extra_parameters: int, *, families: int
) -> float:
    """Log-likelihood per unit that so many parameters too many gain by chance (Wilks 1938), in the
    best of several families (Bonferroni).
    """
    # Of the chi-squared law, which is a gamma law.
    quantile = 2 * gammaincinv(extra_parameters / 2, 1 - (1 - layer.level) / families)
    return float(quantile * layer.design_effect / (2 * layer.counts.units))


def _mean_and_error(layer: FittedLayer, difference: Floats) -> tuple[float, float]:
    """Mean over units of a difference of log probabilities, given by distinct count, and its
    standard error.
    """
    units, total = layer.distinct.units, layer.counts.units
    mean = float(units @ difference / total)
    squares = units @ (difference - mean) ** 2
    return mean, float(np.sqrt(layer.design_effect * squares) / total)


def _law_log_pmf(layer: FittedLayer) -> Floats:
    """Log probabilities of the distinct counts by the fitted law; (n_distinct,)."""
    law, k = layer.law, layer.distinct.k
    return log_pmf(k, layer.counts.samples - k, law.b, law.beta)
