"""Layers drawn sample by sample with NumPy alone, with all that `record` keeps of them: counts,
blocks, first activations and squares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actilaw import ActivationCounts
from actilaw.counts.blocks import Blocks

N_BLOCKS, BLOCK_SIZE = 32, 32


def counts_of(fired: NDArray[np.bool_]) -> ActivationCounts:
    """Counts of a layer from which units were active on which samples; (N_BLOCKS * BLOCK_SIZE,
    n_units).
    """
    by_block = fired.reshape(N_BLOCKS, BLOCK_SIZE, -1).sum(axis=1)
    return ActivationCounts(
        fired.sum(axis=0),
        len(fired),
        entries=len(fired),
        active_squares=int((fired.sum(axis=1) ** 2).sum()),
        first=np.where(fired.any(axis=0), fired.argmax(axis=0), -1),
        blocks=Blocks(by_block, np.full(N_BLOCKS, BLOCK_SIZE), BLOCK_SIZE),
    )


def draw_layer(seed: int, units: int = 600, change: float = 0.0) -> ActivationCounts:
    """Counts under the law with c = N/20 and b = 0.4, in 1024 samples.

    Each unit's rate changes from start to end by the share `change` of it, up or down.
    """
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.4, 7.6, units)
    time = np.linspace(-0.5, 0.5, N_BLOCKS * BLOCK_SIZE)[:, np.newaxis]
    slopes = change * rng.choice([-1.0, 1.0], units)
    return counts_of(rng.random((N_BLOCKS * BLOCK_SIZE, units)) < rates * (1 + slopes * time))


def draw_bursts(seed: int | np.random.Generator, spread: float = 0.5) -> NDArray[np.bool_]:
    """Activity of 600 units, where each sample excites all of them by a factor of its own,
    lognormal with this spread; (1024, 600). A generator in the place of the seed is drawn from.
    """
    rng = np.random.default_rng(seed)
    gain = np.exp(rng.normal(-(spread**2) / 2, spread, (N_BLOCKS * BLOCK_SIZE, 1)))
    return rng.random((N_BLOCKS * BLOCK_SIZE, 600)) < rng.beta(0.4, 7.6, 600) * gain
