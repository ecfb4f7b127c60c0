from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from actilaw.study.claims.result import (
    FAILS,
    HOLDS,
    UNTOLD,
    Interval,
    judged,
    mean_between,
    mean_of,
    mean_over,
    remarks_on,
    share_of,
    slope_of,
)


def verdict(lower: float, upper: float) -> str:
    middle, n = (lower + upper) / 2, 9
    return judged(
        "a", "b", "c", Interval(middle, lower, upper, n, n), within=(-1.0, 2.0), needs="more"
    ).verdict


def test_verdicts_follow_from_where_the_interval_lies() -> None:
    assert verdict(-1, 2) == HOLDS
    assert verdict(-0.5, 0.5) == HOLDS
    assert verdict(2.1, 3) == FAILS
    assert verdict(-9, -1.1) == FAILS
    assert verdict(1, 3) == UNTOLD
    assert verdict(-3, 3) == UNTOLD
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


def test_means_over_groups_are_students_of_the_groups() -> None:
    values = pd.Series([1.0, 3.0, 10.0, 5.0, 5.0, np.nan, 8.0])
    groups = pd.Series(["a", "a", "a", "b", "b", "b", "c"])
    assert mean_over(values, groups, summary="median") == replace(mean_of([3.0, 5.0, 8.0]), n=6)
    assert np.isnan(mean_over(values[:6], groups[:6]).lower)  # of two groups


def test_a_mean_of_figures_between_bounds_is_as_wide_as_both() -> None:
    low, high = [0.0, 1.0, 2.0], [1.0, 3.0, 3.0]
    found = mean_between(low, high)
    assert (found.lower, found.upper) == (mean_of(low).lower, mean_of(high).upper)
    censored = mean_between([-np.inf, 1.0, 2.0], high)
    assert (censored.lower, censored.upper) == (-np.inf, mean_of(high).upper)
    assert np.isnan(censored.estimate)
    assert mean_between([*low, np.nan], [*high, 1.0]) == found


def test_what_is_known_from_one_side_fails_or_is_not_told_but_never_holds() -> None:
    def judgement(lower: float, upper: float) -> str:
        one_sided = Interval(np.nan, lower, upper, 5, 5)
        return judged("a", "b", "c", one_sided, within=(-1.0, 2.0), needs="more").verdict

    assert judgement(2.5, np.inf) == FAILS
    assert judgement(-np.inf, -1.5) == FAILS
    assert judgement(0.0, np.inf) == UNTOLD
    assert judgement(-np.inf, np.inf) == UNTOLD


def test_shares_have_wilsons_interval_of_fewer_figures_for_each_group() -> None:
    """Where groups differ by no more than chance, n shrinks by the quantiles alone."""
    hits = pd.Series(([True] * 8 + [False] * 2) * 5)
    groups = pd.Series(np.repeat(np.arange(5), 10))
    found = share_of(hits, groups)
    worth = 50 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 4)) ** 2
    p, z = 0.8, stats.norm.ppf(0.975)
    ends = np.roots([1 + z**2 / worth, -(2 * p + z**2 / worth), p**2])  # of (p − x)² = z² x(1−x)/n
    assert sorted(ends) == pytest.approx([found.lower, found.upper])
    assert share_of(pd.Series([True] * 9), pd.Series([0, 1, 2] * 3)).upper == 1
    assert np.isnan(share_of(hits[:20], groups[:20]).lower)  # of two groups


def test_shares_that_differ_between_groups_are_known_less_well() -> None:
    groups = pd.Series(np.repeat(np.arange(5), 10))
    alike = share_of(pd.Series(([True] * 6 + [False] * 4) * 5), groups)
    split = share_of(pd.Series([True] * 30 + [False] * 20), groups)
    assert split.upper - split.lower > 1.5 * (alike.upper - alike.lower)


def cells(rng: np.random.Generator, *, scatter: float = 1.0, sizes: int = 6) -> pd.DataFrame:
    """Dependent cells: five widths, three seeds, and an effect of each width, size and seed; the
    slope in log N is 1.
    """
    of_width = scatter * rng.normal(size=5)
    of_size, of_data = rng.normal(size=sizes), 0.5 * rng.normal(size=(sizes, 3))
    grid = [(i, j, k) for i in range(5) for j in range(sizes) for k in range(3)]
    rows = [
        (2.0**i, 4.0**j, k, i * np.log(2) + of_width[i] + of_size[j] + of_data[j, k])
        for i, j, k in grid
    ]
    table = pd.DataFrame(rows, columns=["width", "size", "seed", "y"])
    return table.assign(y=table["y"] + 0.3 * rng.normal(size=len(table)))


def slope(table: pd.DataFrame) -> Interval:
    return slope_of(table["y"], table["width"], table["size"])


