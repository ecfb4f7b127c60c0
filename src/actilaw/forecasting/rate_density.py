"""The density of firing rates over units, by empirical-Bayes deconvolution (Efron 2016) with a
smoothing prior (Wahba 1978).

Real layers depart from every closed form, so forecasts are made from a density of any shape, smooth
in the logarithm of the rate:

    (RD1) A unit of which a activations are expected in all samples so far, a = Tλ, is found in one
          of several classes with probabilities that are known: by the number of blocks or samples
          in which it was active (IQ1), or by when it was first active (WT1)
    (RD2) The units' rates have the density exp g(x) on x = ln λ, and a share of the units may be
          silent. Roughness costs (s/2) ∫ g''(x)² dx, so straight lines are free: λ^b, the power law
          of (7), of any b
    (RD3) A unit idle after T sampling units works by U of them with the odds
          ∫ (exp(−Tλ) − exp(−Uλ)) exp g  :  silent + ∫ exp(−Uλ) exp g  [derived]
    (RD4) variance of the log odds of (RD3) = κ that of the estimate + that between estimates
          + DRIFT ln(U/T)  [measured]
    (RD5) Where layers lend each other their shape, roughness costs (s/2) ∫ (g'' − h'')² dx for half
          of the estimates, with exp h the density of the other layers

Counts show the shape of g down to rates of about one in all samples. Rarer units are those that
start to work later: their number is known (N − K), their rates are not. The prior (RD2) continues
the power law from where counts determine it, and bends it no more than the number of idle units
demands. What counts do not determine is averaged over in equal parts: four degrees of smoothness,
each with and without a silent share. Weights by the evidence of each were tried and are worse
(docs/theory/forecasts.md).

The estimate supposes that the density goes on as smoothly as it began. Densities of trained
networks need not: units that training starved may gather at rates that nothing announces. (RD4)
holds how far networks depart, as a random walk on ln U would. Where units start to work together,
the likelihood is divided by a tempering, which steadies the estimate; its error is smaller than the
tempered likelihood says, by a factor κ, since the overdispersion is part of the chance of
`clustering` already. Both, and DRIFT, were chosen by interval scores (Gneiting & Raftery 2007) on
half of the networks of a study and on twelve of the cases of benchmarks/forecast.py;
docs/theory/forecasts.md says what else was tried, docs/results.md reports on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from scipy.special import expit

from actilaw.support.arrays import Floats

# s of (RD2): the slope of g changes by about 1/√s per e-fold of the rate: 0.7, 0.4, 0.2, 0.13.
SMOOTHNESS = (2.0, 6.0, 20.0, 60.0)
LOG_RATE_STEP = 0.15
DRIFT = 0.03  # variance of the log odds per e-fold of the samples, (RD4)
RAREST_RATE, BUSIEST_RATE = 1e-4, 1600.0  # rates covered, in activations in all samples so far
DENSITY_TOLERANCE = 1e-3  # of a standard error, left between the estimate and the maximum
MOST_DENSITY_STEPS = 200
LONGEST_FACTOR = 100 / RAREST_RATE  # of the samples, by which all but silent units work
RIDGE = 1e-6  # g is determined up to a constant; this pins it
LEAST_PROBABILITY = 1e-300

LikelihoodAt = tuple[float, Floats, Floats]  # height, weights, probabilities of each class


class ClassifiedUnits(Protocol):
    """Units in classes by what was seen of them, (RD1)."""

    @property
    def samples(self) -> int:
        """Samples in all."""
        ...

    @property
    def frequencies(self) -> Floats:
        """Units in each class; (n_classes,)."""
        ...

    @property
    def tempering(self) -> float:
        """What the likelihood is divided by, at least 1: more where units start together."""
        ...

    @property
    def error_factor(self) -> float:
        """κ of (RD4), in (0, 1]."""
        ...

    def probabilities(self, activations: Floats) -> Floats:
        """Probability of each class for units of which so many activations are expected in all
        samples, (n_rates,); (n_classes, n_rates).
        """
        ...


@dataclass(frozen=True, eq=False)
class RateDensityEstimate:
    """One estimate of the density of rates, at one degree of smoothness.

    Attributes:
        activations: expected in all samples so far, at each rate; (n_rates,).
        weights: share of units at each rate, then of silent ones if it has any; (n_rates,) or
            (n_rates + 1,).
        precision: of the logarithms of the weights; the inverse of their covariance.
        degrees_of_freedom: that the data, not the prior, have determined.
    """

    activations: Floats
    weights: Floats
    precision: Floats
    degrees_of_freedom: float

    @property
    def logs(self) -> Floats:
        """Logarithms of the weights, finite."""
        return np.log(np.maximum(self.weights, LEAST_PROBABILITY))

    def expected_classes(self, seen: ClassifiedUnits) -> Floats:
        """Units expected in each class; (n_classes,)."""
        silent = np.zeros(self.weights.size - self.activations.size)
        probabilities = seen.probabilities(np.append(self.activations, silent))
        return seen.frequencies.sum() * (probabilities @ self.weights)

    def log_odds(self, further: Floats) -> tuple[Floats, Floats]:
        """Log odds that an idle unit works within `further` times as many further samples, (RD3),
        and their variance; (n,) each.
        """
        log_odds, loadings = self.loadings(further)
        return log_odds, np.sum(loadings**2, axis=1)

    def loadings(self, further: Floats) -> tuple[Floats, Floats]:
        """The same log odds, (n,), and what each owes to independent errors of unit variance, whose
        products L L' are their covariance; (n, n_weights).
        """
        silent = np.zeros(self.weights.size - self.activations.size)
        activations = np.append(self.activations, silent)
        ahead = np.minimum(further, LONGEST_FACTOR)[:, np.newaxis] * activations
        idle_now = self.weights * np.exp(-activations)
        newly_working, idle_then = idle_now * -np.expm1(-ahead), idle_now * np.exp(-ahead)
        work, stay = newly_working.sum(axis=1), idle_then.sum(axis=1)
        slopes = newly_working / work[:, np.newaxis] - idle_then / stay[:, np.newaxis]
        return np.log(work / stay), slopes @ self._root

    @cached_property
    def _root(self) -> Floats:
        """R of the covariance R R', which forecasts at many numbers of samples and widths share."""
        lower = np.linalg.cholesky(self.precision)
        return solve_triangular(lower, np.eye(lower.shape[0]), lower=True).T


