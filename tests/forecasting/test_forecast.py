from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from actilaw import ActivationCounts, Census, backtest, fit
from actilaw.backtesting.baselines import chao2, good_toulmin, persistence
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from actilaw.forecasting.incidence import MOST, occasions
from actilaw.forecasting.intervals import count_interval
from actilaw.forecasting.rate_density import _kernel, fit_smooth
from builders.drawn import draw_counts


def draw_blocks(
    rates: np.ndarray, blocks: int, size: int, rng: np.random.Generator
) -> ActivationCounts:
    """Counts in blocks of `size` samples, every unit on its own."""
    part = rng.binomial(size, rates, size=(blocks, rates.size))
    return ActivationCounts(
        part.sum(axis=0), blocks * size, blocks=Blocks(part, np.full(blocks, size), size)
    )


def draw_bursts(
    rates: np.ndarray, blocks: int, size: int, rng: np.random.Generator
) -> ActivationCounts:
    """Counts of units that, where they fire, fire on eight samples in a row."""
    part = 8 * rng.binomial(size // 8, rates / 8, size=(blocks, rates.size))
    return ActivationCounts(
        part.sum(axis=0), blocks * size, blocks=Blocks(part, np.full(blocks, size), size)
    )


# What a unit is seen on


def test_occasions_are_blocks_where_there_are_blocks() -> None:
    counts = draw_blocks(np.linspace(0.001, 0.2, 500), 20, 16, np.random.default_rng(0))
    seen = occasions(counts)
    by_hand = (counts.blocks.counts > 0).sum(axis=0)
    assert seen.n == 20
    np.testing.assert_array_equal(seen.units, np.bincount(by_hand, minlength=21))


def test_occasions_are_samples_where_there_are_no_blocks() -> None:
    counts = draw_counts(500, 20, 0.4, 300, seed=0)
    seen = occasions(counts)
    assert (seen.n, seen.units.size, seen.dispersion) == (300, MOST + 1, 1.0)
    assert seen.units[0] == counts.idle
    assert seen.units[-1] == np.count_nonzero(counts.counts >= MOST)


def test_units_that_wake_together_are_seen_to() -> None:
    rng = np.random.default_rng(1)
    alone = draw_blocks(np.full(4000, 0.0008), 32, 8, rng)
    part = np.zeros((32, 4000), np.int64)
    for group in range(400):
        part[rng.integers(32), 10 * group : 10 * group + 10] = (
            1  # ten units fire once, in the same block
        )
    together = ActivationCounts(part.sum(axis=0), 256, blocks=Blocks(part, np.full(32, 8), 8))
    assert occasions(alone).dispersion < 2
    assert 5 < occasions(together).dispersion < 20  # ten is the truth


@pytest.mark.parametrize(("n", "cells"), [(20, 21), (500, 33), (10**15, 33)])
def test_the_chance_to_be_seen_is_binomial(n: int, cells: int) -> None:
    rates = np.array([1e-3, 0.5, 3.0, 20.0]) / n
    kernel = _kernel(n, cells, rates)
    np.testing.assert_allclose(kernel.sum(axis=0), 1, rtol=1e-9)
    by_scipy = binom.pmf(np.arange(cells - 1)[:, np.newaxis], n, -np.expm1(-rates))
    np.testing.assert_allclose(kernel[:-1], by_scipy, rtol=1e-6, atol=1e-200)


# The smooth law of rates


@pytest.mark.parametrize("b", [0.2, 0.6, 1.5])
def test_a_power_law_is_carried_on_from_where_it_is_seen(b: float) -> None:
    counts = draw_counts(units=20_000, active=200, b=b, samples=300, seed=3)
    knee = b * 20_000 / 200
    idle = [betabinom.pmf(0, n, b, knee - b) for n in (300, 3000)]
    share, variance = fit_smooth(occasions(counts)).wake(10)
    off = np.log(share / (1 - share)) - np.log((idle[0] - idle[1]) / idle[1])
    print(f"b={b}: log odds off by {off[0]:+.3f}, told error {np.sqrt(variance[0]):.3f}")
    assert abs(off[0]) < 2 * np.sqrt(variance[0])


def test_more_samples_wake_more_units_and_never_all() -> None:
    law = fit_smooth(occasions(draw_counts(1000, 20, 0.4, 300, seed=0)))
    share, variance = law.wake([1.0001, 1.1, 2, 10, 100, 1e4, 1e9])
    assert np.all(np.diff(share) >= 0)
    assert 0 < share[0] < 1e-3
    assert share[-1] <= 1
    assert np.all(np.isfinite(variance) & (variance > 0))


@settings(max_examples=40, deadline=None)
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


def test_bursts_deceive_counts_and_not_blocks() -> None:
    rng = np.random.default_rng(5)
    rates = rng.beta(0.4, 60, 8000)
    early = draw_bursts(rates, 24, 32, rng)
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


def test_errors_grow_where_activity_comes_in_bursts_of_many_units() -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(0.5, 20, 1000)
    gain = rng.gamma(2, 0.5, size=(24, 1))  # each block moves all units
    part = rng.binomial(32, np.minimum(rates * gain, 1))
    shared = ActivationCounts(part.sum(axis=0), 24 * 32, blocks=Blocks(part, np.full(24, 32), 32))
    alone = ActivationCounts(shared.counts, shared.samples)
    assert (
        fit(shared, "law").standard_errors["active"]
        > 1.5 * fit(alone, "law").standard_errors["active"]
    )
    assert fit(shared, "law").law == fit(alone, "law").law


# Intervals


@pytest.mark.parametrize("units", [40, 3000])
def test_an_interval_without_doubt_is_binomial(units: int) -> None:
    lower, upper = count_interval(
        units, np.array([0.3]), np.array([0.0]), dispersion=1.0, level=0.9
    )
    by_scipy = binom.ppf([0.05, 0.95], units, 0.3)
    assert abs(lower[0] - by_scipy[0]) <= 1
    assert abs(upper[0] - by_scipy[1]) <= 1


def test_an_interval_holds_what_it_says() -> None:
    rng = np.random.default_rng(0)
    odds, sd, units, dispersion = -1.0, 0.4, 2000, 5.0
    share = 1 / (1 + np.exp(-rng.normal(odds, sd, 20_000)))
    groups = rng.binomial(int(units / dispersion), share) * dispersion  # units wake five at a time
    lower, upper = count_interval(
        units,
        np.array([1 / (1 + np.exp(-odds))]),
        np.array([sd**2]),
        dispersion=dispersion,
        level=0.95,
    )
    assert np.mean((lower <= groups) & (groups <= upper)) == pytest.approx(0.95, abs=0.01)


def test_no_idle_units_leave_nothing_to_forecast() -> None:
    counts = ActivationCounts(np.array([3, 9, 1, 7]), 20)
    table = fit(counts).forecast([20, 200])
    assert (
        table["expected"].tolist() == table["lower"].tolist() == table["upper"].tolist() == [4, 4]
    )
    with pytest.raises(InputError, match="expected idle units to ask about"):
        fit(counts).residual_risk(10)


# The risk of removing what is idle


def test_the_risk_of_an_idle_unit_lies_below_good_and_turings_bound() -> None:
    rng = np.random.default_rng(7)
    rates = rng.beta(0.4, 40, 3000)
    first = rng.binomial(300, rates)
    idle = rates[first == 0]
    told = fit(ActivationCounts(first, 300)).residual_risk([1, 30, 300])
    truth = [np.mean(-np.expm1(more * np.log1p(-idle))) for more in (1, 30, 300)]
    assert list(told.columns) == ["more", "expected", "lower", "upper", "bound"]
    assert np.all((told["lower"] <= truth) & (truth <= told["upper"]))
    assert np.all(truth <= told["bound"])
    assert told["bound"][0] == pytest.approx(1.1 * truth[0], rel=0.35)  # and it is not a loose one


# Other widths


def test_a_layer_of_its_own_width_is_forecast_as_it_is() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    table = fitted.forecast([500, 5000], units=2000)
    assert table["assumption"].tolist() == ["b fixed", "b fixed", "bN fixed", "bN fixed"]
    for _, part in table.groupby("assumption"):
        np.testing.assert_allclose(
            part["expected"], fitted.forecast([500, 5000])["expected"], rtol=1e-9
        )


@pytest.mark.parametrize("width", [500, 8000])
def test_widths_follow_the_law_that_each_assumption_is_about(width: int) -> None:
    fitted = fit(draw_counts(200_000, 4000, 0.3, 500, seed=1), "law")
    by_assumption = fitted.forecast(500, units=width * 100).set_index("assumption")["expected"]
    for assumption, b in (("b fixed", 0.3), ("bN fixed", 0.3 * 2000 / width)):
        knee = b * width * 100 / 4000
        truth = width * 100 * (1 - betabinom.pmf(0, 500, b, knee - b))
        assert by_assumption[assumption] == pytest.approx(truth, rel=0.02)


def test_a_wider_layer_by_samples_it_has_not_reached_is_its_activations() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    told = fitted.forecast(1, units=10**7).set_index("assumption")["expected"]
    assert told["b fixed"] == pytest.approx(fitted.counts.active, rel=0.05)


def test_a_width_below_the_active_units_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected more units than the .* that one sample activates, but got 20"
    ):
        fit(draw_counts(2000, 40, 0.3, 500, seed=1)).forecast(units=20)


