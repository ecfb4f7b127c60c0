"""The inflection of the accumulation curve, and the law's forecast of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw.checks.accumulation_curve import (
    _distance_from_mean_field,
    _interval_by_inversion,
    _unit_slopes,
    _zero_between,
    forecast_from_first_tenth,
    inflection,
)
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.result import Inconclusive
from actilaw.fitting.fit import fit
from builders.drawn import draw_counts


def test_the_slope_is_that_of_the_rarefied_curve(layer: FittedLayer) -> None:
    counts, d = layer.counts, np.array([1, 2, 10, 100, 900])
    slopes = layer.distinct.units @ _unit_slopes(layer.distinct.k, counts.samples, d.astype(float))
    np.testing.assert_allclose(slopes, d * (counts.rarefied(d + 1) - counts.rarefied(d)), rtol=1e-8)


def test_the_curve_of_a_layer_of_the_law_is_steepest_at_its_claim(fitted_layer) -> None:
    row = inflection(fitted_layer(draw_counts(4000, 80, 0.4, 5000, seed=0)))
    assert row.verdict == "holds"
    assert row.estimate == pytest.approx(1, abs=0.2)


def test_the_exact_law_comes_to_the_mean_field_where_inflections_are_late(fitted_layer) -> None:
    log_d = np.arange(0.0, 12.0, 0.05)
    biases = []
    for units in (50, 500, 5000):
        layer = fitted_layer(draw_counts(units, 5, 0.4, 20_000, seed=0))
        # With b = 1 the curve of the mean field is symmetric, so its chord is balanced at N/c.
        biases.append(abs(_distance_from_mean_field(layer, 0.0, log_d)))
    assert 0.1 > biases[0] > 5 * biases[1] > 25 * biases[2]


def test_the_interval_is_of_the_places_that_are_not_rejected() -> None:
    rises = np.array([5.0, 3.0, 1.0, -1.0, -3.0, -5.0])
    lower, upper = _interval_by_inversion(rises, np.full(6, 2.0), 2.5)
    assert (lower, upper) == pytest.approx((1.5, 3.5))
    with pytest.raises(Inconclusive, match="the place where K is steepest"):
        _interval_by_inversion(rises, np.full(6, 6.0), 2.5)


@pytest.mark.slow
@given(
    st.lists(st.floats(-3, 3), min_size=8, max_size=30),
    st.lists(st.floats(1e-6, 1), min_size=30, max_size=30),
    st.integers(0, 2**32 - 1),
)
def test_the_top_lies_within_its_bounds_whatever_the_margins(
    rises: list[float], margins: list[float], seed: int
) -> None:
    """Margins so small that chords on both sides of the top are rejected are among them."""
    curve = np.array([4.0, *rises, -4.0])
    downward = np.flatnonzero((curve[:-1] > 0) & (curve[1:] <= 0))
    start = np.random.default_rng(seed).choice(downward)
    top = _zero_between(curve, start)
    lower, upper = _interval_by_inversion(curve, np.resize(margins, curve.size), top)
    assert lower <= top <= upper


@pytest.mark.parametrize(
    ("units", "active", "reason"), [(2000, 10, "400 samples are fewer"), (400, 100, "N/c is 4")]
)
def test_too_few_samples_for_the_inflection_are_named(
    units: int, active: float, reason: str, fitted_layer
) -> None:
    with pytest.raises(Inconclusive, match=reason):
        inflection(fitted_layer(draw_counts(units, active, 0.4, 400, seed=0)))


def test_the_back_test_is_of_the_forecast_from_the_first_blocks(layer: FittedLayer) -> None:
    counts, row = layer.counts, forecast_from_first_tenth(layer)
    early = counts.prefix(3)
    forecast = fit(early, "law").forecast(counts.samples)["expected"].iloc[0]
    assert row.n == counts.working - early.working
    assert row.estimate == pytest.approx((forecast - counts.working) / row.n)
    assert row.lower < row.estimate < row.upper
