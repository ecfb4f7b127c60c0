"""Bands that hold a whole forecast curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from actilaw import ActivationCounts, fit, fit_accumulation
from actilaw.errors import InputError
from actilaw.forecasting import simultaneous
from actilaw.forecasting.simultaneous import error_covariance, level_of_band
from builders.drawn import draw_blocks, draw_counts

MULTIPLES = np.array([1.2, 2, 4, 8, 16, 32])


@pytest.mark.parametrize("family", [None, "law", "mixture"])
def test_the_covariance_has_the_variances_of_single_forecasts_on_its_diagonal(
    family: str | None,
) -> None:
    forecaster = fit(draw_counts(2000, 20, 0.3, 300, seed=1), family).forecaster
    samples = (300 * MULTIPLES).astype(np.int64)
    covariance = error_covariance(forecaster, samples)
    share, variance = forecaster.newly_working(samples)
    idle = forecaster.counts.idle
    chance = forecaster.overdispersion_ahead / (idle * share * (1 - share))
    np.testing.assert_allclose(np.diag(covariance), variance + chance, rtol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


@pytest.mark.slow
def test_the_covariance_of_chance_is_that_of_counted_units() -> None:
    """Log odds of numbers of idle units of known rates that work by two numbers of samples."""
    forecaster = fit(draw_counts(4000, 20, 0.3, 300, seed=2), "law").forecaster
    samples = np.array([600, 3000])
    share, _ = forecaster.newly_working(samples)
    rng, idle = np.random.default_rng(0), forecaster.counts.idle
    starts = rng.random((20_000, 1, idle), dtype=np.float32)
    drawn = (starts < share[:, np.newaxis].astype(np.float32)).sum(axis=2) / idle
    log_odds = np.log(drawn / (1 - drawn))
    of_rates = forecaster.rates.covariance(samples)
    chance = error_covariance(forecaster, samples) - of_rates
    overdispersion = forecaster.overdispersion_ahead
    np.testing.assert_allclose(chance / overdispersion, np.cov(log_odds.T), rtol=0.06)


def test_the_level_is_that_of_the_normal_distribution_in_two_dimensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forecaster = fit(draw_counts(2000, 20, 0.3, 300, seed=1)).forecaster
    samples = np.array([330, 9000])
    monkeypatch.setattr(simultaneous, "_points", lambda *_: samples)
    z = norm.isf((1 - level_of_band(forecaster, 9000, 0.9)) / 2)
    covariance = error_covariance(forecaster, samples)
    deviations = np.sqrt(np.diag(covariance))
    correlated = multivariate_normal(np.zeros(2), covariance / np.outer(deviations, deviations))
    held = correlated.cdf(np.array([z, z]), lower_limit=np.array([-z, -z]))
    assert held == pytest.approx(0.9, abs=0.005)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=60), st.floats(0.5, 0.99))
def test_a_band_contains_the_intervals_and_never_falls(counts: list[int], level: float) -> None:
    fitted = fit(ActivationCounts(np.array([0, 1, 2, 5, *counts]), 30))
    samples = [15, 30, 31, 60, 3000, 3 * 10**9]
    one_by_one = fitted.forecast(samples, level=level)
    band = fitted.forecast(samples, level=level, simultaneous=True)
    assert (band["expected"] == one_by_one["expected"]).all()
    assert (band["lower"] <= one_by_one["lower"]).all()
    assert (band["upper"] >= one_by_one["upper"]).all()
    for column in ("expected", "lower", "upper"):
        assert np.all(np.diff(band[column]) >= 0)


def test_where_nothing_is_left_to_forecast_a_band_is_an_interval() -> None:
    counts = draw_counts(200, 20, 0.3, 50, seed=3)
    everything = ActivationCounts(counts.counts + 1, 51)
    for fitted, samples in ((fit(counts), 40), (fit(everything), 500)):
        band = fitted.forecast(samples, simultaneous=True)
        assert band.equals(fitted.forecast(samples))


@pytest.mark.slow
def test_a_band_holds_the_whole_curve_as_often_as_it_says_and_intervals_do_not() -> None:
    """Layers drawn from the law, fitted by the law, whose intervals hold as often as they say."""
    held = {False: 0, True: 0}
    rng, draws, samples = np.random.default_rng(5), 100, 200
    later = samples + np.unique(np.rint(np.geomspace(1, 50 * samples, 40)).astype(np.int64))
    for _ in range(draws):
        rates = rng.beta(0.3, 15, 3000)
        counts = ActivationCounts(rng.binomial(samples, rates), samples)
        first = rng.geometric(np.maximum(rates, 1e-12))  # of the samples that follow
        idle = counts.counts == 0
        working = [counts.working + np.count_nonzero(first[idle] <= d - samples) for d in later]
        fitted = fit(counts, "law")
        for is_band in held:
            table = fitted.forecast(later, level=0.9, simultaneous=is_band)
            held[is_band] += bool(((table["lower"] <= working) & (working <= table["upper"])).all())
    # Standard error 0.03; whole units make bounds a little wider than stated.
    assert 0.82 < held[True] / draws < 0.98
    assert held[False] / draws < 0.7


def test_a_curve_alone_has_a_band_too() -> None:
    rng = np.random.default_rng(1)
    counts = draw_blocks(rng.beta(0.3, 15, 2000), 20, 16, rng)
    logged = [counts.prefix(blocks) for blocks in range(1, 21)]
    fitted = fit_accumulation(
        [part.samples for part in logged], [part.working for part in logged], units=2000
    )
    band, interval = (fitted.forecast("10x", simultaneous=flag).iloc[0] for flag in (True, False))
    assert band.lower < interval.lower < interval.upper < band.upper


def test_widths_have_no_band() -> None:
    with pytest.raises(InputError, match="expected a simultaneous band over samples alone"):
        fit(draw_counts(200, 20, 0.3, 50, seed=3)).forecast(units=400, simultaneous=True)
