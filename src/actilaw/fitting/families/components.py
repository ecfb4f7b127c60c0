"""Components of which families of counts are made: the law itself, and units that fire never or
always.

A unit that fires k times in n samples and rests r = n − k times has, in one component, the log
probability

    (C1) the law, (4):  ln P(k) = ln C(n, k) + ln B(a + k, β + r) − ln B(a, β)  [paper, derived]
         with a = b = D* p, β = D* (1 − p), p = c/N, in the parameters (ln p/(1−p), ln D*)
    (C2) silent units:  ln P(k) = 0 at k = 0, −∞ elsewhere
    (C3) always on:     ln P(k) = 0 at r = 0, −∞ elsewhere

and a component gives its slopes in its own parameters: score ∇ ln P(k) and Hessian ∇² ln P(k), for
each count. Of (C1), with ψ the digamma function,

    (C4) ∂/∂a = ψ(a+k) − ψ(a) − ψ(D*+n) + ψ(D*),   ∂/∂β likewise with r for k  [derived]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, polygamma

from actilaw.support.arrays import Floats
from actilaw.theory import ActivationLaw
from actilaw.theory.beta_binomial import log_idle
from actilaw.theory.log_gamma import digamma_step, log_beta_ratio_slope, log_rising_ratio


@dataclass(frozen=True, eq=False)
class DistinctCounts:
    """Distinct counts of one layer, `fires` k and `rests` n − k, both (K,) floats, after n =
    `samples` samples.

    Both are kept because n − k in floating point loses a small rest at large n.
    """

    successes: Floats
    failures: Floats
    samples: float

    @staticmethod
    def of(k: ArrayLike, samples: float) -> DistinctCounts:
        """Of whole counts k in 0..samples."""
        k = np.asarray(k)
        return DistinctCounts(k.astype(float), (samples - k).astype(float), float(samples))


@dataclass(frozen=True, eq=False)
class Slopes:
    """`log_pmf` (K,) with its first and second derivatives, `score` (K, p) and `hessian` (K, p,
    p).
    """

    log_pmf: Floats
    score: Floats
    hessian: Floats


class Component(Protocol):
    """Units alike: one law of their counts, with `size` parameters, each on the whole line."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """Log probability of each count; (K,)."""
        ...

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        """The same with its derivatives in the parameters."""
        ...

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        """Log probability of no activation in `samples` inputs, whole or not; of their shape."""
        ...


class RateLaw(Component, Protocol):
    """Units whose rates differ, by a law with parameters."""

    def starts(self, distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
        """Where to begin to fit `units` (K,) units with the counts of the tally."""
        ...

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        """The activation law of `units` such units."""
        ...

    def rows(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        """What there is to say of `units` such units after `samples` inputs, by name."""
        ...


@dataclass(frozen=True)
class Law:
    """The paper's law (C1), in the parameters (log odds of the rate c/N, log D*).

    The two are nearly uncorrelated, and both run over the whole line, so Newton's method never
    leaves the domain.
    """

    name = "law"
    size = 2

    @staticmethod
    def moments(distinct: DistinctCounts, units: Floats) -> Floats:
        """By moments: Var(D_i) = D p (1 − p) (D* + D) / (D* + 1), with p = c/N; `units` is (K,)."""
        n, total = distinct.samples, units.sum()
        mean = units @ distinct.successes / total
        spread = units @ (distinct.successes - mean) ** 2 / total
        rate = np.clip(mean / n, 1e-3 / (n * total), 1 - 1e-3 / (n * total))
        spread = spread / (n * rate * (1 - rate))
        knee = np.clip((n - spread) / np.maximum(spread - 1, 1e-3), 1e-3, 1e6 * n)
        return np.array([np.log(rate) - np.log1p(-rate), np.log(knee)])

    def starts(self, distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
        yield self.moments(distinct, units)

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        b, beta = self.weights(parameters)
        return ActivationLaw(units=units, active=units * (b / (b + beta)), b=b)

    def rows(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        law = self.law(parameters, units)
        return {
            "active": law.active,
            "b": law.b,
            "alpha": law.alpha,
            "knee": law.knee,
            "inflection": law.inflection,
            "expected_working": float(-units * np.expm1(self.log_idle(parameters, samples))),
        }

    @staticmethod
    def weights(parameters: Floats) -> tuple[float, float]:
        """(b, β), the beta distribution of the rates."""
        odds, log_knee = parameters
        knee = np.exp(log_knee)
        return float(knee * expit(odds)), float(knee * expit(-odds))

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        b, beta = self.weights(parameters)
        ways = log_rising_ratio(distinct.failures, distinct.successes, beta) - log_rising_ratio(
            0.0, distinct.successes, b
        )
        return log_idle(distinct.samples, b, beta) + ways

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        return log_idle(samples, *self.weights(parameters))

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        """By the chain rule from (b, β), with db/d odds = −dβ/d odds = D* p (1 − p)."""
        rate, rest_rate, knee = expit(parameters[0]), expit(-parameters[0]), np.exp(parameters[1])
        (b, beta), n = self.weights(parameters), distinct.samples
        by_b, by_beta, by_b2, by_beta2, cross = beta_slopes(
            b, beta, knee, distinct.successes, distinct.failures, n
        )

        turn = b * rest_rate
        score = np.stack((turn * (by_b - by_beta), b * by_b + beta * by_beta), axis=-1)
        hessian = np.empty((distinct.successes.size, 2, 2))
        hessian[:, 0, 0] = turn * (
            turn * (by_b2 + by_beta2 - 2 * cross) + (rest_rate - rate) * (by_b - by_beta)
        )
        bend = b * by_b2 - beta * by_beta2 + (beta - b) * cross
        hessian[:, 0, 1] = hessian[:, 1, 0] = turn * bend + score[:, 0]
        hessian[:, 1, 1] = (
            b * b * by_b2 + beta * beta * by_beta2 + 2 * b * beta * cross + score[:, 1]
        )
        return Slopes(self.log_pmf(parameters, distinct), score, hessian)


def beta_slopes(
    b: float, beta: float, knee: float, successes: Floats, failures: Floats, n: float
) -> tuple[Floats, Floats, Floats, Floats, np.float64]:
    """(C4) and what follows from it: ∂b, ∂β, ∂²b, ∂²β, each (K,), and ∂b∂β, which is the same for
    all counts.
    """
    cross = polygamma(1, knee) - polygamma(1, knee + n)
    by_b2 = polygamma(1, b + successes) - polygamma(1, b) + cross
    by_beta2 = polygamma(1, beta + failures) - polygamma(1, beta) + cross
    by_b, by_beta = (
        _weight_slope(b, beta, successes, failures, n),
        _weight_slope(beta, b, failures, successes, n),
    )
    return by_b, by_beta, by_b2, by_beta2, cross


def _weight_slope(
    own: float, other: float, own_count: Floats, other_count: Floats, n: float
) -> Floats:
    """(C4), so ordered that its product with a large weight keeps its digits."""
    knee = own + other
    if own < other:
        return digamma_step(own, own_count) - digamma_step(knee, n)
    return log_beta_ratio_slope(own, own_count, other) - digamma_step(knee + own_count, other_count)


@dataclass(frozen=True)
class Atom:
    """Units that never fire, (C2), or always, (C3): a law of counts without parameters."""

    successes: bool
    size = 0

    @property
    def name(self) -> str:
        return "always-on units" if self.successes else "silent units"

    @property
    def share_name(self) -> str:
        """Name of its share of the units."""
        return "always_on_share" if self.successes else "silent_share"

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        return np.where(
            (distinct.failures if self.successes else distinct.successes) == 0, 0.0, -np.inf
        )

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        k = distinct.successes.size
        return Slopes(self.log_pmf(parameters, distinct), np.zeros((k, 0)), np.zeros((k, 0, 0)))

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        return np.where(self.successes & (np.asarray(samples) > 0), -np.inf, 0.0)


SILENT, ALWAYS_ON = Atom(successes=False), Atom(successes=True)
