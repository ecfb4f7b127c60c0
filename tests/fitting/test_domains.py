"""Intervals of estimates that stay inside the quantity's domain."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm

from actilaw import ActivationCounts, fit
from actilaw.errors import CountsError
from actilaw.fitting.domains import bounds_within, domain_of
from builders.drawn import draw_counts
from builders.strategies import varied_layers


def test_bounds_are_normal_on_the_logarithm_or_the_log_odds() -> None:
    lower, upper = bounds_within((0.0, inf), 2.0, 0.5, 1.96)
    assert (lower, upper) == pytest.approx(tuple(np.exp(np.log(2) + 0.49 * np.array([-1, 1]))))
    lower, upper = bounds_within((0.0, 1.0), 0.1, 0.05, 1.96)
    sd = 0.05 / (0.1 * 0.9)
    assert (lower, upper) == pytest.approx(tuple(expit(logit(0.1) + 1.96 * sd * np.array([-1, 1]))))
    mirrored = bounds_within((-inf, 1.0), 1 - 2.0, 0.5, 1.96)
    assert mirrored == pytest.approx((1 - 2 * np.exp(0.49), 1 - 2 * np.exp(-0.49)))


@given(
    st.sampled_from([(0.0, inf), (-inf, 1.0), (0.0, 1.0), (1.0, inf), (0.0, 300.0)]),
    st.floats(1e-12, 1 - 1e-12),
    st.floats(0, 1e6),
)
def test_bounds_hold_the_estimate_and_stay_inside(
    domain: tuple[float, float], part: float, standard_error: float
) -> None:
    low, high = domain
    if np.isfinite(low) and np.isfinite(high):
        estimate = low + part * (high - low)
    else:
        estimate = low + part / (1 - part) if np.isfinite(low) else high - part / (1 - part)
    lower, upper = bounds_within(domain, estimate, standard_error, 1.96)
    assert low <= lower <= estimate <= upper <= high


@pytest.mark.slow
@settings(max_examples=60)
@given(varied_layers(), st.sampled_from([None, "zero_inflated", "mixture", "heavy_tail"]))
def test_summaries_stay_inside_their_domains(counts: ActivationCounts, family: str | None) -> None:
    try:
        fitted = fit(counts, family)
    except CountsError:
        return
    table = fitted.summary(0.99)
    assert np.all(table["lower"] <= table["estimate"])
    assert np.all(table["estimate"] <= table["upper"])
    for name, row in table[3:].iterrows():
        low, high = domain_of(str(name), counts.units)
        assert low <= row.lower, name
        assert row.upper <= high, name
    assert (
        table.loc["units":"working", ["lower", "upper"]]
        .eq(table.loc["units":"working", "estimate"], axis=0)
        .all(axis=None)
    )


def test_few_experts_have_a_positive_b_and_knee() -> None:
    """Eight experts, two of them routed to: the error of b is nearly as large as b."""
    fitted = fit(draw_counts(units=8, active=2, b=0.5, samples=2000, seed=5))
    errors, table = fitted.standard_errors, fitted.summary()
    assert errors["b"] > 0.4 * fitted.params["b"]
    assert (table.loc[["b", "knee", "active"], "lower"] > 0).all()
    assert table.loc["active", "upper"] < 8


@pytest.mark.slow
def test_intervals_of_summaries_hold_the_truth_as_often_as_they_say() -> None:
    """Of few units, whose errors are far from normal on the scale of b."""
    truth = {"b": 0.5, "knee": 0.5 * 24 / 3, "active": 3.0, "inflection": 8.0}
    held = {name: [] for name in truth}
    for seed in range(400):
        table = fit(draw_counts(units=24, active=3, b=0.5, samples=500, seed=seed)).summary()
        for name, value in truth.items():
            held[name].append(table.loc[name, "lower"] <= value <= table.loc[name, "upper"])
    for name, each in held.items():
        print(f"{name}: the 95 % interval held the truth in {np.mean(each):.1%} of 400 draws")
        error = np.sqrt(0.95 * 0.05 / 400)
        assert abs(np.mean(each) - 0.95) < norm.ppf(0.999) * error + 0.02
