"""A law of rates of any smooth shape: what forecasts rest on where no formula describes a layer.

    (S1) A unit of rate λ is seen on an occasion with probability 1 − exp(−λ), on k of n with
         P(k | λ) = C(n, k) (1 − exp(−λ))^k exp(−λ)^(n−k)  [derived]
    (S2) The units' rates have the density exp g(x) on x = ln λ, and a share of the units may be
         silent.
         Roughness costs (s/2) ∫ g''(x)² dx, so straight lines are free: λ^b, the power law of (7),
         of any b
    (S3) A unit idle after n occasions wakes within the next ones up to m with the odds
         ∫ (exp(−nλ) − exp(−mλ)) exp g  :  silent + ∫ exp(−mλ) exp g  [derived]

Counts show the shape of g down to rates of about one in all samples. Rarer units are those that
wake later: their number is known (N − K), their rates are not, and (S2) carries the power law on
from where it is seen, bending it no more than their number demands. What counts cannot tell is
averaged over in equal parts: three degrees of smoothness, with and without a silent share. This is
empirical Bayes deconvolution (Efron 2016) with a smoothing prior (Wahba 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logsumexp

from actilaw.forecasting.incidence import Occasions
from actilaw.support.arrays import Floats

SMOOTHNESS = (
    2.0,
    6.0,
    20.0,
)  # the slope of g changes by about 1/√s per e-fold of the rate: 0.7, 0.4, 0.2
STEP = 0.15  # of x = ln λ
RAREST, BUSIEST = 1e-4, 1600.0  # rates covered, in activations per n occasions
TOLERANCE = 1e-3  # of a standard error, left between the estimate and the maximum
STEPS = 200
FARTHEST = 100 / RAREST  # times the samples seen, by which all but silent units have woken
RIDGE = 1e-6  # g is determined up to a constant; this pins it


@dataclass(frozen=True, eq=False)
class SmoothRates:
    """One estimate of the rates, at one degree of smoothness.

    Attributes:
        seen: what it was estimated from.
        rates: λ, per occasion; (n_rates,).
        weights: share of units at each rate, then of silent ones if it has any; (n_rates,) or
            (n_rates + 1,).
        precision: of the logarithms of the weights; the inverse of their covariance.
    """

    seen: Occasions
    rates: Floats
    weights: Floats
    precision: Floats

    def log_odds(self, factor: float) -> tuple[float, float]:
        """Log odds that an idle unit wakes by `factor` times as many samples, (S3), and their
        variance.
        """
        idle = self.weights * self._stay(self.seen.n)
        still = self.weights * self._stay(self.seen.n * min(factor, FARTHEST))
        woken = idle - still
        slope = woken / woken.sum() - still / still.sum()
        variance = slope @ np.linalg.solve(self.precision, slope)
        return float(np.log(woken.sum() / still.sum())), float(variance)

    def _all_rates(self) -> Floats:
        return np.append(self.rates, np.zeros(self.weights.size - self.rates.size))

    def _stay(self, occasions: float) -> Floats:
        return np.exp(-self._all_rates() * occasions)


@dataclass(frozen=True, eq=False)
class SmoothLaw:
    """The average of several estimates of the rates.

    Attributes:
        members: estimates, by whether there are silent units and by smoothness; all count alike.
    """

    members: tuple[SmoothRates, ...]

    def wake(self, factors: ArrayLike) -> tuple[Floats, Floats]:
        """Share of the idle units that wake by `factors` times as many samples, and the variance of
        its log odds.
        """
        told = np.array([[m.log_odds(f) for m in self.members] for f in np.atleast_1d(factors)])
        odds, variance = told[..., 0], told[..., 1]
        return expit(odds).mean(axis=1), variance.mean(axis=1) + odds.var(axis=1)


def fit_smooth(seen: Occasions) -> SmoothLaw:
    """The law of rates that makes what was seen most probable, averaged over what cannot be
    seen.
    """
    return SmoothLaw(tuple(_fit(seen, s, silent) for silent in (False, True) for s in SMOOTHNESS))


def _fit(seen: Occasions, smoothness: float, silent: bool) -> SmoothRates:
    """Newton's method with the expected information, which is never indefinite."""
    rates = np.exp(np.arange(np.log(RAREST), np.log(BUSIEST), STEP) + STEP / 2) / seen.n
    kernel = _kernel(seen.n, seen.units.size, np.append(rates, 0.0) if silent else rates)
    units = (
        seen.units / seen.dispersion
    )  # units that wake together say as much as fewer that do not
    bend = np.zeros((rates.size - 2, kernel.shape[1]))
    bend[:, : rates.size] = np.diff(np.eye(rates.size), 2, axis=0)
    penalty = smoothness * bend.T @ bend / STEP**3

    def value(logs: Floats) -> tuple[float, Floats, Floats]:
        weights = np.exp(logs - logsumexp(logs))
        cells = np.maximum(kernel @ weights, 1e-300)
        return float(units @ np.log(cells) - logs @ penalty @ logs / 2), weights, cells

    def slopes(logs: Floats, weights: Floats, cells: Floats) -> tuple[Floats, Floats]:
        belongs = kernel * weights / cells[:, np.newaxis]
        score = units @ belongs - units.sum() * weights - penalty @ logs
        information = units.sum() * (
            belongs.T @ (cells[:, np.newaxis] * belongs) - np.outer(weights, weights)
        )
        return score, information + penalty + RIDGE * np.eye(logs.size)

    logs: Floats = np.concatenate(
        (0.3 * np.log(rates * seen.n), np.full(int(silent), -3.0))
    ).astype(float)
    height, weights, cells = value(logs)
    score, precision = slopes(logs, weights, cells)
    for _ in range(STEPS):
        step = np.linalg.solve(precision, score)
        if score @ step < TOLERANCE**2:
            break
        step *= min(1.0, 3.0 / np.abs(step).max())
        while (tried := value(logs + step))[0] < height - 1e-9 * abs(height) and np.abs(
            step
        ).max() > 1e-9:
            step = step / 2
        logs, (height, weights, cells) = logs + step, tried
        score, precision = slopes(logs, weights, cells)
    return SmoothRates(seen, rates, weights, precision)


def _kernel(n: int, cells: int, rates: Floats) -> Floats:
    """P(seen on k of n occasions | rate), (S1), k = 0.., the last cell holding all from there on;
    (cells, n_rates).
    """
    k = np.arange(cells)
    ways = np.append(0.0, np.cumsum(np.log((n - k[:-1]) / (k[:-1] + 1.0))))  # ln C(n, k) for any n
    log_seen = np.log(np.maximum(-np.expm1(-rates), 1e-300))
    kernel = np.exp(ways[:, np.newaxis] + np.outer(k, log_seen) - np.outer(n - k, rates))
    if cells < n + 1:
        kernel[-1] = np.maximum(1 - kernel[:-1].sum(axis=0), 0.0)
    return kernel
