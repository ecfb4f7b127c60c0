"""Counts drawn with NumPy alone, never with the code under test."""

from __future__ import annotations

import numpy as np

from actilaw import ActivationCounts


def draw_counts(units: int, active: float, b: float, samples: int, seed: int) -> ActivationCounts:
    """Counts of units whose hidden rates are Beta(b, bN/c − b)."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(b, b * units / active - b, size=units)
    return ActivationCounts(rng.binomial(samples, rates), samples)
