"""Exponents: of next activations against counts so far, and of the law of counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import betabinom

from actilaw import ActivationCounts
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.reinforcement import alpha, next_activations, reinforcement_kernel
from actilaw.checks.result import Inconclusive
from actilaw.counts.blocks import Blocks
from builders.drawn import draw_counts


def test_gamma_is_that_of_weighted_least_squares(layer: FittedLayer) -> None:
    blocks, law = layer.counts.blocks, layer.law
    assert blocks is not None
    n = m = 512
    k, y = blocks.counts[:16].sum(0), blocks.counts[16:].sum(0)
    weights = betabinom.std(m, law.b + k, law.knee - law.b + n - k)
    best = least_squares(
        lambda at: (y - np.exp(at[0]) * (k + law.b) ** at[1]) / weights,
        [0, 1],
        xtol=1e-12,
        ftol=1e-12,
    )
    row = next_activations(layer)
    assert row.estimate == pytest.approx(best.x[1], abs=1e-5)
    assert row.lower < 1 < row.upper


def test_halves_without_different_counts_are_inconclusive(fitted_layer) -> None:
    by_block = np.array([[0, 1, 1, 0, 0, 0], [4, 1, 3, 2, 0, 0]])
    blocks = Blocks(by_block, np.array([4, 4]), 4)
    layer = fitted_layer(ActivationCounts(by_block.sum(axis=0), 8, blocks=blocks))
    with pytest.raises(Inconclusive, match="fewer than 3 different counts in the first half"):
        next_activations(layer)


def test_an_exponent_outside_the_claim_deviates(fitted_layer) -> None:
    row = alpha(fitted_layer(draw_counts(3000, 200, 2.0, 2000, seed=0)))
    assert row.upper < 0
    assert row.verdict.startswith("deviates by")
    assert "below 0" in row.verdict


def test_an_exponent_inside_the_claim_holds(layer: FittedLayer) -> None:
    row = alpha(layer)
    assert row.verdict == "holds"
    assert row.lower < 0.6 < row.upper


def test_the_kernel_is_the_mean_over_units_of_each_count() -> None:
    rng = np.random.default_rng(3)
    part = rng.binomial(2, rng.beta(0.5, 3, 300), size=(8, 300))
    counts = ActivationCounts(part.sum(0), 16, blocks=Blocks(part, np.full(8, 2), 2))
    kernel = reinforcement_kernel(counts)
    assert kernel is not None
    assert (kernel.samples, kernel.in_order) == (8, True)
    first, later = part[:4].sum(0), part[4:].sum(0) / 8
    # Of so few samples every count has a bin of its own.
    assert kernel.count.tolist() == np.unique(first).tolist()
    for k, chance, error, units in zip(
        kernel.count, kernel.chance, kernel.error, kernel.units, strict=True
    ):
        mine = later[first == k]
        assert units == mine.size
        assert chance == pytest.approx(mine.mean())
        if mine.size > 1:
            assert error == pytest.approx(mine.std(ddof=1) / np.sqrt(mine.size), abs=1e-12)


def test_without_blocks_the_halves_are_drawn(counts: ActivationCounts) -> None:
    kernel = reinforcement_kernel(counts)
    assert kernel is not None
    assert not kernel.in_order
    assert kernel.units.sum() == counts.units
    # Both halves together are all activations.
    seen = kernel.units @ kernel.count
    later = kernel.units @ kernel.chance * (counts.samples - kernel.samples)
    assert seen + later == pytest.approx(counts.counts.sum())
    assert reinforcement_kernel(ActivationCounts([0, 1, 1], 1)) is None


def test_halves_that_determine_no_exponent_are_inconclusive() -> None:
    part = np.array([[1, 0, 0], [2, 0, 0], [1, 0, 1], [1, 0, 0]] + 4 * [[1, 0, 0]])
    counts = ActivationCounts(part.sum(0), 64, blocks=Blocks(part, np.full(8, 8), 8))
    layer = FittedLayer.of(counts, 0.95, np.random.default_rng(0))
    with pytest.raises(Inconclusive, match="do not determine the exponent"):
        next_activations(layer)
