"""Distance of counts from the law, and likelihood ratios against other laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from actilaw import ActivationCounts, fit
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.goodness_of_fit import (
    _bootstrap_distances,
    _cell_shares,
    _cuts,
    against,
    distance_from_law,
    richer_families,
)
from actilaw.fitting.families.catalogue import FAMILIES
from builders.layers import draw_layer


def test_the_distance_is_the_largest_difference_of_cumulative_shares(layer: FittedLayer) -> None:
    counts, law = layer.counts, layer.law
    k = np.unique(counts.counts)[:-1]
    counted = (counts.counts[:, np.newaxis] <= k).mean(axis=0)
    fitted = betabinom.cdf(k, counts.samples, law.b, law.beta)
    assert distance_from_law(layer).estimate == pytest.approx(
        np.abs(counted - fitted).max(), rel=1e-6
    )


@pytest.mark.slow
def test_the_bootstrap_is_that_of_drawing_and_fitting_again(layer: FittedLayer) -> None:
    counts, law, rng = layer.counts, layer.law, np.random.default_rng(1)
    cuts = _cuts(counts.counts)
    linearised = _bootstrap_distances(layer, *_cell_shares(layer, cuts))
    distances = []
    for _ in range(200):
        rates = rng.beta(law.b, law.beta, round(counts.units / layer.design_effect))
        drawn = rng.binomial(counts.samples, rates)
        again = fit(ActivationCounts(drawn, counts.samples), "law").law
        fitted = betabinom.cdf(cuts, counts.samples, again.b, again.beta)
        counted = (drawn[:, np.newaxis] <= cuts).mean(axis=0)
        distances.append(np.abs(counted - fitted).max())
    for quantile in (0.5, 0.9):
        expected = np.quantile(distances, quantile)
        assert np.quantile(linearised, quantile) == pytest.approx(expected, rel=0.1)


def test_the_lognormal_describes_its_own_counts_better(fitted_layer) -> None:
    rng = np.random.default_rng(4)
    rates = 1 / (1 + np.exp(-rng.normal(-4, 1.5, 3000)))
    row = against(fitted_layer(ActivationCounts(rng.binomial(400, rates), 400)), "lognormal")
    assert row.test == "against_lognormal"
    assert row.verdict.startswith("deviates by")
    assert row.verdict.endswith("lognormal fits better")


def test_a_richer_family_that_gains_nothing_leaves_the_law_standing(
    fitted_layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "twin", FAMILIES["law"])
    for name in set(FAMILIES) - {"law", "twin"}:
        monkeypatch.delitem(FAMILIES, name)
    row = richer_families(fitted_layer(draw_layer(9)))
    assert row.estimate == pytest.approx(0, abs=1e-9)
    assert row.verdict == "holds"
