"""Layers that lend each other the shape of their density of rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from actilaw import ActivationCounts, Census, fit
from actilaw.errors import InputError
from actilaw.forecasting.incidence import incidence_frequencies
from actilaw.forecasting.rate_density import (
    LEAST_PROBABILITY,
    LOG_RATE_STEP,
    fit_one_rate_density,
    fit_rate_density,
)
from actilaw.forecasting.relatives import PooledUnits
from builders.drawn import draw_counts


def draw_two_kinds(units: int, samples: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Counts of a layer, half of whose units gather at a rate that samples hardly show; and how
    many of them work after 10 times the samples.
    """
    rare = rng.random(units) < 0.5
    rates = np.where(rare, rng.gamma(8, 1 / (8 * 3 * samples), units), rng.beta(0.6, 3, units))
    first, later = rng.binomial(samples, rates), rng.binomial(9 * samples, rates)
    return ActivationCounts(first, samples), int(np.count_nonzero(first + later))


def test_pooled_units_are_those_of_all_layers() -> None:
    layers = [draw_counts(300, 9, 0.3, 100, seed=seed) for seed in range(3)]
    pooled = PooledUnits([incidence_frequencies(layer) for layer in layers])
    together = ActivationCounts(np.concatenate([layer.counts for layer in layers]), 100)
    alone = incidence_frequencies(together)
    np.testing.assert_array_equal(pooled.frequencies, alone.frequencies)
    assert pooled.samples == alone.samples
    density, of_one = fit_rate_density(pooled), fit_rate_density(alone)
    for member, same in zip(density.members, of_one.members, strict=True):
        np.testing.assert_allclose(member.weights, same.weights, atol=1e-12)


def test_no_other_density_near_it_is_better_by_its_own_measure() -> None:
    """Likelihood minus the bending that departs from the others', written out anew."""
    layer, other = draw_counts(200, 9, 0.3, 60, seed=1), draw_counts(2000, 30, 0.6, 60, seed=2)
    seen, smoothness = incidence_frequencies(layer), 6.0
    like = fit_one_rate_density(incidence_frequencies(other), smoothness, has_silent=False)
    found = fit_one_rate_density(seen, smoothness, has_silent=False, like=like)
    shape = np.log(np.maximum(like.weights, LEAST_PROBABILITY))

    def height(logs: np.ndarray) -> float:
        weights = np.exp(logs) / np.exp(logs).sum()
        bend = np.diff(logs - shape, 2) / LOG_RATE_STEP**2
        cost = smoothness / 2 * np.sum(bend**2) * LOG_RATE_STEP
        probabilities = seen.probabilities(found.activations) @ weights
        return float(seen.frequencies @ np.log(probabilities) - cost)

    logs, rng = np.log(found.weights), np.random.default_rng(0)
    best = height(logs)
    for scale in (1e-3, 1e-2, 1e-1):
        for _ in range(30):
            aside = np.interp(
                np.arange(logs.size), np.linspace(0, logs.size, 8), rng.normal(0, scale, 8)
            )
            assert height(logs + aside) <= best + 1e-5


def test_half_of_the_estimates_are_those_of_the_layer_alone() -> None:
    layer, other = (draw_counts(400, 9, 0.3, 100, seed=seed) for seed in (1, 2))
    alone, together = fit(layer), fit(layer, like=[other])
    members = together.forecaster.rates.members
    assert len(members) == 16
    for member, own in zip(members[:8], alone.forecaster.rates.members, strict=True):
        np.testing.assert_array_equal(member.weights, own.weights)
    share, _ = together.forecaster.rates.newly_working([1000])
    log_odds = [member.log_odds(np.array([9.0]))[0] for member in members]
    assert share == pytest.approx(expit(log_odds).mean())
    assert together.summary().equals(alone.summary())  # the law is of this layer alone


@pytest.mark.slow
def test_a_shape_that_all_layers_have_is_found_sooner_together() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_two_kinds(400, 40, rng) for _ in range(12)]
    layers = [counts for counts, _ in drawn]
    errors = {False: [], True: []}
    for counts, working in drawn:
        counted = (working - counts.working) / counts.idle
        for is_together in errors:
            fitted = fit(counts, like=layers if is_together else ())
            share, _ = fitted.forecaster.rates.newly_working([400])
            errors[is_together].append(logit(counted) - logit(share[0]))
    alone, together = (np.mean(np.square(errors[flag])) for flag in (False, True))
    print(f"mean squared error of the log odds: alone {alone:.3f}, together {together:.3f}")
    assert together < 0.8 * alone


def test_one_wide_layer_does_not_speak_for_all_nor_one_that_cannot_be_fitted() -> None:
    layer, other = (draw_counts(400, 9, 0.3, 100, seed=seed) for seed in (1, 2))
    wide = draw_counts(100_000, 40, 0.02, 100, seed=3)
    pooled = PooledUnits([incidence_frequencies(counts) for counts in (other, wide)], 400)
    of_wide = incidence_frequencies(wide).frequencies * 400 / 100_000
    np.testing.assert_allclose(
        pooled.frequencies, incidence_frequencies(other).frequencies + of_wide
    )
    starved = np.zeros(100_000, np.int64)
    starved[:3] = 1  # fewer than rates that differ would show
    always = ActivationCounts(np.full(50, 100), 100)
    refused = [ActivationCounts(starved, 100), always]
    borrowed = fit(layer, like=[other, *refused])
    assert borrowed.lenders == 1
    assert borrowed.forecast(1000).equals(fit(layer, like=[other]).forecast(1000))


def test_a_forecast_says_how_many_layers_lent_their_shape() -> None:
    layers = [draw_counts(400, 9, 0.3, 100, seed=seed) for seed in (1, 2, 3)]
    more = draw_counts(400, 9, 0.3, 200, seed=4)
    for like, said in (
        (layers, "the shape of the rates of 2 other layers"),
        (layers[:2], "the shape of the rates of another layer"),
        ([more], "No other layer lent its shape"),
    ):
        fitted = fit(layers[0], like=like)
        assert any(said in remark for remark in fitted.remarks())
        assert any(said in remark for remark in fitted.forecast(1000).attrs["remarks"])
    assert fit(layers[0], like=None).lenders is None


def test_layers_that_were_seen_otherwise_and_a_layer_itself_lend_nothing() -> None:
    layer = draw_counts(400, 9, 0.3, 100, seed=1)
    again = ActivationCounts(layer.counts.copy(), 100)
    more = draw_counts(400, 9, 0.3, 200, seed=2)
    idle = ActivationCounts(np.zeros(50, np.int64), 100)
    by_position = replace(draw_counts(400, 9, 0.3, 100, seed=3), per="position")
    alone = pd.DataFrame(fit(layer).forecast(1000))
    census = Census({"layer": layer, "more": more})
    for like in ([layer], [again], [more], [idle], [by_position], [], census):
        assert pd.DataFrame(fit(layer, like=like).forecast(1000)).equals(alone)


def test_what_is_not_several_layers_is_refused() -> None:
    layer, other = (draw_counts(400, 9, 0.3, 100, seed=seed) for seed in (1, 2))
    with pytest.raises(InputError, match="expected like to be several layers"):
        fit(layer, like=other)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="expected ActivationCounts of one layer"):
        fit(layer, like=[3])  # pyright: ignore[reportArgumentType]
    for like in ([other], [layer]):
        with pytest.raises(InputError, match="a family or layers alike"):
            fit(layer, "law", like=like)
