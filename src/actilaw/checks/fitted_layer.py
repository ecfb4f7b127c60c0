"""The layer under test: the law fitted to its counts, and how much each unit moved the estimates.

    (C1) influence of unit i on an estimate that solves Σ_i ψ_i(θ) = 0:  −(Σ ∂ψ/∂θ)⁻¹ ψ_i
    (C2) covariance of two estimates = Σ_i of the products of their influences, times the design
         effect
    (C3) design effect = Var(ln b) with what units share by seeing the same samples / Var(ln b)
         without

By (C2) estimates from the same units keep their correlation, and nothing has to be drawn again; it
is the bootstrap over units to first order (Efron 1982, the infinitesimal jackknife). Samples in
common move most rows as they move b, so one factor, never below 1, widens them all; it needs 8
blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.support.arrays import Floats, Ints
from actilaw.theory import ActivationLaw

STEP = 1e-4


@dataclass(frozen=True, eq=False)
class Layer:
    """What every test starts from.

    Attributes:
        counts: of the layer.
        fitted: the activation law, fitted to them.
        level: of all intervals.
        rng: for draws of the law.
    """

    counts: ActivationCounts
    fitted: FittedLaw
    level: float
    rng: np.random.Generator

    @classmethod
    def of(cls, counts: ActivationCounts, level: float, rng: np.random.Generator) -> Layer:
        """The law fitted to the counts, or a CountsError with the reason why there is none."""
        return cls(counts, fit(counts, "law"), level, rng)

    @property
    def law(self) -> ActivationLaw:
        """The fitted law."""
        return self.fitted.law

    @property
    def rate(self) -> float:
        """c/N, counted."""
        return self.counts.active / self.counts.units

    @cached_property
    def distinct(self) -> tuple[Ints, NDArray[np.intp], Ints]:
        """Distinct counts, which of them each unit has, and how many units have each."""
        return np.unique(self.counts.counts, return_inverse=True, return_counts=True)

    @cached_property
    def log_b_influence(self) -> Floats:
        """Of each unit on ln b of the counts; (n_units,)."""
        closed_form, (k, where, _) = self.fitted.closed_form, self.distinct
        scores = closed_form.family.scores(closed_form.parameters, k, self.counts.samples)
        return (scores @ closed_form.covariance @ self._log_b_slope)[where]

    @cached_property
    def log_rate_influence(self) -> Floats:
        """Of each unit on ln(c/N); (n_units,)."""
        k = self.counts.counts
        return (k - k.mean()) / k.sum()

    @cached_property
    def design_effect(self) -> float:
        """(C3)."""
        slope = self._log_b_slope
        alone = slope @ self.fitted.closed_form.covariance @ slope
        return float(max(1.0, slope @ self.fitted.clustered_covariance @ slope / alone))

    @property
    def reach(self) -> float:
        """Standard errors to either side of an estimate."""
        return float(norm.ppf((1 + self.level) / 2))

    def standard_error(self, influence: Floats) -> float:
        """Of an estimate from the influences of all units, (C2)."""
        return float(np.sqrt(self.design_effect * np.sum(influence**2)))

    @property
    def _log_b_slope(self) -> Floats:
        """Of ln b in the family's own parameters."""
        closed_form, n = self.fitted.closed_form, self.counts
        shifts = STEP * np.eye(len(closed_form.parameters))

        def log_b(parameters: Floats) -> float:
            return float(np.log(closed_form.family.estimates(parameters, n.units, n.samples)["b"]))

        at = closed_form.parameters
        return np.array([(log_b(at + d) - log_b(at - d)) / (2 * STEP) for d in shifts])
