"""Forecasts asked backwards: what they answer is what the forecast says forwards."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaln

from actilaw import ActivationCounts, FittedLaw, fit
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_blocks, draw_counts
from builders.strategies import varied_layers


@pytest.fixture(scope="module")
def fitted() -> FittedLaw:
    return fit(draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1), "law")


def assert_inverts(fitted: FittedLaw, shares: list[float]) -> None:
    """The forecast at each answer reaches the share, and just before it does not."""
    units = fitted.counts.units
    table = fitted.samples_for(shares)
    assert np.all(table["lower"] <= table["expected"])
    assert np.all(table["expected"] <= table["upper"])
    for answer, bound in (("expected", "expected"), ("lower", "upper"), ("upper", "lower")):
        found = table[np.isfinite(table[answer]) & (table[answer] < 2**53)]
        if found.empty:
            continue
        samples = found[answer].to_numpy()
        at = fitted.forecast(samples)[bound].to_numpy()
        just_before = np.maximum(np.floor(samples * (1 - 1.1e-6)) - 1, 1)
        before = fitted.forecast(just_before)[bound].to_numpy()
        wanted = found["working"].to_numpy() * units
        assert np.all(at >= wanted - 1e-6)
        assert np.all((before < wanted + 1e-6) | (samples == 1))


def test_samples_for_a_share_by_scipys_beta_functions(fitted: FittedLaw) -> None:
    """(13) solved by SciPy's root finder."""
    counts, b = fitted.counts, fitted.law.b
    rest = fitted.law.knee - b

    def short_of(log_samples: float) -> float:
        now, then = (betaln(b, rest + d) for d in (500, np.exp(log_samples)))
        return counts.working + counts.idle * (1 - np.exp(then - now)) - 0.9 * counts.units

    by_scipy = np.exp(brentq(short_of, np.log(501), np.log(1e9)))
    assert fitted.samples_for(0.9)["expected"][0] == pytest.approx(np.ceil(by_scipy), abs=1)


def test_a_share_reached_long_ago_is_answered_by_rarefaction(fitted: FittedLaw) -> None:
    row = fitted.samples_for(0.25).iloc[0]
    assert row.lower == row.expected == row.upper
    around = fitted.counts.rarefied([int(row.expected) - 1, int(row.expected)])
    assert around[0] < 500 <= around[1]


def test_a_share_above_what_silent_units_leave_is_never_reached() -> None:
    rng = np.random.default_rng(0)
    rates = np.concatenate((rng.beta(2, 20, 700), np.zeros(300)))
    fitted = fit(ActivationCounts(rng.binomial(400, rates), 400), "zero_inflated")
    row = fitted.samples_for([0.9]).iloc[0]
    assert (row.expected, row.upper) == (np.inf, np.inf)


@pytest.mark.slow
@settings(max_examples=15)
@given(varied_layers(), st.sampled_from([None, "law", "mixture"]))
def test_samples_for_inverts_the_forecast(counts: ActivationCounts, family: str | None) -> None:
    try:
        fitted = fit(counts, family)
    except CountsError:
        return
    share = counts.working / counts.units
    shares = [share / 3, share * 0.999, 1 - (1 - share) * 0.7, 1 - (1 - share) * 0.1]
    assert_inverts(fitted, [one for one in shares if 0 < one < 1])


@pytest.mark.slow
@pytest.mark.parametrize("family", [None, "law"])
@pytest.mark.parametrize("seed", range(2))
def test_units_for_inverts_the_forecast_of_other_widths(seed: int, family: str | None) -> None:
    rng = np.random.default_rng(seed)
    counts = draw_blocks(rng.beta(rng.uniform(0.2, 0.8), rng.uniform(10, 40), 1000), 24, 16, rng)
    fitted = fit(counts, family)
    table = fitted.units_for([0.4, 0.6], "4x", assumption="all")
    assert table["assumption"].tolist() == ["study", "b fixed", "bN fixed"] * 2
    assert np.all((table["lower"] <= table["expected"]) & (table["expected"] <= table["upper"]))
    answers = ["expected", "lower", "upper"]
    widths = table[answers].to_numpy().astype(int)
    asked = np.unique([widths, (1.01 * widths).astype(int) + 2])
    forecast = fitted.forecast("4x", units=asked, assumption="all")
    shares = forecast[answers].div(forecast["units"], axis=0)
    shares.index = pd.MultiIndex.from_frame(forecast[["assumption", "units"]])
    for row, of_row in zip(table.itertuples(), widths, strict=True):
        for answer, width in zip(answers, of_row, strict=True):
            rounding = 1.5 / width  # bounds are whole numbers of units
            wider = int(1.01 * width) + 2
            assert shares.loc[(row.assumption, width), answer] >= row.working - rounding
            assert shares.loc[(row.assumption, wider), answer] <= row.working + rounding


@pytest.mark.slow
def test_units_for_a_share_by_the_formula_of_each_assumption(fitted: FittedLaw) -> None:
    """b fixed by the samples at which this layer has the share, bN fixed by logarithms."""
    counts = fitted.counts
    table = fitted.units_for(0.6, 1000, assumption="all").set_index("assumption")["expected"]
    samples = float(fitted.samples_for(0.6)["expected"][0])
    assert table["b fixed"] == pytest.approx(counts.units * 1000 / samples, rel=3e-3)
    idle = 1 - fitted.forecast(1000)["expected"][0] / counts.units
    assert table["bN fixed"] == pytest.approx(counts.units * np.log(idle) / np.log(0.4), rel=2e-3)


@pytest.mark.slow
def test_a_share_that_no_width_has_is_missing(fitted: FittedLaw) -> None:
    assert np.isnan(fitted.units_for(0.9999, 2)["expected"]).all()


@pytest.mark.parametrize("working", [0, 1, -0.5, 95, np.nan, "half", None, [], [[0.5]], 1j])
def test_a_share_is_a_fraction(fitted: FittedLaw, working: float) -> None:
    for ask in (fitted.samples_for, fitted.units_for):
        with pytest.raises(InputError, match=r"expected .*working"):
            ask(working)


@pytest.mark.parametrize("samples", [0, 2.5, "many", [1, 2], np.inf, 1e30])
def test_the_samples_of_a_width_are_one_whole_number(fitted: FittedLaw, samples: float) -> None:
    with pytest.raises(InputError, match=r"expected .*samples"):
        fitted.units_for(0.5, samples)