def test_slopes_are_those_of_the_widths_means_where_none_is_missing() -> None:
    table = cells(np.random.default_rng(0))
    found = slope(table)
    means = table.groupby("width")["y"].mean()
    expected = stats.linregress(np.log(means.index), means)
    assert found.estimate == pytest.approx(expected.slope)
    assert found.upper - found.estimate == pytest.approx(stats.t.ppf(0.975, 3) * expected.stderr)
    assert (found.n, found.groups) == (90, 5)


def test_slopes_that_differ_between_sizes_have_the_interval_of_the_sizes_slopes() -> None:
    """In a whole grid the jackknife over sizes is Student's interval of the slopes of each size."""
    rng = np.random.default_rng(1)
    table = cells(rng, scatter=0.01)
    by_size = dict(zip(table["size"].unique(), rng.normal(size=6), strict=True))
    table["y"] += table["size"].map(by_size) * np.log(table["width"])
    slopes = []
    for _, rows in table.groupby("size"):
        slopes.append(stats.linregress(np.log(rows["width"]), rows["y"]).slope)
    expected = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert (slope(table).lower, slope(table).upper) == pytest.approx((expected.low, expected.high))


def test_slopes_do_not_follow_which_sizes_are_missing() -> None:
    """Without noise, an effect of sizes leaves the slope as it is, whatever cells are left out."""
    table = cells(np.random.default_rng(2))
    table["y"] = np.log(table["width"]) + 5 * np.log(table["size"])
    assert slope(table[table["size"] > table["width"] / 2]).estimate == pytest.approx(1)


def clustered(table: pd.DataFrame) -> float:
    """Half the width of the interval of the slope by CR1 clustered by widths, by a plain loop."""
    columns = [np.ones(len(table)), np.log(table["width"])]
    columns += [(table["size"] == size).to_numpy(float) for size in table["size"].unique()[1:]]
    x, y = np.column_stack(columns), table["y"].to_numpy()
    inverse = np.linalg.inv(x.T @ x)
    residuals = y - x @ inverse @ x.T @ y
    meat = np.zeros_like(inverse)
    for width in table["width"].unique():
        score = x[table["width"] == width].T @ residuals[table["width"] == width]
        meat += np.outer(score, score)
    variance = 5 / 4 * (inverse @ meat @ inverse)[1, 1]
    return float(stats.t.ppf(0.975, 4) * np.sqrt(variance))


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_intervals_of_slopes_of_dependent_cells_hold_them_as_often_as_said(missing: float) -> None:
    """95 % of them; cluster-robust intervals of so few widths are of like width."""
    rng = np.random.default_rng(3)
    held, wide, wide_clustered = 0, [], []
    for _ in range(400):
        table = cells(rng)
        table = table[rng.random(len(table)) >= missing]
        found = slope(table)
        held += found.lower <= 1 <= found.upper
        wide.append(found.upper - found.estimate)
        wide_clustered.append(clustered(table))
    assert 0.92 <= held / 400 <= 0.98
    assert 0.8 < np.median(wide) / np.median(wide_clustered) < 2.5


def test_what_one_figure_decides_on_has_no_slope() -> None:
    table = cells(np.random.default_rng(4))
    narrow = (table["width"] <= 2) & (table["size"] <= 16)
    broad = (table["width"] > 2) & (table["size"] > 16)
    bridge = (table["width"] == 2) & (table["size"] == 64)
    assert np.isfinite(slope(table).lower)
    assert np.isnan(slope(table[narrow | broad]).estimate)  # no size in common
    assert np.isnan(slope(table[narrow | broad | bridge]).estimate)  # one cell of leverage 1
    assert np.isnan(slope(table[table["width"] <= 4]).estimate)  # three widths
    assert np.isnan(slope(table[table["size"] == 1]).estimate)  # one size
    far = table.assign(width=table["width"].replace(16.0, 1e9))
    assert np.isnan(slope(far).estimate)  # one width of leverage 0.99


def test_cells_that_cannot_be_compared_do_not_count() -> None:
    table = cells(np.random.default_rng(5))
    alone = pd.DataFrame({"width": [64.0], "size": [1.0], "seed": [0], "y": [99.0]})
    assert slope(pd.concat([table, alone], ignore_index=True)) == slope(table)


def test_reasons_are_given_once_with_the_networks_that_they_are_true_of() -> None:
    across = Interval(0.0, -3.0, 3.0, 9, 9)
    verdicts = [
        judged("a", "s", "m", across, within=(-1.0, 1.0), needs="more"),
        judged("b", "s", "m", across, within=(-1.0, 1.0), needs="more", remark="2 undecided"),
        judged("c", "s", "m", mean_of([1.0]), within=(-1.0, 1.0), needs="more"),
        judged("d", "s", "m", mean_of([0.0, 0.1, 0.2]), within=(-1.0, 1.0), needs="more"),
    ]
    assert remarks_on(verdicts) == [
        "a; b: cannot be told: the interval reaches across the end of the range",
        "b: 2 undecided",
        "c: cannot be told: it needs more",
    ]
