"""Counts drawn with NumPy alone, never with the code under test."""

from __future__ import annotations

import numpy as np

from actilaw import ActivationCounts
from actilaw.counts.blocks import Blocks


def draw_counts(units: int, active: float, b: float, samples: int, seed: int) -> ActivationCounts:
    """Counts of units whose hidden rates are Beta(b, bN/c − b)."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(b, b * units / active - b, size=units)
    return ActivationCounts(rng.binomial(samples, rates), samples)


def draw_blocks(
    rates: np.ndarray, blocks: int, size: int, rng: np.random.Generator
) -> ActivationCounts:
    """Counts in blocks of `size` samples, every unit on its own."""
    part = rng.binomial(size, rates, size=(blocks, rates.size))
    return ActivationCounts(
        part.sum(axis=0), blocks * size, blocks=Blocks(part, np.full(blocks, size), size)
    )


def draw_runs_of_eight(
    rates: np.ndarray, blocks: int, size: int, rng: np.random.Generator
) -> ActivationCounts:
    """Counts of units that, where they fire, fire on eight samples in a row."""
    part = 8 * rng.binomial(size // 8, rates / 8, size=(blocks, rates.size))
    return ActivationCounts(
        part.sum(axis=0), blocks * size, blocks=Blocks(part, np.full(blocks, size), size)
    )


def draw_groups(
    rng: np.random.Generator, samples: int, *groups: tuple[int, float, float]
) -> ActivationCounts:
    """Counts of units whose rates are Beta(b, β), for each group of (units, b, β); β = 0 is always
    on, b = 0 silent.
    """
    rates = [
        np.full(units, float(b > 0)) if b == 0 or beta == 0 else rng.beta(b, beta, units)
        for units, b, beta in groups
    ]
    return ActivationCounts(rng.binomial(samples, np.concatenate(rates)), samples)
