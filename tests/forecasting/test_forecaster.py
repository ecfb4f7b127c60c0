"""Forecasts at more samples and the risk of removal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from actilaw import ActivationCounts, fit
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from actilaw.forecasting.forecaster import UNTESTED_INFLATION, lookback_inflation
from builders.drawn import draw_blocks, draw_counts, draw_runs_of_eight


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=3, max_size=60))
def test_any_counts_are_forecast_within_bounds_or_refused(counts: list[int]) -> None:
    layer = ActivationCounts(np.array(counts), 30)
    try:
        table = fit(layer).forecast([30, 31, 60, 3000, 3 * 10**9])
    except CountsError:
        return
    assert np.all(np.diff(table["expected"]) >= 0)
    assert np.all(
        (table["lower"] <= table["expected"] + 1e-6) & (table["expected"] <= table["upper"] + 1e-6)
    )
    assert layer.working <= table["lower"].min()
    assert table["upper"].max() <= layer.units


@pytest.mark.slow
def test_bursts_bias_counts_and_not_blocks() -> None:
    rng = np.random.default_rng(5)
    rates = rng.beta(0.4, 60, 8000)
    early = draw_runs_of_eight(rates, 24, 32, rng)
    later = rng.binomial(9 * early.samples // 8, rates / 8)
    truth = np.count_nonzero(early.counts + later)
    with_blocks = fit(early).forecast(10 * early.samples).iloc[0]
    without = (
        fit(ActivationCounts(early.counts, early.samples)).forecast(10 * early.samples).iloc[0]
    )
    print(
        f"{truth} worked; {with_blocks.expected:.0f} forecast with blocks, {without.expected:.0f} "
        "without"
    )
    assert abs(with_blocks.expected - truth) < 0.5 * abs(without.expected - truth)
    assert with_blocks.lower <= truth <= with_blocks.upper


@pytest.mark.slow
def test_no_idle_units_leave_nothing_to_forecast() -> None:
    counts = ActivationCounts(np.array([3, 9, 1, 7]), 20)
    table = fit(counts).forecast([20, 200])
    assert (
        table["expected"].tolist() == table["lower"].tolist() == table["upper"].tolist() == [4, 4]
    )
    with pytest.raises(InputError, match="expected idle units to ask about"):
        fit(counts).residual_risk(10)


def test_a_forecast_that_failed_on_the_past_has_a_wider_interval() -> None:
    rng = np.random.default_rng(0)
    rates = rng.beta(0.3, 15, 2000)
    steady = draw_blocks(rates, 30, 16, rng)
    part = rng.binomial(16, rates, size=(30, 2000))
    part[:10, 1000:] = 0  # half of the units come to life after a third of the samples
    late = ActivationCounts(part.sum(axis=0), 480, blocks=Blocks(part, np.full(30, 16), 16))
    assert lookback_inflation(steady) < 1.3**2 < lookback_inflation(late)
    assert fit(late).forecaster.inflation == lookback_inflation(late)
    assert lookback_inflation(replace(late, blocks=None)) == UNTESTED_INFLATION
    assert lookback_inflation(late.prefix(8)) == 1


def test_blocks_that_a_mask_left_empty_change_nothing() -> None:
    rng = np.random.default_rng(0)
    counts = draw_blocks(rng.beta(0.3, 15, 500), 12, 16, rng)
    assert counts.blocks is not None
    empty = np.zeros((8, 500), np.int64)
    for part, sizes in (
        (np.vstack((empty, counts.blocks.counts)), [*(8 * [0]), *(12 * [16])]),
        (np.vstack((counts.blocks.counts, empty)), [*(12 * [16]), *(8 * [0])]),
    ):
        masked = replace(counts, blocks=Blocks(part, np.array(sizes), 16))
        assert lookback_inflation(masked) == lookback_inflation(counts)
        assert fit(masked).forecast(2000).equals(fit(counts).forecast(2000))


@pytest.mark.slow
def test_the_bound_from_below_never_falls_and_does_not_depend_on_what_else_is_asked() -> None:
    for family in (None, "law", "mixture"):
        fitted = fit(draw_counts(400, 20, 0.3, 500, seed=2), family)
        table = fitted.forecast([501, 2000, 10_000, 50_000, 5 * 10**6, 5 * 10**8])
        assert np.all(np.diff(table["lower"]) >= 0), family
        assert fitted.forecast(50_000)["lower"][0] == table["lower"][3]


@pytest.mark.parametrize("family", [None, "law"])
def test_a_fitted_law_forecasts_by_its_forecaster(family: str | None) -> None:
    fitted = fit(draw_counts(400, 20, 0.3, 500, seed=2), family)
    samples = np.array([100, 500, 1000, 10**6])
    pd.testing.assert_frame_equal(
        fitted.forecast(samples, level=0.8), fitted.forecaster.at(samples, 0.8)
    )
    pd.testing.assert_frame_equal(
        fitted.residual_risk(samples, level=0.8), fitted.forecaster.risk(samples, 0.8)
    )


def test_inflation_multiplies_the_variance_of_the_log_odds() -> None:
    plain = fit(draw_counts(400, 20, 0.3, 500, seed=2), "law").forecaster
    inflated = replace(plain, inflation=4.0)
    widths = []
    for forecaster in (plain, inflated):
        risk = forecaster.risk(np.array([500]), 0.9)
        widths.append(np.ptp(logit(risk[["lower", "upper"]].to_numpy())))
    assert widths[1] == pytest.approx(2 * widths[0])
