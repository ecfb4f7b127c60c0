"""Influence functions and the infinitesimal jackknife (Efron 1982): how much each unit of a layer
moves an estimate, and from that the errors of estimates and of their differences.

Two estimates from the same units are correlated. Their influences keep that correlation, and
nothing has to be drawn again: this is the bootstrap over units, to first order. Units are not
independent where samples move many of them at once. Such samples move most statistics as they move
b, so all variances are multiplied by one design effect (Kish 1965), never below 1; it takes 8
blocks to see it.

    (IF1) influence of unit i on an estimate that solves Σ_i ψ_i(θ) = 0:  −(Σ ∂ψ/∂θ)⁻¹ ψ_i
    (IF2) covariance of two estimates = design effect × Σ_i of the products of their influences
    (IF3) design effect = Var(ln b), clustered by blocks / Var(ln b), units independent
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.families.mixture import FittedFamily
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import central_difference, two_sided_z
from actilaw.theory import ActivationLaw

LOG_PARAMETER_STEP = 1e-4  # of the differences that give slopes in logarithms of parameters


class UnitsByCount(NamedTuple):
    """Distinct counts `k` (n_distinct,), the index in k of each unit's count `of_unit` (n_units,),
    and the number of units with each count `units` (n_distinct,).
    """

    k: Ints
    of_unit: NDArray[np.intp]
    units: Ints


@dataclass(frozen=True, eq=False)
class FittedLayer:
    """The layer under test: its counts and the activation law fitted to them.

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
    def of(cls, counts: ActivationCounts, level: float, rng: np.random.Generator) -> FittedLayer:
        """The layer with the law fitted to its counts.

        Raises:
            CountsError: if the counts carry too little to determine a law, with the reason.
        """
        return cls(counts, fit(counts, "law"), level, rng)

    @property
    def law(self) -> ActivationLaw:
        """The fitted law."""
        return self.fitted.law

    @property
    def rate(self) -> float:
        """c/N, counted."""
        return self.counts.active / self.counts.units

    @property
    def likelihood_fit(self) -> FittedFamily:
        """The law at the maximum of its likelihood, on the scale of the family's own parameters."""
        return self.fitted.closed_form

    @property
    def independent_covariance(self) -> Floats:
        """Of the family's own parameters, as if units were independent; (p, p)."""
        return self.likelihood_fit.covariance

    @property
    def clustered_covariance(self) -> Floats:
        """Of the family's own parameters, with what units share by seeing the same samples;
        (p, p).
        """
        return self.fitted.clustered_covariance

    @cached_property
    def distinct(self) -> UnitsByCount:
        """Units with the same count contribute the same to most sums, so each is computed once."""
        k, of_unit, units = np.unique(self.counts.counts, return_inverse=True, return_counts=True)
        return UnitsByCount(k, of_unit, units)

    @cached_property
    def log_b_influence(self) -> Floats:
        """Influence of each unit on ln b of the counts, (IF1); (n_units,)."""
        law = self.likelihood_fit
        scores = law.family.scores(law.parameters, self.distinct.k, self.counts.samples)
        of_distinct = scores @ self.independent_covariance @ self._log_b_slopes
        return of_distinct[self.distinct.of_unit]

    @cached_property
    def log_rate_influence(self) -> Floats:
        """Influence of each unit on ln(c/N), (IF1); (n_units,)."""
        k = self.counts.counts
        return (k - k.mean()) / k.sum()

    @cached_property
    def design_effect(self) -> float:
        """(IF3), at least 1."""
        slopes = self._log_b_slopes
        clustered = slopes @ self.clustered_covariance @ slopes
        independent = slopes @ self.independent_covariance @ slopes
        return float(max(1.0, clustered / independent))

    @property
    def z(self) -> float:
        """Standard errors to either side of an estimate."""
        return two_sided_z(self.level)

    def standard_error(self, influence: Floats) -> float:
        """Of an estimate from the influences of all units, (IF2)."""
        return float(np.sqrt(self.design_effect * np.sum(influence**2)))

    @cached_property
    def _log_b_slopes(self) -> Floats:
        """Slopes of ln b in the family's own parameters; (p,)."""
        law, counts = self.likelihood_fit, self.counts

        def log_b(parameters: Floats) -> float:
            estimates = law.family.estimates(parameters, counts.units, counts.samples)
            return float(np.log(estimates["b"]))

        return central_difference(log_b, law.parameters, LOG_PARAMETER_STEP)
