"""Families of laws that counts may follow: here the activation law itself.

    (4) D_i ~ BetaBinomial(D; b, D* − b):
        log P(k) = log C(D, k) + log B(b + k, D* − b + D − k) − log B(b, D* − b)

A family is a log-likelihood with its score and Hessian, a start, and the way from its parameters to the law.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, polygamma

from actilaw.counts import ActivationCounts
from actilaw.fit.likelihood import LogLikelihood, Vector
from actilaw.gamma import digamma_step
from actilaw.theory import ActivationLaw
from actilaw.theory.beta_binomial import log_pmf


class LawFamily:
    """The paper's law, in the parameters (log odds of the rate c/N, log D*).

    The two are nearly uncorrelated, and both run over the whole line, so Newton's method never leaves the domain.
    """

    name = "law"

    def start(self, counts: ActivationCounts) -> Vector:
        """By moments: Var(D_i) = D p (1 − p) (D* + D) / (D* + 1), with p = c/N."""
        n, rate = counts.samples, counts.active / counts.units
        spread = counts.counts.var() / (n * rate * (1 - rate))
        knee = np.clip((n - spread) / np.maximum(spread - 1, 1e-3), 1e-3, 1e6 * n)
        return np.array([np.log(rate) - np.log1p(-rate), np.log(knee)])

    def log_likelihood(self, counts: ActivationCounts) -> LogLikelihood:
        """Over the histogram of counts, whose distinct values are far fewer than the units."""
        k, units = counts.histogram()
        n = counts.samples
        rests = n - k

        def value_score_hessian(parameters: Vector) -> tuple[float, Vector, Vector]:
            odds, log_knee = parameters
            rate, knee = expit(odds), np.exp(log_knee)
            fire, rest = knee * rate, knee * expit(-odds)  # Beta(fire, rest) is the law of the rates
            value = units @ log_pmf(k, rests, fire, rest)

            # By the chain rule from (fire, rest), with d fire/d odds = −d rest/d odds = D* p (1 − p).
            both = digamma_step(knee, n)
            by_fire = units @ (digamma_step(fire, k) - both)
            by_rest = units @ (digamma_step(rest, rests) - both)
            both2 = polygamma(1, knee) - polygamma(1, knee + n)
            by_fire2 = units @ (polygamma(1, fire + k) - polygamma(1, fire) + both2)
            by_rest2 = units @ (polygamma(1, rest + rests) - polygamma(1, rest) + both2)
            cross = units.sum() * both2
            slope = fire * expit(-odds)
            jacobian = np.array([[slope, -slope], [fire, rest]])
            score = jacobian @ [by_fire, by_rest]
            bend = slope * (expit(-odds) - rate)
            curved = np.array([[bend * (by_fire - by_rest), slope * (by_fire - by_rest)], [0.0, score[1]]])
            curved[1, 0] = curved[0, 1]
            hessian = jacobian @ np.array([[by_fire2, cross], [cross, by_rest2]]) @ jacobian.T + curved
            return float(value), score, hessian

        return value_score_hessian

    def law(self, parameters: Vector, units: int) -> ActivationLaw:
        """The law with these parameters for a layer of `units` units."""
        rate, knee = expit(parameters[0]), np.exp(parameters[1])
        return ActivationLaw(units=units, active=float(units * rate), b=float(knee * rate))