# Back-tests and rivals


def test_rivals_by_their_formulas() -> None:
    counts = ActivationCounts(np.repeat([0, 1, 2, 5], [50, 20, 10, 20]), 40)
    unseen = 39 / 40 * 20**2 / (2 * 10)
    by_hand = 50 + unseen * (1 - (1 - 20 / (40 * unseen + 20)) ** 60)
    assert chao2(counts, np.array([100.0]))[0] == pytest.approx(by_hand)
    assert persistence(counts, np.array([100.0])).tolist() == [50]
    plain = 50 + 0.5 * 20 - 0.25 * 10 + 0.5**5 * 20
    assert good_toulmin(counts, np.array([60.0]))[0] == pytest.approx(plain)


def test_rivals_on_counts_of_their_own_law() -> None:
    counts = np.random.default_rng(0).poisson(
        0.7, 20_000
    )  # all units alike: Chao's lower bound is the truth
    layer = ActivationCounts(np.minimum(counts, 1000), 1000)
    assert chao2(layer, np.array([1e9]))[0] == pytest.approx(20_000, rel=0.03)


def test_a_backtest_forecasts_from_blocks_what_was_then_counted() -> None:
    counts = draw_blocks(
        np.random.default_rng(0).beta(0.3, 15, 1000), 30, 16, np.random.default_rng(1)
    )
    table = backtest(counts, parts=[0.1, 1 / 3], methods=["auto", "law", "chao2", "persistence"])
    assert table["from_samples"].unique().tolist() == [48, 160]
    first = table[table["from_samples"] == 48].set_index("method")
    early = counts.prefix(3)
    assert first.loc["law", "expected"] == fit(early, "law").forecast(480)["expected"][0]
    assert first.loc["persistence", "missed"] == 1
    assert first["newly_working"].tolist() == [counts.working - early.working] * 4
    assert first.loc["chao2", "inside"] is None
    assert np.isnan(first.loc["chao2", "lower"])
    assert bool(first.loc["auto", "inside"])


