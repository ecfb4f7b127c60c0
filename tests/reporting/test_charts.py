"""What figures draw, beside answers made another way; that they are small, and safe in a script."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from actilaw import ActivationCounts, fit
from actilaw.checks.reinforcement import reinforcement_kernel
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.reporting import figures
from actilaw.reporting.charts import (
    Chart,
    accumulation_chart,
    count_chart,
    idle_chart,
    reinforcement_chart,
    rounded,
    samples_ahead,
    script_json,
)
from builders.drawn import draw_counts


@pytest.fixture(scope="module")
def fitted(counts: ActivationCounts) -> FittedLaw:
    return fit(counts)


def trace(chart: Chart, name: str) -> tuple[np.ndarray, np.ndarray]:
    [found] = [trace for trace in chart.traces if trace["name"].startswith(name)]
    return np.array(found["x"], float), np.array(found["y"], float)


def test_lines_are_those_of_the_law_and_of_the_forecast(
    counts: ActivationCounts, fitted: FittedLaw
) -> None:
    ahead = fitted.forecast(samples_ahead(counts))
    chart = accumulation_chart(counts, fitted, ahead)
    d, k = trace(chart, "activation law")
    np.testing.assert_allclose(k, fitted.law.working(d), rtol=2e-3)
    d, k = trace(chart, "counted")
    among = stats.hypergeom.pmf(0, counts.samples, counts.counts[:, np.newaxis], d)
    np.testing.assert_allclose(k, (1 - among).sum(axis=0), rtol=1e-3)
    d, share = trace(idle_chart(counts, fitted, ahead), "forecast")
    np.testing.assert_allclose(share, 1 - ahead["expected"] / counts.units, rtol=1e-3)
    assert 10 * counts.samples in ahead["samples"].tolist()
    k, p = trace(count_chart(counts, fitted), "activation law")
    law = stats.betabinom(counts.samples, fitted.law.b, fitted.law.beta)
    np.testing.assert_allclose(p, law.pmf(k), rtol=2e-3)


def test_landmarks_stand_at_knee_and_inflection(
    counts: ActivationCounts, fitted: FittedLaw
) -> None:
    chart = accumulation_chart(counts, fitted, fitted.forecast(samples_ahead(counts)))
    marks = {mark["text"]: mark["x"] for mark in chart.layout["annotations"]}
    assert 10 ** marks["knee"] == pytest.approx(fitted.law.knee, rel=0.01)
    assert 10 ** marks["inflection"] == pytest.approx(counts.units / fitted.law.active, rel=0.01)


def test_by_the_law_the_kernel_is_a_straight_line_of_slope_one(fitted: FittedLaw) -> None:
    drawn = draw_counts(40_000, 400, 0.5, 2000, seed=4)
    kernel, law = reinforcement_kernel(drawn), fit(drawn)
    assert kernel is not None
    x, chance = trace(reinforcement_chart(kernel, law), "law")
    slopes = np.diff(np.log(chance)) / np.diff(np.log(x))
    np.testing.assert_allclose(slopes, 1, atol=0.02)
    _, measured = trace(reinforcement_chart(kernel, law), "measured")
    several = kernel.units > 100
    away = (kernel.chance - kernel.by_law(law.law))[several] / kernel.error[several]
    assert np.abs(away).max() < 4  # standard errors
    assert measured.size == (kernel.chance > 0).sum()


@pytest.mark.slow
def test_figures_for_notebooks_draw_the_same(counts: ActivationCounts, fitted: FittedLaw) -> None:
    early = fit(draw_counts(counts.units, 40, 0.3, 50, seed=1))
    figure = figures.accumulation_curve(counts, fitted, early)
    names = [trace.name for trace in figure.data]
    assert names[1:] == [
        "forecast from all 500",
        "activation law",
        "back-test: forecast from 50 samples",
        "counted",
    ]
    for made in (figures.count_law, figures.idle_fraction, figures.reinforcement):
        drawn = made(counts, fitted)
        assert drawn.layout.xaxis.type == "log"
        assert all(len(trace.x) == len(trace.y) > 0 for trace in drawn.data)
    assert figures.empty_figure("a", "b", "log").layout.yaxis.type == "log"


def test_charts_stay_small_however_many_units_there_are() -> None:
    many = draw_counts(200_000, 2000, 0.4, 5000, seed=0)
    law = fit(many)
    ahead, kernel = law.forecast(samples_ahead(many)), reinforcement_kernel(many)
    assert kernel is not None
    for chart in (
        accumulation_chart(many, law, ahead),
        count_chart(many, law),
        idle_chart(many, law, ahead),
        reinforcement_chart(kernel, law),
    ):
        assert len(chart.to_json()) < 5000
        assert chart.words


@pytest.mark.slow
@given(st.text())
def test_whatever_stands_in_json_ends_no_script(text: str) -> None:
    packed = script_json({"name": text})
    assert json.loads(packed) == {"name": text}
    assert not set("<>&\u2028\u2029") & set(packed)


@given(st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, -np.inf]))
def test_rounded_numbers_differ_by_less_than_a_pixel(value: float) -> None:
    [short] = rounded([value])
    if not np.isfinite(value):
        assert short is None
    else:
        assert short == pytest.approx(value, rel=5.01e-4, abs=0)
