"""Hypothesis strategies for counts."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from actilaw import ActivationCounts
from actilaw.counts.blocks import Blocks

SAMPLES = 12
small_layers = st.lists(st.integers(0, SAMPLES), min_size=3, max_size=3).map(
    lambda counts: ActivationCounts(np.array(counts), SAMPLES)
)
RATES = {
    "beta": lambda rng, units: rng.beta(rng.uniform(0.05, 2), np.exp(rng.uniform(0, 6)), units),
    "heavy tail": lambda rng, units: np.minimum(1e-6 * (1 + rng.pareto(0.3, units)), 1.0),
    "two humps": lambda rng, units: np.where(rng.random(units) < 0.5, 1e-4, rng.uniform(0, 1)),
    "alike": lambda rng, units: np.full(units, rng.uniform()),
    "one works": lambda rng, units: np.where(np.arange(units) == 0, 0.3, 0.0),
    "all work": lambda rng, units: rng.uniform(0.5, 1, units),
}


@st.composite
def varied_layers(draw: st.DrawFn) -> ActivationCounts:
    """Layers that have little in common: of few units or many, of 2 samples or 2⁶², with blocks and
    without, with bursts that excite all units, idle but for one unit, or all working.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units = draw(st.sampled_from([2, 3, 17, 200, 1000]))
    rates = RATES[draw(st.sampled_from(sorted(RATES)))](rng, units)
    if draw(st.booleans()):
        return _in_blocks(
            rng, rates, blocks=draw(st.integers(1, 32)), size=2 ** draw(st.integers(0, 7))
        )
    samples = draw(st.one_of(st.integers(2, 3000), st.integers(10**6, 2**62)))
    return ActivationCounts(_binomial(rng, samples, rates), samples)


def _in_blocks(
    rng: np.random.Generator, rates: np.ndarray, blocks: int, size: int
) -> ActivationCounts:
    gain = np.exp(rng.normal(0, rng.uniform(0, 2), (blocks, 1)))
    part = rng.binomial(size, np.minimum(rates * gain, 1))
    return ActivationCounts(
        part.sum(axis=0), blocks * size, blocks=Blocks(part, np.full(blocks, size), size)
    )


def _binomial(rng: np.random.Generator, samples: int, rates: np.ndarray) -> np.ndarray:
    """Binomial counts, Poisson where the samples are too many to draw from."""
    if samples < 10**9:
        return rng.binomial(samples, rates)
    rates = rates**8  # so that some units stay rare among so many
    means = [float(rate) * samples for rate in rates]
    return np.array([min(samples, rng.poisson(m) if m < 1e9 else int(m)) for m in means], np.int64)
