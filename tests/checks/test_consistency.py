"""Estimates of b beside each other, one by one and all pairs at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, studentized_range

from actilaw import LossLaw, check, fit, fit_loss
from actilaw.checks.consistency import (
    EstimatesOfB,
    _contrasts,
    _simultaneous_z,
    all_equal,
    estimates_of_b,
    same_b,
    sampling_unit,
)
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import Inconclusive
from builders.drawn import draw_counts
from builders.layers import counts_of, draw_layer


def test_estimates_of_a_layer_of_the_law_agree(layer: FittedLayer) -> None:
    estimates = estimates_of_b(layer, None)
    assert [one.source for one in estimates.made] == [
        *("counts", "the accumulation curve", "first activations")
    ]
    for test in estimates.others:
        assert same_b(layer, estimates, test).verdict == "holds"
    row = all_equal(layer, estimates)
    assert row.verdict == "holds"
    assert row.n == 3


def test_an_estimate_that_is_moved_deviates_by_as_much(layer: FittedLayer) -> None:
    estimates = estimates_of_b(layer, None)
    moved = replace(estimates.from_counts, source="elsewhere", log_b=np.log(2 * layer.law.b))
    moved = replace(moved, independent_variance=0.01)
    row = all_equal(layer, EstimatesOfB(estimates.from_counts, {"elsewhere": moved}))
    assert row.estimate == pytest.approx(2)
    assert row.verdict == "deviates by +100.0% between counts and elsewhere"
    # One pair: the interval is that of a single difference, but for the draws.
    assert np.log(row.upper / row.estimate) == pytest.approx(0.1 * norm.ppf(0.975), rel=0.05)


def test_all_pairs_at_once_are_tukeys_range(layer: FittedLayer) -> None:
    pairs = [(0, 1), (0, 2), (1, 2)]
    z = _simultaneous_z(layer, np.eye(3), _contrasts(pairs, 3), np.full(3, np.sqrt(2)))
    assert z == pytest.approx(studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2), rel=0.03)


def test_one_estimate_alone_is_inconclusive(layer: FittedLayer) -> None:
    alone = EstimatesOfB(estimates_of_b(layer, None).from_counts, {})
    with pytest.raises(Inconclusive, match="in one way only"):
        all_equal(layer, alone)


def test_an_estimate_that_cannot_be_made_leaves_the_others(fitted_layer) -> None:
    layer = fitted_layer(draw_counts(800, 20, 0.4, 400, seed=0))
    estimates = estimates_of_b(layer, None)
    assert len(estimates.made) == 2
    with pytest.raises(Inconclusive, match="record first activations"):
        same_b(layer, estimates, "b_from_first_activations")


def test_units_that_fire_in_runs_have_another_b_in_blocks(fitted_layer) -> None:
    rng = np.random.default_rng(8)
    runs = np.repeat(rng.random((256, 600)) < rng.beta(0.4, 7.6, 600), 4, axis=0)
    row = sampling_unit(fitted_layer(counts_of(runs)))
    assert row.verdict.startswith("deviates by")
    assert row.verdict.endswith("in b")


@pytest.mark.usefixtures("few_families")
@pytest.mark.slow
def test_a_loss_is_one_more_estimate() -> None:
    sizes = np.geomspace(10, 1e5, 12)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    counts = draw_layer(10)
    for b, starts in ((fit(counts, "law").law.b, "holds"), (0.9, "deviates by")):
        loss = fit_loss(sizes, LossLaw(0.2, 3, 300, b).loss(sizes) * noise, "activation")
        table = check(counts, loss=loss).set_index("test")
        assert table.loc["b_from_loss", "verdict"].startswith(starts)
        assert table.loc["estimators_of_b", "n"] == 4
    straight = fit_loss(sizes, LossLaw(0.2, 3, 1e9, 0.5).loss(sizes) * noise, "activation")
    verdicts = check(counts, loss=straight).set_index("test")["verdict"]
    assert verdicts["b_from_loss"] == "inconclusive: the losses do not determine b"


@pytest.mark.usefixtures("few_families")
@pytest.mark.slow
def test_a_loss_without_b_makes_that_estimate_inconclusive(counts) -> None:
    sizes = np.geomspace(10, 1e5, 12)
    loss = fit_loss(sizes, 0.2 + 3 * sizes**-0.4, "bnsl")
    verdict = check(counts, loss=loss).set_index("test").loc["b_from_loss", "verdict"]
    assert verdict.startswith("inconclusive: ")
    assert "no b of its own" in verdict
