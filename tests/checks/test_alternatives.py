"""Simple laws of counts, fitted by other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom, binom, norm

from actilaw import ActivationCounts
from actilaw.checks.alternatives import ALTERNATIVES
from builders.drawn import draw_counts


@pytest.mark.slow
def test_alternatives_by_scipy() -> None:
    counts = draw_counts(300, 20, 0.5, 150, seed=3)
    k, units = counts.histogram()
    found = {name: alternative(counts) for name, alternative in ALTERNATIVES.items()}
    exponential = max(
        units @ betabinom.logpmf(k, 150, 1, rest) for rest in np.geomspace(1, 100, 3000)
    )
    assert units @ found["exponential"] == pytest.approx(exponential, abs=1e-3)
    sums = [
        units[k > 0] @ np.log(k[k > 0] ** -a / np.sum(np.arange(1.0, 151) ** -a))
        for a in np.linspace(-1, 3, 4001)
    ]
    by_hand = (
        max(sums)
        + counts.working * np.log(counts.working / 300)
        + counts.idle * np.log(counts.idle / 300)
    )
    assert units @ found["power_law"] == pytest.approx(by_hand, abs=1e-3)


@pytest.mark.slow
def test_the_lognormal_recovers_its_own_counts() -> None:
    rng = np.random.default_rng(4)
    rates = 1 / (1 + np.exp(-rng.normal(-4, 1.5, 3000)))
    counts = ActivationCounts(rng.binomial(400, rates), 400)
    k, units = counts.histogram()

    x = np.arange(-16, 8, 0.002)
    chance = binom.pmf(k[:, np.newaxis], 400, 1 / (1 + np.exp(-x))) @ norm.pdf(x, -4, 1.5) * 0.002
    gained = units @ (ALTERNATIVES["lognormal"](counts) - np.log(chance))
    assert 0 <= gained < 10  # a fit gains about as much as it has parameters


@pytest.mark.parametrize("name", list(ALTERNATIVES))
def test_probabilities_of_all_counts_add_up_to_one(name: str) -> None:
    every_count = ActivationCounts(np.repeat(np.arange(201), 3), 200)
    total = np.exp(ALTERNATIVES[name](every_count)).sum()
    assert total == pytest.approx(1, abs=1e-9 if name != "lognormal" else 0.01)


def test_a_power_law_beyond_the_counts_summed_one_by_one() -> None:
    counts = ActivationCounts(np.array([0, 1, 1, 1, 2, 5, 40, 300, 7000, 29_999]), 30_000)
    k, units = counts.histogram()
    log_k = np.log(np.arange(1.0, 30_001))
    exponents = np.linspace(0.2, 2, 3601)
    normalisers = np.array([np.log(np.exp(-a * log_k).sum()) for a in exponents])
    fired = k > 0
    likelihoods = -exponents * (units[fired] @ np.log(k[fired])) - 9 * normalisers
    by_hand = likelihoods.max() + 9 * np.log(0.9) + np.log(0.1)
    assert units @ ALTERNATIVES["power_law"](counts) == pytest.approx(by_hand, abs=1e-3)