def test_a_backtest_without_blocks_takes_samples_at_random() -> None:
    counts = draw_counts(2000, 40, 0.3, 500, seed=1)
    table = backtest(counts, parts=[0.2])
    assert table["from_samples"].unique().tolist() == [100]
    expected = counts.rarefied(100)
    assert table["counted"][0] - table["newly_working"][0] == pytest.approx(
        expected, abs=5 * np.sqrt(expected)
    )
    pd.testing.assert_frame_equal(table, backtest(counts, parts=[0.2]))


def test_backtests_refuse_what_they_cannot_do() -> None:
    counts = draw_counts(2000, 40, 0.3, 500, seed=1)
    with pytest.raises(InputError, match=r"expected methods among auto, law, .* but got magic"):
        backtest(counts, methods=["magic"])
    with pytest.raises(InputError, match="parts as a fraction"):
        backtest(counts, parts=[2.0])
    silent = np.zeros((20, 5), np.int64)
    silent[19] = [1, 2, 0, 3, 4]
    late = ActivationCounts(silent.sum(axis=0), 160, blocks=Blocks(silent, np.full(20, 8), 8))
    with pytest.raises(
        CountsError, match="no early part of these 160 samples can be forecast from"
    ):
        backtest(late, methods=["law", "auto"])


def test_a_forecast_that_failed_before_is_trusted_less() -> None:
    rng = np.random.default_rng(0)
    rates = rng.beta(0.3, 15, 2000)
    steady = draw_blocks(rates, 30, 16, rng)
    part = rng.binomial(16, rates, size=(30, 2000))
    part[:10, 1000:] = 0  # half of the units come to life after a third of the samples
    late = ActivationCounts(part.sum(axis=0), 480, blocks=Blocks(part, np.full(30, 16), 16))
    assert fit(steady).widening < 1.3 < fit(late).widening


def test_the_figure_shows_counts_and_forecast() -> None:
    pytest.importorskip("matplotlib")
    left, right = fit(draw_counts(2000, 40, 0.3, 500, seed=1)).plot().axes
    assert left.get_xscale() == left.get_yscale() == "log"
    assert right.get_ylabel() == "working units K"
    assert {line.get_label() for line in right.lines} >= {"counted", "forecast"}


def test_the_bound_from_below_never_falls_and_does_not_depend_on_what_else_is_asked() -> None:
    for family in ("auto", "law", "mixture"):
        fitted = fit(draw_counts(400, 20, 0.3, 500, seed=2), family)
        table = fitted.forecast([501, 2000, 10_000, 50_000, 5 * 10**6, 5 * 10**8])
        assert np.all(np.diff(table["lower"]) >= 0), family
        assert fitted.forecast(50_000)["lower"][0] == table["lower"][3]


def test_empty_blocks_are_no_occasions() -> None:
    counts = draw_blocks(np.linspace(0.001, 0.2, 500), 20, 16, np.random.default_rng(0))
    part = np.concatenate((np.zeros((3, 500), np.int64), counts.blocks.counts))
    late = ActivationCounts(
        part.sum(axis=0), 320, blocks=Blocks(part, np.repeat([0, 16], [3, 20]), 16)
    )
    assert occasions(late).n == 20
    np.testing.assert_array_equal(fit(late).forecast(3200), fit(counts).forecast(3200))
    assert backtest(late, parts=[0.1, 0.5], methods="auto")["from_samples"].tolist() == [144]


def test_a_census_is_not_a_layer() -> None:
    with pytest.raises(
        InputError,
        match=r'expected ActivationCounts of one layer, as census\["relu"\], but got Census',
    ):
        fit(Census({"relu": draw_counts(400, 20, 0.3, 500, seed=2)}))
