"""The activation law where exactly c units fire on every sample: for c = 1, Pólya's urn.

Top-k latents and routed experts are of this kind: one unit fires instead of another. Each sample
draws c units out of N with the chances of (1), which add up to c. Compared with `ActivationLaw`,
where units fire independently:

    (3)  for any c, every law of a single unit holds unchanged: (4) to (13) but for Var K  [derived]
    (3a) for any c, the counts add up to c D exactly, so two of them correlate by −1/(N − 1)
         [derived]
    (3b) for c = 1, an urn with b balls of each of N colours, two given units are both idle with
         probability i₂ = Γ(b(N−2)+D) Γ(bN) / Γ(b(N−2)) Γ(bN+D) < i₁², so that
         Var K = N i₁(1 − i₁) + N(N−1)(i₂ − i₁²) is smaller  [derived]
    (3c) with F of (G1) and β = b(N−1):  ln(i₂/i₁²) = F(β − b, D, b) − F(β, D, b)  [derived]

(3) holds because a unit's chance depends on its own count and on D alone, whatever the others did.
For c > 1 the joint law, and so Var K, depends on how c different units are drawn together;
`urn.competitive_path` shows one way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import at_least_zero, increasing, one_whole
from actilaw.theory import sampling
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.log_gamma import log_beta_ratio, log_beta_ratio_slope


@dataclass(frozen=True)
class CompetitiveLaw:
    """The law of `units` units of which exactly `active` fire on every sample.

    Args:
        units: N, a whole number.
        active: c, a whole number with 0 < c < N.
        b: prior weight of a unit that has not fired yet; b > 0.

    Raises:
        InputError: if the parameters lie outside these ranges.
    """

    units: int
    active: int
    b: float

    def __post_init__(self) -> None:
        one_whole("units", self.units, least=2)
        one_whole("active", self.active, least=1)
        _ = self.single

    @property
    def single(self) -> ActivationLaw:
        """The law of each single unit, (3): its counts, idle fraction, wake probability, knee,
        design.
        """
        return ActivationLaw(self.units, self.active, self.b)

    @property
    def count_correlation(self) -> float:
        """Correlation of the counts of two units, (3a), after any number of samples; independent:
        0.
        """
        return -1 / (self.units - 1)

    def working(self, samples: ArrayLike) -> Floats:
        """Expected number of units that have fired after `samples` inputs, (5), as if
        independent.
        """
        return self.single.working(samples)

    def working_variance(self, samples: ArrayLike) -> Floats:
        """Variance of the number of working units, (3b); for active = 1.

        Exact but for about 1e-10 of the variance that independent units would have.
        """
        self._need_one_active("the variance of working units")
        samples = at_least_zero("samples", samples)
        idle = self.single.idle_fraction(samples)
        pairs = (self.units - 1) * idle**2 * np.expm1(self._log_pair_ratio(samples))
        return np.maximum(self.single.working_variance(samples) + self.units * pairs, 0.0)

    def draw_counts(self, samples: int, rng: np.random.Generator) -> Ints:
        """Counts of all units, (units,) int64, which add up to `samples`; for active = 1; time
        O(units).
        """
        self._need_one_active("a draw of counts at once")
        return sampling.draw_competing(self.units, one_whole("samples", samples), self.b, rng)

    def draw_discovery(self, samples: ArrayLike, rng: np.random.Generator) -> Ints:
        """Working units at each entry of `samples`, an increasing (n,) grid, on one path; for
        active = 1.
        """
        self._need_one_active("a draw of discovery at once")
        grid = increasing("samples", samples)
        idle, before, working = self.units, 0, []
        for now in grid.tolist():
            idle -= self._newly_working(idle, before, now, rng)
            before = now
            working.append(self.units - idle)
        return np.array(working, np.int64)

    def _newly_working(self, idle: int, before: int, now: int, rng: np.random.Generator) -> int:
        """How many of the idle units start to work between `before` and `now` inputs, drawn;
        by (D3) the idle units share what falls to them as an urn of their own.
        """
        if idle == 0:
            return 0
        share = 1.0
        if idle < self.units:
            share = rng.beta(self.b * idle, before + self.b * (self.units - idle))
        more = np.array([now - before])
        activations = int(sampling.draw_binomial(more, np.array([share]), rng)[0])
        if activations == 0:
            return 0
        return int(np.count_nonzero(sampling.draw_competing(idle, activations, self.b, rng)))

    def _log_pair_ratio(self, samples: Floats) -> Floats:
        """ln(i₂/i₁²), (3c); never positive."""
        b, beta = self.b, self.b * (self.units - 1)
        if self.units == 2:  # somebody fires on the first sample
            return np.where(samples > 0, -np.inf, 0.0)
        if self.units < 1e5:
            return log_beta_ratio(beta - b, samples, b) - log_beta_ratio(beta, samples, b)
        # By the midpoint rule, with a relative error of 1/N².
        return -b * log_beta_ratio_slope(beta - b / 2, samples, b)

    def _need_one_active(self, what: str) -> None:
        if self.active != 1:
            raise InputError(
                f"{what} needs active=1, but active={self.active}: for more, the joint law depends "
                "on how units are drawn together, which urn.competitive_path follows sample by "
                "sample"
            )
