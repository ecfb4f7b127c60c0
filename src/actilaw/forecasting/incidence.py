"""Incidence frequencies (Colwell et al. 2012): how many units were active in exactly k sampling
units.

A sampling unit is a block of samples, where blocks were recorded, or else one sample. Tokens of one
text are not independent trials: a unit that is activated once tends to be activated again a few
tokens later, so few units have a count of one, and a forecast from counts falls short. Whether a
unit was active in a block at all does not depend on what happens inside the block, and blocks are
long. Incidence tells rates of up to a few per sampling unit apart. Idle units that start to work
have such rates; how often the busiest units are activated says nothing about them.

    (IQ1) A unit of rate λ is active in one sampling unit with probability 1 − exp(−λ), and in k of
          T with P(k | λ) = C(T, k) (1 − exp(−λ))^k exp(−λ)^(T−k)  [derived]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats, Ints

LEAST_BLOCKS_FOR_INCIDENCE = 6  # with fewer, samples tell rates apart better than blocks
MOST_INCIDENCES = 32  # a unit active in so many sampling units is no longer rare
LEAST_PROBABILITY = 1e-300


@dataclass(frozen=True, eq=False)
class IncidenceFrequencies:
    """Units by the number of sampling units in which they were active.

    Attributes:
        samples: D, samples in all.
        sampling_units: T, the number of blocks, or D where there are no blocks.
        frequencies: Q_0, Q_1, ..: units active in 0, 1, .. sampling units, the last entry in that
            many or more; (min(T, 32) + 1,), or (T + 1,) for blocks.
        of_block: for each block, the units active in it and in 0, 1, .. blocks in all; (T, T + 1),
            or None where sampling units are samples.
    """

    samples: int
    sampling_units: int
    frequencies: Floats
    of_block: Floats | None = None

    @property
    def tempering(self) -> float:
        """What the likelihood is divided by: the square root of the overdispersion."""
        return float(np.sqrt(self.overdispersion))

    @property
    def error_factor(self) -> float:
        """κ of (RD4): the error of the estimate is that of the likelihood as it was."""
        return 1 / self.tempering

    @property
    def overdispersion(self) -> float:
        """Variance over mean, between blocks, of the number of units active in that block alone; at
        least 1, its value for units that are independent of each other.

        Units that answer to the same samples start to work together. Without blocks nothing is
        known of that, and the answer is 1.
        """
        if self.of_block is None or self.frequencies[1] == 0:
            return 1.0
        unique = self.of_block[:, 1]
        return max(1.0, float(unique.var(ddof=1) / unique.mean()))

    def probabilities(self, activations: Floats) -> Floats:
        """Probability of each incidence, (IQ1), for units of which so many activations are expected
        in all samples, (n_rates,); (n_frequencies, n_rates).
        """
        rates, total = activations / self.sampling_units, self.sampling_units
        k = np.arange(self.frequencies.size)
        # ln C(T, k) as a sum, which keeps its digits for any T.
        ways = np.append(0.0, np.cumsum(np.log((total - k[:-1]) / (k[:-1] + 1.0))))
        log_active = np.log(np.maximum(-np.expm1(-rates), LEAST_PROBABILITY))
        found = np.exp(ways[:, np.newaxis] + np.outer(k, log_active) - np.outer(total - k, rates))
        if k.size < total + 1:
            found[-1] = np.maximum(1 - found[:-1].sum(axis=0), 0.0)
        return found

    def most_newly_working(self, more: Ints, z: float) -> Floats:
        """Upper bound of the idle units that are activated within `more` samples, by Good & Turing
        (Good 1953), for any distribution of rates; (n,).

        All idle units together are activated as often, in the next sampling unit, as units active
        in exactly one were per sampling unit. A union bound carries that to further samples.

        Args:
            more: further samples; (n,).
            z: quantile of the normal distribution at which Q_1 is bounded from above; its mean is
                that of a Poisson number but for the overdispersion.
        """
        return more / self.samples * upper_mean(float(self.frequencies[1]), self.overdispersion, z)


def upper_mean(count: float, overdispersion: float, z: float) -> float:
    """Upper bound of the mean of a count that varies `overdispersion` times as much as a Poisson
    number, by inversion of its normal approximation.
    """
    slack = overdispersion * z**2 / 2
    return float(count + slack + np.sqrt(2 * slack * count + slack**2))


def incidence_frequencies(counts: ActivationCounts) -> IncidenceFrequencies:
    """Incidence over blocks if there are enough of them, over samples otherwise."""
    blocks = counts.blocks
    enough = LEAST_BLOCKS_FOR_INCIDENCE
    if blocks is not None and np.count_nonzero(blocks.samples) >= enough:
        return _over_blocks(blocks.counts[blocks.samples > 0], counts.samples)
    most = min(counts.samples, MOST_INCIDENCES)
    return IncidenceFrequencies(
        samples=counts.samples,
        sampling_units=counts.samples,
        frequencies=np.bincount(np.minimum(counts.counts, most), minlength=most + 1).astype(float),
    )


def _over_blocks(counts: np.ndarray, samples: int) -> IncidenceFrequencies:
    """From counts in blocks that are not empty (a mask may leave some so); (T, n_units)."""
    active = counts > 0
    blocks = len(active)
    incidences = active.sum(axis=0)
    of_block = [np.bincount(incidences[units], minlength=blocks + 1) for units in active]
    return IncidenceFrequencies(
        samples=samples,
        sampling_units=blocks,
        frequencies=np.bincount(incidences, minlength=blocks + 1).astype(float),
        of_block=np.array(of_block, float),
    )
