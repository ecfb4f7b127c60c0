"""What a fitted law says: estimates, forecasts, and how it prints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln
from scipy.stats import binom

from actilaw import ActivationCounts, FittedLaw, check, fit
from actilaw.errors import InputError
from actilaw.fitting.families.catalogue import FAMILIES
from builders.drawn import draw_blocks, draw_counts


@pytest.fixture(scope="module")
def fitted() -> FittedLaw:
    return fit(draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1), "law")


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


@pytest.mark.slow
@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_a_fitted_law_prints_in_a_few_lines(family: str | None) -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1), family)
    assert len(repr(fitted)) < 500
    assert fitted.family in repr(fitted)
    assert "expected_working" in fitted._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_params_errors_covariance_and_summary_have_the_same_names(family: str | None) -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1), family)
    names = list(fitted.params)
    assert list(fitted.standard_errors) == names
    assert list(fitted.covariance.index) == list(fitted.covariance.columns) == names
    assert list(fitted.summary().index) == ["units", "samples", "working", *names]
    assert all(name == name.lower() and " " not in name for name in names)
    np.testing.assert_allclose(
        np.diag(fitted.covariance), np.square(list(fitted.standard_errors.values())), rtol=1e-12
    )
    np.testing.assert_allclose(fitted.summary()["estimate"][3:], list(fitted.params.values()))


@pytest.mark.slow
def test_covariance_is_that_of_repeated_draws_in_their_units() -> None:
    draws = [fit(draw_counts(1000, 30, 0.4, 300, seed=seed), "law") for seed in range(200)]
    scatter = pd.DataFrame([fitted.params for fitted in draws]).corr()
    stated = draws[0].covariance
    errors = np.sqrt(np.diag(stated))
    correlation = stated / np.outer(errors, errors)
    assert correlation.loc["b", "alpha"] == pytest.approx(-1)
    assert correlation.loc["active", "knee"] == pytest.approx(
        scatter.loc["active", "knee"], abs=0.1
    )


def test_forecasts_come_from_the_rate_density_unless_a_family_is_asked_for(
    fitted: FittedLaw,
) -> None:
    assert fitted.forecasts_from == "law"
    assert fit(fitted.counts).forecasts_from == "rate_density"


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


def test_forecast_intervals_are_no_wider_than_they_need_be(fitted: FittedLaw) -> None:
    wake = fitted.law.wake_probability(500, 500)
    by_chance_alone = np.diff(binom.ppf([0.025, 0.975], fitted.counts.idle, wake))[0]
    table = fitted.forecast(1000).iloc[0]
    assert by_chance_alone < table.upper - table.lower < 2 * by_chance_alone


@pytest.mark.slow
def test_forecast_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rates = rng.beta(0.3, 0.3 * 1000 / 20 - 0.3, size=1000)
        first, later = rng.binomial(200, rates), rng.binomial(1800, rates)
        table = fit(ActivationCounts(first, 200), "law").forecast(2000).iloc[0]
        inside.append(table.lower <= np.count_nonzero(first + later) <= table.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 300 draws from the law")
    assert np.mean(inside) > 0.95 - 5 * 0.0126  # 0.0126 is the standard error of a share of 300


@pytest.mark.parametrize("level", [-1, 0, 1, 2])
def test_a_level_is_a_probability(fitted: FittedLaw, level: float) -> None:
    for ask in (
        lambda: fitted.summary(level),
        lambda: fitted.forecast(9, level=level),
        lambda: fitted.curve(9, level=level),
        lambda: fitted.residual_risk(9, level=level),
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
        ("many", 0.9, "samples as numbers, or as multiples of those counted such as '10x'"),
        ([], 0.9, "at least one number of samples, but got an empty list"),
        ([[1, 2]], 0.9, r"one number or \(n,\), but got shape \(1, 2\)"),
        (9, 1.0, r"level as a fraction in \(0, 1\), but got 1"),
    ],
)
def test_senseless_forecasts_are_refused(
    fitted: FittedLaw, samples: float, level: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted.forecast(samples, level=level)


NO_NUMBERS = ["x", "", b"10x", 1j, {}, {1, 2}, ..., True, [None], [[1], [1, 2]], [], 2**64]
NO_SAMPLES = [*NO_NUMBERS, 0, -1, 2.5, np.nan, np.inf, 1e30, [[1, 2]], "-2x", "0x", "x", "1e400x"]
NO_FRACTIONS = [*NO_NUMBERS, 0, 1, -0.5, 95, np.nan, np.inf]


@pytest.mark.parametrize("given", NO_SAMPLES, ids=repr)
def test_what_is_no_number_of_samples_is_refused_in_a_sentence(
    fitted: FittedLaw, given: object
) -> None:
    for ask in (
        fitted.forecast,
        fitted.residual_risk,
        fitted.curve,
        lambda given: fitted.forecast(units=given),
        lambda given: fitted.units_for(0.5, given),
    ):
        with pytest.raises(InputError, match=r"^expected .*but got"):
            ask(given)


@pytest.mark.parametrize("given", [*NO_FRACTIONS, [0.5, 0.9]], ids=repr)
def test_what_is_no_level_is_refused_in_a_sentence(fitted: FittedLaw, given: object) -> None:
    for ask in (
        fitted.summary,
        lambda level: fitted.forecast(9, level=level),
        lambda level: fitted.samples_for(0.5, level=level),
        lambda level: fitted.units_for(0.5, level=level),
        lambda level: check(fitted.counts, level=level),
    ):
        with pytest.raises(InputError, match=r"^expected .*but got"):
            ask(given)


@pytest.mark.parametrize("given", [*NO_NUMBERS, "Law", 3], ids=repr)
def test_what_is_no_family_is_refused_in_a_sentence(fitted: FittedLaw, given: object) -> None:
    with pytest.raises(InputError, match=r"^expected family to be one of law, .*but got"):
        fit(fitted.counts, given)


@pytest.mark.slow
def test_multiples_of_the_samples_are_numbers_of_samples(fitted: FittedLaw) -> None:
    plain, wide = fitted.forecast([1000, 5000]), fitted.forecast(1000, units=4000)
    pd.testing.assert_frame_equal(fitted.forecast(["2x", 5000]), plain)
    pd.testing.assert_frame_equal(fitted.forecast("2x,5000"), plain)
    pd.testing.assert_frame_equal(fitted.forecast("2x", units="2x"), wide)
    pd.testing.assert_frame_equal(fitted.residual_risk("1x"), fitted.residual_risk(500))
    pd.testing.assert_frame_equal(fitted.units_for(0.5, "2x"), fitted.units_for(0.5, 1000))


@pytest.mark.parametrize(("per", "entries", "said"), [
    ("position", 5, True), ("token", 1, True), ("position", 6, False), ("position", None, False),
    ("sample", None, False),
])  # fmt: skip
def test_positions_of_few_entries_are_remarked_on(per: str, entries: int, said: bool) -> None:
    rng = np.random.default_rng(0)
    drawn = draw_blocks(rng.beta(0.3, 20, 900), 32, 8, rng)
    counts = replace(drawn, per=per, entries=entries, blocks=None)
    remarks = " ".join(fit(counts).remarks())
    assert ("of the data alone" in remarks) == said


@pytest.mark.slow
def test_positions_without_blocks_are_remarked_on() -> None:
    rng = np.random.default_rng(0)
    with_blocks = replace(draw_blocks(rng.beta(0.3, 20, 900), 32, 8, rng), per="position")
    without = replace(with_blocks, blocks=None)
    said = "counted without blocks of samples"
    assert any(said in remark for remark in fit(without).remarks())
    assert said in repr(fit(without).summary())
    for counts, family in (
        (with_blocks, None),
        (without, "law"),
        (replace(without, per="sample"), None),
    ):
        assert not any(said in remark for remark in fit(counts, family).remarks())