@dataclass(frozen=True, eq=False)
class RateDensity:
    """The average of several estimates of the density of rates.

    Attributes:
        samples: D, those that were counted.
        members: estimates, without and with silent units, by smoothness; all of equal weight.
        error_factor: κ of (RD4).
    """

    samples: int
    members: tuple[RateDensityEstimate, ...]
    error_factor: float = 1.0

    def newly_working(self, samples: ArrayLike) -> tuple[Floats, Floats]:
        """Share of the idle units that work by `samples` samples in all, and the variance of its
        log odds; (n,) each.
        """
        further = self._further(samples)
        found = np.array([member.log_odds(further) for member in self.members])
        log_odds, variance = found[:, 0], found[:, 1]
        of_estimate = self.error_factor * variance.mean(axis=0) + log_odds.var(axis=0)
        return expit(log_odds).mean(axis=0), of_estimate + DRIFT * np.log1p(further)  # (RD4)

    def covariance(self, samples: ArrayLike) -> Floats:
        """Covariance of those log odds at several numbers of samples, (n,); (n, n)."""
        further = self._further(samples)
        found = [member.loadings(further) for member in self.members]
        of_estimate = np.mean([loadings @ loadings.T for _, loadings in found], axis=0)
        of_members = np.cov([log_odds for log_odds, _ in found], rowvar=False, ddof=0)
        drift = DRIFT * np.log1p(np.minimum.outer(further, further))
        return self.error_factor * of_estimate + np.atleast_2d(of_members) + drift

    def _further(self, samples: ArrayLike) -> Floats:
        """Further samples as a multiple of those counted; (n,)."""
        # The difference first: from 10¹⁶ samples on one more is lost in their ratio.
        return (np.atleast_1d(samples) - self.samples) / self.samples


def fit_rate_density(seen: ClassifiedUnits, like: RateDensity | None = None) -> RateDensity:
    """The density of rates that makes what was seen most probable, averaged over what it does not
    determine.

    Args:
        seen: of the units.
        like: the density of layers that this one may resemble. Half of the estimates then depart
            from its shape rather than from a power law, (RD5).
    """
    members: list[RateDensityEstimate] = []
    for has_silent in (False, True):
        near = None
        for smoothness in SMOOTHNESS:
            near = fit_one_rate_density(seen, smoothness, has_silent=has_silent, near=near)
            members.append(near)
    if like is not None:
        members += [
            fit_one_rate_density(seen, smoothness, has_silent=has_silent, near=shape, like=shape)
            for (has_silent, smoothness), shape in zip(
                product((False, True), SMOOTHNESS), like.members, strict=True
            )
        ]
    return RateDensity(seen.samples, tuple(members), seen.error_factor)


