from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import betaln
from scipy.stats import betabinom, binom

from actilaw import ActivationCounts, FittedLaw, fit
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_counts


def scipy_fit(counts: ActivationCounts) -> tuple[float, float]:
    """(c, b) by direct maximisation of SciPy's beta-binomial, over all units one by one."""

    def loss(parameters: np.ndarray) -> float:
        return -betabinom.logpmf(counts.counts, counts.samples, *np.exp(parameters)).sum()

    best = minimize(
        loss,
        [0.0, 3.0],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 2000},
    )
    fire, rest = np.exp(best.x)
    return counts.units * fire / (fire + rest), fire


@pytest.mark.parametrize("b", [0.1, 0.3, 0.7])
def test_fit_recovers_the_truth_and_agrees_with_scipy(b: float) -> None:
    counts = draw_counts(units=4000, active=60, b=b, samples=800, seed=int(100 * b))
    fitted = fit(counts)
    off = (fitted.law.b - b) / fitted.standard_errors["b"]
    print(f"b={b}: fitted {fitted.law.b:.4f}, {off:+.2f} standard errors off")
    assert abs(off) < 5
    assert abs(fitted.law.active - 60) < 5 * fitted.standard_errors["active"]
    for name, by_scipy in zip(("active", "b"), scipy_fit(counts), strict=True):
        assert getattr(fitted.law, name) == pytest.approx(
            by_scipy, abs=1e-3 * fitted.standard_errors[name]
        )


def test_the_standard_errors_are_those_of_repeated_draws() -> None:
    fits = [
        fit(draw_counts(units=1000, active=30, b=0.4, samples=300, seed=seed))
        for seed in range(300)
    ]
    scatter = np.std([fitted.law.b for fitted in fits])
    told = np.mean([fitted.standard_errors["b"] for fitted in fits])
    print(f"scatter of b {scatter:.5f}, told {told:.5f}")
    assert told == pytest.approx(
        scatter, rel=0.15
    )  # the scatter of 300 draws is itself known to 4 %


def test_log_likelihood_is_scipys(counts: ActivationCounts) -> None:
    law = fit(counts).law
    by_scipy = betabinom.logpmf(counts.counts, counts.samples, law.b, law.knee - law.b).sum()
    assert fit(counts).log_likelihood == pytest.approx(by_scipy, rel=1e-10)


def test_the_order_of_units_does_not_matter(counts: ActivationCounts) -> None:
    shuffled = ActivationCounts(np.random.default_rng(0).permutation(counts.counts), counts.samples)
    pd.testing.assert_frame_equal(fit(shuffled).summary(), fit(counts).summary())


def test_summary_holds_what_was_counted_and_what_was_estimated(counts: ActivationCounts) -> None:
    table = fit(counts).summary()
    assert table.loc["working", "estimate"] == counts.working
    assert table.loc["working", "standard_error"] == 0
    assert table.loc["alpha", "estimate"] == 1 - table.loc["b", "estimate"]
    assert table.loc["alpha", "standard_error"] == pytest.approx(table.loc["b", "standard_error"])
    assert table.loc["knee", "estimate"] == pytest.approx(
        table.loc["b", "estimate"] * table.loc["inflection", "estimate"]
    )
    assert np.all(table["standard_error"][3:] > 0)


@pytest.mark.parametrize(
    ("counts", "samples", "message"),
    [
        ([0, 0, 0], 9, "no unit was ever activated"),
        ([9, 9, 9], 9, "every unit was activated by every sample"),
        ([4, 4, 4], 9, "counts vary no more than chance"),
        ([1, 0, 2, 1], 9, "counts vary no more than chance"),
        ([3], 9, "at least 2 units and 2 samples"),
        ([1, 0], 1, "at least 2 units and 2 samples"),
        ([0, 9, 0, 9, 9], 9, "no maximum within reach"),
    ],
)
def test_counts_without_a_law_are_refused_with_the_reason(
    counts: list[int], samples: int, message: str
) -> None:
    with pytest.raises(CountsError, match=message):
        fit(ActivationCounts(np.array(counts), samples))


def test_activations_that_were_nan_are_refused() -> None:
    with pytest.raises(CountsError, match="3 of 9 samples had NaN or infinite ones"):
        fit(ActivationCounts(np.array([1, 5, 9]), 9, nonfinite=3))


def test_an_unknown_family_is_refused(counts: ActivationCounts) -> None:
    with pytest.raises(
        InputError, match=r"expected family to be one of auto, law.* but got 'gauss'"
    ):
        fit(counts, "gauss")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=30))
