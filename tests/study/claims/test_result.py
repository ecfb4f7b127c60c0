from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from actilaw.study.claims.result import (
    FAILS,
    HOLDS,
    UNTOLD,
    Interval,
    judged,
    mean_of,
    median_of,
    share_of,
    slopes_of,
)

FINITE = st.floats(-1e6, 1e6)


def verdict(lower: float, upper: float, n: int = 9) -> str:
    middle = (lower + upper) / 2
    return judged(
        "a", "b", "c", Interval(middle, lower, upper, n), within=(-1.0, 2.0), needs="more"
    ).verdict


def test_verdicts_follow_from_where_the_interval_lies() -> None:
    assert verdict(-1, 2) == HOLDS
    assert verdict(-0.5, 0.5) == HOLDS
    assert verdict(2.1, 3) == FAILS
    assert verdict(-9, -1.1) == FAILS
    assert verdict(1, 3) == UNTOLD
    assert verdict(-3, 3) == UNTOLD
    assert verdict(0, 1, n=2) == UNTOLD
    assert verdict(np.nan, np.nan) == UNTOLD


def test_means_are_students() -> None:
    values = np.random.default_rng(0).normal(size=7)
    found = mean_of([*values, np.nan])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.n == 7
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))


def test_two_figures_have_no_interval() -> None:
    assert np.isnan(mean_of([1.0, 2.0]).lower)
    assert mean_of([]).n == 0


@pytest.mark.parametrize("n", [6, 7, 10, 25, 60])
def test_the_median_lies_in_its_interval_as_often_as_said(n: int) -> None:
    """By enumeration: the interval holds the median unless too few figures lie on one side."""
    found = median_of(np.arange(n, dtype=float))
    below = int(found.lower)  # figures below the lower end of the interval
    assert found.upper == n - 1 - below
    outside = 2 * stats.binom.cdf(below, n, 0.5)
    assert outside <= 0.05
    assert n == 6 or 2 * stats.binom.cdf(below + 1, n, 0.5) > 0.05  # and is as short as it can be


def test_few_figures_have_any_median() -> None:
    assert median_of([1.0, 2.0, 3.0]) == Interval(2.0, -np.inf, np.inf, 3)


def test_shares_have_wilsons_interval() -> None:
    found = share_of([True] * 8 + [False] * 2)
    expected = stats.binomtest(8, 10).proportion_ci(method="wilson")
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))
    assert share_of([True] * 5).upper == 1


@given(st.lists(st.tuples(FINITE, FINITE), min_size=8, max_size=20, unique_by=lambda p: p[0]))
def test_slopes_are_those_of_least_squares(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    if np.ptp(x) < 1:
        return
    (found,) = slopes_of(y, [x])
    assert found.estimate == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-4, abs=1e-6)


def test_intervals_of_slopes_are_those_of_leaving_one_out() -> None:
    """HC3 squares how far each point pulls the slope once it is left out."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = 2 * x + rng.normal(size=12) * np.abs(x)
    (found,) = slopes_of(y, [x])
    whole = np.polyfit(x, y, 1)[0]
    pulls = [whole - np.polyfit(np.delete(x, i), np.delete(y, i), 1)[0] for i in range(12)]
    reach = stats.t.ppf(0.975, 10) * np.sqrt(np.sum(np.square(pulls)))
    assert found.upper - found.estimate == pytest.approx(reach, rel=1e-9)


def test_slopes_that_cannot_be_told_apart_have_none() -> None:
    x = np.arange(10.0)
    assert np.isnan(slopes_of(x, [x, 2 * x])[0].estimate)
    assert np.isnan(slopes_of(x[:3], [x[:3]])[0].estimate)
