"""A permutation test for trends (Pitman 1937), test (h): does the order of samples carry
information? And an index of dispersion, claim (2): do units fire independently of each other?

Chance in a trend is what other orders of the same blocks show, so activity that comes in bursts
does not look like drift. A trend of the typical unit is found by its size, root mean square over
units, because single units have too few activations to show one.

    (EX1) trend of unit i: T_i = Σ_j t_j (y_ij − D_i m_j/D) over blocks j, t from −½ to ½; by chance
          of variance v_i
    (EX2) if a unit's rate goes from p (1 − δ/2) to p (1 + δ/2), E[T_i²] = v_i + D_i (D_i − 1) S²
          δ², so that δ² = (Σ T_i²/v_i − N') / Σ D_i (D_i − 1) S²/v_i over the N' units that fired,
          S = Σ t_j² m_j/D  [derived]
    (EX3) variance of the number of active units if they are independent: Σ p_i (1 − p_i)  [derived]

In (EX3) Σ p_i² is estimated without bias by Σ D_i (D_i − 1)/(D (D − 1)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaincinv

from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import (
    DEVIATES,
    HOLDS,
    NO_BLOCKS,
    Claim,
    Inconclusive,
    TestResult,
)
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.support.arrays import Floats

PERMUTATIONS = 199
LEAST_BLOCKS_FOR_TREND = 8
EXCHANGEABILITY = Claim(
    test="exchangeability",
    formula="(2)",
    statistic="change of a typical unit's rate from start to end, as a share of it; n blocks",
    expected="0",
)
INDEPENDENCE = Claim(
    test="independence",
    formula="(2)",
    statistic="variance of the number of active units, over that of independent units; n blocks",
    expected="1",
)
INDEPENDENCE_BY_SAMPLES = replace(
    INDEPENDENCE, statistic=INDEPENDENCE.statistic.replace("n blocks", "n samples")
)


def drift(layer: FittedLayer) -> TestResult:
    """Root mean square change δ of a unit's rate, (EX2), beyond what other orders of the blocks
    show.

    Raises:
        Inconclusive: without enough blocks, or if no unit can show a trend.
    """
    blocks = layer.counts.blocks
    if blocks is None:
        raise Inconclusive(NO_BLOCKS)
    if len(blocks) < LEAST_BLOCKS_FOR_TREND:
        raise Inconclusive(f"fewer than {LEAST_BLOCKS_FOR_TREND} blocks")
    trends = _Trends.of(layer.counts, blocks)
    time = np.linspace(-0.5, 0.5, len(blocks))
    observed = trends.squared_drift(time)
    if not np.isfinite(observed):
        raise Inconclusive("no unit fired twice, and not always")
    orders = [layer.rng.permutation(time) for _ in range(PERMUTATIONS)]
    all_orders = [observed, *(trends.squared_drift(order) for order in orders)]
    quantiles = [1 - layer.level, 0.5, layer.level]
    least, middle, most = np.quantile(all_orders, quantiles, method="higher")
    estimate, lower, upper = np.sqrt(np.maximum(observed - np.array([middle, most, least]), 0))
    verdict = HOLDS if observed <= most else f"{DEVIATES} {estimate:.0%} of a unit's rate"
    return EXCHANGEABILITY.result(estimate, lower, upper, n=len(blocks), verdict=verdict)


def independence(layer: FittedLayer) -> TestResult:
    """Variance of the number of active units over (EX3): per sample where that was recorded, else
    per block.

    Raises:
        Inconclusive: if neither was recorded.
    """
    independent = _independent_variance(layer.counts)
    if layer.counts.active_variance is not None and independent > 0:
        return _dispersion_of_samples(layer, layer.counts.active_variance, independent)
    return _dispersion_of_blocks(layer, independent)


@dataclass(frozen=True, eq=False)
class _Trends:
    """What trends are computed from, for the units that fired more than once.

    Attributes:
        residual: activations by block less those expected of the unit's count; (n_blocks, n_units).
        k: counts; (n_units,).
        share: of the samples, in each block; (n_blocks,).
        samples: D.
    """

    residual: Floats
    k: Floats
    share: Floats
    samples: int

    @classmethod
    def of(cls, counts: ActivationCounts, blocks: Blocks) -> _Trends:
        fired = counts.counts > 1
        k, share = counts.counts[fired].astype(float), blocks.samples / counts.samples
        residual = blocks.counts[:, fired] - np.outer(share, k)
        return cls(residual, k, share, counts.samples)

    def squared_drift(self, time: Floats) -> float:
        """δ² of (EX2), negative where trends are smaller than chance; NaN where no unit can show
        one.
        """
        time = time - time @ self.share
        spread = time**2 @ self.share
        by_chance = spread * self.k * (self.samples - self.k) / (self.samples - 1)
        can_vary = by_chance > 0
        if not can_vary.any():
            return np.nan
        by_chance, k = by_chance[can_vary], self.k[can_vary]
        trend = time @ self.residual[:, can_vary]
        excess = np.sum(trend**2 / by_chance) - k.size
        return float(excess / np.sum(k * (k - 1) * spread**2 / by_chance))


def _independent_variance(counts: ActivationCounts) -> float:
    """(EX3), without bias."""
    k, n = counts.counts.astype(float), counts.samples
    return float(np.sum(k / n - k * (k - 1) / (n * (n - 1.0))))


def _dispersion_of_samples(layer: FittedLayer, variance: float, independent: float) -> TestResult:
    """The interval is that of the variance of a sum of independent units, from its fourth
    moment, symmetric in the logarithm.
    """
    n, p = layer.counts.samples, layer.counts.frequencies
    fourth_moment = 3 * independent**2 + np.sum(p * (1 - p) * (1 - 6 * p * (1 - p)))
    relative_variance = max(fourth_moment / independent**2 - 1, 0.0) / n
    factor = np.exp(layer.z * np.sqrt(relative_variance))
    ratio = variance * n / (n - 1) / independent
    return _compared(INDEPENDENCE_BY_SAMPLES, ratio, ratio / factor, ratio * factor, n=n)


def _dispersion_of_blocks(layer: FittedLayer, independent: float) -> TestResult:
    """The interval is that of the variance of normal block totals, a chi-squared."""
    counts, blocks = layer.counts, layer.counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS_FOR_TREND or independent <= 0:
        raise Inconclusive(NO_BLOCKS)
    totals, expected = blocks.counts.sum(axis=1), counts.active * blocks.samples
    variances = np.maximum(blocks.samples * independent, 1e-300)  # a mask may leave blocks empty
    squares = float(np.sum((totals - expected) ** 2 / variances))
    freedom = len(blocks) - 1
    # Quantiles of the chi-squared law, which is a gamma law.
    high, low = 2 * gammaincinv(freedom / 2, (1 + np.array([1, -1]) * layer.level) / 2)
    return _compared(INDEPENDENCE, squares / freedom, squares / high, squares / low, n=len(blocks))


def _compared(claim: Claim, ratio: float, lower: float, upper: float, *, n: int) -> TestResult:
    how = "units fire together" if ratio > 1 else "units compete, (3)"
    size = f"a factor of {ratio:.3g}: {how}"
    return claim.compared(ratio, lower, upper, n=n, against=1.0, size=size)
