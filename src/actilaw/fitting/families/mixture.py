"""Finite mixtures of components, and the derivatives of their likelihood (Louis 1982).

A layer may hold units of several kinds: one or two laws of rates, silent units, and units that are
always on. A family is such a mixture:

    (MX1) P(k) = Σ_j w_j f_j(k),   w_j = e^{η_j} / Σ_l e^{η_l},   η_1 = 0
    (MX2) r_j = w_j f_j / P, the share of the units with count k that belong to component j
    (MX3) ∇ ln P = Σ_j r_j d_j,   d_j = ∇ ln f_j + ∇ ln w_j                            (Louis 1982)
    (MX4) ∇² ln P = Σ_j r_j (∇² ln f_j + ∇² ln w_j + d_j d_j') − ∇ ln P ∇ ln P'
    (MX5) ∂ ln w_j/∂η_l = [j = l] − w_l,   ∂² ln w_j/∂η_l∂η_m = −w_l ([l = m] − w_m)

Parameters are those of the components, one after the other, and then η_2, η_3, ...: log shares
relative to the first component's. They are (..., p), so that many fits run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.families.components import Atom, DistinctCounts, RateLaw, Slopes
from actilaw.fitting.families.heavy_tail import HeavyTail
from actilaw.fitting.families.newton import Evaluation, LogLikelihood
from actilaw.support.arrays import Floats
from actilaw.theory import ActivationLaw


@dataclass(frozen=True)
class Family:
    """A mixture (MX1) of components.

    Attributes:
        components: one or two laws, the one of the rarest units first, then atoms.
    """

    components: tuple[RateLaw | Atom, ...]

    @property
    def name(self) -> str:
        """What the components make: "law", "zero_inflated" (a law and atoms), "mixture" (two laws)
        or "heavy_tail".
        """
        laws = sum(not isinstance(component, Atom) for component in self.components)
        if isinstance(self.components[0], HeavyTail):
            return "heavy_tail"
        if laws > 1:
            return "mixture"
        return "zero_inflated" if len(self.components) > 1 else "law"

    @property
    def description(self) -> str:
        """The kinds of units, in words: "law + silent units"."""
        return " + ".join(component.name for component in self.components)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(component.size for component in self.components) + len(self.components) - 1

    def log_pmf(self, parameters: Floats, k: ArrayLike, samples: float) -> Floats:
        """Log probability of the whole counts `k`, (n_distinct,), after `samples` inputs;
        (..., n_distinct).
        """
        return self._joint(parameters, DistinctCounts.of(k, samples))[0]

    def scores(self, parameters: Floats, k: ArrayLike, samples: float) -> Floats:
        """Derivatives of `log_pmf` in the parameters, (MX3); (..., n_distinct, p)."""
        distinct = DistinctCounts.of(k, samples)
        slopes = [part.score(own, distinct) for part, own in self._parts(parameters)]
        if len(slopes) == 1:
            return slopes[0]
        return self._score(parameters, self._joint(parameters, distinct)[1], slopes)

    def idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        """Probability that a unit is idle after `samples` inputs, whole or not; of their
        shape.
        """
        shares = self.shares(parameters)
        parts = [np.exp(part.log_idle(own, samples)) for part, own in self._parts(parameters)]
        return np.tensordot(shares, np.array(parts), axes=1)

    def log_stay_idle(self, parameters: Floats, samples: float, more: ArrayLike) -> Floats:
        """Log probability that a unit idle after `samples` inputs stays idle for `more` of them; of
        their shape.
        """
        log_idle = [part.log_idle(own, samples) for part, own in self._parts(parameters)]
        joint = self._log_shares(parameters) + np.array(log_idle)
        of_idle = joint - np.logaddexp.reduce(joint)  # (MX2) at k = 0
        stay = np.array(
            [part.log_stay_idle(own, samples, more) for part, own in self._parts(parameters)]
        )
        log_stays = np.logaddexp.reduce(np.transpose(of_idle + stay.T), axis=0)
        works = np.tensordot(np.exp(of_idle), -np.expm1(stay), axes=1)
        # From the rarer of the two, which has all its digits.
        return np.where(works < 0.5, np.log1p(-np.minimum(works, 0.5)), log_stays)

    def log_likelihood(self, counts: ActivationCounts) -> LogLikelihood:
        """Of all counts: value (...,), score (..., p) and Hessian (..., p, p) at parameters
        (..., p).
        """
        k, units = counts.histogram()
        return self.log_likelihood_of(DistinctCounts.of(k, counts.samples), units.astype(float))

    def log_likelihood_of(self, distinct: DistinctCounts, units: Floats) -> LogLikelihood:
        """Of `units` units with each of the distinct counts, (n_distinct,)."""

        def value_score_hessian(parameters: Floats) -> Evaluation:
            slopes = [part.slopes(own, distinct) for part, own in self._parts(parameters)]
            if len(slopes) == 1:
                return _of_one_component(slopes[0], units)
            log_p, belongs = _mix(self._log_shares(parameters), [slope.log_pmf for slope in slopes])
            score = self._score(parameters, belongs, [slope.score for slope in slopes])
            hessian = self._hessian(parameters, units, belongs, slopes, score)
            return log_p @ units, units @ score, hessian

        return value_score_hessian

    def shares(self, parameters: Floats) -> Floats:
        """Share w_j of the units in each component; (..., n_components), adding up to one."""
        return np.exp(self._log_shares(parameters))

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        """The law of the first component, for its share of a layer of `units` units."""
        component, own = next(self._parts(parameters))
        assert not isinstance(component, Atom)
        return component.law(own, units * self.shares(parameters)[0])

    def estimates(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        """Estimates for a layer of `units` units after `samples` inputs, by name: for each law
        those of its units alone, then the shares of the components.
        """
        estimates: dict[str, float] = {}
        for j, (component, own) in enumerate(self._parts(parameters)):
            share = float(self.shares(parameters)[j])
            if isinstance(component, Atom):
                estimates[component.share_name] = share
                continue
            found = component.estimates(own, units * share, samples)
            if self.name == "mixture":
                found["share"] = share
            suffix = f"_{j + 1}" if j else ""
            estimates |= {name + suffix: value for name, value in found.items()}
        return estimates

    def _parts(self, parameters: Floats) -> Iterator[tuple[RateLaw | Atom, Floats]]:
        """Each component with its own parameters."""
        first = 0
        for component in self.components:
            yield component, parameters[..., first : first + component.size]
            first += component.size

    def _log_shares(self, parameters: Floats) -> Floats:
        """ln w_j of (MX1); (..., n_components)."""
        own = sum(component.size for component in self.components)
        others = parameters[..., own:]
        relative = np.concatenate((np.zeros((*others.shape[:-1], 1)), others), axis=-1)
        return relative - np.logaddexp.reduce(relative, axis=-1, keepdims=True)

    def _joint(self, parameters: Floats, distinct: DistinctCounts) -> tuple[Floats, Floats]:
        """ln P (..., n_distinct) and the responsibilities (MX2), (n_components, ...,
        n_distinct).
        """
        parts = [part.log_pmf(own, distinct) for part, own in self._parts(parameters)]
        return _mix(self._log_shares(parameters), parts)

    def _score(self, parameters: Floats, belongs: Floats, slopes: list[Floats]) -> Floats:
        """(MX3), (..., n_distinct, p)."""
        own = [
            belong[..., np.newaxis] * slope for belong, slope in zip(belongs, slopes, strict=True)
        ]
        expected = self.shares(parameters)[..., np.newaxis, 1:]
        return np.concatenate((*own, np.moveaxis(belongs[1:], 0, -1) - expected), axis=-1)

    def _hessian(
        self,
        parameters: Floats,
        units: Floats,
        belongs: Floats,
        slopes: list[Slopes],
        score: Floats,
    ) -> Floats:
        """(MX4) summed over units, (..., p, p): one component after the other, so that memory grows
        as n_distinct p.
        """
        shares = self.shares(parameters)
        total = -_squares(score, units)
        first, weights = 0, self.size - shares.shape[-1] + 1
        for j, (belong, slope) in enumerate(zip(belongs, slopes, strict=True)):
            joint = np.zeros_like(score)
            block = slice(first, first + slope.score.shape[-1])
            joint[..., block] = slope.score
            is_j = (np.arange(shares.shape[-1]) == j)[1:]
            joint[..., weights:] = is_j - shares[..., np.newaxis, 1:]  # (MX5)
            count = units * belong
            total += _squares(joint, count)
            total[..., block, block] += np.einsum("...k,...kpq->...pq", count, slope.hessian)
            first = block.stop
        others = shares[..., 1:]
        products = others[..., :, np.newaxis] * others[..., np.newaxis, :]
        diagonal = others[..., np.newaxis] * np.eye(others.shape[-1])
        total[..., weights:, weights:] -= units.sum() * (diagonal - products)
        return total


@dataclass(frozen=True, eq=False)
class FittedFamily:
    """A family at the maximum of its likelihood.

    Attributes:
        family: what was fitted, without the parts that the counts do not ask for.
        parameters: the estimates on the family's own scale, where every real number is allowed;
            (p,).
        covariance: inverse of the observed information; (p, p).
        log_likelihood: of the counts, in natural units (nats).
    """

    family: Family
    parameters: Floats
    covariance: Floats
    log_likelihood: float

    @property
    def name(self) -> str:
        """Name of the family."""
        return self.family.name

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 p − 2 ln L: lower is better."""
        return 2 * self.parameters.size - 2 * self.log_likelihood

    def estimates(self, units: float, samples: float) -> dict[str, float]:
        """Estimates for a layer of `units` units after `samples` inputs, by name."""
        return self.family.estimates(self.parameters, units, samples)


def _of_one_component(slopes: Slopes, units: Floats) -> Evaluation:
    """Log-likelihood of all units with its derivatives, where nothing is mixed."""
    return (
        slopes.log_pmf @ units,
        units @ slopes.score,
        np.einsum("k,...kpq->...pq", units, slopes.hessian),
    )


def _mix(log_shares: Floats, parts: list[Floats]) -> tuple[Floats, Floats]:
    """ln Σ_j w_j f_j, (..., n_distinct), and the share of each term in it, (n_components, ...,
    n_distinct).
    """
    terms = np.moveaxis(log_shares, -1, 0)[..., np.newaxis] + np.array(parts)
    total = np.logaddexp.reduce(terms)
    return total, np.exp(terms - total)


def _squares(rows: Floats, weights: Floats) -> Floats:
    """Σ_k weight_k row_k row_k', (..., p, p), for rows (..., n_distinct, p)."""
    return np.swapaxes(rows, -1, -2) @ (weights[..., np.newaxis] * rows)
