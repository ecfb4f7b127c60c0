"""The law in 120 digits, straight from (4), (5) and (13): the answers to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np

DIGITS = 120
Mpf = Any  # a number of mpmath, which makes their class as it is imported


@dataclass(frozen=True)
class Point:
    """One law, a number of samples, a count, and how many more samples."""

    units: float
    active: float
    b: float
    samples: int
    k: int
    more: int


def log_beta(a: Mpf, b: Mpf) -> Mpf:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def answers(p: Point) -> dict[str, Mpf]:
    """Idle fraction, working units, probability of the count, and wake probability."""
    with mp.workdps(DIGITS):
        units, active, b = mp.mpf(p.units), mp.mpf(p.active), mp.mpf(p.b)
        n, k, more = mp.mpf(p.samples), mp.mpf(p.k), mp.mpf(p.more)
        beta = b * (units - active) / active
        idle = log_beta(b, beta + n) - log_beta(b, beta)
        later = log_beta(b, beta + n + more) - log_beta(b, beta + n)
        choose = mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)
        pmf = choose + log_beta(k + b, n - k + beta) - log_beta(b, beta)
        return {
            "idle_fraction": mp.exp(idle),
            "working": -units * mp.expm1(idle),
            "count_pmf": mp.exp(pmf),
            "wake_probability": -mp.expm1(later),
        }


def corners() -> list[Point]:
    """Every combination of the extreme and middle values of each parameter."""
    shares = (1e-18, 1e-3, 0.5, 1 - 1e-12)
    found = []
    for units, share, b, n in product(
        (2.0, 1e6, 1e12), shares, (1e-6, 1.0, 1e3), (1, 10**9, 10**18)
    ):
        mean = min(n, max(0, round(n * share)))
        for k, more in ((0, 1), (n, 10**18), (mean, max(1, n // 10))):
            found.append(Point(units, units * share, b, n, k, more))
    return found


def scattered(rng: np.random.Generator, size: int) -> list[Point]:
    """Points drawn log-uniformly over the whole range, activity close to either end, counts
    everywhere.
    """
    found = []
    for _ in range(size):
        units = float(np.rint(10 ** rng.uniform(0.31, 12)))
        share = 10 ** -rng.uniform(0, 18)
        share = (
            1 - min(10 ** -rng.uniform(0, 15), 0.999) if rng.random() < 0.3 else min(share, 0.999)
        )
        n = int(10 ** rng.uniform(0, 18))
        offset = min(int(10 ** rng.uniform(0, np.log10(n + 1))), n)
        near_mean = min(n, int(n * min(share * rng.gamma(2, 0.5), 1.0)))
        k = (0, offset, n - offset, near_mean, near_mean)[rng.integers(5)]
        b = 10 ** rng.uniform(-6, 3)
        found.append(Point(units, units * share, b, n, k, int(10 ** rng.uniform(0, 18))))
    return found
