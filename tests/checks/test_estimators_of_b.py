"""Estimates of b by other ways, and how far they scatter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import betaln
from scipy.stats import beta, binom

from actilaw import ActivationCounts, ActivationLaw, LossLaw, fit_loss
from actilaw.checks.estimators_of_b import (
    b_from_accumulation_curve,
    b_from_blocks,
    b_from_counts,
    b_from_first_activations,
    b_from_loss,
    block_log_pmf,
)
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import Inconclusive
from actilaw.counts.blocks import Blocks
from builders.drawn import draw_counts
from builders.layers import BLOCK_SIZE, draw_layer

FROM_COUNTS_ALONE = [b_from_accumulation_curve, b_from_first_activations, b_from_blocks]


def test_b_from_the_curve_is_where_the_laws_curve_meets_the_rarefied_one(
    layer: FittedLayer,
) -> None:
    estimate = b_from_accumulation_curve(layer)
    counts, step = layer.counts, 1e-3
    d = np.unique(np.geomspace(1, counts.samples, 24).round())

    def working(log_b: float) -> np.ndarray:
        return ActivationLaw(counts.units, counts.active, float(np.exp(log_b))).working(d)

    at = np.log(layer.law.b)
    weights = working(at + step) - working(at - step)
    left, right = (
        weights @ (counts.rarefied(d) - working(estimate.log_b + shift)) for shift in (-1e-4, 1e-4)
    )
    assert left * right < 0


def test_b_from_first_activations_is_most_likely(layer: FittedLayer) -> None:
    counts = layer.counts
    first, knee = counts.first, counts.units / counts.active
    assert first is not None

    def loss(b: float) -> float:
        waited = np.where(first >= 0, first, counts.samples)
        idle = betaln(b, b * knee - b + waited) - betaln(b, b * knee - b)
        return -float(np.sum(idle + np.where(first >= 0, np.log(b / (waited + b * knee)), 0)))

    best = minimize_scalar(loss, bounds=(0.1, 2), method="bounded", options={"xatol": 1e-7})
    assert np.exp(b_from_first_activations(layer).log_b) == pytest.approx(best.x, rel=1e-4)


@pytest.mark.parametrize(("b", "rest"), [(0.3, 12.0), (0.05, 0.7), (2.0, 50.0)])
def test_blocks_seen_by_direct_integration(b: float, rest: float) -> None:
    found = np.exp(block_log_pmf(6, 20, b, rest))
    assert found.sum() == pytest.approx(1, abs=1e-6)
    for j in (1, 3, 6):

        def density(x: float, j: int = j) -> float:
            p = 1 / (1 + np.exp(-x))
            return binom.pmf(j, 6, 1 - (1 - p) ** 20) * beta.pdf(p, b, rest) * p * (1 - p)

        assert found[j] == pytest.approx(quad(density, -25, 25, limit=500)[0], rel=1e-4)


@pytest.fixture(scope="module")
def without_a_unit(layer: FittedLayer, fitted_layer) -> dict[int, FittedLayer]:
    """The layer without one of its units, by that unit: two at random, and the extremes."""
    counts = layer.counts
    assert counts.first is not None
    assert counts.blocks is not None
    layers = {}
    for unit in (0, 17, int(counts.counts.argmax()), int(counts.counts.argmin())):
        keep = np.arange(counts.units) != unit
        blocks = Blocks(counts.blocks.counts[:, keep], counts.blocks.samples, BLOCK_SIZE)
        less = ActivationCounts(
            counts.counts[keep], counts.samples, first=counts.first[keep], blocks=blocks
        )
        layers[unit] = fitted_layer(less)
    return layers


@pytest.mark.parametrize("estimator", [b_from_counts, *FROM_COUNTS_ALONE])
def test_the_influence_of_a_unit_is_what_leaving_it_out_does(
    estimator, layer: FittedLayer, without_a_unit: dict[int, FittedLayer]
) -> None:
    whole = estimator(layer)
    for unit, less in without_a_unit.items():
        moved = whole.log_b - estimator(less).log_b
        assert moved == pytest.approx(whole.influence[unit], rel=0.15, abs=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", FROM_COUNTS_ALONE)
def test_differences_of_estimates_scatter_as_they_say(estimator, fitted_layer) -> None:
    scores = []
    for seed in range(40):
        layer = fitted_layer(draw_layer(seed, units=300))
        one, other = b_from_counts(layer), estimator(layer)
        error = np.sqrt(
            layer.standard_error(other.influence - one.influence) ** 2 + other.independent_variance
        )
        scores.append((other.log_b - one.log_b) / error)
    print(
        f"{estimator.__name__}: mean {np.mean(scores):+.2f}, scatter {np.std(scores):.2f} standard "
        "errors"
    )
    assert abs(np.mean(scores)) < 5 / np.sqrt(40)
    assert 0.6 < np.std(scores) < 1.4  # of 40 draws it is known to 11 %


def test_what_was_not_recorded_is_named(fitted_layer) -> None:
    layer = fitted_layer(draw_counts(800, 20, 0.4, 400, seed=0))
    with pytest.raises(Inconclusive, match="record with blocks"):
        b_from_blocks(layer)
    with pytest.raises(Inconclusive, match="record first activations"):
        b_from_first_activations(layer)


def test_a_loss_that_does_not_determine_b_is_named(layer: FittedLayer) -> None:
    sizes = np.geomspace(10, 1e5, 12)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    straight = fit_loss(sizes, LossLaw(0.2, 3, 1e9, 0.5).loss(sizes) * noise, "activation")
    with pytest.raises(Inconclusive, match="the losses do not determine b"):
        b_from_loss(layer, straight)