def test_any_counts_are_fitted_or_refused_never_worse(counts: list[int]) -> None:
    try:
        fitted = fit(ActivationCounts(np.array(counts), 6))
    except CountsError:
        return
    assert fitted.law.b > 0
    assert np.all(np.linalg.eigvalsh(fitted.covariance) > 0)


@pytest.fixture(scope="module")
def fitted() -> FittedLaw:
    return fit(draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1), "law")


def test_forecast_of_idle_units_by_scipys_beta_functions(fitted: FittedLaw) -> None:
    counts, rest = fitted.counts, fitted.law.knee - fitted.law.b
    still_idle = np.exp(betaln(fitted.law.b, rest + 5000) - betaln(fitted.law.b, rest + 500))
    table = fitted.forecast(5000)
    assert list(table.columns) == ["samples", "expected", "lower", "upper"]
    assert table["expected"][0] == pytest.approx(
        counts.working + counts.idle * (1 - still_idle), rel=1e-9
    )


def test_forecast_starts_at_the_count_rises_and_widens(fitted: FittedLaw) -> None:
    table = fitted.forecast([500, 501, 600, 2000, 10_000, 10**6])
    assert table["expected"][0] == table["lower"][0] == table["upper"][0] == fitted.counts.working
    assert np.all(np.diff(table["expected"]) > 0)
    assert np.all((table["lower"] <= table["expected"]) & (table["expected"] <= table["upper"]))
    assert table["upper"].max() <= fitted.counts.units


def test_forecast_of_fewer_samples_is_what_they_showed(fitted: FittedLaw) -> None:
    assert fitted.forecast(100)["expected"][0] == pytest.approx(fitted.counts.rarefied(100))


def test_a_higher_level_is_a_wider_interval(fitted: FittedLaw) -> None:
    narrow, wide = fitted.forecast(5000, level=0.5), fitted.forecast(5000, level=0.99)
    assert wide["lower"][0] < narrow["lower"][0] < narrow["upper"][0] < wide["upper"][0]


@pytest.mark.parametrize("samples", [10**9, 10**12, 10**15])
def test_fit_recovers_the_truth_at_any_number_of_samples(samples: int) -> None:
    for seed in range(5):
        rates = np.random.default_rng(seed).beta(0.3, 20, 800)
        fitted = fit(ActivationCounts(np.rint(samples * rates).astype(np.int64), samples))
        assert abs(fitted.law.b - 0.3) < 5 * fitted.standard_errors["b"]


def test_forecast_intervals_are_no_wider_than_they_need_be(fitted: FittedLaw) -> None:
    wake = fitted.law.wake_probability(500, 500)
    by_chance_alone = np.diff(binom.ppf([0.025, 0.975], fitted.counts.idle, wake))[0]
    told = fitted.forecast(1000).iloc[0]
    assert by_chance_alone < told.upper - told.lower < 2 * by_chance_alone


def test_forecast_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rates = rng.beta(0.3, 0.3 * 1000 / 20 - 0.3, size=1000)
        first, later = rng.binomial(200, rates), rng.binomial(1800, rates)
        told = fit(ActivationCounts(first, 200), "law").forecast(2000).iloc[0]
        inside.append(told.lower <= np.count_nonzero(first + later) <= told.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 300 draws from the law")
    assert np.mean(inside) > 0.95 - 5 * 0.0126  # 0.0126 is the standard error of a share of 300


@pytest.mark.parametrize("level", [-1, 0, 1, 2])
def test_a_level_is_a_probability(fitted: FittedLaw, level: float) -> None:
    for ask in (
        lambda: fitted.summary(level),
        lambda: fitted.forecast(9, level),
        lambda: fitted.curve(9, level),
    ):
        with pytest.raises(InputError, match=r"level as a fraction in \(0, 1\)"):
            ask()


def test_the_curve_of_the_law_is_its_working_units(fitted: FittedLaw) -> None:
    table = fitted.curve([1, 100, 10_000])
    np.testing.assert_allclose(table["expected"], fitted.law.working([1, 100, 10_000]), rtol=1e-12)
    assert np.all((table["lower"] < table["expected"]) & (table["expected"] < table["upper"]))


@pytest.mark.parametrize(
    ("samples", "level", "message"),
    [
        (0, 0.95, r"whole samples in 1\.\.\d+, but got 0"),
        (2.5, 0.95, "whole samples"),
        (1e30, 0.95, r"whole samples .* but got 1e"),
        ("9", 0.9, "whole samples"),
        ([[1, 2]], 0.9, r"one number or \(n,\), but got shape \(1, 2\)"),
        (9, 1.0, r"level as a fraction in \(0, 1\), but got 1"),
    ],
)
def test_senseless_forecasts_are_refused(
    fitted: FittedLaw, samples: float, level: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted.forecast(samples, level=level)
