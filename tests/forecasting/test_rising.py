"""Bounds that never fall, whatever the counts and whatever else is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import ActivationCounts, FittedLaw, fit
from actilaw.errors import CountsError
from actilaw.forecasting.rising import RisingBounds, doublings
from actilaw.support.validation import LARGEST_WHOLE
from builders.drawn import draw_blocks
from builders.strategies import varied_layers

FAMILIES = st.sampled_from([None, None, "law", "zero_inflated"])
BOUNDS = ["expected", "lower", "upper"]


def fitted_to(counts: ActivationCounts, family: str | None) -> FittedLaw | None:
    try:
        return fit(counts, family)
    except CountsError:
        return None


def asked_of(samples: int, seed: int) -> np.ndarray:
    """Numbers of samples below, at, just above and far beyond those counted; increasing."""
    rng = np.random.default_rng(seed)
    near = [samples - 1, samples, samples + 1, samples + 2]
    below = samples * rng.random(5)
    beyond = np.minimum(samples * 10 ** rng.uniform(0, 9, 60), 2.0**62)
    asked = [*near, *below.astype(np.int64).tolist(), *beyond.astype(np.int64).tolist()]
    return np.unique(np.clip(np.array([*asked, LARGEST_WHOLE], np.int64), 1, LARGEST_WHOLE))


def assert_ordered(table: pd.DataFrame, largest: float) -> None:
    rounding = 1e-9 * largest
    assert np.all(np.isfinite(table[BOUNDS]))
    assert np.all(table["lower"] <= table["expected"] + rounding)
    assert np.all(table["expected"] <= table["upper"] + rounding)
    assert table["lower"].min() >= 0
    assert table["upper"].max() <= largest + rounding


def assert_never_falls(table: pd.DataFrame, largest: float) -> None:
    assert np.all(np.diff(table[BOUNDS], axis=0) >= -1e-9 * largest)


@pytest.mark.slow
@settings(max_examples=50)
@given(varied_layers(), FAMILIES, st.integers(0, 2**32 - 1))
def test_forecasts_never_fall_and_stay_between_k_and_n(
    counts: ActivationCounts, family: str | None, seed: int
) -> None:
    fitted = fitted_to(counts, family)
    if fitted is None:
        return
    asked = asked_of(counts.samples, seed)
    table = fitted.forecast(asked)
    assert_ordered(table, counts.units)
    assert_never_falls(table, counts.units)
    assert table.loc[table["samples"] >= counts.samples, "lower"].min() >= counts.working
    alone = pd.concat([fitted.forecast(int(one)) for one in asked[::9]], ignore_index=True)
    pd.testing.assert_frame_equal(
        alone, table.iloc[::9].reset_index(drop=True), rtol=1e-12, check_frame_type=False
    )


@pytest.mark.slow
@settings(max_examples=40)
@given(varied_layers(), FAMILIES)
def test_risks_never_fall_and_are_probabilities(
    counts: ActivationCounts, family: str | None
) -> None:
    fitted = fitted_to(counts, family)
    if fitted is None or counts.idle == 0:
        return
    more = np.unique(np.geomspace(1, 2.0**62, 80).astype(np.int64))
    table = fitted.residual_risk([*more, LARGEST_WHOLE])
    assert_ordered(table, 1.0)
    assert_never_falls(table, 1.0)


@pytest.mark.slow
@settings(max_examples=30)
@given(varied_layers(), FAMILIES, st.integers(0, 2**32 - 1))
def test_forecasts_of_other_widths_never_fall_in_samples_nor_under_a_fixed_b_in_width(
    counts: ActivationCounts, family: str | None, seed: int
) -> None:
    fitted = fitted_to(counts, family)
    if fitted is None:
        return
    rng = np.random.default_rng(seed)
    least = int(counts.active) + 1
    widths = np.unique(least + (20 * counts.units * rng.random(6) ** 2).astype(int))
    widths = widths[widths >= 2]
    samples = asked_of(min(counts.samples, 2**50), seed)[::6]
    table = fitted.forecast(samples, units=widths, assumption="all")
    for (_, width), part in table.groupby(["assumption", "units"]):
        assert_ordered(part, float(width))
        assert_never_falls(part.sort_values("samples"), float(width))
    for (assumption, _), part in table.groupby(["assumption", "samples"]):
        if assumption != "study":  # networks that saw few samples had fewer working units if wider
            assert_never_falls(part.sort_values("units"), float(widths.max()))
    alone = fitted.forecast(int(samples[-2]), units=int(widths[0]), assumption="all")
    together = table[(table["samples"] == samples[-2]) & (table["units"] == widths[0])]
    np.testing.assert_allclose(alone[BOUNDS], together[BOUNDS], rtol=1e-9)


def test_a_bound_that_falls_is_kept_at_its_largest() -> None:
    counts = ActivationCounts(
        (rng := np.random.default_rng(17)).binomial(1000, rng.beta(0.3, 20, 400)), 1000
    )
    table = fit(counts).forecast([1000 * 2**k for k in range(21)])
    assert np.all(np.diff(table["lower"]) >= 0)
    assert table["lower"].iloc[-1] > table["lower"].iloc[5] > counts.working


def test_values_are_kept_between_the_largest_before_and_the_largest_after() -> None:
    grid, values = np.array([2, 4, 8, 16]), np.array([[1.0], [3.0], [2.0], [5.0]])
    rising = RisingBounds.over(grid, values)
    asked = np.array([1, 2, 3, 4, 5, 8, 9, 16])
    own = np.array([[9.0], [1.0], [0.0], [3.0], [7.0], [2.0], [4.0], [5.0]])
    kept = rising.kept(asked, own)[:, 0]
    assert kept.tolist() == [1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 4.0, 5.0]


def test_doublings_pass_what_is_asked_and_end_at_the_largest_whole_number() -> None:
    assert doublings(5, 21).tolist() == [10, 20, 40]
    assert doublings(5, 5).tolist() == []
    assert doublings(2**62, LARGEST_WHOLE).tolist() == [LARGEST_WHOLE]


@pytest.mark.slow
def test_one_sample_more_is_told_from_none_at_any_number_of_samples() -> None:
    rng = np.random.default_rng(3)
    for samples in (10**6, 10**16, 2**62):
        rates = 10.0 ** rng.uniform(-1.2 * np.log10(samples), -1, 500)
        counts = ActivationCounts(
            np.array(
                [
                    rng.poisson(rate * samples) if rate * samples < 1e9 else rate * samples
                    for rate in rates
                ],
                np.int64,
            ),
            samples,
        )
        for family in (None, "law"):
            fitted = fit(counts, family)
            risk = fitted.residual_risk([1, 1000])
            # A thousand samples are so few of these that each adds as much as the one before.
            assert risk["expected"][1] == pytest.approx(1000 * risk["expected"][0], rel=2e-3)
            assert 0 < risk["lower"][0] < risk["expected"][0] < risk["upper"][0] < 1e-3
            assert risk["expected"][0] < risk["bound"][0]
            row = fitted.forecast(samples + 1).iloc[0]
            assert counts.working == row.lower <= row.expected <= row.upper == counts.working + 1


@pytest.mark.slow
def test_widths_are_no_less_than_what_one_sample_activates() -> None:
    """Busy units and rare groups that start to work together: a large overdispersion."""
    rng = np.random.default_rng(3)
    busy = draw_blocks(rng.uniform(0.2, 0.9, 560), 32, 64, rng).blocks
    assert busy is not None
    rare = np.zeros((32, 464), np.int64)
    for group in range(8):
        rare[rng.integers(32), 40 * group : 40 * group + 40] = 1
    part = np.concatenate((busy.counts, rare), axis=1)
    counts = ActivationCounts(part.sum(axis=0), 2048, blocks=type(busy)(part, np.full(32, 64), 64))
    fitted = fit(counts)
    assert fitted.forecaster.incidence.overdispersion > 20
    table = fitted.forecast(["1x", "10x"], units=[512, 1024, 4096])
    assert table["lower"].min() > counts.active - 2
    like = table[(table["units"] == 1024) & (table["samples"] == 2048)]
    assert np.all(like["lower"] > 560)  # units that fire on every fifth sample work in any draw
