"""The Indian buffet process (Ghahramani, Griffiths & Sollich 2007): a layer without a last unit.

It is the limit N → ∞ and b → 0 of the activation law at a fixed mass θ = b N, with mass c and
concentration κ. Working units then grow like ln D.

    (L1) κ = θ/c = D*, the knee; the next sample wakes Poisson(θ/(κ + D)) new units  [derived]
    (L2) E K(D) = θ (ψ(κ + D) − ψ(κ)), the limit of (5), and K is Poisson  [derived]
    (L3) K(D) = θ ln(1 + D/κ), the limit of the mean field (6)  [derived]
    (L4) the number of units with count k >= 1 is Poisson with mean
         (θ/k) Γ(D+1) Γ(D−k+κ) / Γ(D−k+1) Γ(D+κ), about θ/k for k << D: (7) at α = 1  [derived]

The other limit, N → ∞ at fixed b, is simpler: every activation meets a new unit, and K(D) = c D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import at_least_zero, at_most_samples, increasing, positive, whole
from actilaw.theory.log_gamma import digamma_step, log_rising_ratio


@dataclass(frozen=True)
class BuffetLaw:
    """The law of a layer so wide that its units never run out, with `active` units firing on a
    sample.

    Args:
        mass: θ = b N; mass > 0.
        active: c, mean number of units that one sample activates; active > 0.
    """

    mass: float
    active: float

    def __post_init__(self) -> None:
        positive("mass", self.mass, "it is b times the number of units")
        positive("active", self.active, "it is the mean number of units that fire on a sample")

    @property
    def knee(self) -> float:
        """D* = θ/c, in samples: before it K grows like c D, after it like θ ln D."""
        return self.mass / self.active

    def working(self, samples: ArrayLike, exact: bool = True) -> Floats:
        """Expected number of units that have fired after `samples` inputs: (L2), or (L3) if not
        `exact`.
        """
        samples = at_least_zero("samples", samples)
        return self.mass * (
            digamma_step(self.knee, samples) if exact else np.log1p(samples / self.knee)
        )

    def units_with(self, k: ArrayLike, samples: ArrayLike) -> Floats:
        """Expected number of units that fired on exactly `k` >= 1 of `samples` inputs, (L4)."""
        k, n = whole("count k", k, least=1), whole("samples", samples)
        at_most_samples("k", k, n)
        return self.mass / k * np.exp(log_rising_ratio(n - k, k, self.knee))

    def draw_discovery(self, samples: ArrayLike, rng: np.random.Generator) -> Ints:
        """Working units at each entry of `samples`, an increasing (n,) grid, along one path, by
        (L2).
        """
        grid = increasing("samples", samples)
        steps = np.diff(grid, prepend=0)
        return np.cumsum(rng.poisson(self.mass * digamma_step(self.knee + (grid - steps), steps)))
