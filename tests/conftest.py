"""Shared by all tests: counts drawn with NumPy alone, never with the code under test."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts


def draw_counts(units: int, active: float, b: float, samples: int, seed: int) -> ActivationCounts:
    """Counts of units whose hidden rates are Beta(b, bN/c − b)."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(b, b * units / active - b, size=units)
    return ActivationCounts(rng.binomial(samples, rates), samples)


@pytest.fixture(scope="session")
def counts() -> ActivationCounts:
    return draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1)
