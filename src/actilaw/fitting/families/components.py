"""Components of mixtures of counts: the beta-binomial law of one unit's count (Skellam 1948), and
point masses for units that are activated never or always.

A unit that is activated by k of n samples, and not by the other r = n − k, has in one component the
log probability

    (CP1) the law, (4):  ln P(k) = ln C(n, k) + ln B(b + k, β + r) − ln B(b, β)  [paper, derived]
          with b = D* p, β = D* (1 − p), p = c/N, in the parameters (ln p/(1−p), ln D*)
    (CP2) silent units:  ln P(k) = 0 at k = 0, −∞ elsewhere
    (CP3) always on:     ln P(k) = 0 at r = 0, −∞ elsewhere

and a component gives its slopes in its own parameters, for each count: the score ∇ ln P(k) and the
Hessian ∇² ln P(k). Of (CP1), with ψ the digamma function,

    (CP4) ∂/∂b = ψ(b+k) − ψ(b) − ψ(D*+n) + ψ(D*),   ∂/∂β likewise with r for k  [derived]
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
from actilaw.theory.beta_binomial import log_idle, log_pmf, log_stay_idle
from actilaw.theory.log_gamma import digamma_step, log_beta_ratio_slope


@dataclass(frozen=True, eq=False)
class DistinctCounts:
    """The distinct counts of one layer after n samples.

    Attributes:
        successes: k, samples that activated a unit; (n_distinct,).
        failures: n − k, samples that did not; (n_distinct,). Both are kept because n − k in
            floating point loses a small number of failures at large n.
        samples: n.
    """

    successes: Floats
    failures: Floats
    samples: float

    @staticmethod
    def of(k: ArrayLike, samples: float) -> DistinctCounts:
        """From whole counts k in 0..samples."""
        k = np.asarray(k)
        return DistinctCounts(k.astype(float), (samples - k).astype(float), float(samples))


@dataclass(frozen=True, eq=False)
class Slopes:
    """Log probability of each count with its first and second derivatives in the parameters.

    Attributes:
        log_pmf: (..., n_distinct).
        score: (..., n_distinct, n_parameters).
        hessian: (..., n_distinct, n_parameters, n_parameters).
    """

    log_pmf: Floats
    score: Floats
    hessian: Floats


class Component(Protocol):
    """Units of one kind: a law of their counts with `size` parameters, each of them any real
    number.

    Parameters are (..., size): a component answers for many fits at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """Log probability of each count; (..., n_distinct)."""
        ...

    def score(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """Its slopes in the parameters; (..., n_distinct, n_parameters)."""
        ...

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        """The log probability with its first and second derivatives in the parameters."""
        ...

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        """Log probability of no activation in `samples` inputs, whole or not; of their shape, for
        one fit.
        """
        ...

    def log_stay_idle(self, parameters: Floats, samples: float, more: ArrayLike) -> Floats:
        """Log probability that a unit idle after `samples` inputs stays idle for `more` of them."""
        ...


class RateLaw(Component, Protocol):
    """Units whose rates differ, by a law with parameters."""

    def starts(self, distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
        """Where to begin to fit `units` units with each of the counts, (n_distinct,)."""
        ...

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        """The activation law of `units` such units."""
        ...

    def estimates(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        """Estimates for `units` such units after `samples` inputs, by name."""
        ...


@dataclass(frozen=True)
class Law:
    """The activation law (CP1), in the parameters (log odds of the rate c/N, log D*).

    The two are nearly uncorrelated and may be any real number, so Newton's method never leaves the
    domain.
    """

    name = "law"
    size = 2

    @staticmethod
    def moments(distinct: DistinctCounts, units: Floats) -> Floats:
        """The method of moments: Var(D_i) = D p (1 − p) (D* + D) / (D* + 1), with p = c/N."""
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
        b, beta = map(float, self.beta_parameters(parameters))
        return ActivationLaw(units=units, active=units * (b / (b + beta)), b=b)

    def estimates(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
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
    def beta_parameters(parameters: Floats) -> tuple[Floats, Floats]:
        """(b, β), the beta distribution of the rates; (...,) each."""
        odds, log_knee = parameters[..., 0], parameters[..., 1]
        knee = np.exp(log_knee)
        return knee * expit(odds), knee * expit(-odds)

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        b, beta = _columns(*self.beta_parameters(parameters))
        return log_pmf(distinct.successes, distinct.failures, b, beta, distinct.samples)

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        return log_idle(samples, *self.beta_parameters(parameters))

    def log_stay_idle(self, parameters: Floats, samples: float, more: ArrayLike) -> Floats:
        return log_stay_idle(samples, more, *self.beta_parameters(parameters))

    def score(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """By the chain rule from (b, β), with db/d odds = −dβ/d odds = D* p (1 − p)."""
        b, beta = _columns(*self.beta_parameters(parameters))
        by_b, by_beta = _by_weights(b, beta, distinct)
        by_odds = _turn(b, parameters) * (by_b - by_beta)
        return np.stack((by_odds, b * by_b + beta * by_beta), axis=-1)

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        """By the chain rule, as in `score`."""
        b, beta = _columns(*self.beta_parameters(parameters))
        rate, idle_rate = _columns(expit(parameters[..., 0]), expit(-parameters[..., 0]))
        by_b, by_beta = _by_weights(b, beta, distinct)
        by_b2, by_beta2, cross = _curvatures(b, beta, distinct)

        turn = _turn(b, parameters)
        by_odds, by_log_knee = turn * (by_b - by_beta), b * by_b + beta * by_beta
        by_odds2 = turn * turn * (by_b2 + by_beta2 - 2 * cross) + (idle_rate - rate) * by_odds
        mixed = turn * (b * by_b2 - beta * by_beta2 + (beta - b) * cross) + by_odds
        by_log_knee2 = b * b * by_b2 + beta * beta * by_beta2 + 2 * b * beta * cross + by_log_knee
        rows = np.stack((by_odds2, mixed, mixed, by_log_knee2), axis=-1)
        return Slopes(
            log_pmf=self.log_pmf(parameters, distinct),
            score=np.stack((by_odds, by_log_knee), axis=-1),
            hessian=rows.reshape(*by_odds.shape, 2, 2),
        )


def _columns(*of_fits: Floats) -> list[Floats]:
    """Numbers of each fit, (...,), as (..., 1), beside the counts."""
    return [values[..., np.newaxis] for values in of_fits]


def _turn(b: Floats, parameters: Floats) -> Floats:
    """db/d odds = D* p (1 − p), (..., 1)."""
    return b * expit(-parameters[..., :1])


def _by_weights(b: Floats, beta: Floats, distinct: DistinctCounts) -> tuple[Floats, Floats]:
    """∂/∂b and ∂/∂β, (CP4); (..., n_distinct) each."""
    k, r, n = distinct.successes, distinct.failures, distinct.samples
    return weight_slope(b, beta, k, r, n), weight_slope(beta, b, r, k, n)


def _curvatures(b: Floats, beta: Floats, distinct: DistinctCounts) -> tuple[Floats, Floats, Floats]:
    """∂²/∂b² and ∂²/∂β², each (..., n_distinct), and ∂²/∂b∂β, which is the same for all counts."""
    knee = b + beta
    cross = polygamma(1, knee) - polygamma(1, knee + distinct.samples)
    by_b2 = polygamma(1, b + distinct.successes) - polygamma(1, b) + cross
    by_beta2 = polygamma(1, beta + distinct.failures) - polygamma(1, beta) + cross
    return by_b2, by_beta2, cross


def weight_slope(
    own: float | Floats,
    other: float | Floats,
    own_count: Floats,
    other_count: Floats,
    n: float | Floats,
) -> Floats:
    """Slope of (CP1) in one of b and β, (CP4), ordered so that its product with a large weight
    keeps its digits.
    """
    knee, is_less = own + other, np.asarray(own < other)
    if is_less.all():
        return digamma_step(own, own_count) - digamma_step(knee, n)
    slope = log_beta_ratio_slope(own, own_count, other) - digamma_step(
        knee + own_count, other_count
    )
    if not is_less.any():
        return slope
    return np.where(is_less, digamma_step(own, own_count) - digamma_step(knee, n), slope)


@dataclass(frozen=True)
class Atom:
    """Units that are activated never, (CP2), or always, (CP3): a law of counts without
    parameters.
    """

    always_on: bool
    size = 0

    @property
    def name(self) -> str:
        return "always-on units" if self.always_on else "silent units"

    @property
    def share_name(self) -> str:
        """Name of its share of the units."""
        return "always_on_share" if self.always_on else "silent_share"

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        missing = distinct.failures if self.always_on else distinct.successes
        of_each = np.where(missing == 0, 0.0, -np.inf)
        return np.broadcast_to(of_each, (*parameters.shape[:-1], missing.size))

    def score(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        return np.zeros((*parameters.shape[:-1], distinct.successes.size, 0))

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        score = self.score(parameters, distinct)
        return Slopes(
            log_pmf=self.log_pmf(parameters, distinct),
            score=score,
            hessian=np.zeros((*score.shape, 0)),
        )

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        return np.where(self.always_on & (np.asarray(samples) > 0), -np.inf, 0.0)

    def log_stay_idle(self, parameters: Floats, samples: float, more: ArrayLike) -> Floats:
        return np.zeros(np.shape(more))  # no unit that is always on has been idle


SILENT, ALWAYS_ON = Atom(always_on=False), Atom(always_on=True)
