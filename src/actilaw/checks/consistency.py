"""Simultaneous comparison of all pairs of estimates (Tukey 1953), test (f), do counts, accumulation
curve and first activations give the same b? And test (g), does b depend on what a sample is?

All estimates are from the same units, so errors of their differences come from differences of
influences, (IF2). In the last row of (f) every pair is compared at once: its interval is as wide as
the largest of the pairs demands, with the correlations of the pairs drawn from a normal law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from actilaw.checks.estimators_of_b import (
    Estimate,
    b_from_accumulation_curve,
    b_from_blocks,
    b_from_counts,
    b_from_first_activations,
    b_from_loss,
)
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import DEVIATES, HOLDS, Claim, Inconclusive, TestResult, percent
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.arrays import Floats

PAIR_DRAWS = 4000
SAMPLING_UNIT = Claim(
    test="sampling_unit",
    formula="(4)",
    statistic="b with a block of samples as one sample, over b; n units",
    expected="1",
)
ESTIMATORS_OF_B = Claim(
    test="estimators_of_b",
    formula="(10)",
    statistic="largest ratio between two estimates of b; n estimates",
    expected="1",
)
FORMULAS = {
    "b_from_accumulation_curve": "(5)",
    "b_from_first_activations": "(1)",
    "b_from_loss": "(10)",
}


@dataclass(frozen=True)
class EstimatesOfB:
    """b of the counts, and b of each test that compares another estimate with it.

    Attributes:
        from_counts: by the likelihood of the counts.
        others: by name of the test; the reason where an estimate could not be made.
    """

    from_counts: Estimate
    others: Mapping[str, Estimate | Inconclusive]

    @property
    def made(self) -> list[Estimate]:
        """Those that could be made, that of the counts first."""
        others = self.others.values()
        return [self.from_counts, *(one for one in others if isinstance(one, Estimate))]


def estimates_of_b(layer: FittedLayer, loss: FittedLoss | None) -> EstimatesOfB:
    """Every estimate of b from this layer, and that of the losses if there are any."""
    estimators: dict[str, Callable[[FittedLayer], Estimate]] = {
        "b_from_accumulation_curve": b_from_accumulation_curve,
        "b_from_first_activations": b_from_first_activations,
    }
    if loss is not None:
        estimators["b_from_loss"] = partial(b_from_loss, loss=loss)
    others: dict[str, Estimate | Inconclusive] = {}
    for test, estimator in estimators.items():
        try:
            others[test] = estimator(layer)
        except Inconclusive as reason:
            others[test] = reason
    return EstimatesOfB(b_from_counts(layer), others)


def same_b_claim(layer: FittedLayer, test: str) -> Claim:
    """That the estimate of this test is b of the counts."""
    return Claim(
        test=test,
        formula=FORMULAS[test],
        statistic="b; n units",
        expected=f"{layer.law.b:.4g}, b of the counts",
    )


def same_b(layer: FittedLayer, estimates: EstimatesOfB, test: str) -> TestResult:
    """b with an interval of its own; the verdict is of its ratio to b of the counts.

    Raises:
        Inconclusive: if the estimate could not be made.
    """
    estimate = estimates.others[test]
    if isinstance(estimate, Inconclusive):
        raise estimate
    ratio, lower, upper = _ratio(layer, estimates.from_counts, estimate, layer.z)
    error = np.sqrt(layer.standard_error(estimate.influence) ** 2 + estimate.independent_variance)
    agrees = lower <= 1 <= upper
    verdict = HOLDS if agrees else f"{DEVIATES} {percent(ratio)} from b of the counts"
    return same_b_claim(layer, test).result(
        np.exp(estimate.log_b),
        np.exp(estimate.log_b - layer.z * error),
        np.exp(estimate.log_b + layer.z * error),
        n=layer.counts.units,
        verdict=verdict,
    )


def all_equal(layer: FittedLayer, estimates: EstimatesOfB) -> TestResult:
    """The pair of estimates that differs most, with an interval that holds for all pairs at once.

    Raises:
        Inconclusive: if there is only one estimate.
    """
    made = estimates.made
    if len(made) < 2:
        raise Inconclusive("b could be estimated in one way only")
    covariance = _covariance(layer, made)
    pairs = list(combinations(range(len(made)), 2))
    contrasts = _contrasts(pairs, len(made))
    errors = np.sqrt(np.einsum("pi,ij,pj->p", contrasts, covariance, contrasts))
    z = _simultaneous_z(layer, covariance, contrasts, errors)
    differences = contrasts @ [estimate.log_b for estimate in made]
    i, j = pairs[int(np.argmax(np.abs(differences) / errors))]
    smaller, larger = sorted((made[i], made[j]), key=lambda estimate: estimate.log_b)
    ratio, lower, upper = _ratio(layer, smaller, larger, z)
    size = f"{percent(ratio)} between {smaller.source} and {larger.source}"
    return ESTIMATORS_OF_B.compared(ratio, lower, upper, n=len(made), against=1.0, size=size)


def sampling_unit(layer: FittedLayer) -> TestResult:
    """b estimated from blocks, each taken as one sample, over b of the counts.

    Raises:
        Inconclusive: without blocks, or if they do not determine b.
    """
    ratio, lower, upper = _ratio(layer, b_from_counts(layer), b_from_blocks(layer), layer.z)
    size = f"{percent(ratio)} in b"
    n = layer.counts.units
    return SAMPLING_UNIT.compared(ratio, lower, upper, n=n, against=1.0, size=size)


def _ratio(
    layer: FittedLayer, one: Estimate, other: Estimate, z: float
) -> tuple[float, float, float]:
    """other/one, and its interval of z standard errors of the logarithm to either side."""
    from_units = layer.standard_error(other.influence - one.influence) ** 2
    error = np.sqrt(from_units + one.independent_variance + other.independent_variance)
    ratio, factor = np.exp(other.log_b - one.log_b), np.exp(z * error)
    return float(ratio), float(ratio / factor), float(ratio * factor)


def _covariance(layer: FittedLayer, estimates: list[Estimate]) -> Floats:
    """Of the logarithms of estimates, (IF2); (n_estimates, n_estimates)."""
    influences = np.array([estimate.influence for estimate in estimates])
    independent = np.diag([estimate.independent_variance for estimate in estimates])
    return layer.design_effect * influences @ influences.T + independent


def _contrasts(pairs: list[tuple[int, int]], n: int) -> Floats:
    """A row per pair (i, j) of n estimates, whose product with them is that of j less that of i."""
    contrasts = np.zeros((len(pairs), n))
    for row, (i, j) in zip(contrasts, pairs, strict=True):
        row[i], row[j] = -1, 1
    return contrasts


def _simultaneous_z(
    layer: FittedLayer, covariance: Floats, contrasts: Floats, errors: Floats
) -> float:
    """Standard errors that the largest of all differences stays within, at the level."""
    n = len(covariance)
    drawn = layer.rng.multivariate_normal(np.zeros(n), covariance, PAIR_DRAWS, method="eigh")
    largest = np.abs(drawn @ contrasts.T / errors).max(axis=1)
    return float(np.quantile(largest, layer.level))