@dataclass(frozen=True, eq=False)
class _PenalisedLikelihood:
    """The penalised log-likelihood of (RD2), as a function of the logarithms of the weights.

    Attributes:
        units: in each class, over the tempering.
        kernel: probability of each class at each rate, (RD1); (n_classes, n_weights).
        penalty: of the roughness of g; (n_weights, n_weights).
        centre: what g is expected to be, up to a straight line; (n_weights,).
    """

    units: Floats
    kernel: Floats
    penalty: Floats
    centre: Floats

    def evaluate(self, logs: Floats) -> LikelihoodAt:
        """Height, weights, and the probability of each class."""
        weights = np.exp(logs - logs.max())  # softmax; SciPy's takes as long as all else here
        weights /= weights.sum()
        probabilities = np.maximum(self.kernel @ weights, LEAST_PROBABILITY)
        departure = logs - self.centre
        height = self.units @ np.log(probabilities) - departure @ self.penalty @ departure / 2
        return float(height), weights, probabilities

    def slopes(self, logs: Floats, weights: Floats, probabilities: Floats) -> tuple[Floats, Floats]:
        """Score and expected information, which is never indefinite."""
        total = self.units.sum()
        posterior = self.kernel * weights / probabilities[:, np.newaxis]
        score = self.units @ posterior - total * weights - self.penalty @ (logs - self.centre)
        information = total * (
            posterior.T @ (probabilities[:, np.newaxis] * posterior) - np.outer(weights, weights)
        )
        return score, information + self.penalty + RIDGE * np.eye(logs.size)


def fit_one_rate_density(
    seen: ClassifiedUnits,
    smoothness: float,
    *,
    has_silent: bool = True,
    near: RateDensityEstimate | None = None,
    like: RateDensityEstimate | None = None,
) -> RateDensityEstimate:
    """The density of rates at one degree of smoothness, with or without silent units.

    Args:
        seen: of the units.
        smoothness: s of (RD2).
        has_silent: whether a share of the units may be silent.
        near: the density at another degree, from which the search starts.
        like: the density of layers that this one resembles, with as many weights: what costs is to
            bend other than it, (RD5).
    """
    log_rates = np.arange(np.log(RAREST_RATE), np.log(BUSIEST_RATE), LOG_RATE_STEP)
    activations = np.exp(log_rates + LOG_RATE_STEP / 2)
    silent = np.zeros(1 if has_silent else 0)  # activations of the units that never fire
    likelihood = _PenalisedLikelihood(
        units=seen.frequencies / seen.tempering,
        kernel=seen.probabilities(np.append(activations, silent)),
        penalty=_roughness_penalty(activations.size, activations.size + silent.size, smoothness),
        centre=np.zeros(activations.size + silent.size) if like is None else like.logs,
    )
    if near is None:
        power_law = 0.3 * np.log(activations)
        start = np.append(power_law, np.full(silent.size, -3.0))
    else:
        start = near.logs
    weights, precision = _maximum(likelihood, start)
    by_prior = np.linalg.solve(precision, likelihood.penalty)
    return RateDensityEstimate(
        activations, weights, precision, weights.size - float(np.trace(by_prior))
    )


def _maximum(likelihood: _PenalisedLikelihood, start: Floats) -> tuple[Floats, Floats]:
    """Weights at the maximum and their precision, by Newton's method with the expected
    information.
    """
    logs = start
    height, weights, probabilities = likelihood.evaluate(logs)
    score, precision = likelihood.slopes(logs, weights, probabilities)
    for _ in range(MOST_DENSITY_STEPS):
        step = np.linalg.solve(precision, score).astype(float)
        if score @ step < DENSITY_TOLERANCE**2:
            break
        step = step * min(1.0, 3.0 / float(np.abs(step).max()))
        step, found = _uphill(likelihood.evaluate, logs, step, height)
        logs = logs + step
        height, weights, probabilities = found
        score, precision = likelihood.slopes(logs, weights, probabilities)
    return weights, precision


def _uphill(
    evaluate: Callable[[Floats], LikelihoodAt], logs: Floats, step: Floats, height: float
) -> tuple[Floats, LikelihoodAt]:
    """The step, halved until it does not lead downhill by more than rounding, and what is found
    there.
    """
    found = evaluate(logs + step)
    while found[0] < height - 1e-9 * abs(height) and np.abs(step).max() > 1e-9:
        step = step / 2
        found = evaluate(logs + step)
    return step, found


def _roughness_penalty(n_rates: int, n_weights: int, smoothness: float) -> Floats:
    """Matrix of the quadratic form in (RD2), by second differences; silent units are free."""
    bend = np.zeros((n_rates - 2, n_weights))
    bend[:, :n_rates] = np.diff(np.eye(n_rates), 2, axis=0)
    return smoothness * bend.T @ bend / LOG_RATE_STEP**3
